using System.Collections.Concurrent;

namespace Branching.RocksDb.Files;

/// <summary>Tells those who wait that work on a thread of low priority has ended. Thread-safe.</summary>
/// <remarks>
/// On Linux a thread inherits the priority of the one that starts it, and the pool starts its threads on the one that
/// queues work. So whoever ended a task from a thread of low priority would leave the pool with threads of that
/// priority for good, and those would start more. One thread of the normal priority ends the tasks instead.
/// </remarks>
public static class Completions
{
    private static readonly BlockingCollection<Action> _ended = [];

    static Completions() => new Thread(Run) { IsBackground = true, Name = "branching-ended" }.Start();

    /// <summary>Starts the thread, with the priority of the caller: before a thread of low priority is.</summary>
    public static void EnsureStarted()
    {
        // The static constructor has run when this does.
    }

    /// <summary>Runs a short action, which ends a task and never throws, at the normal priority.</summary>
    public static void Add(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        _ended.Add(action);
    }

    private static void Run()
    {
        foreach (Action action in _ended.GetConsumingEnumerable())
        {
            action();
        }
    }
}
