using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_pinnableslice_t*</c> and keeps the column family (and through it the database and its cache) open
/// until it is released.
/// </summary>
internal sealed class PinnedValueHandle : SafeHandle
{
    private readonly ParentReference _family;

    public PinnedValueHandle(ColumnFamilyHandle family)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        _family = ParentReference.Take(family);
    }

    // Releasing must run even when nothing was pinned, or the reference on the family would stay.
    public override bool IsInvalid => false;

    public void Adopt(nint slice) => SetHandle(slice);

    protected override bool ReleaseHandle()
    {
        if (handle != 0)
        {
            Native.rocksdb_pinnableslice_destroy(handle);
        }

        _family.Release();
        return true;
    }
}
