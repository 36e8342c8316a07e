using System.Buffers;
using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Reads.</content>
public sealed unsafe partial class RocksDatabase
{
    /// <summary>The sequence of the newest committed write; zero when there is none.</summary>
    public ulong LatestSequence
    {
        get
        {
            ThrowIfDisposed();
            return Native.rocksdb_get_latest_sequence_number(_handle);
        }
    }

    /// <summary>Appends the value of <paramref name="key"/> to <paramref name="destination"/>.</summary>
    /// <remarks>Allocates nothing by itself.</remarks>
    /// <returns><see langword="false"/> when the key is absent; then nothing is appended.</returns>
    public bool TryGet(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, ReadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ColumnFamilyHandle handle = Use(family);

        // What is pinned points into the database, which another thread may dispose before it is copied.
        ParentReference held = ParentReference.Take(handle);
        nint error = 0;
        nint slice = 0;
        try
        {
            slice = Pin(handle, key, Use(options), ref error);
            NativeError.ThrowIfSet(error, "get", Path);
            return Append(slice, destination);
        }
        finally
        {
            Unpin(slice);
            held.Release();
        }
    }

    /// <summary>As <see cref="TryGet"/>, but never waits for the disk.</summary>
    /// <param name="family">The family.</param>
    /// <param name="key">The key.</param>
    /// <param name="destination">Receives the value when it is found.</param>
    /// <param name="found">Whether the key is there, when the answer was in memory.</param>
    /// <returns><see langword="false"/> when the answer is not in memory; ask <see cref="TryGet"/> then.</returns>
    public bool TryGetFromMemory(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, out bool found)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ColumnFamilyHandle handle = Use(family);
        ParentReference held = ParentReference.Take(handle);
        found = false;
        nint error = 0;
        nint slice = 0;
        try
        {
            slice = Pin(handle, key, ReadOptions.FromMemory.Handle, ref error);
            if (error != 0)
            {
                RocksDbException failure = NativeError.Take(error, "get from memory", Path);
                return failure.Status == RocksDbStatus.Incomplete ? false : throw failure;
            }

            found = Append(slice, destination);
            return true;
        }
        finally
        {
            Unpin(slice);
            held.Release();
        }
    }

    /// <summary>Whether the key is there.</summary>
    public bool Contains(ColumnFamily family, ReadOnlySpan<byte> key, ReadOptions? options = null) =>
        TryGetLength(family, key, out _, options);

    /// <summary>The length of a value, in bytes, without copying it.</summary>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    public bool TryGetLength(
        ColumnFamily family, ReadOnlySpan<byte> key, out long length, ReadOptions? options = null)
    {
        ColumnFamilyHandle handle = Use(family);
        ParentReference held = ParentReference.Take(handle);
        nint error = 0;
        nint slice = 0;
        try
        {
            slice = Pin(handle, key, Use(options), ref error);
            NativeError.ThrowIfSet(error, "get", Path);
            nuint bytes = 0;
            if (slice != 0)
            {
                Native.rocksdb_pinnableslice_value(slice, &bytes);
            }

            length = checked((long)bytes);
            return slice != 0;
        }
        finally
        {
            Unpin(slice);
            held.Release();
        }
    }

    /// <summary>Reads a value in place. The caller disposes the answer.</summary>
    public PinnedValue GetPinned(ColumnFamily family, ReadOnlySpan<byte> key, ReadOptions? options = null)
    {
        ColumnFamilyHandle handle = Use(family);
        PinnedValueHandle pinned = new(handle);
        try
        {
            nint error = 0;
            nint slice = Pin(handle, key, Use(options), ref error);
            pinned.Adopt(slice);
            NativeError.ThrowIfSet(error, "get", Path);
            return new PinnedValue(pinned, slice);
        }
        catch
        {
            pinned.Dispose();
            throw;
        }
    }

    /// <summary>Reads many keys of one family at once, cheaper than one by one. The caller disposes the
    /// answer.</summary>
    /// <exception cref="ArgumentException"><see cref="ReadOptions.MemoryTierOnly"/>: RocksDB 7.8.3 was seen to read
    /// from
    /// disk all the same in this call, so it is refused.</exception>
    public MultiGetResult MultiGet(
        ColumnFamily family, IReadOnlyList<ReadOnlyMemory<byte>> keys, ReadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ColumnFamilyHandle handle = Use(family);
        ReadOptionsHandle readOptions = Use(options);
        if (options is { MemoryTierOnly: true })
        {
            throw new ArgumentException("A multi-get may read from disk; use TryGetFromMemory.", nameof(options));
        }

        PinnedBatchHandle batch = new(handle, keys.Count);
        try
        {
            if (keys.Count > 0)
            {
                ReadInto(batch, handle, keys, readOptions);
            }

            return new MultiGetResult(batch);
        }
        catch
        {
            batch.Dispose();
            throw;
        }
    }

    /// <summary>Opens an iterator. It stands on no key: seek first.</summary>
    public Iterator NewIterator(ColumnFamily family, ReadOptions? options = null)
    {
        Use(family);
        return new Iterator(Path, _handle, family, Use(options));
    }

    /// <summary>Keeps the newest state readable through <see cref="ReadOptions.Snapshot"/>.</summary>
    public ReadSnapshot NewSnapshot()
    {
        ThrowIfDisposed();
        return ReadSnapshot.Open(_handle);
    }

    internal static bool Append(nint slice, IBufferWriter<byte> destination)
    {
        if (slice == 0)
        {
            return false;
        }

        nuint length;
        byte* value = Native.rocksdb_pinnableslice_value(slice, &length);
        if (length > 0)
        {
            // One span of the whole length: BuffersExtensions.Write fills whatever the writer has left first, and makes
            // it grow step by step.
            int bytes = checked((int)length);
            new ReadOnlySpan<byte>(value, bytes).CopyTo(destination.GetSpan(bytes));
            destination.Advance(bytes);
        }

        return true;
    }

    internal static void Unpin(nint slice)
    {
        if (slice != 0)
        {
            Native.rocksdb_pinnableslice_destroy(slice);
        }
    }

    private nint Pin(ColumnFamilyHandle family, ReadOnlySpan<byte> key, ReadOptionsHandle options, ref nint error)
    {
        ThreadCounters.TurnOff();
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            return Native.rocksdb_get_pinned_cf(_handle, options, family, k, (nuint)key.Length, ref error);
        }
    }

    private void ReadInto(
        PinnedBatchHandle batch,
        ColumnFamilyHandle family,
        IReadOnlyList<ReadOnlyMemory<byte>> keys,
        ReadOptionsHandle options)
    {
        ThreadCounters.TurnOff();
        int total = 0;
        for (int i = 0; i < keys.Count; i++)
        {
            total = checked(total + keys[i].Length);
        }

        // One copy of all keys is cheaper than pinning each of them.
        byte[] copy = ArrayPool<byte>.Shared.Rent(Math.Max(1, total));
        nint[] pointers = new nint[keys.Count];
        nuint[] lengths = new nuint[keys.Count];
        nint[] errors = new nint[keys.Count];
        try
        {
            fixed (byte* bytes = copy)
            fixed (nint* keyPointers = pointers, values = batch.Slices, errs = errors)
            fixed (nuint* keyLengths = lengths)
            {
                int at = 0;
                for (int i = 0; i < keys.Count; i++)
                {
                    keys[i].Span.CopyTo(copy.AsSpan(at));
                    pointers[i] = (nint)(bytes + at);
                    lengths[i] = (nuint)keys[i].Length;
                    at += keys[i].Length;
                }

                Native.rocksdb_batched_multi_get_cf(
                    _handle, options, family, (nuint)keys.Count, (byte**)keyPointers, keyLengths, values, errs,
                    sortedInput: 0);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }

        ThrowFirst(errors);
    }

    internal void ThrowFirst(ReadOnlySpan<nint> errors)
    {
        RocksDbException? first = null;
        foreach (nint error in errors)
        {
            if (error != 0)
            {
                RocksDbException failure = NativeError.Take(error, "multi-get", Path);
                first ??= failure;
            }
        }

        if (first is not null)
        {
            throw first;
        }
    }
}
