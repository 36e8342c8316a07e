using System.Buffers;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

/// <summary>One use of every public member, to be tried on an object that is disposed.</summary>
internal static class UseAfterDispose
{
    public static Dictionary<string, Action> Of(RocksDatabase database, ColumnFamily family, string target)
    {
        Dictionary<string, Action> uses = Reads(database, family);
        foreach ((string name, Action use) in Others(database, family, target))
        {
            uses.Add(name, use);
        }

        return uses;
    }

    public static Dictionary<string, Action> Of(Iterator iterator) => new(StringComparer.Ordinal)
    {
        ["IsValid"] = () => _ = iterator.IsValid,
        ["Key"] = () => _ = iterator.Key.Length,
        ["Value"] = () => _ = iterator.Value.Length,
        ["SeekToFirst"] = iterator.SeekToFirst,
        ["SeekToLast"] = iterator.SeekToLast,
        ["Seek"] = () => iterator.Seek(default),
        ["SeekForPrev"] = () => iterator.SeekForPrev(default),
        ["Next"] = iterator.Next,
        ["Prev"] = iterator.Prev,
        ["ThrowIfFailed"] = iterator.ThrowIfFailed,
        ["Refresh"] = iterator.Refresh,
    };

    public static Dictionary<string, Action> Of(WriteBatch batch, ColumnFamily family) => new(StringComparer.Ordinal)
    {
        ["Count"] = () => _ = batch.Count,
        ["DataBytes"] = () => _ = batch.DataBytes,
        ["Data"] = () => _ = batch.Data.Length,
        ["Put"] = () => batch.Put(family, default, default),
        ["Merge"] = () => batch.Merge(family, default, default),
        ["Delete"] = () => batch.Delete(family, default),
        ["DeleteRange"] = () => batch.DeleteRange(family, default, default),
        ["PutLogData"] = () => batch.PutLogData(default),
        ["Clear"] = batch.Clear,
        ["SetSavePoint"] = batch.SetSavePoint,
        ["RollbackToSavePoint"] = batch.RollbackToSavePoint,
        ["PopSavePoint"] = batch.PopSavePoint,
    };

    public static Dictionary<string, Action> Of(BlockCache cache) => new(StringComparer.Ordinal)
    {
        ["CapacityBytes"] = () => _ = cache.CapacityBytes,
        ["CapacityBytes set"] = () => cache.CapacityBytes = 1,
        ["UsageBytes"] = () => _ = cache.UsageBytes,
        ["PinnedUsageBytes"] = () => _ = cache.PinnedUsageBytes,
    };

    // Reading what was set needs nothing native; setting it would promise something.
    public static Dictionary<string, Action> Of(ReadOptions options) => new(StringComparer.Ordinal)
    {
        ["Snapshot"] = () => options.Snapshot = null,
        ["FillCache"] = () => options.FillCache = true,
        ["VerifyChecksums"] = () => options.VerifyChecksums = true,
        ["LowerBound"] = () => options.LowerBound = null,
        ["UpperBound"] = () => options.UpperBound = null,
        ["MemoryTierOnly"] = () => options.MemoryTierOnly = true,
        ["Tailing"] = () => options.Tailing = true,
        ["ReadaheadBytes"] = () => options.ReadaheadBytes = 1,
        ["TotalOrderSeek"] = () => options.TotalOrderSeek = true,
        ["AsyncIo"] = () => options.AsyncIo = true,
        ["MaxSkippableInternalKeys"] = () => options.MaxSkippableInternalKeys = 1,
        ["Deadline"] = () => options.Deadline = DateTimeOffset.UnixEpoch,
        ["IoTimeout"] = () => options.IoTimeout = Deadline,
        ["PurgeInBackground"] = () => options.PurgeInBackground = true,
    };

