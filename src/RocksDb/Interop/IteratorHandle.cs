using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_iterator_t*</c>. It keeps its column family (and through it the database) open, and its read
/// options alive: the iterator reads its bounds from them at every step. One over a transaction keeps that too.
/// </summary>
internal sealed class IteratorHandle : SafeHandle
{
    private ParentReference _family;
    private ParentReference _options;
    private ParentReference _transaction;

    public IteratorHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    public static IteratorHandle Open(DatabaseHandle database, ColumnFamilyHandle family, ReadOptionsHandle options)
    {
        ParentReference heldFamily = ParentReference.Take(family);
        ParentReference heldOptions = default;
        bool opened = false;
        try
        {
            heldOptions = ParentReference.Take(options);
            IteratorHandle iterator = Native.rocksdb_create_iterator_cf(database, options, family);
            iterator._family = heldFamily;
            iterator._options = heldOptions;
            opened = true; // The iterator owns both references now.
            return iterator;
        }
        finally
        {
            if (!opened)
            {
                heldOptions.Release();
                heldFamily.Release();
            }
        }
    }

    /// <summary>Opens one over a transaction, which it keeps until it is released.</summary>
    public static IteratorHandle Open(
        TransactionHandle transaction, ColumnFamilyHandle family, ReadOptionsHandle options)
    {
        ParentReference heldFamily = ParentReference.Take(family);
        ParentReference heldOptions = default;
        ParentReference heldTransaction = default;
        bool opened = false;
        try
        {
            heldOptions = ParentReference.Take(options);
            heldTransaction = ParentReference.Take(transaction);
            IteratorHandle iterator = Native.rocksdb_transaction_create_iterator_cf(transaction, options, family);
            iterator._family = heldFamily;
            iterator._options = heldOptions;
            iterator._transaction = heldTransaction;
            opened = true; // The iterator owns the references now.
            return iterator;
        }
        finally
        {
            if (!opened)
            {
                heldTransaction.Release();
                heldOptions.Release();
                heldFamily.Release();
            }
        }
    }

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_iter_destroy(handle);
        _transaction.Release();
        _options.Release();
        _family.Release();
        return true;
    }
}
