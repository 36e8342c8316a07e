using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Branching.RocksDb.Files;

/// <summary>The calls of the C library that .NET has no equivalent for. Linux only; names unchanged.</summary>
internal static partial class FileNative
{
    public const int AtFdCwd = -100;
    public const int OpenReadOnly = 0;
    public const int OpenReadWrite = 2;
    public const int OpenCreate = 0x40;
    public const int OpenCloseOnExec = 0x80000;
    public const int DuplicateAtLeastCloseOnExec = 1030;
    public const int LockExclusive = 2;
    public const int LockNonBlocking = 4;
    public const int LockRelease = 8;
    public const uint RenameNoReplace = 1;
    public const uint RenameExchange = 2;
    public const uint StatxBasicStats = 0x7ff;
    public const int AtSymlinkNoFollow = 0x100;
    public const uint SyncFileRangeWrite = 2;
    public const uint SyncFileRangeWriteAndWait = 1 | SyncFileRangeWrite | 4;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int descriptor, int command, int argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fsync(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sync_file_range(int descriptor, long offset, long bytes, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sync_file_range(SafeFileHandle file, long offset, long bytes, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int link(string existing, string link);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int renameat2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int flock(int descriptor, int operation);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ftruncate(int descriptor, long length);

    [LibraryImport("libc", SetLastError = true)]
    public static unsafe partial nint pwrite(int descriptor, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static unsafe partial nint pread(int descriptor, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setpriority(int which, uint who, int nice);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getpriority(int which, uint who);

    /// <summary>Only for <c>sched_setattr</c>.</summary>
    [LibraryImport("libc", SetLastError = true)]
    public static partial nint syscall(nint call, int thread, in SchedulingAttributes attributes, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int statx(int directory, string path, int flags, uint mask, out Statx status);

    /// <summary><c>struct sched_attr</c> in its first version.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct SchedulingAttributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Nice;
        public uint Priority;
        public ulong Runtime;
        public ulong Deadline;
        public ulong Period;
    }

    /// <summary><c>struct statx</c>: one layout on every architecture, unlike <c>struct stat</c>.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct Statx
    {
        [FieldOffset(16)]
        public uint LinkCount;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Bytes;

        [FieldOffset(48)]
        public ulong Blocks;

        [FieldOffset(112)]
        public long ModifiedSeconds;

        [FieldOffset(120)]
        public uint ModifiedNanoseconds;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
