namespace Branching.RocksDb.Files;

/// <summary>Work on threads that let others of the machine go first.</summary>
public static class BackgroundThread
{
    /// <summary>
    /// Runs blocking work that somebody waits for on a thread of its own, which every thread that wakes may interrupt:
    /// it has its share of the processor, but holds up nobody for milliseconds.
    /// </summary>
    /// <param name="name">The thread's name, as a debugger shows it; Linux keeps 15 characters.</param>
    /// <param name="work">The work; what it throws is thrown to the one who waits.</param>
    public static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Action run = Completions.Prepare(work, out Task<T> result);
        Thread thread = new(() =>
        {
            TimeSlices.TryUseLong();
            run();
        })
        {
            IsBackground = true,
            Name = name,
        };
        try
        {
            thread.Start();
        }
        catch (OutOfMemoryException)
        {
            // There is no thread to be had now.
            ThreadPool.UnsafeQueueUserWorkItem(static work => work(), run, preferLocal: false);
        }

        return result;
    }

    /// <summary>
    /// Gives the calling thread a low share of the processor while others want it, and lets them interrupt it at once.
    /// It cannot be raised again without privileges, so only a thread that does nothing else calls this; never one of a
    /// pool. Threads that it starts inherit it.
    /// </summary>
    /// <returns>Whether the system agreed; the thread works either way.</returns>
    public static bool TryLowerPriority()
    {
        const int Nice = 10;
        return TimeSlices.TryUseLong(Nice);
    }
}
