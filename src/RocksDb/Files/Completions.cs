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

    /// <summary>
    /// Makes work that a thread of low priority can run, and a task that ends with it. Called at the normal priority:
    /// the thread that ends the tasks is started by then.
    /// </summary>
    /// <param name="work">The work; what it throws is thrown to the one who waits.</param>
    /// <param name="result">Ends when the work has run.</param>
    /// <returns>Runs the work; never throws. To be called once.</returns>
    public static Action Prepare<T>(Func<T> work, out Task<T> result)
    {
        ArgumentNullException.ThrowIfNull(work);
        TaskCompletionSource<T> source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        result = source.Task;
        return () =>
        {
            try
            {
                T value = work();
                _ended.Add(() => source.SetResult(value));
            }
            catch (Exception e)
            {
                _ended.Add(() => source.SetException(e)); // The one who waits handles it.
            }
        };
    }

    private static void Run()
    {
        foreach (Action action in _ended.GetConsumingEnumerable())
        {
            action();
        }
    }
}
