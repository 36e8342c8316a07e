using Branching.Storage.Transactions;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>Events 2000–2049: one store.</summary>
internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Debug, "Opened {Label} at {Directory}, sequence {Sequence}, in {ElapsedMs} ms")]
    public static partial void StoreOpened(
        this ILogger logger, string label, string directory, Sequence sequence, double elapsedMs);

    [LoggerMessage(2001, LogLevel.Debug, "Closed {Label} at {Directory}, sequence {Sequence}")]
    public static partial void StoreClosed(this ILogger logger, string label, string directory, Sequence sequence);

    [LoggerMessage(2002, LogLevel.Error, "{Label} at {Directory} takes no more writes until it is reopened")]
    public static partial void StorePoisoned(this ILogger logger, string label, string directory, Exception cause);

    [LoggerMessage(2003, LogLevel.Warning, "A background flush of {Label} failed; its log still holds everything")]
    public static partial void BackgroundFlushFailed(this ILogger logger, string label, Exception cause);

    [LoggerMessage(2004, LogLevel.Warning,
        "{Count} writes to {Label} timed out before their turn; nothing of them was applied")]
    public static partial void WritesTimedOut(this ILogger logger, string label, int count);

    [LoggerMessage(2005, LogLevel.Warning,
        "The checkpoint of {Label} at {Directory} could not link each file, {File} for example; it has copies")]
    public static partial void CheckpointLinkRefused(
        this ILogger logger, string label, string directory, string file);

    [LoggerMessage(2006, LogLevel.Warning,
        "Debris of a failed checkpoint of {Label} stays at {Directory} until the next start")]
    public static partial void DebrisLeft(this ILogger logger, string label, string directory, Exception cause);

    [LoggerMessage(2008, LogLevel.Warning,
        "The files of {Label} at {Directory} stay open until this process ends, because a write to its log failed; "
        + "restart the node to recover this store")]
    public static partial void StoreKeptOpen(this ILogger logger, string label, string directory);

    [LoggerMessage(2009, LogLevel.Warning, "An observer of {Label} failed at {Kind}; it was passed over")]
    public static partial void StoreObserverFailed(
        this ILogger logger, string label, StoreEventKind kind, Exception cause);

    [LoggerMessage(2007, LogLevel.Debug, "Memtables hold {Bytes} bytes of {BudgetBytes}; flushing {Flushed} stores")]
    public static partial void MemtableBudgetPassed(this ILogger logger, long bytes, long budgetBytes, int flushed);

    [LoggerMessage(2010, LogLevel.Warning,
        "{Label} was closed while {Readers} ranges of it were being read; {Directory} stays open until they end")]
    public static partial void RangesLeftOpen(this ILogger logger, string label, string directory, int readers);
}
