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
    private readonly bool _overTransaction;
    private IteratorHandle _handle;

    // Asked once per move: where an iterator stands changes only by moving it.
    private bool _atKey;
    private byte* _key;
    private nuint _keyLength;
    private byte* _value;
    private nuint _valueLength;
    private volatile bool _disposed;

    internal Iterator(string path, DatabaseHandle database, ColumnFamily family, ReadOptionsHandle options)
    {
        _path = path;
        _database = database;
        _family = family;
        _options = options;
        _handle = IteratorHandle.Open(database, family.HandleIn(database), options);
    }

    /// <summary>Walks what <paramref name="handle"/> is open on, a transaction.</summary>
    internal Iterator(
        string path, DatabaseHandle database, ColumnFamily family, ReadOptionsHandle options, IteratorHandle handle)
    {
        _path = path;
        _database = database;
        _family = family;
        _options = options;
        _handle = handle;
        _overTransaction = true;
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
            OpenAtKey();
            return new ReadOnlySpan<byte>(_key, checked((int)_keyLength));
        }
    }

    /// <summary>The value of the key it stands on. Valid until the next move or disposal.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            OpenAtKey();
            return new ReadOnlySpan<byte>(_value, checked((int)_valueLength));
        }
    }

    /// <summary>Moves to the first key within the bounds.</summary>
    public void SeekToFirst()
    {
        IteratorHandle handle = Open();
        ThreadCounters.TurnOff();
        Native.rocksdb_iter_seek_to_first(handle);
        Settle(handle);
    }

    /// <summary>Moves to the last key within the bounds.</summary>
    public void SeekToLast()
    {
        IteratorHandle handle = Open();
        ThreadCounters.TurnOff();
        Native.rocksdb_iter_seek_to_last(handle);
        Settle(handle);
    }

    /// <summary>Moves to <paramref name="key"/> or the next one after it.</summary>
    public void Seek(ReadOnlySpan<byte> key)
    {
        IteratorHandle handle = Open();
        ThreadCounters.TurnOff();
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            Native.rocksdb_iter_seek(handle, k, (nuint)key.Length);
        }

        Settle(handle);
    }

    /// <summary>Moves to <paramref name="key"/> or the last one before it.</summary>
    public void SeekForPrev(ReadOnlySpan<byte> key)
    {
        IteratorHandle handle = Open();
        ThreadCounters.TurnOff();
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            Native.rocksdb_iter_seek_for_prev(handle, k, (nuint)key.Length);
        }

        Settle(handle);
    }

    /// <summary>Moves to the next key.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public void Next()
    {
        IteratorHandle handle = OpenAtKey();
        ThreadCounters.TurnOff();
        Native.rocksdb_iter_next(handle);
        Settle(handle);
    }

    /// <summary>Moves to the previous key.</summary>
    /// <exception cref="InvalidOperationException">It stands on none.</exception>
    public void Prev()
    {
        IteratorHandle handle = OpenAtKey();
        ThreadCounters.TurnOff();
        Native.rocksdb_iter_prev(handle);
        Settle(handle);
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

    private void Settle(IteratorHandle handle)
    {
        _atKey = false;
        ParentReference held = ParentReference.Take(handle);
        try
        {
            nint iterator = handle.DangerousGetHandle();
            if (Native.rocksdb_iter_valid(iterator) != 0)
            {
                fixed (nuint* keyLength = &_keyLength, valueLength = &_valueLength)
                {
                    _key = Native.rocksdb_iter_key(iterator, keyLength);
                    _value = _overTransaction
                        ? Native.MergingIteratorValue(iterator, valueLength)
                        : Native.rocksdb_iter_value(iterator, valueLength);
                }

                _atKey = true;
            }
        }
        finally
        {
            held.Release();
        }

        if (!_atKey)
        {
            ThrowIfFailed();
        }
        else if (_overTransaction)
        {
            _atKey = false;
            ThrowIfFailed(); // A merge for the value fails after the move, and the value is that of another key then.
            _atKey = true;
        }
    }
}