    private static Dictionary<string, Action> Reads(RocksDatabase database, ColumnFamily family)
    {
        ArrayBufferWriter<byte> buffer = new();
        return new(StringComparer.Ordinal)
        {
            ["LatestSequence"] = () => _ = database.LatestSequence,
            ["TryGet"] = () => database.TryGet(family, default, buffer),
            ["TryGetFromMemory"] = () => database.TryGetFromMemory(family, default, buffer, out _),
            ["Contains"] = () => database.Contains(family, default),
            ["TryGetLength"] = () => database.TryGetLength(family, default, out _),
            ["GetPinned"] = () => database.GetPinned(family, default),
            ["MultiGet"] = () => database.MultiGet(family, [Bytes("k")]),
            ["NewIterator"] = () => database.NewIterator(family),
            ["NewSnapshot"] = () => database.NewSnapshot(),
            ["ColumnFamilies"] = () => _ = database.ColumnFamilies,
            ["TryGetColumnFamily"] = () => database.TryGetColumnFamily("default", out _),
            ["GetProperty"] = () => database.GetProperty("rocksdb.stats"),
            ["GetProperty of a family"] = () => database.GetProperty(family, "rocksdb.stats"),
            ["TryGetIntProperty"] = () => database.TryGetIntProperty("rocksdb.num-snapshots", out _),
            ["TryGetIntProperty of a family"] = () =>
                database.TryGetIntProperty(family, "rocksdb.num-snapshots", out _),
            ["ApproximateSize"] = () => database.ApproximateSize(family, default, default),
            ["ApproximateSizes"] = () => database.ApproximateSizes(family, []),
            ["GetLiveFiles"] = () => database.GetLiveFiles(),
            ["GetStatisticsSnapshot"] = () => database.GetStatisticsSnapshot(),
            ["GetMapProperty"] = () => database.GetMapProperty(family, "rocksdb.aggregated-table-properties"),
            ["GetStatistics"] = () => database.GetStatistics(),
        };
    }

    private static Dictionary<string, Action> Others(RocksDatabase database, ColumnFamily family, string target)
    {
        WriteBatch empty = new();
        return new(StringComparer.Ordinal)
        {
            ["Put"] = () => database.Put(family, default, default, WriteOptions.Buffered),
            ["Merge"] = () => database.Merge(family, default, default, WriteOptions.Buffered),
            ["IngestFiles"] = () => database.IngestFiles(family, ["f"]),
            ["Delete"] = () => database.Delete(family, default, WriteOptions.Buffered),
            ["DeleteRange"] = () => database.DeleteRange(family, default, default, WriteOptions.Buffered),
            ["Write"] = () => database.Write(empty, WriteOptions.Buffered),
            ["FindBackgroundFailure"] = () => database.FindBackgroundFailure(),
            ["Flush"] = () => database.Flush(),
            ["Flush of a family"] = () => database.Flush(family),
            ["FlushWal"] = () => database.FlushWal(sync: true),
            ["CreateColumnFamily"] = () => database.CreateColumnFamily("f"),
            ["DropColumnFamily"] = () => database.DropColumnFamily(family),
            ["CreateCheckpoint"] = () => database.CreateCheckpoint(target, CheckpointFlush.Never),
            ["CompactRange"] = () => database.CompactRange(family),
            ["CompactRange with bounds"] = () => database.CompactRange(family, default, true, default, true),
            ["CancelBackgroundWork"] = () => database.CancelBackgroundWork(wait: true),
            ["GetUpdatesSince"] = () => database.GetUpdatesSince(1),
            ["DisableManualCompaction"] = database.DisableManualCompaction,
            ["EnableManualCompaction"] = database.EnableManualCompaction,
            ["PauseBackgroundWork"] = database.PauseBackgroundWork,
            ["ContinueBackgroundWork"] = database.ContinueBackgroundWork,
            ["BeginTransaction"] = () => database.BeginTransaction(WriteOptions.Buffered),
            ["DisableFileDeletions"] = database.DisableFileDeletions,
            ["EnableFileDeletions"] = () => database.EnableFileDeletions(),
            ["SetOptions"] = () => database.SetOptions(family, new Dictionary<string, string>(StringComparer.Ordinal)),
            ["TryCatchUpWithPrimary"] = () => database.TryCatchUpWithPrimary(),
        };
    }
}
