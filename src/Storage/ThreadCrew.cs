namespace Branching.Storage;

/// <summary>
/// A few threads for work that blocks: started when work waits and none is free, shared, ended when idle. Thread-safe.
/// </summary>
/// <param name="name">Name of the threads, as a debugger shows it.</param>
/// <param name="maxThreads">Threads at a time, 1 or more.</param>
/// <param name="run">
/// What a thread does from its start to its end: asks for work until there is none. Never throws.
/// </param>
/// <param name="start">Starts a thread; a seam.</param>
internal sealed class ThreadCrew<T>(
    string name, int maxThreads, Action<Func<T?>> run, Action<Thread>? start = null) : IDisposable
    where T : class
{
    private static readonly TimeSpan _idleLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _retryAfter = TimeSpan.FromMilliseconds(100);

    private readonly object _lock = new();
    private readonly Queue<T> _waiting = new();
    private int _threads;
    private int _idle;
    private bool _disposed;
    private int _waitingCount;

    /// <summary>Whether work waits for a thread.</summary>
    public bool HasWaiting => Volatile.Read(ref _waitingCount) > 0;

    public void Add(T work)
    {
        bool needed = false;
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
                needed = true;
            }
        }

        if (needed)
        {
            Start();
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

    private void Start()
    {
        Thread thread = new(() => run(Next)) { IsBackground = true, Name = name };
        try
        {
            (start ?? (static one => one.UnsafeStart()))(thread);
        }
        catch (OutOfMemoryException)
        {
            // The system gives no thread now. Others of the crew do the work, or it waits until there is one again.
            lock (_lock)
            {
                _threads--;
                if (_threads > 0 || _waiting.Count == 0)
                {
                    return;
                }

                _threads++;
            }

            _ = StartLaterAsync();
        }
    }

    private async Task StartLaterAsync()
    {
        await Task.Delay(_retryAfter).ConfigureAwait(false);
        Start();
    }

    private T? Next()
    {
        lock (_lock)
        {
            while (true)
            {
                if (_waiting.TryDequeue(out T? work))
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
