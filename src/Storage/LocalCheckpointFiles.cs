using System.Globalization;
using Branching.RocksDb;
using Branching.RocksDb.Files;

namespace Branching.Storage;

/// <summary>A checkpoint made file by file, for file systems that refuse a link where RocksDB insists on one.</summary>
/// <remarks>
/// While deletions are off, a set of files copied in this order is a store as of some moment in between: first the
/// manifest (a prefix of it, since it only grows), then every table that exists (a superset of what the prefix
/// names; RocksDB removes the rest when it opens), then the logs. Only the newest log grows; a newer one is begun only
/// when the older ones are complete, so the length of the newest is taken first.
/// </remarks>
internal static class CheckpointFiles
{
    private static readonly string[] _immutable = [".sst", ".blob"];

    public static void Create(RocksDatabase database, string target, Func<string, string, bool> tryLink)
    {
        string staging = target + ".tmp";
        database.DisableFileDeletions();
        try
        {
            Directory.CreateDirectory(staging);
            string source = database.Path;
            CopyManifest(source, staging);
            foreach (string file in Directory.EnumerateFiles(source))
            {
                if (_immutable.Contains(Path.GetExtension(file)))
                {
                    LinkOrCopy(file, Path.Combine(staging, Path.GetFileName(file)), tryLink);
                }
            }

            CopyLogs(source, staging);
            CopyNewestOptions(source, staging);
        }
        finally
        {
            database.EnableFileDeletions();
        }

        LocalFiles.FlushDirectory(staging);
        LocalFiles.Rename(staging, target);
        LocalFiles.FlushDirectory(target);
    }

    private static void CopyManifest(string source, string staging)
    {
        string current = File.ReadAllText(Path.Combine(source, "CURRENT"));
        string manifest = current.TrimEnd('\n');
        Copy(Path.Combine(source, manifest), Path.Combine(staging, manifest), long.MaxValue);
        string copy = Path.Combine(staging, "CURRENT");
        File.WriteAllText(copy, current);
        LocalFiles.FlushFile(copy);
    }

    private static void CopyLogs(string source, string staging)
    {
        List<FileInfo> logs = [.. Numbered(source, "*.log").OrderByDescending(NumberOf)];
        long newestBytes = logs.Count > 0 ? logs[0].Length : 0;
        for (int i = 0; i < logs.Count; i++)
        {
            Copy(logs[i].FullName, Path.Combine(staging, logs[i].Name), i == 0 ? newestBytes : long.MaxValue);
        }
    }

    private static void CopyNewestOptions(string source, string staging)
    {
        FileInfo? newest = new DirectoryInfo(source).EnumerateFiles("OPTIONS-*")
            .Where(file => !file.Name.EndsWith(".dbtmp", StringComparison.Ordinal))
            .MaxBy(file => file.Name, StringComparer.Ordinal);
        if (newest is not null)
        {
            Copy(newest.FullName, Path.Combine(staging, newest.Name), long.MaxValue);
        }
    }

    private static IEnumerable<FileInfo> Numbered(string directory, string pattern) =>
        new DirectoryInfo(directory).EnumerateFiles(pattern)
            .Where(file => long.TryParse(
                Path.GetFileNameWithoutExtension(file.Name), NumberStyles.None, CultureInfo.InvariantCulture, out _));

    private static long NumberOf(FileInfo file) =>
        long.Parse(Path.GetFileNameWithoutExtension(file.Name), CultureInfo.InvariantCulture);

    private static void LinkOrCopy(string file, string target, Func<string, string, bool> tryLink)
    {
        if (!tryLink(file, target))
        {
            Copy(file, target, long.MaxValue);
        }
    }

    private static void Copy(string from, string to, long maxBytes)
    {
        using FileStream input = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using FileStream output = new(to, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] buffer = new byte[128 << 10];
        long left = maxBytes;
        int read;
        while (left > 0 && (read = input.Read(buffer, 0, (int)Math.Min(left, buffer.Length))) > 0)
        {
            output.Write(buffer, 0, read);
            left -= read;
        }

        output.Flush(flushToDisk: true);
    }
}
