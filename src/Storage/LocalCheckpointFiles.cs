using System.Buffers;
using System.Globalization;
using Branching.RocksDb;
using Branching.RocksDb.Files;

namespace Branching.Storage;

/// <summary>
/// A checkpoint made file by file. RocksDB's own insists on links, which may be refused, and fsyncs each file that it
/// copies, one after the other.
/// </summary>
/// <remarks>
/// Nothing of it is durable: that is for the caller, who may have more to sync with it.
///
/// While deletions are off, a set of files copied in this order is a store as of some moment in between: first the
/// manifest (a prefix of it, since it only grows), then every table that exists (a superset of what the prefix
/// names; RocksDB removes the rest when it opens), then the logs. Only the newest log grows; a newer one is begun only
/// when the older ones are complete, so the newest is copied first. One that is empty is left out. What RocksDB had
/// decided to delete before may vanish at any moment; it was obsolete then.
/// </remarks>
internal static class CheckpointFiles
{
    private const int BufferBytes = 128 << 10;

    private static readonly string[] _immutable = [".sst", ".blob"];

    /// <param name="database">Of which it is made.</param>
    /// <param name="target">Must not exist. May hold tables that its manifest does not name.</param>
    /// <param name="tryLink">Gives a file a second name; <see langword="false"/>: it is copied.</param>
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
            CopyNewestOptions(source, staging, tryLink);
        }
        finally
        {
            database.EnableFileDeletions();
        }

        LocalFiles.Rename(staging, target);
    }

    private static void CopyManifest(string source, string staging)
    {
        string current = File.ReadAllText(Path.Combine(source, "CURRENT"));
        string manifest = current.TrimEnd('\n');
        Copy(Path.Combine(source, manifest), Path.Combine(staging, manifest), long.MaxValue);
        File.WriteAllText(Path.Combine(staging, "CURRENT"), current);
    }

    private static void CopyLogs(string source, string staging)
    {
        foreach (FileInfo log in Numbered(source, "*.log").OrderByDescending(NumberOf).ToList())
        {
            log.Refresh(); // What the listing saw of its length may be old by now.
            if (log is { Exists: true, Length: > 0 })
            {
                TryCopy(log.FullName, Path.Combine(staging, log.Name), log.Length);
            }
        }
    }

    private static void CopyNewestOptions(
        string source, string staging, Func<string, string, bool> tryLink)
    {
        FileInfo? newest = new DirectoryInfo(source).EnumerateFiles("OPTIONS-*")
            .Where(file => !file.Name.EndsWith(".dbtmp", StringComparison.Ordinal))
            .MaxBy(file => file.Name, StringComparer.Ordinal);
        if (newest is not null)
        {
            LinkOrCopy(newest.FullName, Path.Combine(staging, newest.Name), tryLink);
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
            TryCopy(file, target, long.MaxValue);
        }
    }

    private static void TryCopy(string from, string to, long maxBytes)
    {
        try
        {
            Copy(from, to, maxBytes);
        }
        catch (FileNotFoundException) when (!File.Exists(from))
        {
            // Obsolete, and deleted since it was listed.
        }
    }

    private static void Copy(string from, string to, long maxBytes)
    {
        using FileStream input = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using FileStream output = new(to, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            long left = maxBytes;
            int read;
            while (left > 0 && (read = input.Read(buffer, 0, (int)Math.Min(left, BufferBytes))) > 0)
            {
                output.Write(buffer, 0, read);
                left -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
