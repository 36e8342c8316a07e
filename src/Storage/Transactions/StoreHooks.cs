using Branching.RocksDb;

namespace Branching.Storage.Transactions;

/// <summary>
/// What follows the writes of one store: the window of recent writes, the locks, the record versions and the events. A
/// store has none until something asks for it, and then writes cost one branch.
/// </summary>
/// <remarks>
/// Made, and given its parts, under the store's commit lock, so that every commit either comes before or is followed.
/// Methods that take a <see cref="WriteGroup"/> are called by the writer.
/// </remarks>
internal sealed class StoreHooks
{
    private static long _lastId;

    private readonly Guid _opening = Guid.NewGuid();

    private readonly LocalStore _store;
    private readonly TimeProvider _time;
    private readonly HashSet<StoreTransaction> _open = [];
    private readonly Lock _openLock = new();
    private WriteWindow? _window;
    private RecentWrites? _recent;
    private RecordVersions? _versions;
    private int _locking;
    private int _drops;
    private bool _closed;

    public StoreHooks(LocalStore store, TimeProvider time, Func<StorageException> closed)
    {
        _store = store;
        _time = time;
        Locks = new LockTable(time, closed);
        Turns = new KeyedLock(time, closed);
        Commits = new CommitMemory();
    }

    public LockTable Locks { get; }

    /// <summary>Whose turn it is after a conflict, by key: those that lost run one after the other.</summary>
    public KeyedLock Turns { get; }

    /// <summary>The outcomes of commits that may be asked for twice.</summary>
    public CommitMemory Commits { get; }

    /// <summary>
    /// Tells this opening of the store from every other, and the times before and after a column family was dropped:
    /// what was read of it says nothing of another one that has its name.
    /// </summary>
    public Guid Life => WithDrops(Volatile.Read(ref _drops));

    /// <summary>Whether any transaction locks, so that plain writes must respect locks.</summary>
    public bool IsLocking => Volatile.Read(ref _locking) > 0;

    /// <summary>Whether a <see cref="Life"/> is of this opening of the store: what it remembers is not lost.</summary>
    public bool IsOfThisOpening(Guid life)
    {
        Span<byte> bytes = stackalloc byte[16];
        life.TryWriteBytes(bytes);
        return life == WithDrops(BitConverter.ToInt32(bytes));
    }

    /// <summary>Under the commit lock: a column family was dropped.</summary>
    public void NoteFamilyDropped() => Interlocked.Increment(ref _drops);

    private Guid WithDrops(int drops)
    {
        Span<byte> bytes = stackalloc byte[16];
        _opening.TryWriteBytes(bytes);
        BitConverter.TryWriteBytes(bytes, drops);
        return new Guid(bytes);
    }

    public static ulong NextId() => (ulong)Interlocked.Increment(ref _lastId);

    /// <summary>Under the commit lock: from here on writes are remembered.</summary>
    public void EnableWindow(long bytes, ulong sequence) => _window ??= new WriteWindow(bytes, sequence);

    /// <summary>Under the commit lock: from here on the keys of writes are remembered whole.</summary>
    public void EnableRecentWrites(long bytes, ulong sequence) => _recent ??= new RecentWrites(bytes, sequence);

    public bool HasRecentWrites => Volatile.Read(ref _recent) is not null;

    public bool HasWindow => Volatile.Read(ref _window) is not null;

    public RecordVersions? Versions => Volatile.Read(ref _versions);

    /// <summary>Under the commit lock.</summary>
    public void EnableVersions(RecordVersions versions) => _versions ??= versions;

    /// <summary>A transaction that locks begins or ends.</summary>
    public void CountLocking(int by) => Interlocked.Add(ref _locking, by);

    /// <summary>Remembers an open transaction; <see langword="false"/>: the store is closing.</summary>
    public bool TryAdd(StoreTransaction transaction)
    {
        lock (_openLock)
        {
            return !_closed && _open.Add(transaction);
        }
    }

    public void Remove(StoreTransaction transaction)
    {
        lock (_openLock)
        {
            _open.Remove(transaction);
        }
    }

    /// <summary>The open transactions, oldest first.</summary>
    public StoreTransaction[] Open()
    {
        lock (_openLock)
        {
            return [.. _open.OrderBy(transaction => transaction.Id)];
        }
    }

