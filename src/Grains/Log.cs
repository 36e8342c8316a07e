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

    [LoggerMessage(3020, LogLevel.Error, "A call on {Grain} failed in a way the program does not foresee")]
    public static partial void UnforeseenFailure(this ILogger logger, Exception exception, string grain);

    [LoggerMessage(3021, LogLevel.Warning, "A stream of {Grain} was not closed cleanly")]
    public static partial void StreamNotClosed(this ILogger logger, Exception exception, string grain);
}
