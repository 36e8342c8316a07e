using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>Walks the keys of one column family in order, in both directions, at one moment of the database.</summary>
/// <remarks>
/// Begins nowhere: seek first. Not thread-safe. Until it is disposed it keeps the database open and old files on disk.
/// A failure met while moving is thrown by the move.
/// </remarks>
public sealed unsafe class Iterator : IDisposable
{
    private readonly string _path;
    private readonly DatabaseHandle _database;
    private readonly ColumnFamily _family;
    private readonly ReadOptionsHandle _options;
    private IteratorHandle _handle;

    // Asked once per move: where an iterator stands changes only by moving it.
    private bool _atKey;
    private volatile bool _disposed;

    internal Iterator(string path, DatabaseHandle database, ColumnFamily family, ReadOptionsHandle options)
    {
        _path = path;
        _database = database;
        _family = family;
        _options = options;
        _handle = IteratorHandle.Open(database, family.HandleIn(database), options);
    }

    /// <summary>Whether it stands on a key.</summary>
    public bool IsValid
    {
        get
        {
            Open();
            return _atKey;
        }
    }

    /// <summary>The key it stands on. Valid until the next move or disposal.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public ReadOnlySpan<byte> Key
    {
        get
        {
            IteratorHandle handle = OpenAtKey();
            nuint length;
            byte* key = Native.rocksdb_iter_key(handle, &length);
            return new ReadOnlySpan<byte>(key, checked((int)length));
        }
    }

    /// <summary>The value of the key it stands on. Valid until the next move or disposal.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            IteratorHandle handle = OpenAtKey();
            nuint length;
            byte* value = Native.rocksdb_iter_value(handle, &length);
            return new ReadOnlySpan<byte>(value, checked((int)length));
        }
    }

    /// <summary>Moves to the first key within the bounds.</summary>
    public void SeekToFirst()
    {
        Native.rocksdb_iter_seek_to_first(Open());
        Settle();
    }

    /// <summary>Moves to the last key within the bounds.</summary>
    public void SeekToLast()
    {
        Native.rocksdb_iter_seek_to_last(Open());
        Settle();
    }

    /// <summary>Moves to <paramref name="key"/> or the next one after it.</summary>
    public void Seek(ReadOnlySpan<byte> key)
    {
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            Native.rocksdb_iter_seek(Open(), k, (nuint)key.Length);
        }

        Settle();
    }

    /// <summary>Moves to <paramref name="key"/> or the last one before it.</summary>
    public void SeekForPrev(ReadOnlySpan<byte> key)
    {
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            Native.rocksdb_iter_seek_for_prev(Open(), k, (nuint)key.Length);
        }

        Settle();
    }

    /// <summary>Moves to the next key.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public void Next()
    {
        Native.rocksdb_iter_next(OpenAtKey());
        Settle();
    }

    /// <summary>Moves to the previous key.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public void Prev()
    {
        Native.rocksdb_iter_prev(OpenAtKey());
        Settle();
    }

    /// <summary>Throws the failure that stopped the iterator, if one did.</summary>
    /// <exception cref="RocksDbException">What stopped it.</exception>
    public void ThrowIfFailed()
    {
        nint error = 0;
        Native.rocksdb_iter_get_error(Open(), ref error);
        NativeError.ThrowIfSet(error, "iteration", _path);
    }

    /// <summary>Opens it anew at the newest state (or the snapshot of its options); it then stands on no key.</summary>
    public void Refresh()
    {
        IteratorHandle old = Open();
        _handle = IteratorHandle.Open(_database, _family.HandleIn(_database), _options);
        _atKey = false;
        old.Dispose();
        if (_disposed)
        {
            _handle.Dispose(); // Disposed meanwhile, when only the old one was to be seen.
        }
    }

    /// <summary>Closes the iterator.</summary>
    public void Dispose()
    {
        _disposed = true;
        _handle.Dispose();
    }

    private IteratorHandle Open()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _handle;
    }

    // RocksDB does not check: moving or reading without a key is undefined there.
    private IteratorHandle OpenAtKey()
    {
        IteratorHandle handle = Open();
        if (!_atKey)
        {
            throw new InvalidOperationException("The iterator stands on no key: seek first, and ask IsValid.");
        }

        return handle;
    }

    private void Settle()
    {
        _atKey = Native.rocksdb_iter_valid(_handle) != 0;
        if (!_atKey)
        {
            ThrowIfFailed();
        }
    }
}
