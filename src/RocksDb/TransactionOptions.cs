using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>How transactions of a database work.</summary>
public enum TransactionKind
{
    /// <summary>There are none.</summary>
    None = 0,

    /// <summary>Nothing is locked; a commit is refused when something it depends on has changed.</summary>
    Optimistic = 1,

    /// <summary>What is written, or read for an update, is locked until the transaction ends.</summary>
    Pessimistic = 2,
}

/// <summary>The locks of a database opened by <see cref="RocksDatabase.OpenPessimistic"/>. Read by the open.</summary>
public sealed class LockOptions
{
    /// <summary>Most locks of a column family; -1 for no limit, otherwise 1 or more. Default: -1.</summary>
    public long MaxLocks { get; set; } = -1;

    /// <summary>Parts of the lock table, each with a mutex of its own; 1 or more. Default: 16.</summary>
    public int Stripes { get; set; } = 16;

    /// <summary>How long a transaction waits for a lock unless it says otherwise; zero or more. Default: one
    /// second.</summary>
    public TimeSpan TransactionLockTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a write outside a transaction waits for a lock; zero or more. Default: one second.</summary>
    public TimeSpan WriteLockTimeout { get; set; } = TimeSpan.FromSeconds(1);

    internal LockOptionsHandle CreateHandle()
    {
        OptionRange.AtLeast(1, MaxLocks == -1 ? 1 : MaxLocks, nameof(MaxLocks));
        OptionRange.AtLeast(1, Stripes);
        OptionRange.AtLeast(0, TransactionLockTimeout.TotalMilliseconds, nameof(TransactionLockTimeout));
        OptionRange.AtLeast(0, WriteLockTimeout.TotalMilliseconds, nameof(WriteLockTimeout));
        LockOptionsHandle options = Native.rocksdb_transactiondb_options_create();
        Native.rocksdb_transactiondb_options_set_max_num_locks(options, MaxLocks);
        Native.rocksdb_transactiondb_options_set_num_stripes(options, (nuint)Stripes);
        Native.rocksdb_transactiondb_options_set_transaction_lock_timeout(
            options, (long)TransactionLockTimeout.TotalMilliseconds);
        Native.rocksdb_transactiondb_options_set_default_lock_timeout(
            options, (long)WriteLockTimeout.TotalMilliseconds);
        return options;
    }
}

/// <summary>How one transaction works. Read when it begins.</summary>
public sealed class TransactionOptions
{
    /// <summary>
    /// Whether the transaction conflicts with writes since it began, and not only since it first touched their keys;
    /// <see cref="Transaction.Snapshot"/> then reads at that moment. Default: no.
    /// </summary>
    public bool SetSnapshot { get; set; }

    /// <summary>Whether waiting in a circle is found at once (<see cref="RocksDbStatus.Deadlock"/>) instead of by the
    /// time-out. Pessimistic only. Default: no.</summary>
    public bool DetectDeadlocks { get; set; }

    /// <summary>Longest circle that is found; 1 or more. Pessimistic only. Default: 50.</summary>
    public int DeadlockDetectionDepth { get; set; } = 50;

    /// <summary>How long to wait for a lock; zero is not at all. Pessimistic only. Default: as the database
    /// says.</summary>
    public TimeSpan? LockTimeout { get; set; }

    /// <summary>
    /// Age at which the transaction can no longer commit, and others may take its locks; more than zero. Pessimistic
    /// only. Default: none.
    /// </summary>
    public TimeSpan? Expiration { get; set; }

    /// <summary>Most bytes of its writes; zero for no limit. Pessimistic only. Default: 0.</summary>
    public long MaxWriteBytes { get; set; }

    internal TransactionOptionsHandle CreateHandle()
    {
        const long AsTheDatabaseSays = -1;
        const long Never = -1;
        OptionRange.AtLeast(1, DeadlockDetectionDepth);
        OptionRange.AtLeast(0, LockTimeout?.TotalMilliseconds ?? 0, nameof(LockTimeout));
        OptionRange.AtLeast(1, Expiration?.TotalMilliseconds ?? 1, nameof(Expiration));
        OptionRange.AtLeast(0, MaxWriteBytes);
        TransactionOptionsHandle options = Native.rocksdb_transaction_options_create();
        Native.rocksdb_transaction_options_set_set_snapshot(options, Flag.Of(SetSnapshot));
        Native.rocksdb_transaction_options_set_deadlock_detect(options, Flag.Of(DetectDeadlocks));
        Native.rocksdb_transaction_options_set_deadlock_detect_depth(options, DeadlockDetectionDepth);
        Native.rocksdb_transaction_options_set_lock_timeout(
            options, (long?)LockTimeout?.TotalMilliseconds ?? AsTheDatabaseSays);
        Native.rocksdb_transaction_options_set_expiration(
            options, (long?)Expiration?.TotalMilliseconds ?? Never);
        Native.rocksdb_transaction_options_set_max_write_batch_size(options, (nuint)MaxWriteBytes);
        return options;
    }
}
