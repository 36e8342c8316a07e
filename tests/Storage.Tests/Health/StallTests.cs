using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.LocalStores;
using Microsoft.Extensions.DependencyInjection;

namespace Branching.Storage.Tests.Health;

/// <summary>Writes that RocksDB itself holds up, because a flush does not come to its end.</summary>
public sealed class StallTests : IDisposable
{
    private const string Family = "held";
    private const int ValueBytes = 16 << 10;

    private readonly TemporaryRoot _root = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public void Dispose()
    {
        _services.Dispose();
        _root.Dispose();
    }

    [Fact]
    public async Task A_stall_of_RocksDB_is_told_by_health_statistics_and_metrics_and_ends_with_its_cause()
    {
        using HeldMerge merge = new();
        StorageOptions options = TemporaryRoot.OptionsFor(_root.Path);
        options.MemtableBytes = 64 << 10;
        options.AddMerge(merge);
        await using DataRoot root = await DataRoot.OpenAsync(options);
        root.Measure(_services.GetRequiredService<IMeterFactory>());
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        LocalStore store = lease.Store;
        store.CreateColumnFamily(Family, new FamilySettings { Merge = merge.Name });
        await PutAsync(store, "counted", 1);
        await store.MergeAsync(Family, TestStore.Bytes("counted"), new byte[1], Durability.Buffered);
        List<Task> writes = [];
        StoreStatistics stalled;
        StoreHealthReport report;
        ConcurrentDictionary<string, long> stalls;

        merge.Hold(); // The flush has to join the operand with its value, so the memtables behind it stay in memory.
        try
        {
            for (int i = 0; !store.GetStatistics().WritesStopped; i++)
            {
                Assert.True(i < 100, "RocksDB takes writes without end.");
                Task write = PutAsync(store, $"k{i:000}", ValueBytes);
                writes.Add(write);
                await Waiting.UntilAsync(
                    () => write.IsCompleted || store.GetStatistics().WritesStopped, "a write or a stall");
            }

            stalled = store.GetStatistics();
            report = store.Examine();
            stalls = Collect("branching.store.stalls");
        }
        finally
        {
            merge.Release();
        }

        await Task.WhenAll(writes).WaitAsync(Waiting.Deadline);
        await Waiting.UntilAsync(() => !store.GetStatistics().WritesStopped, "the end of the stall");

        Assert.True(stalled.WritesStopped);
        Assert.True(stalled.MemtableBytes > 3 * options.MemtableBytes);
        Assert.Equal(StoreCondition.Degraded, report.Condition);
        Assert.Contains("RocksDB has stopped writes", Assert.Single(report.Causes), StringComparison.Ordinal);
        Assert.Equal(1, stalls["stopped"]);
        Assert.Equal(0, stalls["delayed"]);
        Assert.Equal(writes.Count + 1, store.Count(Family, KeyRange.All, default));
        Assert.True(store.Health.IsHealthy);
    }

    private static async Task PutAsync(LocalStore store, string key, int bytes) => await store.PutAsync(
        Family, TestStore.Bytes(key), new byte[bytes], durability: Durability.Buffered);

    private ConcurrentDictionary<string, long> Collect(string name)
    {
        ConcurrentDictionary<string, long> byState = new(StringComparer.Ordinal);
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            // Other tests of this process have meters of the same name.
            if (instrument.Name == name && instrument.Meter.Scope == _services.GetRequiredService<IMeterFactory>())
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag is { Key: "state", Value: string state })
                {
                    byState[state] = value;
                }
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return byState;
    }

    private sealed class HeldMerge : ValueMerge, IDisposable
    {
        private readonly ManualResetEventSlim _mayGoOn = new(initialState: true);

        public override string Name => "held";

        public void Hold() => _mayGoOn.Reset();

        public void Release() => _mayGoOn.Set();

        public void Dispose() => _mayGoOn.Dispose();

        public override void Merge(
            ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, ReadOnlySpan<byte> operand,
            IBufferWriter<byte> destination)
        {
            _mayGoOn.Wait(Waiting.Deadline);
            destination.Write(operand);
        }
    }
}
