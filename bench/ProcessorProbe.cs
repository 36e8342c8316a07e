using System.Diagnostics;

namespace Branching.Bench;

/// <summary>
/// What the machine itself does to whoever is due at every millisecond, without files, locks or a runtime's pool: how
/// late a thread is that does nothing but read the clock. A virtual machine's processors are now and then taken away by
/// its host, the more so the more of them are busy.
/// </summary>
internal sealed class ProcessorProbe
{
    private const int TicksPerSecond = 1000;

    private static readonly TimeSpan _length = TimeSpan.FromSeconds(0.5);

    private readonly Samples _alone = new();
    private readonly Samples _onEach = new();

    /// <summary>Measures for a second, half of it with such a thread on each processor.</summary>
    public void Measure()
    {
        _alone.AddRange(Measure(threads: 1));
        _onEach.AddRange(Measure(Environment.ProcessorCount));
    }

    /// <summary>What was seen until now, for a report.</summary>
    public string Describe(Func<Samples, string> latency) =>
        "processors: lateness of a thread that only reads the clock, one on each: "
            + $"{latency(_onEach)}; one alone: {latency(_alone)}";

    private static Samples Measure(int threads)
    {
        List<double>[] late = new List<double>[threads];
        Thread[] readers = new Thread[threads];
        long end = Stopwatch.GetTimestamp() + (long)(_length.TotalSeconds * Stopwatch.Frequency);
        for (int i = 0; i < threads; i++)
        {
            List<double> mine = late[i] = new List<double>((int)(_length.TotalSeconds * TicksPerSecond) + 1);
            readers[i] = new Thread(() => Read(mine, end)) { IsBackground = true, Name = "processor-probe" };
            readers[i].Start();
        }

        Array.ForEach(readers, static reader => reader.Join());
        return new Samples(late.SelectMany(static mine => mine));
    }

    private static void Read(List<double> late, long end)
    {
        long tick = Stopwatch.Frequency / TicksPerSecond;
        long due = Stopwatch.GetTimestamp();
        long now;
        do
        {
            now = Stopwatch.GetTimestamp();
            for (; due <= now; due += tick)
            {
                late.Add(Stopwatch.GetElapsedTime(due, now).TotalMilliseconds);
            }
        }
        while (now < end);
    }
}
