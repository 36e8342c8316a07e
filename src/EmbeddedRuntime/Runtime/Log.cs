using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>Events 4000–4099.</summary>
internal static partial class Log
{
    [LoggerMessage(4000, LogLevel.Information, "Silo {Name} ({Address}) is active")]
    public static partial void SiloActive(this ILogger logger, string name, SiloAddress address);

    [LoggerMessage(4001, LogLevel.Information, "Silo {Name} ({Address}) has stopped")]
    public static partial void SiloStopped(this ILogger logger, string name, SiloAddress address);

    [LoggerMessage(4002, LogLevel.Warning, "Silo {Name} stopped with {Activations} grains still deactivating")]
    public static partial void StoppedEarly(this ILogger logger, string name, int activations);

    [LoggerMessage(4003, LogLevel.Error, "{GrainId} could not be activated")]
    public static partial void ActivationFailed(this ILogger logger, GrainId grainId, Exception cause);

    [LoggerMessage(4004, LogLevel.Error, "{GrainId} failed while it was deactivated")]
    public static partial void DeactivationFailed(this ILogger logger, GrainId grainId, Exception cause);

    [LoggerMessage(4005, LogLevel.Warning,
        "{GrainId} is deactivated with requests still running, after {LimitMs} ms or because the stop was cut short")]
    public static partial void DeactivatingBusy(this ILogger logger, GrainId grainId, double limitMs);

    [LoggerMessage(4006, LogLevel.Error, "A timer of {GrainId} failed; it goes on")]
    public static partial void TimerFailed(this ILogger logger, GrainId grainId, Exception cause);

    [LoggerMessage(4007, LogLevel.Warning, "One-way call {Method} on {GrainId} failed")]
    public static partial void OneWayFailed(this ILogger logger, GrainId grainId, string method, Exception cause);

    [LoggerMessage(4008, LogLevel.Warning, "A stream of {GrainId} could not be closed")]
    public static partial void StreamCloseFailed(this ILogger logger, GrainId grainId, Exception cause);
}
