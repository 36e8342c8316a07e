using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Databases with transactions.</content>
public sealed partial class RocksDatabase
{
    /// <summary>How <see cref="BeginTransaction"/> works here.</summary>
    public TransactionKind TransactionKind => _handle.Kind;

    /// <summary>Opens a database whose transactions lock nothing and are checked when they commit.</summary>
    /// <remarks>Everything else works as after <see cref="Open"/>, and writes outside transactions count as
    /// conflicts.</remarks>
    /// <inheritdoc cref="Open"/>
    public static RocksDatabase OpenOptimistic(
        string path, DatabaseOptions options, IReadOnlyList<ColumnFamilyDescriptor>? families = null)
    {
        unsafe
        {
            return OpenWritable(
                path, options, families,
                static (native, path, count, names, familyOptions, families, ref error) =>
                    DatabaseHandle.Optimistic(Native.rocksdb_optimistictransactiondb_open_column_families(
                        native, path, count, names, familyOptions, families, ref error)));
        }
    }

    /// <summary>Opens a database whose transactions lock what they write.</summary>
    /// <remarks>
    /// Everything else works as after <see cref="Open"/>, except that writes outside transactions take locks too, and
    /// may time out; that <see cref="DeleteRange"/> is not supported; and that ingested files pass by the locks.
    /// </remarks>
    /// <param name="path">Its directory.</param>
    /// <param name="options">How; read during the call.</param>
    /// <param name="locks">How locks work; the defaults when absent.</param>
    /// <param name="families">As for <see cref="Open"/>.</param>
    /// <exception cref="RocksDbException">As for <see cref="Open"/>.</exception>
    public static RocksDatabase OpenPessimistic(
        string path,
        DatabaseOptions options,
        LockOptions? locks = null,
        IReadOnlyList<ColumnFamilyDescriptor>? families = null)
    {
        RocksDbLibrary.EnsureLoaded();
        using LockOptionsHandle lockOptions = (locks ?? new LockOptions()).CreateHandle();
        unsafe
        {
            return OpenWritable(
                path, options, families,
                (native, path, count, names, familyOptions, families, ref error) =>
                    DatabaseHandle.Pessimistic(Native.rocksdb_transactiondb_open_column_families(
                        native, lockOptions, path, count, names, familyOptions, families, ref error)));
        }
    }

    /// <summary>Begins a transaction. The caller disposes it.</summary>
    /// <param name="writeOptions">How its commit writes.</param>
    /// <param name="options">How it works; the defaults when absent.</param>
    /// <exception cref="InvalidOperationException">The database was not opened for transactions.</exception>
    public Transaction BeginTransaction(WriteOptions writeOptions, TransactionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(writeOptions);
        ThrowIfDisposed();
        WriteOptionsHandle write = writeOptions.Handle;
        TransactionOptions effective = options ?? new TransactionOptions();
        if (!effective.SetSnapshot)
        {
            return new Transaction(this, _handle, TransactionHandle.Begin(_handle, write, effective), snapshot: null);
        }

        (TransactionHandle handle, ulong sequence) = ReadSnapshot.Between(
            _handle, () => TransactionHandle.Begin(_handle, write, effective));
        return new Transaction(this, _handle, handle, ReadSnapshot.Of(_handle, handle, sequence));
    }
}
