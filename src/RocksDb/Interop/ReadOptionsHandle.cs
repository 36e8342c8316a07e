using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_readoptions_t*</c>, the memory of its iterator bounds (RocksDB keeps pointers to them) and a
/// reference on its snapshot.
/// </summary>
internal sealed unsafe class ReadOptionsHandle : SafeHandle
{
    private ParentReference _snapshot;
    private void* _lowerBound;
    private void* _upperBound;

    public ReadOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Reads at this snapshot. Called at most once, before the options are used.</summary>
    public void UseSnapshot(SnapshotHandle snapshot)
    {
        _snapshot = ParentReference.Take(snapshot);
        Native.rocksdb_readoptions_set_snapshot(this, snapshot);
    }

    /// <summary>Copies the bounds. Called at most once, before the options are used.</summary>
    public void UseBounds(byte[]? lower, byte[]? upper)
    {
        if (lower is not null)
        {
            _lowerBound = Copy(lower);
            Native.rocksdb_readoptions_set_iterate_lower_bound(this, (nint)_lowerBound, (nuint)lower.Length);
        }

        if (upper is not null)
        {
            _upperBound = Copy(upper);
            Native.rocksdb_readoptions_set_iterate_upper_bound(this, (nint)_upperBound, (nuint)upper.Length);
        }
    }

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_readoptions_destroy(handle);
        NativeMemory.Free(_lowerBound);
        NativeMemory.Free(_upperBound);
        _snapshot.Release();
        return true;
    }

    private static void* Copy(byte[] bound)
    {
        // One byte at least: RocksDB takes a null pointer for "no bound", and an empty bound is one.
        void* memory = NativeMemory.Alloc((nuint)Math.Max(1, bound.Length));
        bound.CopyTo(new Span<byte>(memory, bound.Length));
        return memory;
    }
}
