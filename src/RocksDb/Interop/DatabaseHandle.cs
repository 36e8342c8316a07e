using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_t*</c>, or what stands for it in a database with transactions. It is closed when it is disposed and
/// every column family, iterator, snapshot, transaction and pinned value opened from it is released; never, once
/// <see cref="KeepOpen"/> was called.
/// </summary>
internal sealed class DatabaseHandle : SafeHandle
{
    private static readonly ConcurrentDictionary<DatabaseHandle, string> _kept = new();

    private bool _counted;

    public DatabaseHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    /// <summary>How transactions work here.</summary>
    public TransactionKind Kind { get; private init; }

    /// <summary>What begins optimistic transactions. Valid while a reference on this handle is held.</summary>
    public nint OptimisticTransactions { get; private init; }

    /// <summary>The directories of the databases that stay open until the process ends.</summary>
    public static IReadOnlyCollection<string> KeptOpen => [.. _kept.Values];

    public override bool IsInvalid => handle == 0;

    /// <summary>Whether this database stays open until the process ends.</summary>
    public bool IsKeptOpen => _kept.ContainsKey(this);

    /// <summary>
    /// Owns <c>rocksdb_optimistictransactiondb_t*</c> and the <c>rocksdb_t*</c> of its base database, which does
    /// everything but begin transactions. Validation compares sequences, so it sees writes beside transactions.
    /// </summary>
    public static DatabaseHandle Optimistic(nint database)
    {
        DatabaseHandle owner = new() { Kind = TransactionKind.Optimistic, OptimisticTransactions = database };
        if (database != 0)
        {
            owner.SetHandle(Native.rocksdb_optimistictransactiondb_get_base_db(database));
        }

        return owner;
    }

    /// <summary>Owns <c>rocksdb_transactiondb_t*</c>, which serves as <c>rocksdb_t*</c> too.</summary>
    /// <remarks>
    /// Its base database must not be written to, as such writes would pass by the locks; and the C API of 7.8 does not
    /// give it out. It need not: both types are a struct of one pointer, here to a <c>TransactionDB</c>, there to a
    /// <c>DB</c>, and the one class derives from the other by single inheritance, so the pointers are equal and a call
    /// through <c>rocksdb_t*</c> reaches the overridden method, which takes the lock (<c>db/c.cc</c>,
    /// <c>rocksdb/utilities/transaction_db.h</c>; the same in every release from 7.8 to 11.8). TransactionTests and
    /// TransactionConflictTests run every kind of operation through it.
    /// </remarks>
    public static DatabaseHandle Pessimistic(nint database)
    {
        DatabaseHandle owner = new() { Kind = TransactionKind.Pessimistic };
        owner.SetHandle(database);
        return owner;
    }

    /// <summary>Keeps the database open until the process ends, whatever is disposed.</summary>
    public void KeepOpen(string directory)
    {
        if (!_kept.TryAdd(this, directory))
        {
            return;
        }

        bool held = false;
        DangerousAddRef(ref held); // Never released: closing would be the end of the process.
    }

    /// <summary>From here on until it is closed, the process ends without destroying what RocksDB keeps.</summary>
    public void NoteOpened()
    {
        if (!IsInvalid)
        {
            _counted = true;
            ProcessEnd.NoteOpened();
        }
    }

    protected override bool ReleaseHandle()
    {
        if (_counted)
        {
            ProcessEnd.NoteClosed();
        }

        switch (Kind)
        {
            case TransactionKind.Optimistic:
                Native.rocksdb_optimistictransactiondb_close_base_db(handle); // Frees what wraps it, not the database.
                Native.rocksdb_optimistictransactiondb_close(OptimisticTransactions);
                break;
            case TransactionKind.Pessimistic:
                Native.rocksdb_transactiondb_close(handle);
                break;
            default:
                Native.rocksdb_close(handle);
                break;
        }

        return true;
    }
}
