using System.Diagnostics.Metrics;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>What is open, and the metrics of the whole root.</content>
public sealed partial class DataRoot
{
    // Instruments are read one after the other; one look at the stores is enough for all of them.
    private static readonly TimeSpan _sampleHolds = TimeSpan.FromSeconds(1);

    // A look at every file of every open store costs a system call each.
    private static readonly TimeSpan _fileSampleHolds = TimeSpan.FromSeconds(30);

    private static readonly Dictionary<string, long> _noTickers = new(StringComparer.Ordinal);
    private static readonly Dictionary<string, HistogramSnapshot> _noHistograms = new(StringComparer.Ordinal);

    private readonly Lock _sampleLock = new();
    private StoreSample? _sample;
    private long _sampledAt;
    private (long Own, long Shared) _files;
    private long _filesSampledAt;

    /// <summary>Every open store, with what keeps it open and what is open on it; ordered by label.</summary>
    public IReadOnlyList<OpenStore> ListOpenStores()
    {
        ThrowIfDisposed();
        return _registry.ListOpen();
    }

    /// <summary>Counts and measures from now on, until the factory ends its meters.</summary>
    /// <param name="meters">Makes the meter.</param>
    public void Measure(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        _resources.Instruments = new Instruments(
            meters, Sample, withStatistics: Options.Statistics != StatisticsLevel.DisableAll, _time);
    }

    private StoreSample Sample()
    {
        lock (_sampleLock)
        {
            if (Volatile.Read(ref _disposed) != 0)
            {
                return new StoreSample();
            }

            if (_sample is null || _time.GetElapsedTime(_sampledAt) >= _sampleHolds)
            {
                _sample = TakeSample();
                _sampledAt = _time.GetTimestamp();
            }

            return _sample;
        }
    }

    private StoreSample TakeSample()
    {
        List<(LocalStore Store, StoreStatistics Statistics)> stores = [];
        foreach (LocalStore store in _resources.ListStores())
        {
            try
            {
                stores.Add((store, store.GetStatistics()));
            }
            catch (StorageException e) when (e.Kind == FailureKind.Closed)
            {
                // Closed since it was listed: it has no state any more.
                continue;
            }
        }

        (long own, long shared) = FileBytes(stores.Select(entry => entry.Store));
        StoreStatistics[] all = [.. stores.Select(entry => entry.Statistics)];
        return new StoreSample
        {
            OpenStores = stores.Count,
            References = _registry.ListOpen().Sum(store => store.References),
            Cursors = all.Sum(one => one.OpenCursors),
            Snapshots = all.Sum(one => one.Snapshots),
            WaitingRequests = all.Sum(one => one.WaitingRequests),
            MemtableBytes = all.Sum(one => one.MemtableBytes),
            WalBytes = all.Sum(one => one.WalBytes),
            Level0Files = all.Sum(one => one.Level0Files),
            PendingCompactionBytes = all.Sum(one => one.PendingCompactionBytes),
            BlockCacheBytes = _resources.BlockCacheUsageBytes,
            BlockCacheLimitBytes = Options.BlockCacheBytes,
            OwnFileBytes = own,
            SharedFileBytes = shared,
            DelayedStores = all.Count(one => one is { WritesStopped: false, DelayedWriteBytesPerSecond: > 0 }),
            StoppedStores = all.Count(one => one.WritesStopped),
            PoisonedStores = stores.Count(entry => !entry.Store.Health.IsHealthy),
            BackgroundErrors = all.Sum(one => one.BackgroundErrors),
            Tickers = Sum(all),
            Histograms = Worst(all),
            Leases = [.. _databases.Values.Where(database => database.Tenure is { EndCause: null })
                .Select(database => (database.Name, database.Tenure!.Remaining))],
        };
    }

    private static Dictionary<string, long> Sum(StoreStatistics[] stores)
    {
        var sums = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach ((string ticker, long value) in stores.SelectMany(one => one.Tickers ?? _noTickers))
        {
            sums[ticker] = sums.GetValueOrDefault(ticker) + value;
        }

        return sums;
    }

    /// <summary>Percentiles cannot be added up; what a node wants to know of is its worst store.</summary>
    private static List<(string Name, string Statistic, double Value)> Worst(StoreStatistics[] stores)
    {
        var worst = new SortedDictionary<string, HistogramSnapshot>(StringComparer.Ordinal);
        foreach ((string name, HistogramSnapshot histogram) in stores.SelectMany(
            one => one.Histograms ?? _noHistograms))
        {
            if (histogram.Count > 0 && (!worst.TryGetValue(name, out HistogramSnapshot known)
                || histogram.P99 > known.P99))
            {
                worst[name] = histogram;
            }
        }

        return [.. worst.SelectMany(one => new[]
        {
            (one.Key, "p50", one.Value.P50), (one.Key, "p95", one.Value.P95), (one.Key, "p99", one.Value.P99),
            (one.Key, "max", one.Value.P100), (one.Key, "average", one.Value.Average),
        })];
    }

    private (long Own, long Shared) FileBytes(IEnumerable<LocalStore> stores)
    {
        if (_filesSampledAt == 0 || _time.GetElapsedTime(_filesSampledAt) >= _fileSampleHolds)
        {
            long own = 0, shared = 0;
            foreach (LocalStore store in stores)
            {
                BranchSize size = store.MeasureFiles();
                own += size.UniqueBytes;
                shared += size.SharedBytes;
            }

            _files = (own, shared);
            _filesSampledAt = Math.Max(1, _time.GetTimestamp());
        }

        return _files;
    }
}
