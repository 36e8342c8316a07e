using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Branching.RocksDb.Files;

/// <summary>What the file system says about one file; symbolic links are not followed.</summary>
/// <param name="Device">The file system the file is on.</param>
/// <param name="Inode">The file's number on that device: hard links of one file share it.</param>
/// <param name="LinkCount">How many names the file has.</param>
/// <param name="Bytes">Length of the content.</param>
/// <param name="AllocatedBytes">Disk space in use, less than the length for sparse files.</param>
/// <param name="ModifiedNs">
/// When the content last changed, in nanoseconds since 1970. Another name for the file does not change it, unlike the
/// time of its last status change.
/// </param>
/// <param name="IsDirectory">Whether it is a directory.</param>
/// <param name="IsFile">Whether it is a file with content of its own: no directory, link, device or pipe.</param>
public readonly record struct FileStatus(
    ulong Device, ulong Inode, uint LinkCount, long Bytes, long AllocatedBytes, long ModifiedNs, bool IsDirectory,
    bool IsFile);

/// <summary>A call of the operating system on a file failed.</summary>
public sealed class LocalFileException : IOException
{
    internal LocalFileException(string operation, string path, int errno)
        : base($"{operation} failed on '{path}': {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).")
    {
        Operation = operation;
        Path = path;
        Errno = errno;
        HResult = errno; // What .NET's own file exceptions carry on Unix.
    }

    /// <summary>The system call.</summary>
    public string Operation { get; }

    /// <summary>The file or directory.</summary>
    public string Path { get; }

    /// <summary>The error number of the operating system.</summary>
    public int Errno { get; }
}

/// <summary>
/// File primitives that .NET lacks: durable directory entries, hard links, renames that never overwrite.
/// </summary>
/// <remarks>Thread-safe. All of them block.</remarks>
public static class LocalFiles
{
    private const int Einvalid = 22;
    private const int Enosys = 38;
    private const int Eopnotsupp = 95;
    private const int Eexist = 17;

    /// <summary>Makes a file's content durable.</summary>
    /// <exception cref="LocalFileException">The file cannot be opened, or fsync failed: then the content is in
    /// doubt and must not be relied on.</exception>
    public static void FlushFile(string path) => Flush(path, isDirectory: false);

    /// <summary>Makes the entries of a directory durable: creations, renames and deletions in it.</summary>
    /// <remarks>File systems that do not support it on directories answer so; that alone is tolerated.</remarks>
    /// <exception cref="LocalFileException">The directory cannot be opened, or fsync failed.</exception>
    public static void FlushDirectory(string path) => Flush(path, isDirectory: true);

    /// <summary>Makes a new directory durable with the files in it that have no other name.</summary>
    /// <remarks>
    /// What they hold is sent to the disk first, and only then each is synced: a journalling file system commits what
    /// it has to say of all of them with the first sync, where one after the other each would have a commit of its
    /// own, for which every other sync on the file system waits.
    /// </remarks>
    /// <exception cref="LocalFileException">As of <see cref="FlushFile"/> and <see cref="FlushDirectory"/>.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    public static void FlushDirectoryWithFiles(string path)
    {
        List<(string Path, int Descriptor)> files = [];
        try
        {
            foreach (string file in Directory.EnumerateFiles(path))
            {
                if (GetStatus(file).LinkCount == 1)
                {
                    files.Add((file, Open(file)));

                    // Only a hint: what it did not do, fsync does.
                    _ = FileNative.sync_file_range(files[^1].Descriptor, 0, 0, FileNative.SyncFileRangeWrite);
                }
            }

            foreach ((string file, int descriptor) in files)
            {
                Sync(descriptor, file, isDirectory: false);
            }
        }
        finally
        {
            files.ForEach(static file => _ = FileNative.close(file.Descriptor));
        }

        FlushDirectory(path);
    }

    /// <summary>
    /// Sends a part of a file's content to the disk and waits for it. Nothing is durable by that; it leaves a later
    /// fsync, of this file or of another on its file system, little to wait for, and costs no journal commit.
    /// </summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="offset">Where the part begins, in bytes.</param>
    /// <param name="bytes">How long it is; 0: up to the end of the file.</param>
    /// <returns><see langword="false"/>: the file system cannot, or an error was met, which fsync will tell.</returns>
    public static bool TryWriteOut(SafeFileHandle file, long offset, long bytes) =>
        FileNative.sync_file_range(file, offset, bytes, FileNative.SyncFileRangeWriteAndWait) == 0;

    /// <summary>Gives a file a second name. Both must be on one file system.</summary>
    /// <param name="existing">The file.</param>
    /// <param name="link">Its new name; must not exist.</param>
    /// <param name="errno">Zero, or why it failed: EXDEV (18), EMLINK (31), EPERM (1), EEXIST (17)…</param>
    public static bool TryCreateHardLink(string existing, string link, out int errno)
    {
        errno = FileNative.link(existing, link) == 0 ? 0 : Marshal.GetLastPInvokeError();
        return errno == 0;
    }

