using System.Buffers;
using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Reads, and who may use it when.</content>
public sealed unsafe partial class Transaction
{
    /// <summary>Appends the value of <paramref name="key"/> to <paramref name="destination"/>. Takes no lock.</summary>
    /// <returns><see langword="false"/> when the key is absent; then nothing is appended.</returns>
    public bool TryGet(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, ReadOptions? options = null) =>
        Read(family, key, destination, options, forUpdate: false, exclusive: false, "get in a transaction");

    /// <summary>As <see cref="TryGet"/>; the commit fails when the key changes until then, or others wait for
    /// it, as the kind of transaction is.</summary>
    /// <param name="family">The family.</param>
    /// <param name="key">The key; it need not exist.</param>
    /// <param name="destination">Receives the value.</param>
    /// <param name="exclusive">Whether other transactions may not lock it for reading either; pessimistic only.</param>
    /// <param name="options">How to read.</param>
    /// <exception cref="RocksDbException">As for <see cref="Put"/>.</exception>
    public bool TryGetForUpdate(
        ColumnFamily family,
        ReadOnlySpan<byte> key,
        IBufferWriter<byte> destination,
        bool exclusive = true,
        ReadOptions? options = null) =>
        Read(family, key, destination, options, forUpdate: true, exclusive, "get for update in a transaction");

    /// <summary>Reads many keys of one family at once. Takes no lock.</summary>
    /// <returns>The values in the order of the keys; <see langword="null"/> for an absent key.</returns>
    public byte[]?[] MultiGet(
        ColumnFamily family, IReadOnlyList<ReadOnlyMemory<byte>> keys, ReadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ReadOptionsHandle readOptions = (options ?? ReadOptions.Default).HandleFor(_database);
        ColumnFamilyHandle handle = Enter(family);
        ParentReference held = default;
        try
        {
            held = ParentReference.Take(handle);
            return keys.Count == 0 ? [] : ReadMany(handle, keys, readOptions);
        }
        finally
        {
            held.Release();
            Exit();
        }
    }

    /// <summary>Opens an iterator over the database with this transaction's writes. It stands on no key: seek
    /// first.</summary>
    public TransactionIterator NewIterator(ColumnFamily family, ReadOptions? options = null)
    {
        ReadOptionsHandle readOptions = (options ?? ReadOptions.Default).HandleFor(_database);
        ColumnFamilyHandle handle = Enter(family);
        try
        {
            IteratorHandle native = IteratorHandle.Open(_handle, handle, readOptions);
            Iterator iterator = new(_owner.Path, _database, family, readOptions, native);
            return new TransactionIterator(this, iterator, options?.LowerBound, options?.UpperBound);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Begins one use of it.</summary>
    /// <exception cref="InvalidOperationException">It has ended, or another thread uses it.</exception>
    internal void Enter()
    {
        EnterAny();
        if (_state != TransactionState.Active)
        {
            TransactionState state = _state;
            Exit();
            throw new InvalidOperationException(state == TransactionState.Failed
                ? "The commit of the transaction was refused; roll it back and begin a new one."
                : $"The transaction is {(state == TransactionState.Committed ? "committed" : "rolled back")}; begin a "
                    + "new one.");
        }
    }

    /// <summary>Ends one use of it.</summary>
    internal void Exit()
    {
        Volatile.Write(ref _busy, 0);
        if (_disposed && Interlocked.CompareExchange(ref _busy, 1, 0) == 0)
        {
            Release(); // Disposed while it was in use.
        }
    }

    private void EnterAny()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            throw new InvalidOperationException("The transaction is in use by another thread; use it from one.");
        }

        if (_disposed)
        {
            Exit(); // Releases it, if that is not done.
            ObjectDisposedException.ThrowIf(_disposed, this);
        }
    }

    private ColumnFamilyHandle Enter(ColumnFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        Enter();
        try
        {
            return family.HandleIn(_database);
        }
        catch
        {
            Exit();
            throw;
        }
    }

    private ColumnFamilyHandle EnterToWrite(ColumnFamily family)
    {
        ColumnFamilyHandle handle = Enter(family);
        ThreadCounters.TurnOff();
        Writes++;
        if (!_families.Contains(family))
        {
            _families.Add(family);
        }

        return handle;
    }

    private bool Read(
        ColumnFamily family,
        ReadOnlySpan<byte> key,
        IBufferWriter<byte> destination,
        ReadOptions? options,
        bool forUpdate,
        bool exclusive,
        string operation)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ReadOptionsHandle readOptions = (options ?? ReadOptions.Default).HandleFor(_database);
        ColumnFamilyHandle handle = Enter(family);
        ParentReference held = default;
        nint error = 0;
        nint slice = 0;
        try
        {
            held = ParentReference.Take(handle); // What is pinned points into the database.
            ThreadCounters.TurnOff();
            fixed (byte* k = &MemoryMarshal.GetReference(key))
            {
                slice = forUpdate
                    ? Native.rocksdb_transaction_get_pinned_for_update_cf(
                        _handle, readOptions, handle, k, (nuint)key.Length, Flag.Of(exclusive), ref error)
                    : Native.rocksdb_transaction_get_pinned_cf(
                        _handle, readOptions, handle, k, (nuint)key.Length, ref error);
            }

            NativeError.ThrowIfSet(error, operation, _owner.Path);
            return RocksDatabase.Append(slice, destination);
        }
        finally
        {
            RocksDatabase.Unpin(slice);
            held.Release();
            Exit();
        }
    }

    private byte[]?[] ReadMany(
        ColumnFamilyHandle family, IReadOnlyList<ReadOnlyMemory<byte>> keys, ReadOptionsHandle options)
    {
        int count = keys.Count;
        MemoryHandle[] pins = new MemoryHandle[count];
        nint[] native = new nint[4 * count]; // Families, keys, values, errors.
        nuint[] lengths = new nuint[2 * count]; // Of keys, of values.
        byte[]?[] values = new byte[]?[count];
        try
        {
            for (int i = 0; i < count; i++)
            {
                pins[i] = keys[i].Pin();
                native[i] = family.DangerousGetHandle();
                native[count + i] = (nint)pins[i].Pointer;
                lengths[i] = (nuint)keys[i].Length;
            }

            ThreadCounters.TurnOff();
            fixed (nint* n = native)
            fixed (nuint* l = lengths)
            {
                Native.rocksdb_transaction_multi_get_cf(
                    _handle, options, n, (nuint)count, (byte**)(n + count), l, n + (2 * count), l + count,
                    n + (3 * count));
            }

            for (int i = 0; i < count; i++)
            {
                if (native[(2 * count) + i] is not 0 and nint value)
                {
                    values[i] = new ReadOnlySpan<byte>((void*)value, checked((int)lengths[count + i])).ToArray();
                }
            }
        }
        finally
        {
            foreach (MemoryHandle pin in pins)
            {
                pin.Dispose();
            }

            for (int i = 2 * count; i < 3 * count; i++)
            {
                Native.rocksdb_free(native[i]);
            }
        }

        _owner.ThrowFirst(native.AsSpan(3 * count));
        return values;
    }
}
