using System.Globalization;

namespace Branching.RocksDb;

/// <summary>What RocksDB counted and measured since a database was opened, at one moment.</summary>
/// <remarks>
/// Read from RocksDB's text form: the numbers by which its C API asks for single counters differ between releases, the
/// names do not.
/// </remarks>
public sealed class StatisticsSnapshot
{
    private const string CountMark = "COUNT";

    private StatisticsSnapshot(Dictionary<string, ulong> tickers, Dictionary<string, HistogramSnapshot> histograms)
    {
        Tickers = tickers;
        Histograms = histograms;
    }

    /// <summary>Counters by their RocksDB names: <c>rocksdb.block.cache.miss</c>.</summary>
    public IReadOnlyDictionary<string, ulong> Tickers { get; }

    /// <summary>Distributions by their RocksDB names: <c>rocksdb.db.get.micros</c>; the unit ends the name.</summary>
    public IReadOnlyDictionary<string, HistogramSnapshot> Histograms { get; }

    /// <summary>Reads the text of <see cref="RocksDatabase.GetStatistics"/>. Lines of another form are
    /// skipped.</summary>
    public static StatisticsSnapshot Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Dictionary<string, ulong> tickers = new(StringComparer.Ordinal);
        Dictionary<string, HistogramSnapshot> histograms = new(StringComparer.Ordinal);
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            // "name COUNT : 3", or "name P50 : 1.0 P95 : 2.0 P99 : 2.0 P100 : 3.0 COUNT : 3 SUM : 5".
            int end = line.IndexOf(' ');
            if (end <= 0)
            {
                continue;
            }

            string name = line[..end].ToString();
            ReadOnlySpan<char> rest = line[end..];
            if (TryTake(ref rest, CountMark, out ulong count))
            {
                if (rest.IsWhiteSpace())
                {
                    tickers[name] = count;
                }
            }
            else if (TryReadHistogram(rest, out HistogramSnapshot histogram))
            {
                histograms[name] = histogram;
            }
        }

        return new StatisticsSnapshot(tickers, histograms);
    }

    private static bool TryReadHistogram(ReadOnlySpan<char> rest, out HistogramSnapshot histogram)
    {
        ulong sum = 0;
        double p95 = 0;
        double p99 = 0;
        double p100 = 0;
        ulong count = 0;
        bool whole = TryTake(ref rest, "P50", out double p50)
            && TryTake(ref rest, "P95", out p95)
            && TryTake(ref rest, "P99", out p99)
            && TryTake(ref rest, "P100", out p100)
            && TryTake(ref rest, CountMark, out count)
            && TryTake(ref rest, "SUM", out sum)
            && rest.IsWhiteSpace();
        histogram = new HistogramSnapshot(p50, p95, p99, p100, count, sum);
        return whole;
    }

    /// <summary>Takes " mark : value" off the front.</summary>
    private static bool TryTake<T>(ref ReadOnlySpan<char> rest, string mark, out T value)
        where T : struct, ISpanParsable<T>
    {
        value = default;
        ReadOnlySpan<char> at = rest.TrimStart(' ');
        if (!at.StartsWith(mark, StringComparison.Ordinal))
        {
            return false;
        }

        at = at[mark.Length..].TrimStart(' ');
        if (at.IsEmpty || at[0] != ':')
        {
            return false;
        }

        at = at[1..].TrimStart(' ');
        int end = at.IndexOf(' ');
        ReadOnlySpan<char> number = end < 0 ? at : at[..end];
        if (!T.TryParse(number, CultureInfo.InvariantCulture, out value))
        {
            return false;
        }

        rest = at[number.Length..];
        return true;
    }
}

/// <summary>A distribution; its unit is that of its name.</summary>
/// <param name="P50">Half are at most this.</param>
/// <param name="P95">95 of 100 are at most this.</param>
/// <param name="P99">99 of 100 are at most this.</param>
/// <param name="P100">The largest.</param>
/// <param name="Count">How many were measured.</param>
/// <param name="Sum">Their sum.</param>
public readonly record struct HistogramSnapshot(
    double P50, double P95, double P99, double P100, ulong Count, ulong Sum)
{
    /// <summary>Their average; zero when there are none.</summary>
    public double Average => Count == 0 ? 0 : (double)Sum / Count;
}

/// <summary>How much RocksDB measures. The numbers are RocksDB's (<c>rocksdb/c.h</c>).</summary>
public enum StatisticsLevel
{
    /// <summary>Nothing.</summary>
    DisableAll = 0,

    /// <summary>Counters alone.</summary>
    ExceptHistogramsOrTimers = 1,

    /// <summary>Counters and distributions that need no clock.</summary>
    ExceptTimers = 2,

    /// <summary>All but times inside mutexes and compression. RocksDB's own default.</summary>
    ExceptDetailedTimers = 3,

    /// <summary>All but times inside mutexes.</summary>
    ExceptTimeForMutex = 4,

    /// <summary>Everything.</summary>
    All = 5,
}
