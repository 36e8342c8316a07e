using System.Diagnostics.CodeAnalysis;

namespace Orleans.Runtime;

/// <summary>A timer of one activation. Disposing it stops it and cancels the tick that is running.</summary>
public interface IGrainTimer : IDisposable
{
    /// <summary>Starts over with new times.</summary>
    /// <param name="dueTime">Time to the next tick; <see cref="Timeout.InfiniteTimeSpan"/> stops the timer.</param>
    /// <param name="period">Time between the end of a tick and the next one; infinite means no next one.</param>
    void Change(TimeSpan dueTime, TimeSpan period);
}

/// <summary>When a grain timer ticks, and what its ticks may do.</summary>
public readonly struct GrainTimerCreationOptions
{
    /// <summary>Makes options that still need their times.</summary>
    public GrainTimerCreationOptions()
    {
    }

    /// <summary>Makes options for a timer that waits for its turn and does not keep the grain alive.</summary>
    [SetsRequiredMembers]
    public GrainTimerCreationOptions(TimeSpan dueTime, TimeSpan period)
    {
        DueTime = dueTime;
        Period = period;
    }

    /// <summary>Gets the time to the first tick.</summary>
    public required TimeSpan DueTime { get; init; }

    /// <summary>Gets the time between the end of a tick and the next one.</summary>
    public required TimeSpan Period { get; init; }

    /// <summary>Gets whether a tick may run between the turns of a request. Default: it waits like a request.</summary>
    public bool Interleave { get; init; }

    /// <summary>Gets whether a tick counts as use, so that idle collection stays away.</summary>
    public bool KeepAlive { get; init; }
}
