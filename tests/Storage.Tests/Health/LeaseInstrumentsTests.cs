using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Tests.Sharing;
using Microsoft.Extensions.DependencyInjection;

namespace Branching.Storage.Tests.Health;

/// <summary>The values of the lease's instruments, by a clock that stands still until it is moved.</summary>
public sealed class LeaseInstrumentsTests : IAsyncLifetime, IDisposable
{
    private const string Renewals = "branching.lease.renewals";
    private const string Failures = "branching.lease.renewal.failures";
    private const string Remaining = "branching.lease.remaining";

    private static readonly TimeSpan _length = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _margin = TimeSpan.FromSeconds(3);

    private readonly string _shared = Directory.CreateTempSubdirectory("branching-shared-").FullName;
    private readonly TemporaryRoot _files = new();
    private readonly ManualTime _time = new();
    private readonly Wire _wire = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, double> _values = new(StringComparer.Ordinal);
    private DataRoot _root = null!;

    public async Task InitializeAsync()
    {
        IMeterFactory meters = _services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == meters
                && instrument.Name.StartsWith("branching.lease", StringComparison.Ordinal))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
        SharedAccess access = new(
            async stop => new WiredStorage(await PosixSharedStorage.OpenAsync(_shared, cancellationToken: stop), _wire))
        {
            Options = new SharedStorageOptions { Directory = _shared, NodeName = "one" },
            Ownership = new OwnershipOptions { LeaseLength = _length, LeaseMargin = _margin },
            Snapshots = new SnapshotOptions { FreeBytesReserve = 0 },
        };
        _root = await DataRoot.OpenAsync(_files.Options, new Disk(), time: _time, shared: access);
        _root.Measure(meters);
    }

    public async Task DisposeAsync()
    {
        _wire.Mend();
        await _root.DisposeAsync();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
        _files.Dispose();
        Directory.Delete(_shared, recursive: true);
    }

    [Fact]
    public async Task What_remains_of_a_lease_is_its_length_without_the_margin_since_the_last_renewal()
    {
        await CreateAsync();
        Assert.Equal(27, Collect());

        _time.Advance(TimeSpan.FromSeconds(4)); // A third of the length is not over.
        Assert.Equal(23, Collect());

        double renewed = Count(Renewals);
        await AdvanceAsync(TimeSpan.FromSeconds(6), () => Count(Renewals) > renewed);
        Assert.Equal(27, Collect());
    }

    [Fact]
    public async Task Renewals_and_failed_ones_are_counted_for_each_database()
    {
        await CreateAsync();
        double renewed = Count(Renewals);

        await AdvanceAsync(_length / 3, () => Count(Renewals) > renewed);
        Assert.Equal((renewed + 1, 0), (Count(Renewals), Count(Failures)));

        _wire.Cut();
        await AdvanceAsync(_length / 3, () => Count(Failures) > 0);
        Assert.Equal((renewed + 1, 1), (Count(Renewals), Count(Failures)));
        Assert.Equal(17, Collect());

        // After a failure it is tried again sooner: a tenth of the length later.
        await AdvanceAsync(_length / 10, () => Count(Failures) > 1);
        Assert.Equal((renewed + 1, 2), (Count(Renewals), Count(Failures)));
        Assert.Equal(14, Collect());

        _wire.Mend();
        await AdvanceAsync(_length / 10, () => Count(Renewals) > renewed + 1);
        Assert.Equal((renewed + 2, 2), (Count(Renewals), Count(Failures)));
        Assert.Equal(27, Collect());
    }

    [Fact]
    public async Task Nothing_remains_of_a_lease_that_ran_out_and_a_released_one_is_not_measured()
    {
        await CreateAsync();
        _wire.Cut();
        await AdvanceAsync(_length, () => Count(Failures) > 0);
        Assert.Equal(0, Collect());

        double renewed = Count(Renewals);
        _wire.Mend();
        await AdvanceAsync(_length / 10, () => Count(Renewals) > renewed);
        Assert.Equal(27, Collect());

        await _root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        _time.Advance(TimeSpan.FromSeconds(1)); // What was measured at the same moment is not measured again.
        Assert.Null(Collect());
    }

    private async Task CreateAsync()
    {
        await _root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await Waiting.UntilAsync(() => _time.Waiting > 0, "the next renewal waits for its time");
    }

    /// <summary>Moves the clock and waits until what was due has happened and the next renewal waits.</summary>
    private async Task AdvanceAsync(TimeSpan by, Func<bool> happened)
    {
        int waiting = _time.Waiting;
        _time.Advance(by);
        await Waiting.UntilAsync(() => happened() && _time.Waiting == waiting, "the lease was tried to be renewed");
    }

    private double Count(string counter) => _values.GetValueOrDefault($"{counter} database=shop");

    private double? Collect()
    {
        string name = $"{Remaining} database=shop";
        _values.TryRemove(name, out _);
        _listener.RecordObservableInstruments();
        return _values.TryGetValue(name, out double value) ? value : null;
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string name = instrument.Name;
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            name += $" {tag.Key}={tag.Value}";
        }

        _values.AddOrUpdate(name, value, (_, before) => instrument.IsObservable ? value : before + value);
    }
}
