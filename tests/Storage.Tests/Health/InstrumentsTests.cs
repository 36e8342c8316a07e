using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Branching.RocksDb;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.LocalStores;
using Microsoft.Extensions.DependencyInjection;

namespace Branching.Storage.Tests.Health;

public sealed class InstrumentsTests : IDisposable
{
    // The kinds, units and names that dashboards depend on: a change here is a change for everybody who collects.
    private static readonly string[] _always =
    [
        "Counter branching.lease.renewal.failures {renewal}",
        "Counter branching.lease.renewals {renewal}",
        "Counter branching.store.fsyncs {fsync}",
        "Counter branching.store.write.groups {group}",
        "Counter branching.store.write.operations {operation}",
        "Counter branching.store.write.requests {request}",
        "Counter branching.store.write.size By",
        "Histogram branching.store.operation.duration s",
        "ObservableGauge branching.lease.remaining s",
        "ObservableUpDownCounter branching.block_cache.limit By",
        "ObservableUpDownCounter branching.block_cache.size By",
        "ObservableUpDownCounter branching.store.background.errors {error}",
        "ObservableUpDownCounter branching.store.compaction.pending By",
        "ObservableUpDownCounter branching.store.cursors {cursor}",
        "ObservableUpDownCounter branching.store.files.size By",
        "ObservableUpDownCounter branching.store.level0.files {file}",
        "ObservableUpDownCounter branching.store.memtable.size By",
        "ObservableUpDownCounter branching.store.poisoned {store}",
        "ObservableUpDownCounter branching.store.queue.length {request}",
        "ObservableUpDownCounter branching.store.references {reference}",
        "ObservableUpDownCounter branching.store.snapshots {snapshot}",
        "ObservableUpDownCounter branching.store.stalls {store}",
        "ObservableUpDownCounter branching.store.wal.size By",
        "ObservableUpDownCounter branching.stores.open {store}",
    ];

    private static readonly string[] _withStatistics =
    [
        "ObservableCounter branching.rocksdb.tickers {event}",
        "ObservableCounter branching.rocksdb.tickers.size By",
        "ObservableCounter branching.rocksdb.tickers.time s",
        "ObservableGauge branching.rocksdb.histograms 1",
        "ObservableGauge branching.rocksdb.histograms.size By",
        "ObservableGauge branching.rocksdb.histograms.time s",
    ];

    private readonly TemporaryRoot _root = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly ConcurrentBag<Instrument> _published = [];
    private readonly ConcurrentDictionary<string, double> _sums = new(StringComparer.Ordinal);

    public InstrumentsTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Other tests of this process have meters of the same name.
            if (instrument.Meter.Scope == Meters)
            {
                _published.Add(instrument);
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    private IMeterFactory Meters => _services.GetRequiredService<IMeterFactory>();

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
        _root.Dispose();
    }

    [Theory]
    [InlineData(StatisticsLevel.DisableAll)]
    [InlineData(StatisticsLevel.ExceptDetailedTimers)]
    public async Task The_instruments_are_exactly_these(StatisticsLevel level)
    {
        await using DataRoot root = await OpenAsync(level);

        string[] expected = level == StatisticsLevel.DisableAll ? _always : [.. _always, .. _withStatistics];
        Assert.Equal(
            expected.Order(StringComparer.Ordinal),
            _published.Select(one => $"{one.GetType().Name.Split('`')[0]} {one.Name} {one.Unit}")
                .Order(StringComparer.Ordinal));
        Assert.All(_published, one => Assert.False(string.IsNullOrEmpty(one.Description), one.Name));
        Assert.All(_published, one => Assert.Equal("Branching.Storage", one.Meter.Name));
    }

    [Fact]
    public async Task What_is_written_and_read_is_counted_and_timed()
    {
        await using DataRoot root = await OpenAsync(StatisticsLevel.DisableAll);
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        for (int i = 0; i < 3; i++)
        {
            await shop.PutAsync("main", $"k{i}", "1");
        }

        Assert.Equal("k0=1 k1=1 k2=1", await shop.ReadAllAsync("main"));

        Assert.Equal(3, _sums["branching.store.write.requests"]);
        Assert.Equal(3, _sums["branching.store.write.operations"]);
        Assert.Equal(3, _sums["branching.store.write.groups"]);
        Assert.Equal(3, _sums["branching.store.fsyncs"]);
        Assert.True(_sums["branching.store.write.size"] > 0);
        Assert.True(_sums.ContainsKey("branching.store.operation.duration operation=commit durability=sync"));
        Assert.True(_sums.ContainsKey("branching.store.operation.duration operation=scan"));
    }

    [Fact]
    public async Task What_is_open_shared_and_wrong_is_measured_when_somebody_collects()
    {
        using TestCommit commit = new()
        {
            Fault = call => call == 2 ? TestCommit.Failure(RocksDbStatus.IOError) : null,
        };
        await using DataRoot root = await OpenAsync(StatisticsLevel.DisableAll);
        root.Registry.Seams = commit.Seams;
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        lease.Store.Flush();
        await shop.BranchAsync("topic");
        await Assert.ThrowsAsync<StorageException>(() => shop.PutAsync("main", "b", "1"));
        using ScanCursor cursor = lease.Store.OpenCursor(TestStore.All());

        _listener.RecordObservableInstruments();

        Assert.Equal(1, _sums["branching.stores.open"]);
        Assert.Equal(1, _sums["branching.store.references database=shop branch=main"]);
        Assert.Equal(1, _sums["branching.store.cursors database=shop branch=main"]);
        Assert.Equal(1, _sums["branching.store.poisoned database=shop branch=main"]);
        Assert.Equal(0, _sums["branching.store.stalls database=shop branch=main state=stopped"]);
        Assert.Equal(8 << 20, _sums["branching.block_cache.limit"]);
        Assert.True(
            _sums["branching.store.files.size database=shop branch=main sharing=shared"] > 0,
            "the table file is the branch's too");
        Assert.True(_sums["branching.store.files.size database=shop branch=main sharing=own"] > 0);
    }

