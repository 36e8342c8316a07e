using System.Diagnostics.Metrics;

namespace Branching.Storage;

/// <summary>What an operation on a store is called in metrics.</summary>
internal static class StoreOperations
{
    public const string Get = "get";
    public const string GetFromMemory = "get_from_memory";
    public const string MultiGet = "multi_get";
    public const string Scan = "scan";
    public const string Commit = "commit";
}

/// <summary>What the stores of a data root count and measure. Meter: <see cref="MeterName"/>.</summary>
/// <remarks>
/// Counters are added to where the work is done; everything that is a state is read when somebody collects, from one
/// sample for all instruments. With RocksDB's statistics on, six more instruments carry them.
/// </remarks>
internal sealed class Instruments
{
    public const string MeterName = "Branching.Storage";

    private static readonly KeyValuePair<string, object?> _synced = new("durability", "sync");
    private static readonly KeyValuePair<string, object?> _buffered = new("durability", "buffered");

    private readonly Counter<long> _requests;
    private readonly Counter<long> _operations;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _groups;
    private readonly Counter<long> _syncs;
    private readonly Histogram<double> _durations;
    private readonly Counter<long> _renewals;
    private readonly Counter<long> _failedRenewals;

    /// <param name="meters">Makes the meter, and ends it.</param>
    /// <param name="sample">Measures the stores; called by whoever collects.</param>
    /// <param name="withStatistics">Whether RocksDB keeps statistics.</param>
    /// <param name="time">The clock of durations.</param>
    public Instruments(IMeterFactory meters, Func<StoreSample> sample, bool withStatistics, TimeProvider time)
    {
        Time = time;
        Meter meter = meters.Create(MeterName);
        _requests = meter.CreateCounter<long>(
            "branching.store.write.requests", "{request}", "Write requests that were committed.");
        _operations = meter.CreateCounter<long>(
            "branching.store.write.operations", "{operation}", "Puts, deletes and others in them.");
        _bytes = meter.CreateCounter<long>(
            "branching.store.write.size", "By", "Bytes written to write-ahead logs.");
        _groups = meter.CreateCounter<long>(
            "branching.store.write.groups", "{group}", "Commits that write requests were joined into.");
        _syncs = meter.CreateCounter<long>(
            "branching.store.fsyncs", "{fsync}", "Commits that waited for the disk.");
        _durations = meter.CreateHistogram<double>(
            "branching.store.operation.duration", "s", "Time of reads and commits, by operation.");
        _renewals = meter.CreateCounter<long>(
            "branching.lease.renewals", "{renewal}", "Leases of databases that were renewed.");
        _failedRenewals = meter.CreateCounter<long>(
            "branching.lease.renewal.failures", "{renewal}", "Renewals of leases that failed.");
        AddStates(meter, sample);
        if (withStatistics)
        {
            AddStatistics(meter, sample);
        }
    }

    /// <summary>The clock of durations.</summary>
    public TimeProvider Time { get; }

    /// <summary>Whether somebody collects how long operations take.</summary>
    public bool MeasuresOperations => _durations.Enabled;

    /// <summary>A group was committed.</summary>
    public void Committed(int requests, int operations, long bytes, bool sync)
    {
        _groups.Add(1);
        _requests.Add(requests);
        _operations.Add(operations);
        _bytes.Add(bytes);
        if (sync)
        {
            _syncs.Add(1);
        }
    }

    /// <summary>A commit took this long.</summary>
    public void CommitTook(TimeSpan elapsed, bool sync) => _durations.Record(
        elapsed.TotalSeconds,
        new KeyValuePair<string, object?>("operation", StoreOperations.Commit),
        sync ? _synced : _buffered);

    /// <summary>A read took this long.</summary>
    public void ReadTook(string operation, TimeSpan elapsed) => _durations.Record(
        elapsed.TotalSeconds, new KeyValuePair<string, object?>("operation", operation));

    /// <summary>A lease was renewed, or was not.</summary>
    public void Renewed(DatabaseName database, bool succeeded) => (succeeded ? _renewals : _failedRenewals).Add(
        1, new KeyValuePair<string, object?>("database", database.Value));

