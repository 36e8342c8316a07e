using Microsoft.Extensions.Logging;

namespace Branching.Storage.Backups;

/// <summary>Events 2250–2269: backups.</summary>
internal static partial class Log
{
    [LoggerMessage(2250, LogLevel.Information,
        "Made backup {Id} of {Source} in '{Directory}': {Files} new files, {Bytes} bytes, {Reused} files reused, in "
        + "{ElapsedMs} ms; {Available} bytes were free before")]
    public static partial void BackupMade(
        this ILogger logger, BackupId id, string source, string directory, int files, long bytes, int reused,
        double elapsedMs, string available);

    [LoggerMessage(2251, LogLevel.Information,
        "Deleted {Count} backups in '{Directory}' and {Objects} files of {Bytes} bytes that no other needs")]
    public static partial void BackupsDeleted(
        this ILogger logger, string directory, int count, int objects, long bytes);

    [LoggerMessage(2252, LogLevel.Warning, "No file of '{Directory}' is deleted: {Reason}")]
    public static partial void FilesKept(this ILogger logger, string directory, string reason);

    [LoggerMessage(2253, LogLevel.Information,
        "Restored backup {Id} of '{Directory}' to '{Target}' at sequence {Sequence} in {ElapsedMs} ms")]
    public static partial void BackupRestored(
        this ILogger logger, BackupId id, string directory, string target, Sequence sequence, double elapsedMs);

    [LoggerMessage(2254, LogLevel.Warning, "A restore that was interrupted left '{Path}': {What}")]
    public static partial void RestoreSwept(this ILogger logger, string path, string what);

    [LoggerMessage(2255, LogLevel.Information, "Imported a stream as backup {Id} of '{Directory}'")]
    public static partial void BackupImported(this ILogger logger, BackupId id, string directory);

    [LoggerMessage(2256, LogLevel.Warning, "File {Sha256} of '{Directory}' was damaged and is put anew")]
    public static partial void ObjectMended(this ILogger logger, string sha256, string directory);
}
