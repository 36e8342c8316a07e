using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Branching.Bench;

/// <summary>Makes files cold: what the kernel remembers of them is forgotten.</summary>
internal static partial class PageCache
{
    private const int DontNeed = 4; // POSIX_FADV_DONTNEED

    /// <summary>Writes every file of a directory out and drops its pages. Does nothing outside of Linux.</summary>
    public static void Drop(string directory)
    {
        if (!OperatingSystem.IsLinux() || !Directory.Exists(directory))
        {
            return;
        }

        foreach (string file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            using SafeFileHandle handle = File.OpenHandle(
                file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            RandomAccess.FlushToDisk(handle); // A page that is not written yet stays.
            int error = posix_fadvise(handle, 0, 0, DontNeed);
            if (error != 0)
            {
                throw new IOException($"The pages of {file} could not be dropped: error {error}.");
            }
        }
    }

    /// <summary>Bytes that this process had fetched from disks so far; <see langword="null"/>: unknown here.</summary>
    public static long? BytesFetched()
    {
        const string Label = "read_bytes: ";
        const string Figures = "/proc/self/io";
        if (!File.Exists(Figures))
        {
            return null;
        }

        string? line = File.ReadLines(Figures)
            .FirstOrDefault(text => text.StartsWith(Label, StringComparison.Ordinal));
        return line is null ? null : long.Parse(line.AsSpan(Label.Length), CultureInfo.InvariantCulture);
    }

    [LibraryImport("libc")]
    private static partial int posix_fadvise(SafeFileHandle file, long offset, long length, int advice);
}