    private static void AddStates(Meter meter, Func<StoreSample> sample)
    {
        Level(meter, "branching.stores.open", "{store}", "Stores open now.", () => sample().OpenStores);
        OfStores(meter, sample, "branching.store.references", "{reference}", "Calls and cursors that use stores now.",
            store => store.References);
        OfStores(meter, sample, "branching.store.cursors", "{cursor}", "Scans open now.",
            store => store.Statistics.OpenCursors);
        OfStores(meter, sample, "branching.store.snapshots", "{snapshot}", "RocksDB snapshots held now.",
            store => store.Statistics.Snapshots);
        OfStores(meter, sample, "branching.store.queue.length", "{request}", "Write requests that wait.",
            store => store.Statistics.WaitingRequests);
        OfStores(meter, sample, "branching.store.memtable.size", "By", "Memory of unflushed writes.",
            store => store.Statistics.MemtableBytes);
        OfStores(meter, sample, "branching.store.wal.size", "By", "Write-ahead logs.",
            store => store.Statistics.WalBytes);
        OfStores(meter, sample, "branching.store.level0.files", "{file}",
            "Table files not yet merged into sorted levels.", store => store.Statistics.Level0Files);
        OfStores(meter, sample, "branching.store.compaction.pending", "By",
            "Estimate of what compaction has to rewrite.", store => store.Statistics.PendingCompactionBytes);
        OfStores(meter, sample, "branching.store.poisoned", "{store}", "Stores that refuse writes after a failure.",
            store => store.IsPoisoned ? 1 : 0);
        OfStores(meter, sample, "branching.store.background.errors", "{error}",
            "Errors of flushes and compactions of the open stores, since each was opened.",
            store => store.Statistics.BackgroundErrors);
        Level(meter, "branching.block_cache.size", "By", "Memory of the block cache in use.",
            () => sample().BlockCacheBytes);
        Level(meter, "branching.block_cache.limit", "By", "Memory the block cache may use.",
            () => sample().BlockCacheLimitBytes);
        meter.CreateObservableUpDownCounter(
            "branching.store.files.size",
            () => sample().Stores.SelectMany(store => new[]
            {
                Of(store.OwnFileBytes, store, "sharing", "own"), Of(store.SharedFileBytes, store, "sharing", "shared"),
            }),
            "By",
            "Files of open stores: those of a store alone, and those that other stores link to as well.");
        meter.CreateObservableUpDownCounter(
            "branching.store.stalls",
            () => sample().Stores.SelectMany(store => new[]
            {
                Of(store.IsDelayed ? 1 : 0, store, "state", "delayed"),
                Of(store.Statistics.WritesStopped ? 1 : 0, store, "state", "stopped"),
            }),
            "{store}",
            "Stores whose writes RocksDB slows down or has stopped.");
        meter.CreateObservableGauge(
            "branching.lease.remaining",
            () => sample().Leases.Select(lease => new Measurement<double>(
                lease.Remaining.TotalSeconds, new KeyValuePair<string, object?>("database", lease.Database.Value))),
            "s",
            "How long each owned database may still be answered for without another renewal.");
    }

    // One instrument for each unit: RocksDB has times, sizes and numbers side by side, and only its names tell.
    private static void AddStatistics(Meter meter, Func<StoreSample> sample)
    {
        const string Counts = "RocksDB's own counters, by ticker, of all stores since the root was opened";
        const string Distributions = "RocksDB's own histograms, the worst of the stores open now";
        AddTickers(meter, sample, StatisticUnit.Count, "branching.rocksdb.tickers", "{event}", $"{Counts}: events.");
        AddTickers(meter, sample, StatisticUnit.Bytes, "branching.rocksdb.tickers.size", "By", $"{Counts}: bytes.");
        AddTickers(meter, sample, StatisticUnit.Seconds, "branching.rocksdb.tickers.time", "s", $"{Counts}: times.");
        AddHistograms(meter, sample, StatisticUnit.Count, "branching.rocksdb.histograms", "1",
            $"{Distributions}: numbers.");
        AddHistograms(meter, sample, StatisticUnit.Bytes, "branching.rocksdb.histograms.size", "By",
            $"{Distributions}: sizes.");
        AddHistograms(meter, sample, StatisticUnit.Seconds, "branching.rocksdb.histograms.time", "s",
            $"{Distributions}: times.");
    }

