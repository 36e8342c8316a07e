using System.Globalization;
using Branching.RocksDb.Files;

namespace Branching.Storage.Backups;

/// <summary>Who has a store open.</summary>
/// <remarks>
/// RocksDB locks the file <c>LOCK</c> of an open store with fcntl. Trying that lock is no way to find out: a process
/// that closes any descriptor of a file loses its own locks on it. So the kernel's list is read (proc(5),
/// <c>/proc/locks</c>), which names the processes of this machine, this one included.
/// </remarks>
internal static class StoreLocks
{
    private const string KernelList = "/proc/locks";

    /// <summary>A process that has the store open; <see langword="null"/>: none that the system tells of.</summary>
    public static int? FindHolder(string directory)
    {
        string path = Path.Combine(directory, "LOCK");
        if (!File.Exists(path) || !File.Exists(KernelList))
        {
            return null;
        }

        FileStatus status = LocalFiles.GetStatus(path);
        string file = string.Create(
            CultureInfo.InvariantCulture, $"{status.Device >> 32:x2}:{(uint)status.Device:x2}:{status.Inode}");
        foreach (string line in File.ReadAllLines(KernelList))
        {
            // 1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            int at = Array.IndexOf(words, "POSIX");
            if (at >= 0 && words.Length > at + 4 && words[at + 4] == file
                && int.TryParse(words[at + 3], CultureInfo.InvariantCulture, out int pid))
            {
                return pid;
            }
        }

        return null;
    }
}