    [Fact]
    public async Task With_statistics_RocksDBs_own_counters_and_histograms_are_collected()
    {
        await using DataRoot root = await OpenAsync(StatisticsLevel.ExceptDetailedTimers);
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        for (int i = 0; i < 3; i++)
        {
            await shop.PutAsync("main", $"k{i}", "1");
        }

        _listener.RecordObservableInstruments();

        Assert.True(_sums["branching.rocksdb.tickers ticker=rocksdb.number.keys.written"] >= 3);
        Assert.True(_sums["branching.rocksdb.tickers.size ticker=rocksdb.bytes.written"] >= 3);
        Assert.InRange(
            _sums["branching.rocksdb.histograms.time histogram=rocksdb.db.write statistic=max"],
            1e-7,
            Waiting.Deadline.TotalSeconds);
    }

    [Theory]
    [InlineData("rocksdb.db.get.micros", "Seconds", 1e-6, "rocksdb.db.get")]
    [InlineData("rocksdb.compaction.times.cpu_micros", "Seconds", 1e-6, "rocksdb.compaction.times.cpu")]
    [InlineData("rocksdb.compression.times.nanos", "Seconds", 1e-9, "rocksdb.compression.times")]
    [InlineData("rocksdb.rate.limit.delay.millis", "Seconds", 1e-3, "rocksdb.rate.limit.delay")]
    [InlineData("rocksdb.db.write.stall", "Seconds", 1e-6, "rocksdb.db.write.stall")]
    [InlineData("rocksdb.bytes.per.read", "Bytes", 1, "rocksdb.bytes.per.read")]
    [InlineData("rocksdb.wal.bytes", "Bytes", 1, "rocksdb.wal.bytes")]
    [InlineData("rocksdb.blobdb.key.size", "Bytes", 1, "rocksdb.blobdb.key.size")]
    [InlineData("rocksdb.multiget.io.batch.size", "Count", 1, "rocksdb.multiget.io.batch.size")]
    [InlineData("rocksdb.number.keys.written", "Count", 1, "rocksdb.number.keys.written")]
    public void The_name_of_a_statistic_tells_its_unit(string name, string unit, double factor, string without)
        => Assert.Equal(new StatisticName(Enum.Parse<StatisticUnit>(unit), factor, without), StatisticName.Parse(name));

    [Fact]
    public async Task RocksDBs_counters_do_not_fall_when_a_store_is_closed_and_each_store_has_series_of_its_own()
    {
        const string Written = "branching.rocksdb.tickers ticker=rocksdb.number.keys.written";
        ManualTime time = new();
        await using DataRoot root = await OpenAsync(StatisticsLevel.ExceptDetailedTimers, time);
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.BranchAsync("topic");
        await shop.PutAsync("main", "a", "1");
        await shop.PutAsync("topic", "b", "2");
        await shop.PutAsync("topic", "c", "3");
        _listener.RecordObservableInstruments();
        double before = _sums[Written];
        double open = _sums["branching.stores.open"];

        time.Advance(root.Options.StoreIdleTimeout * 2);
        await root.Registry.CloseIdleAsync();

        // The registry's own timer, which that time has set off, may be closing one of them.
        await Waiting.UntilAsync(() => root.GetStatistics().OpenStores == 0, "idle stores are closed");
        _listener.RecordObservableInstruments();
        double closed = _sums[Written];
        double left = _sums["branching.stores.open"];
        await shop.PutAsync("main", "d", "4");
        time.Advance(TimeSpan.FromSeconds(2));
        _listener.RecordObservableInstruments();

        Assert.Equal((3, 2), (before, open));
        Assert.Equal((3, 0), (closed, left));
        Assert.Equal((4, 1), (_sums[Written], _sums["branching.stores.open"]));
        Assert.True(_sums["branching.store.memtable.size database=shop branch=topic"] > 0);
    }

    [Fact]
    public async Task Collecting_after_the_root_is_closed_finds_nothing_open()
    {
        await using (DataRoot root = await OpenAsync(StatisticsLevel.DisableAll))
        {
            await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        }

        _listener.RecordObservableInstruments();

        Assert.Equal(0, _sums["branching.stores.open"]);
    }

    private async Task<DataRoot> OpenAsync(StatisticsLevel level, TimeProvider? time = null)
    {
        StorageOptions options = TemporaryRoot.OptionsFor(_root.Path);
        options.Statistics = level;
        DataRoot root = await DataRoot.OpenAsync(options, time: time);
        root.Measure(Meters);
        return root;
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string name = instrument.Name;
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            name += $" {tag.Key}={tag.Value}";
        }

        _sums.AddOrUpdate(name, value, (_, before) => instrument.IsObservable ? value : before + value);
    }
}
