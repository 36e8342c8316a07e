using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Branching.Bench;

/// <summary>Sleeps that end within some 0.1 ms of when they should.</summary>
internal static partial class Pause
{
    /// <summary>Blocks the calling thread until a timestamp of <see cref="Stopwatch"/>.</summary>
    public static void Until(long timestamp)
    {
        long left = timestamp - Stopwatch.GetTimestamp();
        if (left > 0)
        {
            Timespec span = new() { Nanoseconds = (nint)(left * 1_000_000_000L / Stopwatch.Frequency) };
            _ = nanosleep(in span, 0); // Woken early by a signal, the caller finds that it is not time yet.
        }
    }

    [LibraryImport("libc")]
    private static partial int nanosleep(in Timespec span, nint remaining);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
