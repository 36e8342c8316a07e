using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_snapshot_t*</c> and keeps its database open until it is released.</summary>
internal sealed class SnapshotHandle : SafeHandle
{
    private ParentReference _reference;
    private DatabaseHandle? _database;

    public SnapshotHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    public static SnapshotHandle Open(DatabaseHandle database)
    {
        ParentReference held = ParentReference.Take(database);
        bool opened = false;
        try
        {
            SnapshotHandle snapshot = Native.rocksdb_create_snapshot(database);
            snapshot._reference = held;
            snapshot._database = database;
            opened = true; // The snapshot owns the reference now.
            return snapshot;
        }
        finally
        {
            if (!opened)
            {
                held.Release();
            }
        }
    }

    protected override bool ReleaseHandle()
    {
        if (_database is not null)
        {
            // The raw pointer is valid: the reference keeps the database open even if it is disposed already.
            Native.rocksdb_release_snapshot(_database.DangerousGetHandle(), handle);
        }

        _reference.Release();
        return true;
    }
}
