using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Writes.</content>
public sealed unsafe partial class RocksDatabase
{
    private delegate void FamilyWrite(
        DatabaseHandle database, WriteOptionsHandle options, ColumnFamilyHandle family, byte* first,
        nuint firstLength, byte* second, nuint secondLength, ref nint error);

    // Made once: a method group would be a new delegate for each call.
    private static readonly FamilyWrite _put = Native.rocksdb_put_cf;
    private static readonly FamilyWrite _merge = Native.rocksdb_merge_cf;
    private static readonly FamilyWrite _deleteRange = Native.rocksdb_delete_range_cf;
    private static readonly FamilyWrite _delete =
        static (database, options, family, key, length, _, _, ref error) =>
            Native.rocksdb_delete_cf(database, options, family, key, length, ref error);

    /// <summary>Sets the value of a key. Durable on return as <paramref name="options"/> say.</summary>
    /// <remarks>Allocates nothing.</remarks>
    public void Put(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, WriteOptions options) =>
        WriteTo(family, _put, key, value, options, "put");

    /// <summary>Joins an operand with the value of a key, by the family's merge operator, without reading it.</summary>
    /// <remarks>Allocates nothing. The joining happens when the key is read or compacted.</remarks>
    /// <exception cref="ArgumentException">The operator refuses the operand; nothing was written.</exception>
    /// <exception cref="InvalidOperationException">The family has no merge operator; nothing was written.</exception>
    public void Merge(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand, WriteOptions options)
    {
        Use(family);
        family.RequireOperand(operand);
        WriteTo(family, _merge, key, operand, options, "merge");
    }

    /// <summary>Removes a key, present or not.</summary>
    public void Delete(ColumnFamily family, ReadOnlySpan<byte> key, WriteOptions options) =>
        WriteTo(family, _delete, key, default, options, "delete");

    /// <summary>Removes every key from <paramref name="from"/> and before <paramref name="toExclusive"/>.</summary>
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    public void DeleteRange(
        ColumnFamily family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive, WriteOptions options)
    {
        KeyRange.Require(from, toExclusive);
        WriteTo(family, _deleteRange, from, toExclusive, options, "delete of a range");
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

        ThrowIfFailed(error, "write of a batch");
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
            if (family is null && !TryEnterUnlessDropped(each))
            {
                continue; // Dropped since it was listed: nothing to flush.
            }

            ColumnFamilyHandle handle = family is null ? each.Handle : Enter(each);
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

    // A drop under way may still fail, and then the family has to be flushed like the others.
    private static bool TryEnterUnlessDropped(ColumnFamily family)
    {
        SpinWait wait = default;
        while (!family.Gate.TryEnter())
        {
            if (family.IsClosed)
            {
                return false;
            }

            wait.SpinOnce();
        }

        return true;
    }

    /// <summary>Writes the log buffer out; with <paramref name="sync"/> everything written so far is then
    /// durable.</summary>
    public void FlushWal(bool sync)
    {
        ThrowIfDisposed();
        nint error = 0;
        Native.rocksdb_flush_wal(_handle, Flag.Of(sync), ref error);
        ThrowIfFailed(error, sync ? "sync of the log" : "flush of the log");
    }

    private void WriteTo(
        ColumnFamily family, FamilyWrite write, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second,
        WriteOptions options, string operation)
    {
        ArgumentNullException.ThrowIfNull(options);
        WriteOptionsHandle writeOptions = options.Handle;
        ThreadCounters.TurnOff();
        ColumnFamilyHandle handle = Enter(family);
        nint error = 0;
        try
        {
            fixed (byte* f = &MemoryMarshal.GetReference(first), s = &MemoryMarshal.GetReference(second))
            {
                write(
                    _handle, writeOptions, handle, f, (nuint)first.Length, s, (nuint)second.Length, ref error);
            }
        }
        finally
        {
            family.Gate.Exit();
        }

        ThrowIfFailed(error, operation);
    }

    /// <summary>Throws the failure of a write, if it failed; keeps the database open when its log failed.</summary>
    internal void ThrowIfFailed(nint error, string operation)
    {
        if (error == 0)
        {
            return;
        }

        RocksDbException failure = WithMergeFailure(NativeError.Take(error, operation, Path));
        if (failure.Status is RocksDbStatus.IOError or RocksDbStatus.NoSpace)
        {
            // The object of the log file is broken now, and a library with assertions (Debian's 7.8.3 is one) ends the
            // process when rocksdb_close destroys it. Whether this library has them cannot be asked, so it is never
            // closed. Nor does RocksDB go on in the background with files whose log is in doubt.
            _handle.KeepOpen(Path);
            Native.rocksdb_cancel_all_background_work(_handle, Flag.Of(false));
        }

        throw failure;
    }

    /// <summary>A flush or a compaction that could not merge refuses writes without saying why.</summary>
    private RocksDbException WithMergeFailure(RocksDbException failure)
    {
        if (failure.Status != RocksDbStatus.Corruption)
        {
            return failure;
        }

        lock (_familyGate)
        {
            foreach (ColumnFamily family in _families.Values)
            {
                if (family.MergeOperator is { LastFailure: { } cause } mergeOperator)
                {
                    return new RocksDbException(
                        RocksDbStatus.Corruption,
                        $"{failure.Message} (merge operator '{mergeOperator.Name}' of column family '{family.Name}' "
                        + $"failed before: {cause.Message})",
                        failure.Operation,
                        cause);
                }
            }
        }

        return failure;
    }
}
