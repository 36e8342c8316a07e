using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_snapshot_t*</c> and keeps its database, or the transaction it belongs to, open until it is released.
/// </summary>
internal sealed class SnapshotHandle : SafeHandle
{
    private ParentReference _reference;
    private DatabaseHandle? _database;
    private bool _borrowed;

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

    /// <summary>The snapshot of a transaction, which owns it; this frees what wraps it.</summary>
    public static SnapshotHandle Of(TransactionHandle transaction)
    {
        ParentReference held = ParentReference.Take(transaction);
        SnapshotHandle snapshot = new() { _reference = held, _borrowed = true };
        snapshot.SetHandle(Native.rocksdb_transaction_get_snapshot(transaction));
        return snapshot;
    }

    protected override bool ReleaseHandle()
    {
        if (_borrowed)
        {
            Native.rocksdb_free(handle);
        }
        else if (_database is not null)
        {
            // The raw pointer is valid: the reference keeps the database open even if it is disposed already.
            Native.rocksdb_release_snapshot(_database.DangerousGetHandle(), handle);
        }

        _reference.Release();
        return true;
    }
}
