using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>Writes that are applied together or not at all by <see cref="RocksDatabase.Write"/>.</summary>
/// <remarks>Not thread-safe. May be written more than once, and used again after <see cref="Clear"/>.</remarks>
public sealed unsafe class WriteBatch : IDisposable
{
    // The families in the batch, each once: they are mere numbers inside it.
    private readonly List<ColumnFamily> _families = [];
    private volatile bool _disposed;

    /// <summary>Makes an empty batch.</summary>
    public WriteBatch()
    {
        RocksDbLibrary.EnsureLoaded();
        Handle = Native.rocksdb_writebatch_create();
    }

    /// <summary>How many writes it holds; data put there for the log alone is not counted.</summary>
    public int Count => Native.rocksdb_writebatch_count(Open());

    /// <summary>Size of <see cref="Data"/>, in bytes: about what it will take in the log.</summary>
    public long DataBytes => Data.Length;

    /// <summary>The batch in RocksDB's log format. Valid until the batch changes or is disposed.</summary>
    public ReadOnlySpan<byte> Data
    {
        get
        {
            nuint length;
            byte* data = Native.rocksdb_writebatch_data(Open(), &length);
            return new ReadOnlySpan<byte>(data, checked((int)length));
        }
    }

    internal WriteBatchHandle Handle { get; }

    /// <summary>Adds a value for a key; both are copied.</summary>
    public void Put(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        ColumnFamilyHandle handle = Use(family);
        fixed (byte* k = &MemoryMarshal.GetReference(key), v = &MemoryMarshal.GetReference(value))
        {
            Native.rocksdb_writebatch_put_cf(Handle, handle, k, (nuint)key.Length, v, (nuint)value.Length);
        }
    }

    /// <summary>Adds an operand to join with the value of a key, by the family's merge operator; both are
    /// copied.</summary>
    /// <exception cref="ArgumentException">The operator refuses the operand; nothing was added.</exception>
    /// <exception cref="InvalidOperationException">The family has no merge operator.</exception>
    public void Merge(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand)
    {
        ColumnFamilyHandle handle = Use(family);
        family.RequireOperand(operand);
        fixed (byte* k = &MemoryMarshal.GetReference(key), o = &MemoryMarshal.GetReference(operand))
        {
            Native.rocksdb_writebatch_merge_cf(Handle, handle, k, (nuint)key.Length, o, (nuint)operand.Length);
        }
    }

    /// <summary>Adds the deletion of a key, present or not.</summary>
    public void Delete(ColumnFamily family, ReadOnlySpan<byte> key)
    {
        ColumnFamilyHandle handle = Use(family);
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            Native.rocksdb_writebatch_delete_cf(Handle, handle, k, (nuint)key.Length);
        }
    }

    /// <summary>Adds the deletion of every key from <paramref name="from"/> and before
    /// <paramref name="toExclusive"/>.</summary>
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    public void DeleteRange(ColumnFamily family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive)
    {
        KeyRange.Require(from, toExclusive);
        ColumnFamilyHandle handle = Use(family);
        fixed (byte* f = &MemoryMarshal.GetReference(from), t = &MemoryMarshal.GetReference(toExclusive))
        {
            Native.rocksdb_writebatch_delete_range_cf(
                Handle, handle, f, (nuint)from.Length, t, (nuint)toExclusive.Length);
        }
    }

    /// <summary>Adds bytes that go to the log and nowhere else.</summary>
    public void PutLogData(ReadOnlySpan<byte> data)
    {
        WriteBatchHandle batch = Open();
        fixed (byte* d = &MemoryMarshal.GetReference(data))
        {
            Native.rocksdb_writebatch_put_log_data(batch, d, (nuint)data.Length);
        }
    }

    /// <summary>Removes everything, save points too; the batch may then serve another database.</summary>
    public void Clear()
    {
        Native.rocksdb_writebatch_clear(Open());
        _families.Clear();
    }

    /// <summary>Remembers this moment for <see cref="RollbackToSavePoint"/>; save points stack.</summary>
    public void SetSavePoint() => Native.rocksdb_writebatch_set_save_point(Open());

    /// <summary>Removes what was added since the last save point, and that save point.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotFound"/>: there is no save point.</exception>
    public void RollbackToSavePoint()
    {
        nint error = 0;
        Native.rocksdb_writebatch_rollback_to_save_point(Open(), ref error);
        NativeError.ThrowIfSet(error, "rollback to save point", "a write batch");
    }

    /// <summary>Forgets the last save point and keeps what was added since.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotFound"/>: there is no save point.</exception>
    public void PopSavePoint()
    {
        nint error = 0;
        Native.rocksdb_writebatch_pop_save_point(Open(), ref error);
        NativeError.ThrowIfSet(error, "pop save point", "a write batch");
    }

    /// <summary>Releases the batch; a write that uses it finishes first.</summary>
    public void Dispose()
    {
        _disposed = true;
        Handle.Dispose();
    }

    /// <summary>Keeps every family in the batch from being dropped until <see cref="Exit()"/>.</summary>
    /// <exception cref="ArgumentException">It was filled for another database.</exception>
    /// <exception cref="ObjectDisposedException">A family in it was dropped.</exception>
    internal WriteBatchHandle EnterFor(DatabaseHandle database)
    {
        WriteBatchHandle handle = Open();
        int entered = 0;
        try
        {
            foreach (ColumnFamily family in _families)
            {
                family.EnterIn(database);
                entered++;
            }
        }
        catch
        {
            Exit(entered);
            throw;
        }

        return handle;
    }

    internal void Exit() => Exit(_families.Count);

    private void Exit(int entered)
    {
        for (int i = 0; i < entered; i++)
        {
            _families[i].Gate.Exit();
        }
    }

    private WriteBatchHandle Open()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Handle;
    }

    private ColumnFamilyHandle Use(ColumnFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        ObjectDisposedException.ThrowIf(_disposed, this);
        ColumnFamilyHandle handle = family.HandleIn(_families.Count == 0 ? family.Database : _families[0].Database);

        // Nearly always the family of the last write; otherwise one of a few.
        if ((_families.Count == 0 || !ReferenceEquals(_families[^1], family)) && !_families.Contains(family))
        {
            _families.Add(family);
        }

        return handle;
    }
}
