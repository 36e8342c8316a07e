namespace Branching.Storage;

/// <summary>What of each entry a range shows; the rest is empty.</summary>
public enum RangeContent
{
    /// <summary>Keys and values.</summary>
    All = 0,

    /// <summary>Keys alone.</summary>
    KeysOnly = 1,

    /// <summary>Values alone.</summary>
    ValuesOnly = 2,
}

/// <summary>Which entries a range has, and how they are read.</summary>
public sealed record RangeOptions
{
    /// <summary>The column family; <see langword="null"/>: the default one.</summary>
    public string? ColumnFamily { get; init; }

    /// <summary>
    /// The keys: both ends, each in or out, or a prefix (<see cref="KeyRange.Prefix"/>). Default: every key.
    /// </summary>
    public KeyRange Range { get; init; }

    /// <summary>Whether keys come in descending order. Default: no.</summary>
    public bool Reverse { get; init; }

    /// <summary>Entries passed over at the beginning, 0 or more. They are read all the same. Default: 0.</summary>
    public long Offset { get; init; }

    /// <summary>At most this many entries, 0 or more; <see langword="null"/>, the default: all.</summary>
    public long? Limit { get; init; }

    /// <summary>What of each entry is shown. Default: all of it.</summary>
    public RangeContent Content { get; init; }

    /// <summary>Whether blocks that are read go to the block cache. Default: yes; say no for large ranges.</summary>
    public bool FillCache { get; init; } = true;

    /// <summary>Whether checksums of blocks are verified. Default: yes.</summary>
    public bool VerifyChecksums { get; init; } = true;

    /// <summary>Bytes read ahead, 0 or more; 0, the default: as RocksDB thinks best.</summary>
    public long ReadaheadBytes { get; init; }

    /// <summary>Whether blocks ahead are fetched without waiting for them. Default: no.</summary>
    /// <remarks>Needs RocksDB 7.10: an older one fails the first read with <see cref="FailureKind.NotSupported"/>. It
    /// has an effect only in a library that was built with io_uring.</remarks>
    public bool AsyncIo { get; init; }

    /// <summary>
    /// Whether entries show that were written after the range was begun, behind the place it has reached: it may end
    /// and go on later. Ascending only, and not of a view. Default: no.
    /// </summary>
    public bool Tailing { get; init; }

    /// <summary>The view to read; <see langword="null"/>: the store as it is when the range is begun.</summary>
    public StoreView? View { get; init; }
}

/// <summary>A store as it was at one moment. Thread-safe; dispose it soon: it keeps replaced data on the
/// disk.</summary>
/// <remarks>
/// Keys that expire do so in it as of its own moment. A compaction may remove them all the same, so a key that expired
/// after the view was made may be absent from it.
/// </remarks>
public sealed class StoreView : IDisposable
{
    private readonly LocalStore _store;

    internal StoreView(LocalStore store, RocksDb.ReadSnapshot snapshot, long time)
    {
        _store = store;
        Snapshot = snapshot;
        Time = time;
        Sequence = new Sequence(snapshot.Sequence);
        ReadOptions = new RocksDb.ReadOptions { Snapshot = snapshot };
    }

    /// <summary>The last write that it shows.</summary>
    public Sequence Sequence { get; }

    internal RocksDb.ReadSnapshot Snapshot { get; }

    internal RocksDb.ReadOptions ReadOptions { get; }

    /// <summary>The time by which keys expire in it, in milliseconds of Unix time.</summary>
    internal long Time { get; }

    /// <summary>Gives the view back. Ranges that are being read go on.</summary>
    public void Dispose()
    {
        _store.Forget(this);
        Close();
    }

    internal bool IsOf(LocalStore store) => ReferenceEquals(store, _store);

    internal void Close()
    {
        ReadOptions.Dispose();
        Snapshot.Dispose();
    }
}
