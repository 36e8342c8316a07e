using Branching.Storage.Changes;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>Events 2200–2219: change logs.</summary>
internal static partial class Log
{
    [LoggerMessage(2200, LogLevel.Information, "The change log of {Label} at {Directory} begins behind {Sequence}")]
    public static partial void ChangeLogBegun(this ILogger logger, string label, string directory, ulong sequence);

    [LoggerMessage(2201, LogLevel.Information,
        "The change log of {Label} at {Directory} was not closed in good order, or is not where the store is: history "
        + "{Number} begins behind {Sequence}")]
    public static partial void ChangeLogHistoryBegun(
        this ILogger logger, string label, string directory, ulong number, ulong sequence);

    [LoggerMessage(2202, LogLevel.Warning,
        "The change log of {Label} at {Directory} was ahead of its store: files behind {Sequence} were removed")]
    public static partial void ChangeLogCut(this ILogger logger, string label, string directory, ulong sequence);

    [LoggerMessage(2203, LogLevel.Information,
        "The change log of {Label}: {File} was cut at byte {Offset}, behind {Sequence}; what followed was unfinished "
        + "or not committed")]
    public static partial void ChangeLogTailCut(
        this ILogger logger, string label, string file, long offset, ulong sequence);

    [LoggerMessage(2204, LogLevel.Error,
        "The change log of {Label} is damaged: {File} at byte {Offset}, {Bytes} bytes: {Reason}")]
    public static partial void ChangeLogDamaged(
        this ILogger logger, string label, string file, long offset, long bytes, string reason);

    [LoggerMessage(2205, LogLevel.Warning,
        "The change log of {Label} at {Directory} has nothing of sequences {First} to {Last} ({Reason})")]
    public static partial void ChangeLogGap(
        this ILogger logger, string label, string directory, ulong first, ulong last, ChangeGapReason reason);

    [LoggerMessage(2206, LogLevel.Information,
        "The change log of {Label} at {Directory} lacked sequences {First} to {Last}; {Entries} batches were taken "
        + "from RocksDB's own log")]
    public static partial void ChangeLogFilled(
        this ILogger logger, string label, string directory, long entries, ulong first, ulong last);

    [LoggerMessage(2207, LogLevel.Warning,
        "The change log of {Label} at {Directory} was not closed in good order; the next open compares it")]
    public static partial void ChangeLogNotSealed(
        this ILogger logger, string label, string directory, Exception cause);

    [LoggerMessage(2208, LogLevel.Information,
        "Retention removed {Files} files with {Entries} entries, {Bytes} bytes, from the change log of {Label} at "
        + "{Directory}")]
    public static partial void ChangeLogPurged(
        this ILogger logger, string label, string directory, int files, long entries, long bytes);

    [LoggerMessage(2209, LogLevel.Warning,
        "Retention of the change log of {Label} at {Directory} failed; it is tried again")]
    public static partial void ChangeLogNotPurged(
        this ILogger logger, string label, string directory, Exception cause);

    [LoggerMessage(2211, LogLevel.Warning, "RocksDB's own log of {Label} could not be read from sequence {First} on")]
    public static partial void ChangeLogNotFilled(this ILogger logger, string label, ulong first, Exception cause);

    [LoggerMessage(2210, LogLevel.Warning,
        "Consumer {Consumer} of the change log of {Label} was dropped at {Sequence}: more than {Bytes} bytes "
        + "wait for it")]
    public static partial void ConsumerDropped(
        this ILogger logger, string consumer, string label, ulong sequence, long bytes);
}
