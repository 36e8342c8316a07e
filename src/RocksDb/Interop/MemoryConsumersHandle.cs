using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_memory_consumers_t*</c>.</summary>
internal sealed class MemoryConsumersHandle : SafeHandle
{
    public MemoryConsumersHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_memory_consumers_destroy(handle);
        return true;
    }
}
