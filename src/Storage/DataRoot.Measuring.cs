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
    private Dictionary<string, BranchSize> _files = new(StringComparer.Ordinal);
    private long _filesSampledAt;

    /// <summary>Every open store, with what keeps it open and what is open on it; ordered by label.</summary>
    public IReadOnlyList<OpenStore> ListOpenStores()
    {
        ThrowIfDisposed();
        return _registry.ListOpen();
    }

    /// <summary>Most bytes that the block cache of all stores keeps; may change while they are open, see
    /// <see cref="StoreResources.BlockCacheBytes"/>. It is not recorded: a start has that of the options.</summary>
    public long BlockCacheBytes
    {
        get
        {
            ThrowIfDisposed();
            return _resources.BlockCacheBytes;
        }

        set
        {
            ThrowIfDisposed();
            _resources.BlockCacheBytes = value;
        }
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
        // Read before the open stores: one that is closed meanwhile is then counted in neither, and not in both.
        IReadOnlyDictionary<string, long> closed = _resources.TickersOfClosedStores();
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

        Dictionary<string, BranchSize> files = MeasureFiles(stores.Select(entry => entry.Store));
        Dictionary<string, int> references = _registry.ListOpen().ToDictionary(
            open => open.Directory, open => open.References, StringComparer.Ordinal);
        return new StoreSample
        {
            Stores =
            [
                .. stores.Select(entry => new StoreState(entry.Statistics, entry.Store.Owner)
                {
                    IsPoisoned = !entry.Store.Health.IsHealthy,
                    References = references.GetValueOrDefault(entry.Store.Directory),
                    OwnFileBytes = files.GetValueOrDefault(entry.Store.Directory)?.UniqueBytes ?? 0,
                    SharedFileBytes = files.GetValueOrDefault(entry.Store.Directory)?.SharedBytes ?? 0,
                }),
            ],
            BlockCacheBytes = _resources.BlockCacheUsageBytes,
            BlockCacheLimitBytes = _resources.BlockCacheBytes,
            Tickers = Sum(closed, stores.Select(entry => entry.Statistics)),
            Histograms = Worst(stores.Select(entry => entry.Statistics)),
            Leases = [.. _databases.Values.Where(database => database.Tenure is { EndCause: null })
                .Select(database => (database.Name, database.Tenure!.Remaining))],
        };
    }

    /// <summary>Counters of all stores there were. They never fall: what a store that closes right now counted is in
    /// the next sample, and until then the former sum stands.</summary>
    private Dictionary<string, long> Sum(IReadOnlyDictionary<string, long> closed, IEnumerable<StoreStatistics> stores)
    {
        var sums = new Dictionary<string, long>(closed, StringComparer.Ordinal);
        foreach ((string ticker, long value) in stores.SelectMany(one => one.Tickers ?? _noTickers))
        {
            sums[ticker] = sums.GetValueOrDefault(ticker) + value;
        }

        foreach ((string ticker, long before) in _sample?.Tickers ?? _noTickers)
        {
            sums[ticker] = Math.Max(before, sums.GetValueOrDefault(ticker));
        }

        return sums;
    }

    /// <summary>Percentiles cannot be added up; what a node wants to know of is its worst store.</summary>
    private static List<(string Name, string Statistic, double Value)> Worst(IEnumerable<StoreStatistics> stores)
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

    private Dictionary<string, BranchSize> MeasureFiles(IEnumerable<LocalStore> stores)
    {
        if (_filesSampledAt == 0 || _time.GetElapsedTime(_filesSampledAt) >= _fileSampleHolds)
        {
            _files = stores.ToDictionary(
                store => store.Directory, store => store.MeasureFiles(), StringComparer.Ordinal);
            _filesSampledAt = Math.Max(1, _time.GetTimestamp());
        }

        return _files;
    }
}
