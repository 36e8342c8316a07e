using System.Diagnostics;
using System.Globalization;

namespace Branching.Bench;

/// <summary>How fast one run of an operation was, and what it allocated.</summary>
/// <param name="PerSecond">Operations per second.</param>
/// <param name="BytesPerOperation">Managed bytes that the whole process allocated meanwhile, per operation.</param>
internal readonly record struct Measured(double PerSecond, double BytesPerOperation)
{
    // A header, a type and one field: nothing on the heap of a 64-bit process is smaller.
    private const double SmallestObjectBytes = 24;
    private const double Few = 10 * SmallestObjectBytes; // Beyond that the most there can be says nothing.

    /// <summary>In words; the runtime counts bytes, not objects, so those are given as the most there can be.</summary>
    public static string Allocations(Samples bytes)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"allocated: {bytes.Median:N1} bytes an operation");
        return bytes.Median > Few
            ? text
            : text + string.Create(
                CultureInfo.InvariantCulture, $", at most {bytes.Median / SmallestObjectBytes:N2} objects");
    }
}

/// <summary>A measurement under way. The process does nothing else meanwhile, so that what it allocates is counted
/// on every thread that takes part.</summary>
internal readonly struct Measuring
{
    private readonly long _allocated;
    private readonly long _start;

    private Measuring(long allocated, long start)
    {
        _allocated = allocated;
        _start = start;
    }

    public static Measuring Begin() => new(GC.GetTotalAllocatedBytes(precise: true), Stopwatch.GetTimestamp());

    public Measured End(long operations)
    {
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        return End(operations, elapsed);
    }

    /// <summary>As the other one, where only a part of the time counts.</summary>
    public Measured End(long operations, TimeSpan elapsed)
    {
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - _allocated;
        return new Measured(operations / elapsed.TotalSeconds, (double)allocated / operations);
    }
}
