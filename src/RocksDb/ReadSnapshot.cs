using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>A view of one moment of a database, for <see cref="ReadOptions.Snapshot"/>. Thread-safe.</summary>
/// <remarks>Until it is disposed, it keeps the database open and old versions of values from being removed.</remarks>
public sealed class ReadSnapshot : IDisposable
{
    private readonly DatabaseHandle _database;

    // Its handle is not closed yet while read options use it, so the handle cannot tell.
    private volatile bool _disposed;

    private ReadSnapshot(DatabaseHandle database, SnapshotHandle handle, ulong sequence)
    {
        _database = database;
        Handle = handle;
        Sequence = sequence;
    }

    /// <summary>The sequence of the moment: writes up to and including it are visible.</summary>
    public ulong Sequence { get; }

    internal SnapshotHandle Handle { get; }

    /// <summary>Releases the snapshot when the last read options and iterator that use it are released.</summary>
    public void Dispose()
    {
        _disposed = true;
        Handle.Dispose();
    }

    internal static ReadSnapshot Open(DatabaseHandle database)
    {
        (SnapshotHandle handle, ulong sequence) = Between(database, () => SnapshotHandle.Open(database));
        return new ReadSnapshot(database, handle, sequence);
    }

    /// <summary>The snapshot that a transaction began with.</summary>
    internal static ReadSnapshot Of(DatabaseHandle database, TransactionHandle transaction, ulong sequence) =>
        new(database, SnapshotHandle.Of(transaction), sequence);

    /// <summary>Makes something that has a snapshot, and tells the sequence of that.</summary>
    internal static (T Made, ulong Sequence) Between<T>(DatabaseHandle database, Func<T> make)
        where T : class, IDisposable
    {
        // The C API of 7.8 does not tell a snapshot's sequence. The newest sequence only grows, so when it is the same
        // before and after, it is the snapshot's. The window is a few hundred nanoseconds: a retry is rare, many are
        // not possible without a writer that commits in every one of them.
        const int Attempts = 1_000_000;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            ulong before = Native.rocksdb_get_latest_sequence_number(database);
            T? made = make();
            try
            {
                if (Native.rocksdb_get_latest_sequence_number(database) == before)
                {
                    T result = made;
                    made = null; // The caller owns it now.
                    return (result, before);
                }
            }
            finally
            {
                made?.Dispose();
            }
        }

        throw new RocksDbException(
            RocksDbStatus.TryAgain,
            "snapshot",
            "the database",
            "writers never paused long enough to learn its sequence");
    }

    internal void RequireUsableIn(DatabaseHandle database)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!ReferenceEquals(database, _database))
        {
            throw new ArgumentException(
                "The snapshot in the read options belongs to another database.", nameof(database));
        }
    }
}
