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
/// sample for all instruments. With RocksDB's statistics on, two more instruments carry them.
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
        Level(meter, "branching.store.references", "{reference}", "Calls and cursors that use stores now.",
            () => sample().References);
        Level(meter, "branching.store.cursors", "{cursor}", "Scans open now.", () => sample().Cursors);
        Level(meter, "branching.store.snapshots", "{snapshot}", "RocksDB snapshots held now.",
            () => sample().Snapshots);
        Level(meter, "branching.store.queue.length", "{request}", "Write requests that wait.",
            () => sample().WaitingRequests);
        Level(meter, "branching.store.memtable.size", "By", "Memory of unflushed writes.",
            () => sample().MemtableBytes);
        Level(meter, "branching.store.wal.size", "By", "Write-ahead logs.", () => sample().WalBytes);
        Level(meter, "branching.store.level0.files", "{file}", "Table files not yet merged into sorted levels.",
            () => sample().Level0Files);
        Level(meter, "branching.store.compaction.pending", "By", "Estimate of what compaction has to rewrite.",
            () => sample().PendingCompactionBytes);
        Level(meter, "branching.block_cache.size", "By", "Memory of the block cache in use.",
            () => sample().BlockCacheBytes);
        Level(meter, "branching.block_cache.limit", "By", "Memory the block cache may use.",
            () => sample().BlockCacheLimitBytes);
        meter.CreateObservableUpDownCounter(
            "branching.store.files.size",
            () => new[]
            {
                Of(sample().OwnFileBytes, "sharing", "own"), Of(sample().SharedFileBytes, "sharing", "shared"),
            },
            "By",
            "Files of open stores: those of a store alone, and those that other stores link to as well.");
        meter.CreateObservableUpDownCounter(
            "branching.store.stalls",
            () => new[]
            {
                Of(sample().DelayedStores, "state", "delayed"), Of(sample().StoppedStores, "state", "stopped"),
            },
            "{store}",
            "Stores whose writes RocksDB slows down or has stopped.");
        meter.CreateObservableUpDownCounter(
            "branching.store.poisoned", () => (long)sample().PoisonedStores, "{store}",
            "Stores that refuse writes after a failure.");
        meter.CreateObservableUpDownCounter(
            "branching.store.background.errors", () => sample().BackgroundErrors, "{error}",
            "Errors of flushes and compactions of the open stores, since each was opened.");
        meter.CreateObservableGauge(
            "branching.lease.remaining",
            () => sample().Leases.Select(lease => new Measurement<double>(
                lease.Remaining.TotalSeconds, new KeyValuePair<string, object?>("database", lease.Database.Value))),
            "s",
            "How long each owned database may still be answered for without another renewal.");
    }

    private static void AddStatistics(Meter meter, Func<StoreSample> sample)
    {
        meter.CreateObservableCounter(
            "branching.rocksdb.tickers",
            () => sample().Tickers.Select(ticker => new Measurement<long>(
                ticker.Value, new KeyValuePair<string, object?>("ticker", ticker.Key))),
            "{event}",
            "RocksDB's own counters, by ticker, of the stores open now.");
        meter.CreateObservableGauge(
            "branching.rocksdb.histograms",
            () => sample().Histograms.Select(point => new Measurement<double>(
                point.Value,
                new KeyValuePair<string, object?>("histogram", point.Name),
                new KeyValuePair<string, object?>("statistic", point.Statistic))),
            "1",
            "RocksDB's own histograms: the worst of the stores open now.");
    }

    private static void Level(Meter meter, string name, string unit, string description, Func<long> value)
        => meter.CreateObservableUpDownCounter(name, value, unit, description);

    private static Measurement<long> Of(long value, string tag, string what)
        => new(value, new KeyValuePair<string, object?>(tag, what));
}

/// <summary>What the stores of a data root are at one moment, in sum.</summary>
internal sealed record StoreSample
{
    public int OpenStores { get; init; }

    public long References { get; init; }

    public long Cursors { get; init; }

    public long Snapshots { get; init; }

    public long WaitingRequests { get; init; }

    public long MemtableBytes { get; init; }

    public long WalBytes { get; init; }

    public long Level0Files { get; init; }

    public long PendingCompactionBytes { get; init; }

    public long BlockCacheBytes { get; init; }

    public long BlockCacheLimitBytes { get; init; }

    public long OwnFileBytes { get; init; }

    public long SharedFileBytes { get; init; }

    public int DelayedStores { get; init; }

    public int StoppedStores { get; init; }

    public int PoisonedStores { get; init; }

    public long BackgroundErrors { get; init; }

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
