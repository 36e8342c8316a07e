using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_transaction_t*</c> and keeps its database open until it is released.</summary>
internal sealed class TransactionHandle : SafeHandle
{
    private ParentReference _database;

    public TransactionHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    /// <exception cref="InvalidOperationException">The database was not opened for transactions.</exception>
    public static TransactionHandle Begin(
        DatabaseHandle database, WriteOptionsHandle writeOptions, TransactionOptions options)
    {
        ParentReference held = ParentReference.Take(database);
        bool begun = false;
        try
        {
            TransactionHandle transaction = database.Kind switch
            {
                TransactionKind.Optimistic => BeginOptimistic(database, writeOptions, options),
                TransactionKind.Pessimistic => BeginPessimistic(database, writeOptions, options),
                _ => throw new InvalidOperationException(
                    "The database was opened without transactions: use RocksDatabase.OpenOptimistic or "
                    + "OpenPessimistic."),
            };
            transaction._database = held;
            begun = true; // The transaction owns the reference now.
            return transaction;
        }
        finally
        {
            if (!begun)
            {
                held.Release();
            }
        }
    }

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_transaction_destroy(handle);
        _database.Release();
        return true;
    }

    private static TransactionHandle BeginOptimistic(
        DatabaseHandle database, WriteOptionsHandle writeOptions, TransactionOptions options)
    {
        using OptimisticTransactionOptionsHandle native = Native.rocksdb_optimistictransaction_options_create();
        Native.rocksdb_optimistictransaction_options_set_set_snapshot(native, Flag.Of(options.SetSnapshot));
        return Native.rocksdb_optimistictransaction_begin(
            database.OptimisticTransactions, writeOptions, native, old: 0);
    }

    private static TransactionHandle BeginPessimistic(
        DatabaseHandle database, WriteOptionsHandle writeOptions, TransactionOptions options)
    {
        using TransactionOptionsHandle native = options.CreateHandle();
        return Native.rocksdb_transaction_begin(database, writeOptions, native, old: 0);
    }
}
