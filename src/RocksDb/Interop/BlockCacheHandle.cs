using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_cache_t*</c>.</summary>
internal sealed class BlockCacheHandle : SafeHandle
{
    public BlockCacheHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_cache_destroy(handle);
        return true;
    }
}
