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
/// and a thread for each open store would be hundreds; so writers are threads of their own, started when work waits
/// and none is free, ended when idle, and shared.
/// </remarks>
internal sealed class WriteThreads(int maxThreads) : IDisposable
{
    private static readonly TimeSpan _idleLimit = TimeSpan.FromSeconds(10);

    private readonly object _lock = new();
    private readonly Queue<IWriteWork> _waiting = new();
    private int _threads;
    private int _idle;
    private bool _disposed;

    /// <summary>Whether work waits for a thread.</summary>
    public bool HasWaiting => Volatile.Read(ref _waitingCount) > 0;

    private int _waitingCount;

    public void Add(IWriteWork work)
    {
        bool start = false;
        lock (_lock)
        {
            _waiting.Enqueue(work);
            _waitingCount = _waiting.Count;
            if (_idle >= _waiting.Count)
            {
                Monitor.Pulse(_lock);
            }
            else if (_threads < maxThreads)
            {
                _threads++;
                start = true;
            }
        }

        if (start)
        {
            Thread thread = new(Loop) { IsBackground = true, Name = "branching-writer" };
            thread.UnsafeStart();
        }
    }

    /// <summary>Lets idle threads end. Work that was added before is still done.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            Monitor.PulseAll(_lock);
        }
    }

    private void Loop()
    {
        using WriteGroup group = new();
        while (Next() is { } work)
        {
            if (work.Run(group))
            {
                Add(work);
            }
        }
    }

    private IWriteWork? Next()
    {
        lock (_lock)
        {
            while (true)
            {
                if (_waiting.TryDequeue(out IWriteWork? work))
                {
                    _waitingCount = _waiting.Count;
                    return work;
                }

                _idle++;
                bool pulsed = !_disposed && Monitor.Wait(_lock, _idleLimit);
                _idle--;
                if (!pulsed && _waiting.Count == 0)
                {
                    _threads--;
                    return null;
                }
            }
        }
    }
}
