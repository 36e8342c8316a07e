using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_lru_cache_options_t*</c>.</summary>
internal sealed class CacheOptionsHandle : SafeHandle
{
    public CacheOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_lru_cache_options_destroy(handle);
        return true;
    }
}
