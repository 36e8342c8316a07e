using Branching.RocksDb;

namespace Branching.Storage.Transactions;

/// <summary>Where a transaction stands.</summary>
public enum StoreTransactionState
{
    /// <summary>It takes reads and writes.</summary>
    Active = 0,

    /// <summary>Its commit is under way.</summary>
    Committing = 1,

    /// <summary>It was applied whole.</summary>
    Committed = 2,

    /// <summary>It was rolled back; nothing was applied.</summary>
    RolledBack = 3,

    /// <summary>It lost against another write; nothing was applied.</summary>
    Lost = 4,

    /// <summary>Its time was over before it committed; nothing was applied.</summary>
    Expired = 5,

    /// <summary>Its store was closed; nothing was applied.</summary>
    Closed = 6,

    /// <summary>Its commit failed; the failure said whether anything can have been applied.</summary>
    Failed = 7,
}

/// <summary>A moment in a transaction to which it can go back.</summary>
/// <param name="Depth">How many savepoints there were with it, from 1.</param>
public readonly record struct Savepoint(int Depth);

/// <summary>
/// Reads and writes of one store, over any of its column families, that are applied together or not at all.
/// </summary>
/// <remarks>
/// <para>
/// Writes stay in memory until the commit; the transaction's own reads see them. One caller at a time; a second one is
/// refused. Dispose it: that rolls back what was not committed, and until then a snapshot and locks are held. A
/// transaction that has ended takes nothing any more.
/// </para>
/// <para>
/// Reads may read the disk on the caller's thread, as those of <see cref="LocalStore"/> do. Keys and values are copied.
/// </para>
/// </remarks>
public sealed partial class StoreTransaction : IDisposable
{
    private readonly LocalStore _store;
    private readonly StoreHooks _hooks;
    private readonly TransactionChanges _changes = new();
    private readonly LockOwner _owner;
    private readonly ReadSnapshot? _snapshot;
    private readonly ReadOptions? _readOptions;
    private readonly ITimer? _expiry;
    private int _state;
    private int _busy;
    private int _ended;

