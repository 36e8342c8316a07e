using Microsoft.Extensions.Logging;

namespace Branching.Silo;

// Events 4000-4099.
internal static partial class Log
{
    [LoggerMessage(4000, LogLevel.Information, "Option {Section}:{Name} = {Value}")]
    public static partial void EffectiveOption(this ILogger logger, string section, string name, string value);

    [LoggerMessage(4001, LogLevel.Information,
        "Node {Name} serves on {Address}: gateway port {GatewayPort}, silo port {SiloPort}, cluster {Cluster}")]
    public static partial void Serving(
        this ILogger logger, string name, string address, int gatewayPort, int siloPort, string cluster);

    [LoggerMessage(4002, LogLevel.Information, "Node {Name} stopped")]
    public static partial void Stopped(this ILogger logger, string name);

    [LoggerMessage(4010, LogLevel.Warning,
        "The old version {Path} of the table of members could not be deleted; the next change tries again")]
    public static partial void MembershipCleanupFailed(this ILogger logger, Exception cause, string path);

    [LoggerMessage(4011, LogLevel.Warning, "The sign of life {Path} cannot be read and counts as absent")]
    public static partial void SignOfLifeUnreadable(this ILogger logger, Exception cause, string path);
}
