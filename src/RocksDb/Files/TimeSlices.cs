using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Files;

/// <summary>
/// How long a thread keeps a processor for which another one waits. The share of each does not change by it, only how
/// often they alternate.
/// </summary>
/// <remarks>
/// Linux 6.12 and later take a time slice as <c>sched_runtime</c> of a normal thread (sched_setattr(2); 0.1 to 100 ms)
/// and let a thread that wakes interrupt one of a longer slice at once, which otherwise goes on for up to some
/// milliseconds. Earlier versions ignore it. No privilege is needed.
/// </remarks>
public static class TimeSlices
{
    /// <summary>Nanoseconds of a slice that every other thread may interrupt: the longest there is.</summary>
    internal const ulong Long = 100_000_000;

    /// <summary>Nanoseconds of a slice that interrupts most others: the shortest there is.</summary>
    internal const ulong Short = 100_000;

    private const int Process = 0; // PRIO_PROCESS with id 0 is, on Linux, the calling thread alone (setpriority(2)).

    /// <summary>
    /// Lets every thread that wakes interrupt the calling one: for work in the background that needs its share of the
    /// processor, but not at once. Threads that it starts inherit it.
    /// </summary>
    /// <returns>Whether the system agreed; the thread works either way.</returns>
    public static bool TryUseLong() => TrySet(FileNative.getpriority(Process, 0), Long);

    /// <summary>
    /// Lets the calling thread interrupt others when it wakes: for one that wakes often, works for a moment, and is
    /// waited for. Threads that it starts inherit it.
    /// </summary>
    /// <returns>Whether the system agreed; the thread works either way.</returns>
    public static bool TryUseShort() => TrySet(FileNative.getpriority(Process, 0), Short);

    /// <summary>As <see cref="TryUseLong()"/>, with a lower share.</summary>
    internal static bool TryUseLong(int nice) =>
        TrySet(nice, Long) || FileNative.setpriority(Process, 0, nice) == 0;

    private static bool TrySet(int nice, ulong nanoseconds)
    {
        FileNative.SchedulingAttributes attributes = new()
        {
            Size = (uint)Unsafe.SizeOf<FileNative.SchedulingAttributes>(),
            Nice = nice,
            Runtime = nanoseconds,
        };

        // Only C libraries newer than the oldest supported ones have a function for it.
        int call = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 314,
            Architecture.Arm64 => 274,
            _ => 0,
        };
        return call != 0 && FileNative.syscall(call, 0, in attributes, 0) == 0;
    }
}
