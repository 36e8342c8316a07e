using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>Reads the batches of the write-ahead log in the order they were written. Not thread-safe.</summary>
/// <remarks>
/// Ends at what was written when it gets there; open a new one at <see cref="NextSequence"/> for what came after.
/// Until it is disposed it keeps the database open, but not the logs: RocksDB deletes them when everything in them is
/// in table files, unless <see cref="DatabaseOptions.WalTimeToLive"/> or
/// <see cref="DatabaseOptions.WalSizeLimitBytes"/> keep them.
/// </remarks>
public sealed unsafe class WalIterator : IDisposable
{
    private readonly string _path;

    // Null when there was nothing to read from the beginning on.
    private readonly WalIteratorHandle? _handle;
    private WriteBatchHandle? _batch;
    private bool _begun;
    private bool _ended;
    private volatile bool _disposed;

    internal WalIterator(string path, WalIteratorHandle? handle, ulong from)
    {
        _path = path;
        _handle = handle;
        NextSequence = from;
    }

    /// <summary>The sequence of the first write in the batch it stands on.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>The sequence after the last write it has come to.</summary>
    public ulong NextSequence { get; private set; }

    /// <summary>How many writes the batch has; zero when it is on none.</summary>
    public int Count => _batch is { IsClosed: false } batch ? Native.rocksdb_writebatch_count(batch) : 0;

    /// <summary>The batch in RocksDB's log format. Valid until the next move or disposal.</summary>
    /// <exception cref="InvalidOperationException">It stands on no batch.</exception>
    public ReadOnlySpan<byte> Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_batch is not { } batch)
            {
                throw new InvalidOperationException("The iterator stands on no batch: MoveNext first.");
            }

            nuint length;
            byte* data = Native.rocksdb_writebatch_data(batch, &length);
            return new ReadOnlySpan<byte>(data, checked((int)length));
        }
    }

    /// <summary>Moves to the next batch; to the one with the sequence asked for, or the next after it, at
    /// first.</summary>
    /// <returns><see langword="false"/> at the end.</returns>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.Corruption"/> or
    /// <see cref="RocksDbStatus.TryAgain"/>: the log has a gap, or was deleted meanwhile.</exception>
    public bool MoveNext()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _batch?.Dispose();
        _batch = null;
        if (_handle is null || _ended)
        {
            return false;
        }

        if (_begun)
        {
            Native.rocksdb_wal_iter_next(_handle);
        }

        _begun = true;
        if (Native.rocksdb_wal_iter_valid(_handle) == 0)
        {
            _ended = true;
            nint error = 0;
            Native.rocksdb_wal_iter_status(_handle, ref error);
            NativeError.ThrowIfSet(error, "reading of the log", _path);
            return false;
        }

        _batch = Native.rocksdb_wal_iter_get_batch(_handle, out ulong sequence);
        Sequence = sequence;
        NextSequence = sequence + (ulong)Count;
        return true;
    }

    /// <summary>Closes the iterator.</summary>
    public void Dispose()
    {
        _disposed = true;
        _batch?.Dispose();
        _handle?.Dispose();
    }
}
