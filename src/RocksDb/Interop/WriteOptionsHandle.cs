using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_writeoptions_t*</c>.</summary>
internal sealed class WriteOptionsHandle : SafeHandle
{
    public WriteOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_writeoptions_destroy(handle);
        return true;
    }
}
