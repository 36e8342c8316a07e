using Branching.RocksDb.Files;

namespace Branching.Storage.Backups;

/// <summary>Disk space, looked at before the first byte is written.</summary>
internal static class BackupSpace
{
    public static long? FreeBytesAt(string path)
    {
        try
        {
            return LocalFiles.GetFreeBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null; // Whoever needs it says that it is unknown.
        }
    }

    /// <summary>Why there is not enough; <see langword="null"/>: there is, or nobody knows.</summary>
    public static string? FindLack(string place, long needed, long? available, long reserve) =>
        available is { } free && free < needed
            ? $"{needed} bytes are needed at '{place}' ({reserve} of them as reserve), {free} are available."
            : null;

    /// <summary>How much there is, for messages.</summary>
    public static string Show(long? available) =>
        available is { } bytes ? $"{bytes} bytes" : "an unknown number of bytes";
}
