namespace Branching.Storage.Transactions;

/// <summary>The moment at which a record was read, for asking later whether it is still fresh.</summary>
/// <param name="Store">The opening of the store; a store opened again has another.</param>
/// <param name="Key">Count of the slot that the key has.</param>
/// <param name="Whole">Count of what concerns every key of the store.</param>
public readonly record struct RecordVersion(ulong Store, ulong Key, ulong Whole)
{
    /// <summary>Never fresh: a write was under way when the record was looked at.</summary>
    public static RecordVersion None => default;
}

/// <summary>
/// Says whether a copy of a record is still fresh, without a read: one table of fixed size for the whole process,
/// without locks. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// Every key of every store has one of the table's slots, chosen by hash. A slot counts the writes of its keys: one
/// half of it those that ended, the other those under way. A copy is fresh when its slot stands as it stood before the
/// copy was read. A write counts before it can be seen and again before it is answered, so nobody who has seen a newer
/// value is told that an older copy is fresh. Keys that share a slot can only make each other's copies stale.
/// </para>
/// </remarks>
public sealed class VersionTable
{
    /// <summary>Slots of the table: 8 bytes each.</summary>
    public const int Slots = 1 << 17;

    private const ulong Pending = 1;
    private const ulong PendingMask = 0xFFFF;
    private const ulong Ended = 0x1_0000;

    private readonly ulong[] _slots = new ulong[Slots];

    private VersionTable()
    {
    }

    /// <summary>The one of the process.</summary>
    public static VersionTable Shared { get; } = new();

    internal static int SlotOf(ulong store, uint family, ReadOnlySpan<byte> key) =>
        (int)(KeyHash.Of((store << 32) ^ family, key) >> 20 & (Slots - 1));

    /// <summary>The slot as it stands; <see langword="false"/>: a write is under way.</summary>
    internal bool TryObserve(int slot, out ulong version)
    {
        version = Volatile.Read(ref _slots[slot]);
        return (version & PendingMask) == 0;
    }

    internal bool IsAt(int slot, ulong version) => Volatile.Read(ref _slots[slot]) == version;

    internal void Begin(int slot) => Interlocked.Add(ref _slots[slot], Pending);

    internal void End(int slot) => Interlocked.Add(ref _slots[slot], Ended - Pending);
}

/// <summary>The records of one open store in the <see cref="VersionTable"/>. Thread-safe.</summary>
/// <remarks>
/// From the first use on, the store's writes are counted. Order of a cache: <see cref="Observe"/>, then read the
/// record, keep both; later <see cref="IsFresh"/>. Expiry of keys by time is no write and is not seen here.
/// </remarks>
public sealed class RecordVersions
{
    private static long _lastStore;

    private readonly VersionTable _table = VersionTable.Shared;
    private readonly LocalStore _store;
    private readonly ulong _id = (ulong)Interlocked.Increment(ref _lastStore);
    private readonly List<int> _begun = [];
    private bool _wholeBegun;
    private ulong _whole = 2;

    internal RecordVersions(LocalStore store) => _store = store;

    /// <summary>Call it before the record is read.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ColumnFamilyNotFound"/>.</exception>
    public RecordVersion Observe(string? columnFamily, ReadOnlySpan<byte> key)
    {
        ulong whole = Volatile.Read(ref _whole);
        int slot = VersionTable.SlotOf(_id, _store.FamilyOf(columnFamily).Id, key);
        return (whole & 1) == 0 && _table.TryObserve(slot, out ulong version)
            ? new RecordVersion(_id, version, whole)
            : RecordVersion.None;
    }

    /// <summary>Whether the record was not written since. <see langword="false"/> may also be a coincidence.</summary>
    public bool IsFresh(string? columnFamily, ReadOnlySpan<byte> key, RecordVersion version) =>
        version.Store == _id
        && Volatile.Read(ref _whole) == version.Whole
        && _store.TryFamilyOf(columnFamily, out uint family)
        && _table.IsAt(VersionTable.SlotOf(_id, family, key), version.Key)
        && !_store.IsClosing;

    /// <summary>The writer is about to commit a request.</summary>
    internal void Begin(WriteRequest request, IWriteView view)
    {
        IReadOnlyList<WriteOperation> operations = request.Operations;
        for (int i = 0; i < operations.Count; i++)
        {
            WriteOperation operation = operations[i];
            if (operation.Kind == WriteKind.DeleteRange)
            {
                BeginWhole();
                continue;
            }

            int slot = VersionTable.SlotOf(_id, view.Family(operation.ColumnFamily).Id, operation.Key.Span);
            _table.Begin(slot);
            _begun.Add(slot);
        }
    }

    /// <summary>The commit has ended, well or not.</summary>
    internal void End()
    {
        foreach (int slot in _begun)
        {
            _table.End(slot);
        }

        _begun.Clear();
        if (_wholeBegun)
        {
            _wholeBegun = false;
            Interlocked.Increment(ref _whole);
        }
    }

    /// <summary>Any key may be about to change.</summary>
    internal void BeginWhole()
    {
        if (!_wholeBegun)
        {
            _wholeBegun = true;
            Interlocked.Increment(ref _whole);
        }
    }
}
