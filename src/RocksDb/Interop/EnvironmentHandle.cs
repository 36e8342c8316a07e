using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_env_t*</c>.</summary>
internal sealed class EnvironmentHandle : SafeHandle
{
    public EnvironmentHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_env_destroy(handle);
        return true;
    }
}