    /// <summary>How many transactions are open.</summary>
    public int OpenCount
    {
        get
        {
            lock (_openLock)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>Before the last writes are answered: nobody waits here any more.</summary>
    public void BeginClosing()
    {
        lock (_openLock)
        {
            _closed = true;
        }

        Locks.Close();
        Turns.Close();
    }

    /// <summary>After the last call has left the store: ends what is still open.</summary>
    public void EndOpen()
    {
        foreach (StoreTransaction transaction in Open())
        {
            transaction.EndByClosing();
        }
    }

    /// <summary>The group is about to be committed.</summary>
    public void BeforeCommit(WriteGroup group, IWriteView view)
    {
        if (_versions is { } versions)
        {
            foreach (WriteRequest request in group.AppliedFrom(0))
            {
                versions.Begin(request, view);
            }
        }
    }

    /// <summary>The group is committed and not yet answered.</summary>
    public void Committed(WriteGroup group, IWriteView view, ulong sequence)
    {
        // Once more those that were marked when they were staged: a lock taken since then was broken by them too.
        Mark(group.AppliedFrom(0), view, sequence);
        _store.OwnEvents?.NoteWritten(new Sequence(sequence));
    }

    /// <summary>What was begun has ended, well or not.</summary>
    public void AfterCommit() => _versions?.End();

    /// <summary>What is staged counts as written for those staged after it.</summary>
    public void MarkStaged(WriteGroup group, IWriteView view) =>
        Mark(group.TakeUnmarked(), view, _store.LatestSequence + 1);

    /// <summary>Anything is about to be written beside the writer; <see cref="AfterCommit"/> follows.</summary>
    public void BeforeWritingBeside() => _versions?.BeginWhole();

    /// <summary>Anything may have been written beside the writer, up to this sequence.</summary>
    public void NoteWrittenBeside(ulong sequence)
    {
        _window?.Forget(sequence);
        _recent?.Forget(sequence);
        if (IsLocking)
        {
            Locks.BreakAll();
        }
    }

    /// <summary>The write that came after <paramref name="since"/>, if any.</summary>
    public TransactionConflict? FindConflict(FamilyKey key, string? familyName, ulong since)
    {
        WindowAnswer answer = _window!.Check(key.Family, key.Key.Span, since, out ulong written);
        return Conflict(answer, familyName, key.Key, written);
    }

    /// <summary>What others wrote into a range that a transaction removes or depends on, if anything.</summary>
    public TransactionConflict? FindConflict(uint family, string? familyName, OwnRange range)
    {
        WindowAnswer answer = _recent!.Check(family, range, out ReadOnlyMemory<byte> key, out ulong written);
        return Conflict(answer, familyName, answer == WindowAnswer.Written ? key : range.From, written);
    }

    /// <summary>Throws when a family was dropped, also when one of its name was created again.</summary>
    public void RequireSame(IWriteView view, string? name, uint family)
    {
        if (view.Family(name).Id != family)
        {
            throw new StorageException(FailureKind.ColumnFamilyNotFound,
                $"A transaction of {_store.Label} used column family '{Names.Show(name ?? "")}', which was dropped " +
                "and created again meanwhile. Nothing was applied.");
        }
    }

    /// <summary>How old the oldest snapshot of an open transaction is; <see langword="null"/>: there is none.</summary>
    public TimeSpan? OldestSnapshotAge()
    {
        StoreTransaction? oldest = Array.Find(Open(), transaction => transaction.HasSnapshot);
        return oldest is null ? null : _time.GetElapsedTime(oldest.StartedTicks);
    }

    private static TransactionConflict? Conflict(
        WindowAnswer answer, string? familyName, ReadOnlyMemory<byte> key, ulong written)
    {
        if (answer == WindowAnswer.Unchanged)
        {
            return null;
        }

        ConflictKind kind = answer == WindowAnswer.Written ? ConflictKind.Written : ConflictKind.TooOld;
        return new TransactionConflict(kind, familyName ?? LocalStore.DefaultColumnFamily, key.ToArray())
        {
            Written = new Sequence(written),
        };
    }

    private void Mark(IEnumerable<WriteRequest> requests, IWriteView view, ulong sequence)
    {
        bool locking = IsLocking;
        if (_window is null && !locking)
        {
            return;
        }

        foreach (WriteRequest request in requests)
        {
            bool breaks = locking && request.Check?.Owner is null;
            IReadOnlyList<WriteOperation> operations = request.Operations;
            for (int i = 0; i < operations.Count; i++)
            {
                Mark(operations[i], view.Family(operations[i].ColumnFamily), sequence, breaks);
            }
        }
    }

    private void Mark(in WriteOperation operation, ColumnFamily family, ulong sequence, bool breaks)
    {
        ReadOnlySpan<byte> key = operation.Key.Span;
        if (operation.Kind == WriteKind.DeleteRange)
        {
            _window?.MarkRange(family.Id, key, operation.Value.Span, sequence);
            _recent?.MarkRange(family.Id, key, operation.Value.Span, sequence);
            if (breaks || IsLocking)
            {
                // Who removes a range holds no locks of the keys in it.
                Locks.BreakRange(family.Id, key, operation.Value.Span);
            }

            return;
        }

        _window?.Mark(family.Id, key, sequence);
        _recent?.Mark(family.Id, key, sequence);
        if (breaks)
        {
            Locks.Break(new FamilyKey(family.Id, operation.Key));
        }
    }
}
