using System.Diagnostics;

namespace Branching.Bench;

/// <summary>Times in which something was done, and puts that were due then.</summary>
internal sealed class Windows
{
    private readonly List<(long From, long To)> _all = [];

    /// <summary>Milliseconds of each.</summary>
    public IEnumerable<double> Milliseconds =>
        _all.Select(window => Stopwatch.GetElapsedTime(window.From, window.To).TotalMilliseconds);

    /// <summary>Does something and adds the time it took.</summary>
    public async Task AddAsync(Func<Task> action)
    {
        long from = Stopwatch.GetTimestamp();
        await action();
        _all.Add((from, Stopwatch.GetTimestamp()));
    }

    /// <summary>Latencies of the puts that were due within any of the times.</summary>
    public Samples Of(IEnumerable<(long DueAt, double Milliseconds)> puts) => new(puts
        .Where(put => _all.Any(window => put.DueAt >= window.From && put.DueAt <= window.To))
        .Select(put => put.Milliseconds));
}
