using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_ingestexternalfileoptions_t*</c>.</summary>
internal sealed class IngestOptionsHandle : SafeHandle
{
    public IngestOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_ingestexternalfileoptions_destroy(handle);
        return true;
    }
}
