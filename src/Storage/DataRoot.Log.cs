using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>Events 2050–2099: data root, databases, branches.</summary>
internal static partial class Log
{
    [LoggerMessage(2050, LogLevel.Information,
        "Opened the data root {Directory}: {Databases} databases in {ElapsedMs} ms")]
    public static partial void RootOpened(this ILogger logger, string directory, int databases, double elapsedMs);

    [LoggerMessage(2051, LogLevel.Warning, "Start of {Directory}: {Finding}")]
    public static partial void Reconciled(this ILogger logger, string directory, string finding);

    [LoggerMessage(2078, LogLevel.Warning, "At its start {Directory} was put in order: {Finding}")]
    public static partial void Repaired(this ILogger logger, string directory, string finding);

    [LoggerMessage(2079, LogLevel.Information, "Deleted {Place} of database {Database} from quarantine, as asked")]
    public static partial void QuarantinedDeleted(this ILogger logger, string place, string database);

    [LoggerMessage(2052, LogLevel.Error, "Database {Database} cannot be served")]
    public static partial void DatabaseFailed(this ILogger logger, string database, Exception cause);

    [LoggerMessage(2053, LogLevel.Information, "Created database {Database} ({Id})")]
    public static partial void DatabaseCreated(this ILogger logger, DatabaseName database, DatabaseId id);

    [LoggerMessage(2054, LogLevel.Information, "Removed database {Database} ({Id}) from this data root")]
    public static partial void DatabaseRemoved(this ILogger logger, DatabaseName database, DatabaseId id);

    [LoggerMessage(2055, LogLevel.Information,
        "Created branch {Branch} of database {Database} from {Parent}: store {Id}, {Linked} files linked, "
        + "{Copied} copied, in {ElapsedMs} ms")]
    public static partial void BranchCreated(
        this ILogger logger, BranchName branch, DatabaseName database, BranchName parent, StoreId id, int linked,
        int copied, double elapsedMs);

    [LoggerMessage(2056, LogLevel.Information, "Deleted branch {Branch} of database {Database}: store {Id}")]
    public static partial void BranchDeleted(this ILogger logger, BranchName branch, DatabaseName database, StoreId id);

    [LoggerMessage(2057, LogLevel.Warning, "'{Path}' could not be removed; the next start does it")]
    public static partial void LeftBehind(this ILogger logger, string path, Exception cause);

    [LoggerMessage(2058, LogLevel.Warning, "An idle store could not be closed")]
    public static partial void IdleCloseFailed(this ILogger logger, Exception cause);

    [LoggerMessage(2059, LogLevel.Warning, "The clean end of database {Database} could not be recorded")]
    public static partial void CleanEndNotRecorded(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2060, LogLevel.Warning, "Database {Database} was set aside in {Place}: {Reason}")]
    public static partial void DatabaseSetAside(
        this ILogger logger, DatabaseName database, string place, string reason);

    [LoggerMessage(2061, LogLevel.Information,
        "Owns database {Database} in epoch {Epoch} ({How}) after {ElapsedMs} ms")]
    public static partial void DatabaseOwned(
        this ILogger logger, DatabaseName database, Epoch epoch, OwnedBy how, double elapsedMs);

    [LoggerMessage(2062, LogLevel.Information, "Gave up database {Database} in epoch {Epoch}")]
    public static partial void DatabaseReleased(this ILogger logger, DatabaseName database, Epoch epoch);

    [LoggerMessage(2063, LogLevel.Warning,
        "The tenure of database {Database} in epoch {Epoch} was not released; the next owner waits for its lease")]
    public static partial void TenureNotReleased(
        this ILogger logger, DatabaseName database, Epoch epoch, Exception cause);

    [LoggerMessage(2064, LogLevel.Warning, "Database {Database} is damaged and is replaced, as its policy says")]
    public static partial void DamagedDatabaseReplaced(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2065, LogLevel.Warning,
        "Branch {Branch} of database {Database} ({Durability}) was lost with its node")]
    public static partial void BranchLost(
        this ILogger logger, BranchName branch, DatabaseName database, BranchDurability durability);

    [LoggerMessage(2066, LogLevel.Warning,
        "Branch {Branch} of database {Database}: snapshot {Skipped} is damaged and was skipped, the earlier {Snapshot} "
        + "at sequence {Sequence} is used, as asked: {Reason}")]
    public static partial void OlderSnapshotUsed(
        this ILogger logger, BranchName branch, DatabaseName database, string skipped,
        Snapshots.SnapshotId snapshot, Sequence sequence, string reason);

    [LoggerMessage(2067, LogLevel.Error, "Branch {Branch} of database {Database} could not be restored")]
    public static partial void BranchNotRestored(
        this ILogger logger, BranchName branch, DatabaseName database, Exception cause);

    [LoggerMessage(2068, LogLevel.Warning,
        "The newest snapshot of branch {Branch} of database {Database} cannot be read")]
    public static partial void SnapshotNotNoted(
        this ILogger logger, DatabaseName database, BranchName branch, Exception cause);

    [LoggerMessage(2077, LogLevel.Warning,
        "How much of {Branch} is not on shared storage is not known before it is opened")]
    public static partial void LagNotKnown(this ILogger logger, string branch, Exception cause);

    [LoggerMessage(2069, LogLevel.Error, "Database {Database} serves no more, but could not be closed")]
    public static partial void EndedDatabaseNotClosed(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2070, LogLevel.Warning, "The name of database {Database}, whose creation failed, stays reserved")]
    public static partial void NameStaysReserved(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2072, LogLevel.Warning, "The lineage of database {Database} on {Location} cannot be read")]
    public static partial void LineageNotRead(
        this ILogger logger, DatabaseName database, string location, Exception cause);

    [LoggerMessage(2073, LogLevel.Information,
        "Removed the local copy of database {Database}: it was released in epoch {Epoch}, and its later owner has all "
        + "of it")]
    public static partial void ReleasedCopyRemoved(this ILogger logger, DatabaseName database, Epoch epoch);

    [LoggerMessage(2074, LogLevel.Warning,
        "The orderly release of database {Database} could not be noted; its copy here will be set aside, not removed")]
    public static partial void ReleaseNotNoted(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2075, LogLevel.Warning,
        "The note of the release of database {Database} cannot be used; its copy here is treated as any other")]
    public static partial void ReleaseNotRead(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2076, LogLevel.Warning,
        "Branch {Branch} of database {Database} is damaged and is replaced without a snapshot of it, as asked")]
    public static partial void DamagedBranchReplaced(
        this ILogger logger, BranchName branch, DatabaseName database, Exception cause);

    [LoggerMessage(2071, LogLevel.Warning, "What dropped database {Database} left on shared storage was not removed")]
    public static partial void DroppedNotCleaned(this ILogger logger, DatabaseName database, Exception cause);
}
