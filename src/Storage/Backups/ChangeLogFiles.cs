using Branching.Storage.Shared;

namespace Branching.Storage.Backups;

/// <summary>The files of a change log, as part of a backup: below <c>changes/</c> in the store's directory.</summary>
/// <remarks>
/// A log only grows at its end, and an entry is in it before its write is in the store. So a copy that is made after
/// the checkpoint, of each file up to its length at that time, holds at least every entry of the checkpoint; what it
/// holds beyond is for the log to cut, as after a crash.
/// </remarks>
internal static class ChangeLogFiles
{
    private const string Prefix = BackupManifest.ChangeLogName + "/";
    private const string Unfinished = ".tmp";

    /// <summary>Whether a name in a manifest can be that of such a file.</summary>
    public static bool IsName(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal) || name.AsSpan(Prefix.Length).Contains('/'))
        {
            return false;
        }

        try
        {
            SharedNames.Check(name);
            return true;
        }
        catch (StorageException)
        {
            return false; // A name that shared storage refuses is none here either.
        }
    }

    /// <summary>Copies the log beside a checkpoint. Blocking.</summary>
    /// <returns>The copies, as names in a manifest.</returns>
    public static List<string> Capture(Disk disk, string log, string checkpoint)
    {
        string target = Path.Combine(checkpoint, BackupManifest.ChangeLogName);
        disk.CreateDirectory(target);
        List<string> names = [];

        // Newest first: a file that is purged meanwhile is the oldest, so nothing is missing in between.
        foreach (string file in Disk.List(log).OrderDescending(StringComparer.Ordinal))
        {
            string name = Prefix + file;
            string path = Path.Combine(log, file);
            if (!file.EndsWith(Unfinished, StringComparison.Ordinal) && IsName(name) && File.Exists(path)
                && disk.Step(DiskStepKind.WriteFile, path, () => TryCopy(path, Path.Combine(target, file))))
            {
                names.Add(name);
            }
        }

        return names;
    }

    private static bool TryCopy(string from, string to)
    {
        try
        {
            using FileStream source = new(
                from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            using FileStream target = new(to, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
            byte[] block = new byte[128 << 10];
            long left = source.Length;
            int count;
            while (left > 0 && (count = source.Read(block, 0, (int)Math.Min(left, block.Length))) > 0)
            {
                target.Write(block, 0, count);
                left -= count;
            }

            return true;
        }
        catch (FileNotFoundException)
        {
            return false; // Purged in this moment.
        }
    }
}
