using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns the <c>rocksdb_pinnableslice_t*</c> array of one batched read; zero stands for an absent
/// key.</summary>
internal sealed class PinnedBatchHandle : SafeHandle
{
    private readonly ParentReference _family;

    public PinnedBatchHandle(ColumnFamilyHandle family, int count)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        Slices = new nint[count];
        _family = ParentReference.Take(family);
    }

    public nint[] Slices { get; }

    // Releasing must run even when nothing was pinned, or the reference on the family would stay.
    public override bool IsInvalid => false;

    protected override bool ReleaseHandle()
    {
        foreach (nint slice in Slices)
        {
            if (slice != 0)
            {
                Native.rocksdb_pinnableslice_destroy(slice);
            }
        }

        _family.Release();
        return true;
    }
}
