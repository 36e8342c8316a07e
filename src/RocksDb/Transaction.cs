using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>Reads and writes that become visible together, or not at all.</summary>
/// <remarks>
/// Its reads see its own writes. For one thread at a time: a second one gets an
/// <see cref="InvalidOperationException"/>. Once it is committed or rolled back nothing but <see cref="Rollback"/> and
/// <see cref="Dispose"/> is allowed; disposing one that is neither rolls it back. Until it and its iterators are
/// disposed it keeps the database open. A range cannot be deleted in it, as RocksDB cannot lock one.
/// </remarks>
public sealed unsafe partial class Transaction : IDisposable
{
    private readonly RocksDatabase _owner;
    private readonly DatabaseHandle _database;
    private readonly TransactionHandle _handle;

    // The families written to, each once: none of them may be dropped under the commit.
    private readonly List<ColumnFamily> _families = [];

    // One per native save point, oldest first; false for those that were popped, which the C API cannot do.
    private readonly List<bool> _savePoints = [];
    private volatile TransactionState _state;
    private volatile bool _disposed;
    private int _busy;

    internal Transaction(
        RocksDatabase owner, DatabaseHandle database, TransactionHandle handle, ReadSnapshot? snapshot)
    {
        _owner = owner;
        _database = database;
        _handle = handle;
        Snapshot = snapshot;
    }

    /// <summary>How far it is.</summary>
    public TransactionState State => _state;

    /// <summary>The moment it began, for <see cref="ReadOptions.Snapshot"/>; <see langword="null"/> without
    /// <see cref="TransactionOptions.SetSnapshot"/>. Disposed with the transaction.</summary>
    public ReadSnapshot? Snapshot { get; }

    /// <summary>Counts what makes pointers into its writes stale.</summary>
    internal int Writes { get; private set; }

    /// <summary>Counts what makes its iterators unusable: RocksDB builds the index of its writes anew.</summary>
    internal int Rebuilds { get; private set; }

    /// <summary>Sets the value of a key, when the transaction commits.</summary>
    /// <exception cref="RocksDbException">Pessimistic only: <see cref="RocksDbStatus.LockTimedOut"/>,
    /// <see cref="RocksDbStatus.Deadlock"/>, <see cref="RocksDbStatus.LockLimit"/>, and
    /// <see cref="RocksDbStatus.Busy"/> when the key changed after the snapshot. The transaction goes on without this
    /// write.</exception>
    public void Put(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        ColumnFamilyHandle handle = EnterToWrite(family);
        nint error = 0;
        try
        {
            fixed (byte* k = &MemoryMarshal.GetReference(key), v = &MemoryMarshal.GetReference(value))
            {
                Native.rocksdb_transaction_put_cf(
                    _handle, handle, k, (nuint)key.Length, v, (nuint)value.Length, ref error);
            }
        }
        finally
        {
            Exit();
        }

        NativeError.ThrowIfSet(error, "put in a transaction", _owner.Path);
    }

    /// <summary>Joins an operand with the value of a key, when the transaction commits.</summary>
    /// <exception cref="ArgumentException">The operator refuses the operand.</exception>
    /// <exception cref="InvalidOperationException">The family has no merge operator.</exception>
    /// <exception cref="RocksDbException">As for <see cref="Put"/>.</exception>
    public void Merge(ColumnFamily family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand)
    {
        ColumnFamilyHandle handle = EnterToWrite(family);
        nint error = 0;
        try
        {
            family.RequireOperand(operand);
            fixed (byte* k = &MemoryMarshal.GetReference(key), o = &MemoryMarshal.GetReference(operand))
            {
                Native.rocksdb_transaction_merge_cf(
                    _handle, handle, k, (nuint)key.Length, o, (nuint)operand.Length, ref error);
            }
        }
        finally
        {
            Exit();
        }

        NativeError.ThrowIfSet(error, "merge in a transaction", _owner.Path);
    }

    /// <summary>Removes a key, present or not, when the transaction commits.</summary>
    /// <exception cref="RocksDbException">As for <see cref="Put"/>.</exception>
    public void Delete(ColumnFamily family, ReadOnlySpan<byte> key)
    {
        ColumnFamilyHandle handle = EnterToWrite(family);
        nint error = 0;
        try
        {
            fixed (byte* k = &MemoryMarshal.GetReference(key))
            {
                Native.rocksdb_transaction_delete_cf(_handle, handle, k, (nuint)key.Length, ref error);
            }
        }
        finally
        {
            Exit();
        }

        NativeError.ThrowIfSet(error, "delete in a transaction", _owner.Path);
    }

