namespace Branching.RocksDb;

/// <summary>What kind of failure RocksDB reported. The numbers are stable.</summary>
public enum RocksDbStatus
{
    /// <summary>No failure.</summary>
    Ok = 0,

    /// <summary>Something the operation needs does not exist (never an absent key: that is an answer).</summary>
    NotFound = 1,

    /// <summary>A file of the store contradicts itself or another one.</summary>
    Corruption = 2,

    /// <summary>The library, or the way the database was opened, does not have this operation.</summary>
    NotSupported = 3,

    /// <summary>An argument or an option that RocksDB refuses.</summary>
    InvalidArgument = 4,

    /// <summary>A file operation failed for a reason without a value of its own here.</summary>
    IOError = 5,

    /// <summary>The file system or the quota is full.</summary>
    NoSpace = 6,

    /// <summary>A file or directory that must exist does not.</summary>
    PathNotFound = 7,

    /// <summary>Another process, or this one, has the directory open for writing.</summary>
    LockHeld = 8,

    /// <summary>The operating system refused access, or the file system is read-only.</summary>
    PermissionDenied = 9,

    /// <summary>The process may not open more files.</summary>
    TooManyOpenFiles = 10,

    /// <summary>A resource is in use.</summary>
    Busy = 11,

    /// <summary>A deadline passed.</summary>
    TimedOut = 12,

    /// <summary>The operation was given up.</summary>
    Aborted = 13,

    /// <summary>It may succeed when tried again.</summary>
    TryAgain = 14,

    /// <summary>The answer would need the disk (or would stall), which the options forbid.</summary>
    Incomplete = 15,

    /// <summary>The database is being closed, or its background work was cancelled.</summary>
    ShutdownInProgress = 16,

    /// <summary>RocksDB's text matches none of the above; it is in the message.</summary>
    Unknown = 17,

    /// <summary>A merge operator failed, so the value cannot be told; its exception is the inner one.</summary>
    MergeFailed = 18,

    /// <summary>Transactions wait for each other's locks in a circle. Roll this one back and try again.</summary>
    Deadlock = 19,

    /// <summary>A lock of another transaction was not released in time.</summary>
    LockTimedOut = 20,

    /// <summary>The database holds as many locks as it may.</summary>
    LockLimit = 21,

    /// <summary>The transaction lived longer than its expiration; it can only be rolled back.</summary>
    Expired = 22,
}
