using Branching.RocksDb.Files;

namespace Branching.Storage;

/// <summary>Something a writer thread does.</summary>
internal interface IWriteWork
{
    /// <summary>Runs to its end or to a good place to let others run. Never throws.</summary>
    /// <param name="group">The thread's own buffers, empty.</param>
    /// <returns>Whether it must run again after what waits now.</returns>
    bool Run(WriteGroup group);
}

/// <summary>The few threads on which all stores of a process commit.</summary>
/// <remarks>
/// A commit blocks in fsync. On the thread pool a handful of busy stores would block every thread that grains run on,
/// and a thread for each open store would be hundreds; so writers are threads of their own, and shared.
/// </remarks>
internal sealed class WriteThreads : IDisposable
{
    private readonly ThreadCrew<IWriteWork> _crew;

    public WriteThreads(int maxThreads) => _crew = new ThreadCrew<IWriteWork>("branching-writer", maxThreads, Loop);

    /// <summary>Whether work waits for a thread.</summary>
    public bool HasWaiting => _crew.HasWaiting;

    public void Add(IWriteWork work) => _crew.Add(work);

    /// <summary>Lets idle threads end. Work that was added before is still done.</summary>
    public void Dispose() => _crew.Dispose();

    private void Loop(Func<IWriteWork?> next)
    {
        TimeSlices.TryUseShort(); // Somebody waits for every commit, and most of one is waiting for the disk.
        using WriteGroup group = new();
        while (next() is { } work)
        {
            if (work.Run(group))
            {
                Add(work);
            }
        }
    }
}
