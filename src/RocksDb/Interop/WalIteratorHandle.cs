using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_wal_iterator_t*</c> and keeps its database open until it is released.</summary>
internal sealed class WalIteratorHandle : SafeHandle
{
    private ParentReference _database;

    public WalIteratorHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    public static WalIteratorHandle Open(DatabaseHandle database, ulong sequence, ref nint error)
    {
        ParentReference held = ParentReference.Take(database);
        bool opened = false;
        try
        {
            WalIteratorHandle iterator = Native.rocksdb_get_updates_since(database, sequence, options: 0, ref error);
            opened = !iterator.IsInvalid;
            if (opened)
            {
                iterator._database = held; // The iterator owns the reference now.
            }

            return iterator;
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
        Native.rocksdb_wal_iter_destroy(handle);
        _database.Release();
        return true;
    }
}
