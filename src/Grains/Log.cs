using Microsoft.Extensions.Logging;

namespace Branching.Grains;

// Events 3000-3099.
internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Information,
        "Data root {DataRoot} opened: {Databases} databases, {ElapsedMs} ms")]
    public static partial void DataRootOpened(this ILogger logger, string dataRoot, int databases, double elapsedMs);

    [LoggerMessage(3001, LogLevel.Information, "Data root {DataRoot} closed")]
    public static partial void DataRootClosed(this ILogger logger, string dataRoot);

    [LoggerMessage(3002, LogLevel.Error, "Data root {DataRoot} could not be opened")]
    public static partial void DataRootNotOpened(this ILogger logger, Exception exception, string dataRoot);

    [LoggerMessage(3003, LogLevel.Error, "Data root {DataRoot} was not closed cleanly")]
    public static partial void DataRootNotClosed(this ILogger logger, Exception exception, string dataRoot);

    [LoggerMessage(3010, LogLevel.Information, "Database {Database} created on node {Node} by {CreatedBy}")]
    public static partial void DatabaseCreated(this ILogger logger, string database, string node, string createdBy);

    [LoggerMessage(3011, LogLevel.Information, "Database {Database} dropped on node {Node}")]
    public static partial void DatabaseDropped(this ILogger logger, string database, string node);

    [LoggerMessage(3046, LogLevel.Warning, "Database {Database} is dropped without being brought up: {Why}")]
    public static partial void UnservableDatabaseDropped(this ILogger logger, string database, string why);

    [LoggerMessage(3012, LogLevel.Debug, "Database {Database} placed on {Silo}: {Reason}")]
    public static partial void DatabasePlaced(this ILogger logger, string database, string silo, string reason);

    [LoggerMessage(3013, LogLevel.Error,
        "Database {Database} is held by more than one node: {Nodes}. The first of them serves it. Stop that node to " +
        "look at another's, then drop the ones that are not wanted")]
    public static partial void DatabaseHeldTwice(this ILogger logger, string database, string nodes);

    [LoggerMessage(3014, LogLevel.Warning, "Node {Silo} did not say whether it holds database {Database}: {Reason}")]
    public static partial void NodeSilent(this ILogger logger, string silo, string database, string reason);

    [LoggerMessage(3015, LogLevel.Warning, "Node {Silo} was left out of a list: {Reason}")]
    public static partial void NodeLeftOut(this ILogger logger, string silo, string reason);

    [LoggerMessage(3016, LogLevel.Warning, "Database {Database} was left out of a list: {Reason}")]
    public static partial void DatabaseLeftOut(this ILogger logger, string database, string reason);

    [LoggerMessage(3030, LogLevel.Information,
        "Database {Database} taken by node {Node} in epoch {Epoch} ({Reason}), {ElapsedMs} ms")]
    public static partial void DatabaseTaken(
        this ILogger logger, string database, string node, ulong epoch, string reason, double elapsedMs);

    [LoggerMessage(3031, LogLevel.Warning, "Database {Database} not taken by node {Node} ({Reason}): {Why}")]
    public static partial void DatabaseNotTaken(
        this ILogger logger, string database, string node, string reason, string why);

    [LoggerMessage(3032, LogLevel.Information,
        "Database {Database} handed over by node {Node} to node {Target}; writes paused {PausedMs} ms before")]
    public static partial void DatabaseReleased(
        this ILogger logger, string database, string node, string target, double pausedMs);

    [LoggerMessage(3033, LogLevel.Debug, "Taking database {Database} ({Attempt}) goes on or failed: {Why}")]
    public static partial void TakeoverAnswered(this ILogger logger, string database, string attempt, string why);

    [LoggerMessage(3034, LogLevel.Warning, "The snapshot coordinator of database {Database} was not woken: {Why}")]
    public static partial void CoordinatorNotWoken(this ILogger logger, string database, string why);

    [LoggerMessage(3035, LogLevel.Warning, "The cluster's coordinator was not reminded: {Why}")]
    public static partial void ClusterNotWatched(this ILogger logger, string why);

    [LoggerMessage(3036, LogLevel.Information, "Node {Node} is gone: database {Database} fails over")]
    public static partial void FailoverBegins(this ILogger logger, string database, string node);

    [LoggerMessage(3037, LogLevel.Information,
        "Database {Database} serves on node {Node} in epoch {Epoch}, {ElapsedMs} ms after its node was found gone")]
    public static partial void FailoverDone(
        this ILogger logger, string database, string node, ulong epoch, double elapsedMs);

    [LoggerMessage(3038, LogLevel.Warning, "Try {Attempt} to open database {Database} on node {Node} failed: {Why}")]
    public static partial void FailoverTryFailed(
        this ILogger logger, string database, string node, int attempt, string why);

    [LoggerMessage(3039, LogLevel.Error, "Database {Database} is held: {Why}")]
    public static partial void FailoverHeld(this ILogger logger, string database, string why);

    [LoggerMessage(3040, LogLevel.Warning, "The record of failover {Failover} was not written: {Why}")]
    public static partial void FailoverNotRecorded(this ILogger logger, string failover, string why);

    [LoggerMessage(3041, LogLevel.Warning, "The databases on shared storage were not looked at: {Why}")]
    public static partial void NotLooked(this ILogger logger, string why);

    [LoggerMessage(3042, LogLevel.Information,
        "{Kind} of database {Database} ({Trigger}) ended: {State}, {Bytes} bytes, {ElapsedMs} ms")]
    public static partial void SnapshotRunEnded(
        this ILogger logger, OperationKind kind, string database, string trigger, OperationState state, long bytes,
        double elapsedMs);

    [LoggerMessage(3043, LogLevel.Warning, "{Kind} of database {Database} ({Trigger}) failed: {Why}")]
    public static partial void SnapshotRunFailed(
        this ILogger logger, OperationKind kind, string database, string trigger, string why);

    [LoggerMessage(3044, LogLevel.Warning, "The history of database {Database} was not kept: {Why}")]
    public static partial void HistoryNotKept(this ILogger logger, string database, string why);

    [LoggerMessage(3045, LogLevel.Warning, "Copies of databases that other nodes took over were not settled: {Why}")]
    public static partial void CopiesNotSettled(this ILogger logger, string why);

    [LoggerMessage(
        3047, LogLevel.Error, "{Step} failed in a way the program does not foresee; the node's watcher tries it again")]
    public static partial void StepFailed(this ILogger logger, string step, Exception exception);

    [LoggerMessage(3020, LogLevel.Error, "A call on {Grain} failed in a way the program does not foresee")]
    public static partial void UnforeseenFailure(this ILogger logger, Exception exception, string grain);

    [LoggerMessage(3022, LogLevel.Warning, "A bulk load into {Grain} was not closed cleanly")]
    public static partial void LoadNotClosed(this ILogger logger, Exception exception, string grain);

    [LoggerMessage(3021, LogLevel.Warning, "A stream of {Grain} was not closed cleanly")]
    public static partial void StreamNotClosed(this ILogger logger, Exception exception, string grain);
}
