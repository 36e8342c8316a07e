using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_column_family_handle_t*</c> and keeps its database open until it is released.</summary>
internal sealed class ColumnFamilyHandle : SafeHandle
{
    private readonly ParentReference _database;

    /// <param name="database">The open database the family belongs to.</param>
    /// <param name="family">The native handle; owned from here on.</param>
    public ColumnFamilyHandle(DatabaseHandle database, nint family)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        _database = ParentReference.Take(database);
        SetHandle(family);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_column_family_handle_destroy(handle);
        _database.Release();
        return true;
    }
}
