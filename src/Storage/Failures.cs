namespace Branching.Storage;

/// <summary>Why an operation failed. The numbers are stable: they travel on the wire.</summary>
public enum FailureKind
{
    /// <summary>No kind was given; read the message.</summary>
    Unknown = 0,

    /// <summary>A value passed by the caller is outside its legal range.</summary>
    InvalidArgument = 1,

    /// <summary>A database, branch or column family name breaks the naming rules.</summary>
    InvalidName = 2,

    /// <summary>The database does not exist on this node.</summary>
    DatabaseNotFound = 3,

    /// <summary>A database of that name exists already.</summary>
    DatabaseExists = 4,

    /// <summary>The branch does not exist.</summary>
    BranchNotFound = 5,

    /// <summary>A branch of that name exists already.</summary>
    BranchExists = 6,

    /// <summary>The parent of a branch to be created does not exist.</summary>
    ParentNotFound = 7,

    /// <summary>The column family does not exist.</summary>
    ColumnFamilyNotFound = 8,

    /// <summary>A column family of that name exists already.</summary>
    ColumnFamilyExists = 9,

    /// <summary>The request is larger than the node accepts.</summary>
    RequestTooLarge = 10,

    /// <summary>The file system has no space, no inodes or no quota left.</summary>
    DiskFull = 11,

    /// <summary>The operating system refused access to a file or directory.</summary>
    PermissionDenied = 12,

    /// <summary>Another process holds the lock.</summary>
    Locked = 13,

    /// <summary>The data were written by a newer version of this program.</summary>
    FormatTooNew = 14,

    /// <summary>The data were written by a version that this program no longer reads.</summary>
    FormatTooOld = 15,

    /// <summary>Stored data are damaged.</summary>
    Corruption = 16,

    /// <summary>The store stopped taking writes after a failure that left its log in doubt.</summary>
    Poisoned = 17,

    /// <summary>The database has as many branches as it may have.</summary>
    TooManyBranches = 18,

    /// <summary>The branch would be further from the main store than allowed.</summary>
    BranchTooDeep = 19,

    /// <summary>The object is being deleted.</summary>
    BeingDeleted = 20,

    /// <summary>The object is in use and cannot be closed or deleted now.</summary>
    InUse = 21,

    /// <summary>Too much of the same work is under way; try again.</summary>
    Overloaded = 22,

    /// <summary>The deadline passed; the outcome may be unknown.</summary>
    TimedOut = 23,

    /// <summary>The object was closed; acquire it again.</summary>
    Closed = 24,

    /// <summary>The native library or the file system cannot do this.</summary>
    NotSupported = 25,

    /// <summary>librocksdb was not found or could not be loaded.</summary>
    NativeLibraryMissing = 26,

    /// <summary>The process or the system has no file handles left.</summary>
    TooManyOpenFiles = 27,

    /// <summary>An input or output error of the file system.</summary>
    Io = 28,

    /// <summary>A defect in this program.</summary>
    Internal = 29,

    /// <summary>A continuation is malformed or belongs to another life of the object.</summary>
    InvalidContinuation = 30,

    /// <summary>A later owner exists; this node may no longer publish.</summary>
    Fenced = 31,

    /// <summary>The object is served elsewhere now.</summary>
    Moved = 32,

    /// <summary>A store directory carries no valid mark of this program; it is refused, never cleared.</summary>
    UnknownStore = 33,

    /// <summary>A line or file to import is malformed.</summary>
    ImportMalformed = 34,

    /// <summary>The catalog names a store whose directory is not there.</summary>
    MissingStore = 35,

    /// <summary>The shared storage did not answer, or answered with an error; try again.</summary>
    SharedStorageUnavailable = 36,

    /// <summary>Another node owns the database; the message names it.</summary>
    NotOwner = 37,

    /// <summary>The lease ran out before the answer; the outcome of a write is unknown.</summary>
    LeaseExpired = 38,

    /// <summary>No such snapshot: it was never published, or it is retired.</summary>
    SnapshotNotFound = 39,

    /// <summary>A snapshot's manifest or one of its files is not what was written.</summary>
    SnapshotDamaged = 40,

    /// <summary>A snapshot was made with options or a format that this program cannot open.</summary>
    SnapshotIncompatible = 41,

    /// <summary>A pin keeps the snapshot; the message names it.</summary>
    Pinned = 42,

    /// <summary>The database exists on shared storage, but no snapshot of it does.</summary>
    NothingToRestore = 43,

    /// <summary>The branch is known, but its node was lost before any snapshot of it arrived.</summary>
    BranchLost = 44,

    /// <summary>The local store belongs to an earlier tenure and may not be served.</summary>
    StaleStore = 45,

    /// <summary>A safety rule refused it; the message says which, and how to override it.</summary>
    Refused = 46,

    /// <summary>A transaction lost against another write every time it was run; nothing was applied.</summary>
    TransactionConflict = 50,

    /// <summary>A lock was not free in time; nothing was applied.</summary>
    LockTimedOut = 51,

    /// <summary>A lock would have closed a circle of transactions that wait for each other.</summary>
    Deadlock = 52,

    /// <summary>The transaction was committed or rolled back before, or its time was over.</summary>
    TransactionEnded = 53,

    /// <summary>A commit was sent again, and whether the first one was applied is not remembered.</summary>
    OutcomeUnknown = 54,

    /// <summary>The store is open for reading only.</summary>
    ReadOnly = 55,

    /// <summary>A column family needs a merge operator that this program does not have; the message names it.</summary>
    MergeOperatorMissing = 56,

    /// <summary>The store keeps no change log; it is off by default.</summary>
    ChangeLogOff = 60,

    /// <summary>The changes asked for are not in the log any more, or never were.</summary>
    ChangesGone = 61,

    /// <summary>A position in a change log is malformed, of another store, or of a history that did not last.</summary>
    ChangePositionInvalid = 62,

    /// <summary>The change log has no consumer of that name.</summary>
    ConsumerNotFound = 63,

    /// <summary>The consumer lagged too far behind and was dropped: what it had not read may be gone.</summary>
    ConsumerDropped = 64,

    /// <summary>A stored key or value is nothing that the codec it is read with would have written.</summary>
    NotDecodable = 65,

    /// <summary>The backup directory holds no such backup, or there is no backup directory.</summary>
    BackupNotFound = 66,

    /// <summary>A backup, or a stream of one, is not what was written.</summary>
    BackupDamaged = 67,
}

/// <summary>A failure of Storage: what failed, on which object, why, and what to do.</summary>
public sealed partial class StorageException : Exception
{
    /// <summary>Creates a failure.</summary>
    public StorageException(FailureKind kind, string message, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
    }

    /// <summary>What sort of failure this is.</summary>
    public FailureKind Kind { get; }

    /// <summary>
    /// What of a change log cannot be read; <see langword="null"/> for every other failure than that.
    /// </summary>
    public Changes.ChangeDamage? Damage { get; init; }

    /// <summary>Whether the same call may succeed later without anybody repairing anything.</summary>
    public bool IsTransient => Kind is FailureKind.Overloaded or FailureKind.TimedOut or FailureKind.Closed
        or FailureKind.Moved or FailureKind.TooManyOpenFiles or FailureKind.SharedStorageUnavailable
        or FailureKind.NotOwner or FailureKind.LeaseExpired or FailureKind.TransactionConflict
        or FailureKind.LockTimedOut or FailureKind.Deadlock;
}
