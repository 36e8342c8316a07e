using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Events 2150–2199: taking, restoring, verifying and copying snapshots.</summary>
internal static partial class Log
{
    [LoggerMessage(2150, LogLevel.Information,
        "Took snapshot {Id} of branch {Branch} of database {Database} at sequence {Sequence}: {SentFiles} files with "
        + "{SentBytes} bytes sent, {ReusedFiles} files reused, in {ElapsedMs} ms")]
    public static partial void SnapshotTaken(
        this ILogger logger, SnapshotId id, BranchName branch, DatabaseName database, Sequence sequence, int sentFiles,
        long sentBytes, int reusedFiles, double elapsedMs);

    [LoggerMessage(2151, LogLevel.Debug,
        "Nothing was written to branch {Branch} of database {Database} since snapshot {Id}; none was taken")]
    public static partial void SnapshotUnchanged(
        this ILogger logger, SnapshotId id, BranchName branch, DatabaseName database);

    [LoggerMessage(2152, LogLevel.Warning, "No snapshot of branch {Branch} of database {Database} was taken")]
    public static partial void SnapshotFailed(
        this ILogger logger, BranchName branch, DatabaseName database, Exception cause);

    [LoggerMessage(2153, LogLevel.Warning,
        "{Count} objects that manifests or this node relied on are not on {Location}, among them {Object}; they are "
        + "sent again. Older snapshots that name them cannot be restored")]
    public static partial void ObjectsMissing(this ILogger logger, int count, string @object, string location);

    [LoggerMessage(2154, LogLevel.Warning, "The digests at {Path} were not kept; files are read once more")]
    public static partial void DigestsNotKept(this ILogger logger, string path, Exception cause);

    [LoggerMessage(2155, LogLevel.Information,
        "Staged store {Store} at {Directory} from snapshot {Id}: {Linked} files linked, {Copied} copied, "
        + "{FetchedBytes} bytes fetched, in {ElapsedMs} ms")]
    public static partial void StoreStaged(
        this ILogger logger, StoreId store, string directory, SnapshotId id, int linked, int copied, long fetchedBytes,
        double elapsedMs);

    [LoggerMessage(2156, LogLevel.Information,
        "Verified snapshot {Id}: {Files} files with {Bytes} bytes in {ElapsedMs} ms")]
    public static partial void SnapshotVerified(
        this ILogger logger, SnapshotId id, int files, long bytes, double elapsedMs);

    [LoggerMessage(2157, LogLevel.Error, "Snapshot {Id} is damaged: {Finding}")]
    public static partial void SnapshotFoundDamaged(this ILogger logger, SnapshotId id, string finding);

    [LoggerMessage(2158, LogLevel.Information,
        "Copied snapshot {Id} from {From} to {To} as {NewId}: {Bytes} bytes sent in {ElapsedMs} ms")]
    public static partial void SnapshotCopied(
        this ILogger logger, SnapshotId id, string from, string to, SnapshotId newId, long bytes, double elapsedMs);

    [LoggerMessage(2159, LogLevel.Information,
        "The free space at {Directory} is unknown; a restore that needs {Bytes} bytes goes on")]
    public static partial void LocalSpaceUnknown(this ILogger logger, string directory, long bytes);

    [LoggerMessage(2160, LogLevel.Information,
        "The free space of shared storage {Location} is unknown; up to {Bytes} bytes are sent")]
    public static partial void SharedSpaceUnknown(this ILogger logger, string location, long bytes);
}
