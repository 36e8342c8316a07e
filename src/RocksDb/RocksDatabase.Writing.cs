using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Writes.</content>
public sealed unsafe partial class RocksDatabase
{
    /// <summary>Sets the value of a key. Durable on return as <paramref name="options"/> say.</summary>
    /// <remarks>Allocates nothing.</remarks>
    public void Put(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, WriteOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        WriteOptionsHandle writeOptions = options.Handle;
        ThreadCounters.TurnOff();
        ColumnFamilyHandle handle = Enter(family);
        nint error = 0;
        try
        {
            fixed (byte* k = &MemoryMarshal.GetReference(key), v = &MemoryMarshal.GetReference(value))
            {
                Native.rocksdb_put_cf(
                    _handle, writeOptions, handle, k, (nuint)key.Length, v, (nuint)value.Length, ref error);
            }
        }
        finally
        {
            family.Gate.Exit();
        }

        NativeError.ThrowIfSet(error, "put", Path);
    }

    /// <summary>Removes a key, present or not.</summary>
    public void Delete(ColumnFamily family, ReadOnlySpan<byte> key, WriteOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        WriteOptionsHandle writeOptions = options.Handle;
        ThreadCounters.TurnOff();
        ColumnFamilyHandle handle = Enter(family);
        nint error = 0;
        try
        {
            fixed (byte* k = &MemoryMarshal.GetReference(key))
            {
                Native.rocksdb_delete_cf(_handle, writeOptions, handle, k, (nuint)key.Length, ref error);
            }
        }
        finally
        {
            family.Gate.Exit();
        }

        NativeError.ThrowIfSet(error, "delete", Path);
    }

    /// <summary>Removes every key from <paramref name="from"/> and before <paramref name="toExclusive"/>.</summary>
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    public void DeleteRange(
        ColumnFamily family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive, WriteOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        KeyRange.Require(from, toExclusive);
        WriteOptionsHandle writeOptions = options.Handle;
        ThreadCounters.TurnOff();
        ColumnFamilyHandle handle = Enter(family);
        nint error = 0;
        try
        {
            fixed (byte* f = &MemoryMarshal.GetReference(from), t = &MemoryMarshal.GetReference(toExclusive))
            {
                Native.rocksdb_delete_range_cf(
                    _handle, writeOptions, handle, f, (nuint)from.Length, t, (nuint)toExclusive.Length, ref error);
            }
        }
        finally
        {
            family.Gate.Exit();
        }

        NativeError.ThrowIfSet(error, "delete of a range", Path);
    }

    /// <summary>Applies a batch, whole or not at all.</summary>
    /// <exception cref="ArgumentException">The batch was filled for another database.</exception>
    /// <exception cref="ObjectDisposedException">A family in the batch was dropped since; nothing was
    /// written.</exception>
    public void Write(WriteBatch batch, WriteOptions options)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(options);
        ThrowIfDisposed();
        WriteOptionsHandle writeOptions = options.Handle;
        ThreadCounters.TurnOff();
        WriteBatchHandle handle = batch.EnterFor(_handle);
        nint error = 0;
        try
        {
            Native.rocksdb_write(_handle, writeOptions, handle, ref error);
        }
        finally
        {
            batch.Exit();
        }

        NativeError.ThrowIfSet(error, "write of a batch", Path);
    }

    /// <summary>Writes the memtable to table files.</summary>
    /// <param name="family">The family; all of them when absent.</param>
    /// <param name="wait">Whether to return only when done.</param>
    public void Flush(ColumnFamily? family = null, bool wait = true)
    {
        ThrowIfDisposed();
        using FlushOptionsHandle options = Native.rocksdb_flushoptions_create();
        Native.rocksdb_flushoptions_set_wait(options, Flag.Of(wait));
        foreach (ColumnFamily each in family is null ? ColumnFamilies : [family])
        {
            if (family is null && each.IsClosed)
            {
                continue; // Dropped since it was listed: nothing to flush.
            }

            ColumnFamilyHandle handle = Enter(each);
            nint error = 0;
            try
            {
                Native.rocksdb_flush_cf(_handle, options, handle, ref error);
            }
            finally
            {
                each.Gate.Exit();
            }

            NativeError.ThrowIfSet(error, $"flush of column family '{each.Name}'", Path);
        }
    }

    /// <summary>Writes the log buffer out; with <paramref name="sync"/> everything written so far is then
    /// durable.</summary>
    public void FlushWal(bool sync)
    {
        ThrowIfDisposed();
        nint error = 0;
        Native.rocksdb_flush_wal(_handle, Flag.Of(sync), ref error);
        NativeError.ThrowIfSet(error, sync ? "sync of the log" : "flush of the log", Path);
    }
}
