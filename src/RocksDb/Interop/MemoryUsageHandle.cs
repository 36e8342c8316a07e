using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_memory_usage_t*</c>.</summary>
internal sealed class MemoryUsageHandle : SafeHandle
{
    public MemoryUsageHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_approximate_memory_usage_destroy(handle);
        return true;
    }
}
