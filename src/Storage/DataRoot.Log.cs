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

    [LoggerMessage(2052, LogLevel.Error, "Database {Database} cannot be served")]
    public static partial void DatabaseFailed(this ILogger logger, string database, Exception cause);

    [LoggerMessage(2053, LogLevel.Information, "Created database {Database} ({Id})")]
    public static partial void DatabaseCreated(this ILogger logger, DatabaseName database, DatabaseId id);

    [LoggerMessage(2054, LogLevel.Information, "Dropped database {Database} ({Id})")]
    public static partial void DatabaseDropped(this ILogger logger, DatabaseName database, DatabaseId id);

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
}
