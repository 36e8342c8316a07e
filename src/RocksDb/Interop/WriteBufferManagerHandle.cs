using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_write_buffer_manager_t*</c> of libraries that have it.</summary>
internal sealed unsafe class WriteBufferManagerHandle : SafeHandle
{
    public WriteBufferManagerHandle(nint manager)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        SetHandle(manager);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        if (OptionalNative.TryGet("rocksdb_write_buffer_manager_destroy", out nint destroy))
        {
            ((delegate* unmanaged<nint, void>)destroy)(handle);
        }

        return true;
    }
}