    /// <summary>What the file system says about a file or directory.</summary>
    /// <exception cref="LocalFileException">It does not exist or cannot be reached.</exception>
    public static FileStatus GetStatus(string path)
    {
        int result = FileNative.statx(
            FileNative.AtFdCwd, path, FileNative.AtSymlinkNoFollow, FileNative.StatxBasicStats, out FileNative.Statx s);
        if (result != 0)
        {
            throw new LocalFileException("statx", path, Marshal.GetLastPInvokeError());
        }

        const int TypeMask = 0xF000, TypeDirectory = 0x4000, TypeRegular = 0x8000; // inode(7)
        const int BlockBytes = 512; // stat(2): blocks are counted in 512 bytes whatever the file system uses.
        ulong device = ((ulong)s.DeviceMajor << 32) | s.DeviceMinor;
        return new FileStatus(device, s.Inode, s.LinkCount, checked((long)s.Bytes),
            checked((long)s.Blocks * BlockBytes), (s.ModifiedSeconds * 1_000_000_000) + s.ModifiedNanoseconds,
            (s.Mode & TypeMask) == TypeDirectory, (s.Mode & TypeMask) == TypeRegular);
    }

    /// <summary>Renames a file or directory in one step; never replaces what stands at the target.</summary>
    /// <exception cref="LocalFileException">The target exists (errno 17), the two are on different file systems
    /// (errno 18), or access is refused.</exception>
    public static void Rename(string from, string to)
    {
        if (FileNative.renameat2(FileNative.AtFdCwd, from, FileNative.AtFdCwd, to, FileNative.RenameNoReplace) == 0)
        {
            return;
        }

        int errno = Marshal.GetLastPInvokeError();
        if (errno is not (Einvalid or Enosys))
        {
            throw new LocalFileException("rename", to, errno);
        }

        // Some network and layered file systems do not know RENAME_NOREPLACE. The names this project renames to
        // are unique, so a look before the rename is enough there.
        if (Path.Exists(to))
        {
            throw new LocalFileException("rename", to, Eexist);
        }

        if (FileNative.renameat2(FileNative.AtFdCwd, from, FileNative.AtFdCwd, to, 0) != 0)
        {
            throw new LocalFileException("rename", to, Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Makes the process's table of open files as large as it will be.</summary>
    /// <remarks>
    /// Linux doubles the table when it is full and then waits for every processor to have let go of the old one
    /// (<c>synchronize_rcu</c>, some 10 to 20 ms); whoever opens a file meanwhile waits too, a log that a write has to
    /// begin among them. So it is grown once, before there is anybody to wait.
    /// </remarks>
    /// <param name="count">Files; a limit of the process that is lower leaves the table as it is.</param>
    /// <returns>Whether the table has that size now.</returns>
    public static bool TryReserveDescriptors(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        int first = FileNative.open("/dev/null", FileNative.OpenReadOnly | FileNative.OpenCloseOnExec, mode: 0);
        if (first < 0)
        {
            return false;
        }

        int last = FileNative.fcntl(first, FileNative.DuplicateAtLeastCloseOnExec, count - 1);
        FileNative.close(first);
        return last >= 0 && FileNative.close(last) == 0;
    }

    /// <summary>Gives two files or directories each other's name in one step.</summary>
    /// <param name="one">The one; both must exist, on one file system.</param>
    /// <param name="other">The other.</param>
    /// <returns><see langword="false"/>: the file system cannot do that; nothing was changed.</returns>
    /// <exception cref="LocalFileException">One does not exist, or access is refused.</exception>
    public static bool TryExchange(string one, string other)
    {
        if (FileNative.renameat2(FileNative.AtFdCwd, one, FileNative.AtFdCwd, other, FileNative.RenameExchange) == 0)
        {
            return true;
        }

        int errno = Marshal.GetLastPInvokeError();
        return errno is Einvalid or Enosys or Eopnotsupp
            ? false
            : throw new LocalFileException("rename", other, errno);
    }

    /// <summary>Bytes that this user may still write to the file system that holds <paramref name="path"/>.</summary>
    public static long GetFreeBytes(string path) => new DriveInfo(Path.GetFullPath(path)).AvailableFreeSpace;

    private static void Flush(string path, bool isDirectory)
    {
        int descriptor = Open(path);
        try
        {
            Sync(descriptor, path, isDirectory);
        }
        finally
        {
            _ = FileNative.close(descriptor); // Opened for reading only: closing loses nothing.
        }
    }

    private static int Open(string path)
    {
        int descriptor = FileNative.open(path, FileNative.OpenReadOnly | FileNative.OpenCloseOnExec, 0);
        return descriptor >= 0
            ? descriptor
            : throw new LocalFileException("open", path, Marshal.GetLastPInvokeError());
    }

    private static void Sync(int descriptor, string path, bool isDirectory)
    {
        if (FileNative.fsync(descriptor) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (!isDirectory || errno is not (Einvalid or Eopnotsupp))
            {
                throw new LocalFileException("fsync", path, errno);
            }
        }
    }
}