    /// <summary>Applies the writes. Durable on return as the write options say that it began with.</summary>
    /// <exception cref="RocksDbException">
    /// Nothing was applied, and it can only be rolled back. <see cref="RocksDbStatus.Busy"/>: something it depends on
    /// has changed. <see cref="RocksDbStatus.TryAgain"/>: that cannot be told, as too much was flushed since; a new
    /// transaction may succeed. <see cref="RocksDbStatus.Expired"/>: it is too old.
    /// </exception>
    /// <exception cref="ObjectDisposedException">A family written to was dropped.</exception>
    public void Commit()
    {
        Enter();
        nint error = 0;
        int entered = 0;
        try
        {
            foreach (ColumnFamily family in _families)
            {
                family.EnterIn(_database);
                entered++;
            }

            ThreadCounters.TurnOff();
            Rebuilds++;
            Native.rocksdb_transaction_commit(_handle, ref error);
            _state = error == 0 ? TransactionState.Committed : TransactionState.Failed;
        }
        finally
        {
            for (int i = 0; i < entered; i++)
            {
                _families[i].Gate.Exit();
            }

            Exit();
        }

        _owner.ThrowIfFailed(error, "commit of a transaction");
    }

    /// <summary>Gives up the writes and releases the locks. Again is allowed and does nothing.</summary>
    /// <exception cref="InvalidOperationException">It is committed.</exception>
    public void Rollback()
    {
        EnterAny();
        try
        {
            if (_state == TransactionState.Committed)
            {
                throw new InvalidOperationException("The transaction is committed; it cannot be rolled back.");
            }

            EndUnfinished();
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Remembers this moment for <see cref="RollbackToSavePoint"/>; save points stack.</summary>
    public void SetSavePoint()
    {
        Enter();
        try
        {
            Native.rocksdb_transaction_set_savepoint(_handle);
            _savePoints.Add(true);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Gives up the writes since the last save point, and that save point; locks taken since are
    /// released. Open iterators end.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotFound"/>: there is no save point.</exception>
    public void RollbackToSavePoint()
    {
        Enter();
        try
        {
            int target = RequireSavePoint("rollback to save point");
            Rebuilds++;
            while (_savePoints.Count > target)
            {
                nint error = 0;
                _savePoints.RemoveAt(_savePoints.Count - 1);
                Native.rocksdb_transaction_rollback_to_savepoint(_handle, ref error);
                NativeError.ThrowIfSet(error, "rollback to save point", _owner.Path);
            }
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Forgets the last save point and keeps the writes since.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotFound"/>: there is no save point.</exception>
    public void PopSavePoint()
    {
        Enter();
        try
        {
            _savePoints[RequireSavePoint("pop save point")] = false;
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Rolls back what is not committed, and releases the transaction when its last iterator is
    /// disposed.</summary>
    public void Dispose()
    {
        _disposed = true;
        if (Interlocked.CompareExchange(ref _busy, 1, 0) == 0)
        {
            Release(); // Otherwise the call under way does it.
        }
    }

    private int RequireSavePoint(string operation)
    {
        int last = _savePoints.LastIndexOf(true);
        return last >= 0
            ? last
            : throw new RocksDbException(RocksDbStatus.NotFound, operation, _owner.Path, "there is no save point");
    }

    private void EndUnfinished()
    {
        if (_state is TransactionState.RolledBack or TransactionState.Committed)
        {
            return;
        }

        Rebuilds++;
        _savePoints.Clear();
        nint error = 0;
        Native.rocksdb_transaction_rollback(_handle, ref error);
        _state = TransactionState.RolledBack;
        if (error != 0)
        {
            // An expired one whose locks were taken has nothing left to roll back, and RocksDB says so.
            _ = NativeError.Take(error, "rollback", _owner.Path);
        }
    }

    private void Release()
    {
        EndUnfinished(); // Not left to the handle: an open iterator keeps that, and would keep the locks.
        Snapshot?.Dispose();
        _handle.Dispose();
    }
}

/// <summary>How far a <see cref="Transaction"/> is.</summary>
public enum TransactionState
{
    /// <summary>It takes reads and writes.</summary>
    Active = 0,

    /// <summary>Its writes are applied.</summary>
    Committed = 1,

    /// <summary>Its writes are given up.</summary>
    RolledBack = 2,

    /// <summary>Its commit was refused; it can only be rolled back.</summary>
    Failed = 3,
}
