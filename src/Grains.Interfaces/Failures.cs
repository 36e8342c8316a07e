namespace Branching.Grains;

/// <summary>What kind of failure a <see cref="BranchingException"/> reports. The numbers travel and are never
/// reused.</summary>
public enum FailureKind
{
    /// <summary>A failure that this version has no name for.</summary>
    Unknown = 0,

    /// <summary>An argument is outside its documented range.</summary>
    InvalidArgument = 1,

    /// <summary>A database, branch or column family name breaks the naming rules.</summary>
    InvalidName = 2,

    /// <summary>No database of that name exists.</summary>
    DatabaseNotFound = 3,

    /// <summary>A database of that name exists already.</summary>
    DatabaseExists = 4,

    /// <summary>No branch of that name exists in the database.</summary>
    BranchNotFound = 5,

    /// <summary>A branch of that name exists already.</summary>
    BranchExists = 6,

    /// <summary>The parent that a branch should begin from does not exist.</summary>
    ParentNotFound = 7,

    /// <summary>The store has no column family of that name.</summary>
    ColumnFamilyNotFound = 8,

    /// <summary>The store has a column family of that name already.</summary>
    ColumnFamilyExists = 9,

    /// <summary>A request or an answer is larger than the limit.</summary>
    RequestTooLarge = 10,

    /// <summary>The file system has no room left.</summary>
    DiskFull = 11,

    /// <summary>The operating system refused access to a file.</summary>
    PermissionDenied = 12,

    /// <summary>Another process holds the data root or the store.</summary>
    Locked = 13,

    /// <summary>The files were written by a newer version of the program.</summary>
    FormatTooNew = 14,

    /// <summary>The files were written by a version that is no longer read.</summary>
    FormatTooOld = 15,

    /// <summary>Stored bytes are not what was written.</summary>
    Corruption = 16,

    /// <summary>The store refused writes after an earlier failure, until it is reopened.</summary>
    Poisoned = 17,

    /// <summary>The database holds as many branches as its limit allows.</summary>
    TooManyBranches = 18,

    /// <summary>The branch would be deeper below the main store than the limit allows.</summary>
    BranchTooDeep = 19,

    /// <summary>The database or branch is being deleted.</summary>
    BeingDeleted = 20,

    /// <summary>Something still uses what should be removed.</summary>
    InUse = 21,

    /// <summary>More work is queued than the limit allows; try again.</summary>
    Overloaded = 22,

    /// <summary>A deadline passed. The outcome of a write is unknown.</summary>
    TimedOut = 23,

    /// <summary>The store or the node is shutting down; try again.</summary>
    Closed = 24,

    /// <summary>The native library or the platform cannot do this.</summary>
    NotSupported = 25,

    /// <summary>The native RocksDB library was not found or is too old.</summary>
    NativeLibraryMissing = 26,

    /// <summary>The process has no file descriptors left; try again.</summary>
    TooManyOpenFiles = 27,

    /// <summary>Reading or writing a file failed.</summary>
    Io = 28,

    /// <summary>A defect in the program.</summary>
    Internal = 29,

    /// <summary>A continuation token is damaged, or belongs to another store, range or epoch.</summary>
    InvalidContinuation = 30,

    /// <summary>This node was replaced as the owner of the database.</summary>
    Fenced = 31,

    /// <summary>The database lives on another node; try again.</summary>
    Moved = 32,

    /// <summary>A directory looks like somebody's store but carries no mark of this program.</summary>
    UnknownStore = 33,

    /// <summary>An imported file has a line that cannot be read.</summary>
    ImportMalformed = 34,

    /// <summary>The catalog knows a store whose directory is missing.</summary>
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

/// <summary>The failure of a call on a database or a branch. Expected outcomes are values in the answer
/// instead.</summary>
[GenerateSerializer]
[Alias("branching.exception")]
public sealed class BranchingException : Exception
{
    /// <summary>A failure of the given kind; <paramref name="message"/> says what failed, on what, why, and what to
    /// do.</summary>
    public BranchingException(FailureKind kind, string message, bool isTransient = false)
        : base(message)
    {
        Kind = kind;
        IsTransient = isTransient;
    }

    /// <summary>A failure of unknown kind.</summary>
    public BranchingException(string message)
        : base(message)
    {
    }

    /// <summary>A failure of unknown kind with its cause.</summary>
    public BranchingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A failure of unknown kind without a message.</summary>
    public BranchingException()
    {
    }

    /// <summary>What kind of failure this is.</summary>
    [Id(0)]
    public FailureKind Kind { get; private set; }

    /// <summary>Whether the same call may succeed when repeated. Nothing was changed by the failed one, unless
    /// <see cref="Kind"/> is <see cref="FailureKind.TimedOut"/>, <see cref="FailureKind.LeaseExpired"/> or
    /// <see cref="FailureKind.Fenced"/>: then the outcome is unknown.</summary>
    [Id(1)]
    public bool IsTransient { get; private set; }
}
