using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_writebatch_t*</c>.</summary>
internal sealed class WriteBatchHandle : SafeHandle
{
    public WriteBatchHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_writebatch_destroy(handle);
        return true;
    }
}