    private static void AddTickers(
        Meter meter, Func<StoreSample> sample, StatisticUnit unit, string name, string unitName, string description)
        => meter.CreateObservableCounter(
            name,
            () => sample().Tickers.Select(ticker => (Is: StatisticName.Parse(ticker.Key), ticker.Value))
                .Where(ticker => ticker.Is.Unit == unit)
                .Select(ticker => new Measurement<double>(
                    ticker.Value * ticker.Is.Factor,
                    new KeyValuePair<string, object?>("ticker", ticker.Is.Name))),
            unitName,
            description);

    private static void AddHistograms(
        Meter meter, Func<StoreSample> sample, StatisticUnit unit, string name, string unitName, string description)
        => meter.CreateObservableGauge(
            name,
            () => sample().Histograms
                .Select(point => (Is: StatisticName.Parse(point.Name), point.Statistic, point.Value))
                .Where(point => point.Is.Unit == unit)
                .Select(point => new Measurement<double>(
                    point.Value * point.Is.Factor,
                    new KeyValuePair<string, object?>("histogram", point.Is.Name),
                    new KeyValuePair<string, object?>("statistic", point.Statistic))),
            unitName,
            description);

    private static void Level(Meter meter, string name, string unit, string description, Func<long> value)
        => meter.CreateObservableUpDownCounter(name, value, unit, description);

    /// <summary>Something of each open store, by database and branch: no more series than stores may be open.</summary>
    private static void OfStores(
        Meter meter, Func<StoreSample> sample, string name, string unit, string description,
        Func<StoreState, long> value)
        => meter.CreateObservableUpDownCounter(
            name,
            () => sample().Stores.Select(store => new Measurement<long>(value(store), store.Tags)),
            unit,
            description);

    private static Measurement<long> Of(long value, StoreState store, string tag, string what)
        => new(value, [.. store.Tags, new KeyValuePair<string, object?>(tag, what)]);
}

/// <summary>Whose store it is.</summary>
/// <param name="Database">The database's name.</param>
/// <param name="Branch">The branch's name.</param>
internal sealed record StoreOwner(string Database, string Branch)
{
    /// <summary>The same as tags of metrics.</summary>
    public KeyValuePair<string, object?>[] Tags { get; } = [new("database", Database), new("branch", Branch)];
}

/// <summary>What one open store is at one moment.</summary>
/// <param name="Statistics">What it says of itself.</param>
/// <param name="Owner">Whose it is, where that is known.</param>
internal sealed record StoreState(StoreStatistics Statistics, StoreOwner? Owner)
{
    public KeyValuePair<string, object?>[] Tags => Owner?.Tags ?? [];

    public bool IsDelayed => Statistics is { WritesStopped: false, DelayedWriteBytesPerSecond: > 0 };

    public bool IsPoisoned { get; init; }

    public long References { get; init; }

    public long OwnFileBytes { get; init; }

    public long SharedFileBytes { get; init; }
}

/// <summary>What the stores of a data root are at one moment.</summary>
internal sealed record StoreSample
{
    public IReadOnlyList<StoreState> Stores { get; init; } = [];

    public int OpenStores => Stores.Count;

    public long BlockCacheBytes { get; init; }

    public long BlockCacheLimitBytes { get; init; }

    public IReadOnlyList<(DatabaseName Database, TimeSpan Remaining)> Leases { get; init; } = [];

    public IReadOnlyDictionary<string, long> Tickers { get; init; } =
        new Dictionary<string, long>(StringComparer.Ordinal);

    public IReadOnlyList<(string Name, string Statistic, double Value)> Histograms { get; init; } = [];
}

/// <summary>The time of one read; nothing at all while nobody collects it.</summary>
internal readonly ref struct ReadTimer
{
    private readonly Instruments? _instruments;
    private readonly string _operation;
    private readonly long _start;

    public ReadTimer(Instruments? instruments, string operation)
    {
        _operation = operation;
        if (instruments is { MeasuresOperations: true })
        {
            _instruments = instruments;
            _start = instruments.Time.GetTimestamp();
        }
    }

    /// <summary>The read has ended.</summary>
    public void Dispose() => _instruments?.ReadTook(_operation, _instruments.Time.GetElapsedTime(_start));
}
