using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_block_based_table_options_t*</c>.</summary>
internal sealed class TableOptionsHandle : SafeHandle
{
    public TableOptionsHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_block_based_options_destroy(handle);
        return true;
    }
}
