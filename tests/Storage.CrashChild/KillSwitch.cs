using System.Diagnostics;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Ends one run at the given event of it (0: never). A run that is alone in its process dies with it in the event
/// itself. One beside others stands there for ever, and so does each thread of it that comes to a later event, until
/// the process is killed.
/// </summary>
internal sealed class KillSwitch(int killAt, bool alone, Action<string> say)
{
    // One for each run: who stands here for ever holds it, and may stop nobody else's run.
    private readonly Lock _lock = new();
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<string> _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _armed;
    private int _event;

    /// <summary>Whether events count.</summary>
    public bool Armed
    {
        get => _armed;
        set => _armed = value;
    }

    /// <summary>The event that the run stopped at, once it did.</summary>
    public Task<string> Stopped => _stopped.Task;

    /// <param name="what">The name of the event; it is said.</param>
    /// <param name="once">Only the first event of this name counts.</param>
    public void Happen(string what, bool once = false)
    {
        if (!_armed)
        {
            return;
        }

        lock (_lock)
        {
            if (once && !_seen.Add(what))
            {
                return;
            }

            say(what);
            if (++_event != killAt)
            {
                return;
            }

            if (alone)
            {
                Die();
            }

            _stopped.SetResult(what);
            StandStill();
        }
    }

    /// <summary>SIGKILL: no handler, no finally, no flush.</summary>
    public static void Die()
    {
        using Process self = Process.GetCurrentProcess();
        self.Kill();
        StandStill();
    }

    private static void StandStill() => new ManualResetEventSlim().Wait(Timeout.Infinite);
}
