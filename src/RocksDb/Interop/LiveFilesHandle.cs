using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_livefiles_t*</c>.</summary>
internal sealed class LiveFilesHandle : SafeHandle
{
    public LiveFilesHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_livefiles_destroy(handle);
        return true;
    }
}
