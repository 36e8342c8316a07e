using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Events 2120–2139: the snapshot repository and the shared catalog.</summary>
internal static partial class Log
{
    [LoggerMessage(2120, LogLevel.Information,
        "Compacted the shared catalog of database {Database} up to change {Number} of epoch {Epoch}")]
    public static partial void Compacted(this ILogger logger, DatabaseName database, Epoch epoch, ulong number);

    [LoggerMessage(2121, LogLevel.Warning, "The shared catalog of database {Database} was not compacted")]
    public static partial void NotCompacted(this ILogger logger, DatabaseName database, Exception cause);

    [LoggerMessage(2122, LogLevel.Information,
        "Published snapshot {Snapshot} of database {Database}: {Files} files, {Bytes} bytes")]
    public static partial void Published(
        this ILogger logger, DatabaseName database, SnapshotId snapshot, int files, long bytes);

    [LoggerMessage(2123, LogLevel.Information, "Retired snapshot {Snapshot} of database {Database}")]
    public static partial void Retired(this ILogger logger, DatabaseName database, SnapshotId snapshot);

    [LoggerMessage(2124, LogLevel.Warning,
        "Files of retired snapshot {Snapshot} of database {Database} are left to the next collection")]
    public static partial void RetiredFilesLeft(
        this ILogger logger, DatabaseName database, SnapshotId snapshot, Exception cause);

    [LoggerMessage(2125, LogLevel.Information,
        "Collected garbage of database {Database}: {Deleted} entries, {Bytes} bytes; {Kept} objects stay")]
    public static partial void Collected(
        this ILogger logger, DatabaseName database, int deleted, long bytes, int kept);

    [LoggerMessage(2126, LogLevel.Error, "No object of database {Database} is collected: {Reason}")]
    public static partial void SweepDisabled(this ILogger logger, DatabaseName database, string reason);
}
