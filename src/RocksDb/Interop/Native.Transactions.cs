using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <content>Transactions.</content>
internal static unsafe partial class Native
{
    // Databases

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint rocksdb_transactiondb_open_column_families(
        OptionsHandle options, LockOptionsHandle lockOptions, string name, int count, byte** names,
        nint* familyOptions, nint* families, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transactiondb_close(nint db);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint rocksdb_optimistictransactiondb_open_column_families(
        OptionsHandle options, string name, int count, byte** names, nint* familyOptions, nint* families,
        ref nint errptr);

    [LibraryImport(Library)]
    internal static partial nint rocksdb_optimistictransactiondb_get_base_db(nint db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_optimistictransactiondb_close_base_db(nint db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_optimistictransactiondb_close(nint db);

    // Options

    [LibraryImport(Library)]
    internal static partial LockOptionsHandle rocksdb_transactiondb_options_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_transactiondb_options_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transactiondb_options_set_max_num_locks(LockOptionsHandle options, long value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transactiondb_options_set_num_stripes(LockOptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transactiondb_options_set_transaction_lock_timeout(
        LockOptionsHandle options, long milliseconds);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transactiondb_options_set_default_lock_timeout(
        LockOptionsHandle options, long milliseconds);

    [LibraryImport(Library)]
    internal static partial TransactionOptionsHandle rocksdb_transaction_options_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_set_set_snapshot(
        TransactionOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_set_deadlock_detect(
        TransactionOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_set_deadlock_detect_depth(
        TransactionOptionsHandle options, long value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_set_lock_timeout(
        TransactionOptionsHandle options, long milliseconds);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_set_expiration(
        TransactionOptionsHandle options, long milliseconds);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_options_set_max_write_batch_size(
        TransactionOptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial OptimisticTransactionOptionsHandle rocksdb_optimistictransaction_options_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_optimistictransaction_options_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_optimistictransaction_options_set_set_snapshot(
        OptimisticTransactionOptionsHandle options, byte value);

    // Transaction

    [LibraryImport(Library)]
    internal static partial TransactionHandle rocksdb_transaction_begin(
        DatabaseHandle db, WriteOptionsHandle writeOptions, TransactionOptionsHandle options, nint old);

    /// <remarks>Called with a reference on the database, whose pointer this is.</remarks>
    [LibraryImport(Library)]
    internal static partial TransactionHandle rocksdb_optimistictransaction_begin(
        nint db, WriteOptionsHandle writeOptions, OptimisticTransactionOptionsHandle options, nint old);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_destroy(nint transaction);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_commit(TransactionHandle transaction, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_rollback(TransactionHandle transaction, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_set_savepoint(TransactionHandle transaction);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_rollback_to_savepoint(
        TransactionHandle transaction, ref nint errptr);

    /// <remarks>The answer is freed with <see cref="rocksdb_free"/>; what it points to is the transaction's.</remarks>
    [LibraryImport(Library)]
    internal static partial nint rocksdb_transaction_get_snapshot(TransactionHandle transaction);

    [LibraryImport(Library)]
    internal static partial nint rocksdb_transaction_get_pinned_cf(
        TransactionHandle transaction, ReadOptionsHandle options, ColumnFamilyHandle family,
        byte* key, nuint keyLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial nint rocksdb_transaction_get_pinned_for_update_cf(
        TransactionHandle transaction, ReadOptionsHandle options, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte exclusive, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_multi_get_cf(
        TransactionHandle transaction, ReadOptionsHandle options, nint* families, nuint count,
        byte** keys, nuint* keyLengths, nint* values, nuint* valueLengths, nint* errs);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_put_cf(
        TransactionHandle transaction, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte* value, nuint valueLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_merge_cf(
        TransactionHandle transaction, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte* value, nuint valueLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_transaction_delete_cf(
        TransactionHandle transaction, ColumnFamilyHandle family, byte* key, nuint keyLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial IteratorHandle rocksdb_transaction_create_iterator_cf(
        TransactionHandle transaction, ReadOptionsHandle options, ColumnFamilyHandle family);

    /// <summary><see cref="rocksdb_iter_value"/> of an iterator over a transaction.</summary>
    /// <remarks>It merges operands of the transaction when asked for the value, and not when moving as others do. So it
    /// calls a merge operator, which a call that suppresses the transition must not.</remarks>
    [LibraryImport(Library, EntryPoint = nameof(rocksdb_iter_value))]
    internal static partial byte* MergingIteratorValue(nint iterator, nuint* length);
}
