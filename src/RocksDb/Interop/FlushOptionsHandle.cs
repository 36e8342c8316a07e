using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_flushoptions_t*</c>.</summary>
internal sealed class FlushOptionsHandle : SafeHandle
{
    public FlushOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_flushoptions_destroy(handle);
        return true;
    }
}
