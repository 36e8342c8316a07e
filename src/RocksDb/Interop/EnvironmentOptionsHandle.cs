using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_envoptions_t*</c>.</summary>
internal sealed class EnvironmentOptionsHandle : SafeHandle
{
    public EnvironmentOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_envoptions_destroy(handle);
        return true;
    }
}
