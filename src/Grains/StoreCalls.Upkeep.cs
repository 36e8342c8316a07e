using System.Globalization;
using Branching.Storage;

namespace Branching.Grains;

internal sealed partial class StoreCalls
{
    public ValueTask<IReadOnlyList<string>> ListColumnFamiliesAsync(CancellationToken cancellationToken)
        => ReadAsync(
        0,
        static (_, branch, _, _) => ValueTask.FromResult<IReadOnlyList<string>>(
            branch.Store.ColumnFamilies.Order(StringComparer.Ordinal).ToArray()),
        cancellationToken);

    public ValueTask<bool> CreateColumnFamilyAsync(string name, CancellationToken cancellationToken) => BlockingAsync(
        name,
        static (store, name) =>
        {
            GrainFailure.ThrowIfMissing(name, "The name of the column family");
            store.CreateColumnFamily(name);
        },
        cancellationToken);

    public ValueTask<bool> DropColumnFamilyAsync(string name, CancellationToken cancellationToken) => BlockingAsync(
        name,
        static (store, name) =>
        {
            GrainFailure.ThrowIfMissing(name, "The name of the column family");
            store.DropColumnFamily(name);
        },
        cancellationToken);

    public ValueTask<bool> FlushAsync(CancellationToken cancellationToken) =>
        BlockingAsync(0, static (store, _) => store.Flush(), cancellationToken);

    public ValueTask<bool> CompactAsync(KeyRange range, string? columnFamily, CancellationToken cancellationToken)
        => BlockingAsync(
            (range, columnFamily),
            static (store, what) => store.Compact(what.columnFamily, ToStorage(what.range)),
            cancellationToken);

    public ValueTask<StoreFigures> GetFiguresAsync(CancellationToken cancellationToken) => ReadAsync(
        0,
        static async (_, branch, _, cancellationToken)
            => await Task.Run(() => FiguresOf(branch.Store), cancellationToken),
        cancellationToken);

    private ValueTask<bool> BlockingAsync<TArgument>(
        TArgument argument, Action<LocalStore, TArgument> call, CancellationToken cancellationToken)
        => OnStoreAsync(
            (argument, call),
            static async (self, branch, what, cancellationToken) =>
            {
                using WriteGate.Change change = self.BeginChange();
                await Task.Run(() => what.call(branch.Store, what.argument), cancellationToken);
                return true;
            },
            cancellationToken);

    private static StoreFigures FiguresOf(LocalStore store)
    {
        StoreStatistics statistics = store.GetStatistics();
        return new StoreFigures(
            statistics.LastAcknowledged.Value,
            store.ColumnFamilies.Sum(store.EstimateCount),
            statistics.MemtableBytes,
            statistics.TableBytes,
            statistics.Level0Files,
            statistics.PendingCompactionBytes,
            statistics.OpenCursors,
            statistics.WriteRequests,
            statistics.WriteGroups,
            statistics.SyncGroups,
            store.Health.Cause?.Message,
            statistics.WrittenBytes,
            statistics.WaitingRequests,
            statistics.WalBytes,
            statistics.Snapshots,
            statistics.OldestSnapshotAt,
            statistics.WritesStopped,
            statistics.DelayedWriteBytesPerSecond,
            statistics.BackgroundErrors,
            statistics.Tickers,
            statistics.BlockCacheBytes,
            statistics.Histograms?.Where(one => one.Value.Count > 0).ToDictionary(
                one => one.Key, one => TextOf(one.Value), StringComparer.Ordinal));
    }

    private static string TextOf(RocksDb.HistogramSnapshot histogram) => string.Create(
        CultureInfo.InvariantCulture,
        $"p50 {histogram.P50:0.#}, p95 {histogram.P95:0.#}, p99 {histogram.P99:0.#}, max {histogram.P100:0.#}, ")
        + string.Create(CultureInfo.InvariantCulture, $"average {histogram.Average:0.#} of {histogram.Count}");
}
