using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_transactiondb_options_t*</c>.</summary>
internal sealed class LockOptionsHandle : SafeHandle
{
    public LockOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_transactiondb_options_destroy(handle);
        return true;
    }
}
