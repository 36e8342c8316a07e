using Microsoft.Extensions.Logging;

namespace Branching.Storage.Transactions;

/// <summary>What happened in a store.</summary>
public enum StoreEventKind
{
    /// <summary>A transaction began.</summary>
    TransactionBegan = 0,

    /// <summary>A transaction is about to be committed; its writes are complete.</summary>
    BeforeCommit = 1,

    /// <summary>A transaction is committed; its locks are still held.</summary>
    Committed = 2,

    /// <summary>A committed transaction has given back its snapshot and locks.</summary>
    AfterCommit = 3,

    /// <summary>A transaction was rolled back, lost, expired, or its store was closed.</summary>
    RolledBack = 4,

    /// <summary>Something was written, by transactions or without; several writes may be told as one.</summary>
    Written = 5,

    /// <summary>A user of the store told the others something: <see cref="StoreEvents.Notify"/>.</summary>
    Notified = 6,

    /// <summary>RocksDB or the writer failed in a way that stopped writes; the failure is with it.</summary>
    BackgroundError = 7,
}

/// <summary>One thing that happened in a store.</summary>
/// <param name="Kind">What.</param>
/// <param name="Store">The store, in the words of messages.</param>
public sealed record StoreEvent(StoreEventKind Kind, string Store)
{
    /// <summary>The transaction; <see langword="null"/> for events of no transaction.</summary>
    public StoreTransaction? Transaction { get; init; }

    /// <summary>For <see cref="StoreEventKind.Written"/>: the store's sequence, at least.</summary>
    public Sequence Sequence { get; init; }

    /// <summary>For <see cref="StoreEventKind.Notified"/>: the name that was given.</summary>
    public string? Name { get; init; }

    /// <summary>For <see cref="StoreEventKind.Notified"/>: what was given with it; owned by nobody, not to be
    /// changed.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>For <see cref="StoreEventKind.BackgroundError"/>: the failure.</summary>
    public StorageException? Failure { get; init; }
}

/// <summary>The events of one open store, or of all stores of a process. Thread-safe.</summary>
/// <remarks>
/// Threads: events of a transaction and notifications are given on the thread that causes them, before the call that
/// causes them returns, so several may be given at once; <see cref="StoreEventKind.Written"/> and
/// <see cref="StoreEventKind.BackgroundError"/> come from the thread pool, never from the writer, and of several writes
/// at least the newest is told. An observer is quick, does not wait for the store, and may subscribe and unsubscribe.
/// What it throws is logged and reaches nobody: an observer can stop nothing. <c>OnCompleted</c> comes when the store
/// closes.
/// </remarks>
public sealed class StoreEvents : IObservable<StoreEvent>
{
    private readonly Lock _lock = new();
    private readonly string _store;
    private readonly ILogger _logger;
    private readonly StoreEvents? _all;
    private IObserver<StoreEvent>[] _observers = [];
    private ulong _written;
    private int _writtenSent;
    private bool _completed;

    internal StoreEvents(string store, ILogger logger, StoreEvents? all)
    {
        _store = store;
        _logger = logger;
        _all = all;
    }

    /// <summary>Gives later events to an observer until the answer is disposed.</summary>
    public IDisposable Subscribe(IObserver<StoreEvent> observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        lock (_lock)
        {
            if (!_completed)
            {
                _observers = [.. _observers, observer];
                return new Subscription(this, observer);
            }
        }

        observer.OnCompleted();
        return new Subscription(this, observer);
    }

    /// <summary>Tells every observer of this store something of one's own.</summary>
    /// <param name="name">What it is about; not interpreted.</param>
    /// <param name="payload">Given on as it is.</param>
    public void Notify(string name, ReadOnlyMemory<byte> payload = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        Raise(new StoreEvent(StoreEventKind.Notified, _store) { Name = name, Payload = payload });
    }

    internal bool HasObservers => Volatile.Read(ref _observers).Length > 0 || _all is { HasObservers: true };

    internal void Raise(StoreEvent happened)
    {
        foreach (IObserver<StoreEvent> observer in Volatile.Read(ref _observers))
        {
            try
            {
                observer.OnNext(happened);
            }
            catch (Exception e)
            {
                _logger.StoreObserverFailed(happened.Store, happened.Kind, e);
            }
        }

        _all?.Raise(happened);
    }

    /// <summary>Called by the writer after each group.</summary>
    internal void NoteWritten(Sequence sequence)
    {
        if (!HasObservers)
        {
            return;
        }

        Volatile.Write(ref _written, sequence.Value);
        if (Interlocked.Exchange(ref _writtenSent, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static events => events.RaiseWritten(), this, preferLocal: false);
        }
    }

    internal void NoteFailure(string store, StorageException failure)
    {
        if (HasObservers)
        {
            StoreEvent happened = new(StoreEventKind.BackgroundError, store) { Failure = failure };
            ThreadPool.UnsafeQueueUserWorkItem(
                static state => state.Events.Raise(state.Happened), (Events: this, Happened: happened),
                preferLocal: false);
        }
    }

    internal void Complete()
    {
        IObserver<StoreEvent>[] observers;
        lock (_lock)
        {
            _completed = true;
            observers = _observers;
            _observers = [];
        }

        foreach (IObserver<StoreEvent> observer in observers)
        {
            try
            {
                observer.OnCompleted();
            }
            catch (Exception e)
            {
                _logger.StoreObserverFailed(_store, StoreEventKind.Written, e);
            }
        }
    }

    private void RaiseWritten()
    {
        Volatile.Write(ref _writtenSent, 0);
        Interlocked.MemoryBarrier(); // A write noted from here on is told by a round of its own.
        Raise(new StoreEvent(StoreEventKind.Written, _store) { Sequence = new Sequence(Volatile.Read(ref _written)) });
    }

    private sealed class Subscription(StoreEvents events, IObserver<StoreEvent> observer) : IDisposable
    {
        public void Dispose()
        {
            lock (events._lock)
            {
                events._observers = [.. events._observers.Where(other => !ReferenceEquals(other, observer))];
            }
        }
    }
}
