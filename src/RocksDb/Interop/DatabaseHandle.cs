using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_t*</c>. It is closed when it is disposed and every column family, iterator, snapshot and pinned
/// value opened from it is released.
/// </summary>
internal sealed class DatabaseHandle : SafeHandle
{
    public DatabaseHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_close(handle);
        return true;
    }
}
