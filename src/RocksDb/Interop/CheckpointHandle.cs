using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_checkpoint_t*</c>.</summary>
internal sealed class CheckpointHandle : SafeHandle
{
    public CheckpointHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_checkpoint_object_destroy(handle);
        return true;
    }
}
