using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Branching.Bench;

/// <summary>What one small durable append costs on the file system under measurement.</summary>
internal static partial class DiskProbe
{
    private const int AppendBytes = 4096;

    /// <summary>Milliseconds of each of <paramref name="count"/> appends of 4 KiB with fdatasync.</summary>
    public static Samples Measure(string directory, int count)
    {
        string file = Path.Combine(directory, "disk-probe");
        byte[] block = new byte[AppendBytes];
        Samples samples = new();
        using (SafeFileHandle handle = File.OpenHandle(file, FileMode.Create, FileAccess.Write))
        {
            for (int i = 0; i < count; i++)
            {
                RandomAccess.Write(handle, block, (long)i * AppendBytes);
                long start = Stopwatch.GetTimestamp();
                Sync(handle);
                samples.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }

        File.Delete(file);
        return samples;
    }

    /// <summary>As RocksDB syncs its log.</summary>
    public static void Sync(SafeFileHandle handle)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(handle);
            return;
        }

        // .NET has fsync only; RocksDB uses fdatasync for its log.
        if (fdatasync(handle) != 0)
        {
            throw new IOException($"fdatasync failed: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(SafeFileHandle file);
}
