using Branching.EmbeddedRuntime;
using Orleans.Runtime;

namespace Orleans;

/// <summary>What a grain can ask of its own activation.</summary>
public static class GrainBaseExtensions
{
    /// <summary>Deactivates as soon as the started requests have ended; waiting ones go to a new activation.</summary>
    public static void DeactivateOnIdle(this IGrainBase grain)
        => Of(grain).Deactivate(new DeactivationReason(
            DeactivationReasonCode.ApplicationRequested, "The grain asked to be deactivated."));

    /// <summary>Goes where placement would put it now, as soon as the started requests have ended; waiting ones follow
    /// it.</summary>
    /// <remarks>Nothing of the activation is carried over: the new one is made as any other.</remarks>
    public static void MigrateOnIdle(this IGrainBase grain)
        => Of(grain).Deactivate(new DeactivationReason(
            DeactivationReasonCode.Migrating, "The grain asked to be placed anew."));

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer(
        this IGrainBase grain, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Of(grain).RegisterTimer(callback, options);
    }

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer(
        this IGrainBase grain, Func<CancellationToken, Task> callback, TimeSpan dueTime, TimeSpan period)
        => RegisterGrainTimer(grain, callback, new GrainTimerCreationOptions(dueTime, period));

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer(
        this IGrainBase grain, Func<Task> callback, GrainTimerCreationOptions options)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Of(grain).RegisterTimer(_ => callback(), options);
    }

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer(
        this IGrainBase grain, Func<Task> callback, TimeSpan dueTime, TimeSpan period)
        => RegisterGrainTimer(grain, callback, new GrainTimerCreationOptions(dueTime, period));

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer<TState>(
        this IGrainBase grain,
        Func<TState, CancellationToken, Task> callback,
        TState state,
        GrainTimerCreationOptions options)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Of(grain).RegisterTimer(token => callback(state, token), options);
    }

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer<TState>(
        this IGrainBase grain,
        Func<TState, CancellationToken, Task> callback,
        TState state,
        TimeSpan dueTime,
        TimeSpan period)
        => RegisterGrainTimer(grain, callback, state, new GrainTimerCreationOptions(dueTime, period));

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer<TState>(
        this IGrainBase grain, Func<TState, Task> callback, TState state, GrainTimerCreationOptions options)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Of(grain).RegisterTimer(_ => callback(state), options);
    }

    /// <summary>Starts a timer whose ticks are turns of this activation. It ends with the activation.</summary>
    public static IGrainTimer RegisterGrainTimer<TState>(
        this IGrainBase grain, Func<TState, Task> callback, TState state, TimeSpan dueTime, TimeSpan period)
        => RegisterGrainTimer(grain, callback, state, new GrainTimerCreationOptions(dueTime, period));

    private static Activation Of(IGrainBase grain)
    {
        ArgumentNullException.ThrowIfNull(grain);
        return (Activation)grain.GrainContext;
    }
}