    private StoreTransaction(
        LocalStore store, StoreHooks hooks, StoreTransactionOptions options, ReadSnapshot? snapshot)
    {
        _store = store;
        _hooks = hooks;
        Options = options;
        Id = StoreHooks.NextId();
        _owner = new LockOwner(Id, $"transaction {Id} of {store.Label}");
        StartedTicks = store.Time.GetTimestamp();
        Timestamp = store.Time.GetUtcNow();
        _snapshot = snapshot;
        StartSequence = new Sequence(snapshot?.Sequence ?? store.LatestSequence);
        if (snapshot is not null)
        {
            _readOptions = new ReadOptions { Snapshot = snapshot };
        }

        if (options.Mode == TransactionMode.Pessimistic)
        {
            hooks.CountLocking(1);
            if (options.Expiration is { } expiration)
            {
                _expiry = store.Time.CreateTimer(
                    static state => ((StoreTransaction)state!).Expire(), this, expiration, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>A number of its own in the process.</summary>
    public ulong Id { get; }

    /// <summary>How it behaves.</summary>
    public StoreTransactionOptions Options { get; }

    /// <summary>The sequence of its snapshot; without one, of the store when it began.</summary>
    public Sequence StartSequence { get; }

    /// <summary>
    /// A time that its users give it, for example of the change it makes; when it began, unless it was set. The store
    /// only hands it on with the events.
    /// </summary>
    public DateTimeOffset Timestamp { get; set; }

    /// <summary>Where it stands.</summary>
    public StoreTransactionState State => (StoreTransactionState)Volatile.Read(ref _state);

    /// <summary>Keys written and not taken back.</summary>
    public int Count => _changes.Count;

    /// <summary>Ranges removed and not taken back.</summary>
    public int RangeCount => _changes.RangeCount;

    /// <summary>The store's sequence right after the commit; zero before.</summary>
    public Sequence CommittedAt { get; private set; }

    internal bool HasSnapshot => _snapshot is not null;

    internal long StartedTicks { get; }

    private ulong Since => _snapshot?.Sequence ?? _store.LatestSequence;

    /// <summary>Remembers this moment.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.TransactionEnded"/>.</exception>
    public Savepoint SetSavepoint()
    {
        using Use use = Begin();
        return new Savepoint(_changes.SetSavepoint());
    }

    /// <summary>
    /// Takes back what was written and locked since the savepoint, which stays; savepoints after it are gone. Keys
    /// that were first read for update since then no longer count for the commit.
    /// </summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>: there is no such savepoint any more.
    /// <see cref="FailureKind.TransactionEnded"/>.
    /// </exception>
    public void RollBackTo(Savepoint savepoint)
    {
        using Use use = Begin();
        Require(savepoint);
        _changes.RollBackTo(savepoint.Depth, (key, toShared) => _hooks.Locks.Release(_owner, key, toShared));
    }

    /// <summary>Forgets a savepoint and those after it; what was done since stays.</summary>
    /// <exception cref="StorageException">As <see cref="RollBackTo"/>.</exception>
    public void Release(Savepoint savepoint)
    {
        using Use use = Begin();
        Require(savepoint);
        _changes.Release(savepoint.Depth);
    }

    /// <summary>Gives up everything. Does nothing when it was given up or has lost already.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.TransactionEnded"/>: it is committed, or its commit is under way.
    /// </exception>
    public void RollBack()
    {
        if (TryLeave(StoreTransactionState.RolledBack))
        {
            return;
        }

        if (State is StoreTransactionState.Committed or StoreTransactionState.Committing)
        {
            throw Ended("rolled back");
        }
    }

    /// <summary>Rolls back unless it has ended.</summary>
    public void Dispose() => TryLeave(StoreTransactionState.RolledBack);

    /// <inheritdoc/>
    public override string ToString() => $"{_owner.What} ({State})";

    internal static StoreTransaction Begin(LocalStore store, StoreHooks hooks, StoreTransactionOptions options)
    {
        ReadSnapshot? snapshot = options.UsesSnapshot ? store.NewSnapshot() : null;
        StoreTransaction transaction = new(store, hooks, options, snapshot);
        if (!hooks.TryAdd(transaction))
        {
            transaction.EndByClosing();
            throw store.ClosedFailure();
        }

        store.Raise(StoreEventKind.TransactionBegan, transaction);
        return transaction;
    }

    /// <summary>The store is closing: whatever the transaction holds goes.</summary>
    internal void EndByClosing() => TryLeave(StoreTransactionState.Closed);

    private void Expire() => TryLeave(StoreTransactionState.Expired);

    private bool TryLeave(StoreTransactionState to)
    {
        if (Interlocked.CompareExchange(ref _state, (int)to, (int)StoreTransactionState.Active)
            != (int)StoreTransactionState.Active)
        {
            return false;
        }

        GiveBack();
        _store.Raise(StoreEventKind.RolledBack, this);
        return true;
    }

    /// <summary>Gives back what is held outside; once.</summary>
    private void GiveBack()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
        {
            return;
        }

        _expiry?.Dispose();
        _hooks.Locks.ReleaseAll(_owner);
        if (Options.Mode == TransactionMode.Pessimistic)
        {
            _hooks.CountLocking(-1);
        }

        _readOptions?.Dispose();
        _snapshot?.Dispose();
        _hooks.Remove(this);
        _owner.End();
    }

    private void Require(Savepoint savepoint)
    {
        if (savepoint.Depth < 1 || savepoint.Depth > _changes.Savepoints)
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"{_owner.What} has no savepoint {savepoint.Depth}: it has {_changes.Savepoints}. Going back to an " +
                "earlier one, or releasing it, removes those after it.");
        }
    }

    private StorageException Ended(string asked)
    {
        string why = State switch
        {
            StoreTransactionState.Committing => "its commit is under way",
            StoreTransactionState.Committed => $"it was committed at sequence {CommittedAt}",
            StoreTransactionState.RolledBack => "it was rolled back",
            StoreTransactionState.Lost => "it lost against another write",
            StoreTransactionState.Expired =>
                $"its time of {Options.Expiration?.TotalSeconds:0.###} s was over and its locks were taken away",
            StoreTransactionState.Closed => "its store was closed",
            _ => "its commit failed",
        };
        FailureKind kind = State == StoreTransactionState.Closed ? FailureKind.Closed : FailureKind.TransactionEnded;
        return new StorageException(
            kind, $"{Capitalized(_owner.What)} cannot be {asked}: {why}. Begin another one.");
    }

    private static string Capitalized(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    /// <summary>One caller's use, until it is disposed.</summary>
    private Use Begin(string asked = "used")
    {
        if (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            throw new InvalidOperationException(
                $"{Capitalized(_owner.What)} is used by two callers at once; it takes one call at a time.");
        }

        if (State != StoreTransactionState.Active)
        {
            Volatile.Write(ref _busy, 0);
            throw Ended(asked);
        }

        return new Use(this);
    }

    private readonly struct Use(StoreTransaction transaction) : IDisposable
    {
        public void Dispose() => Volatile.Write(ref transaction._busy, 0);
    }
}
