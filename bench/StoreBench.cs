using System.Buffers;
using System.Diagnostics;
using Branching.RocksDb;
using Branching.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Bench;

/// <summary>One local store beside db_bench: what joining requests into commits costs or saves.</summary>
internal sealed class StoreBench(BenchOptions options, Report report, DbBench? peer, string directory)
{
    private const int Batch = 100;
    private const int WarmUpOperations = 200_000;
    private const int ManyWriters = 64;

    // What the store sets and db_bench does not by itself (StoreResources).
    public static readonly string[] PeerOptions =
    [
        "--bytes_per_sync=1048576", "--wal_bytes_per_sync=1048576", "--max_write_buffer_number=4",
        "--cache_index_and_filter_blocks=true", "--pin_l0_filter_and_index_blocks_in_cache=true",
        "--level0_file_num_compaction_trigger=8", "--level0_slowdown_writes_trigger=40",
        "--level0_stop_writes_trigger=64",
    ];

    private readonly Comparison _comparison = new(options, report, peer, "store");
    private readonly string _loaded = Path.Combine(directory, "store-loaded");
    private readonly string _fresh = Path.Combine(directory, "store-fresh");
    private readonly string _peers = Path.Combine(directory, "store-peer");
    private readonly string _data = Comparison.Describe(options.Records);

    public async Task RunAsync()
    {
        using StoreResources resources = new(
            new StorageOptions
            {
                DataRoot = directory,
                BlockCacheBytes = DbBench.CacheBytes,
                MemtableBytes = DbBench.WriteBufferBytes,
                MemtableBudgetBytes = 4 * DbBench.WriteBufferBytes,
                Compression = Compression.None,
            },
            NullLogger.Instance,
            TimeProvider.System);
        await LoadAsync(resources);
        await WarmUpAsync(resources);
        await ReadsAsync(resources);
        await BufferedWritesAsync(resources);
        await SyncedWritesAsync(resources);
    }

    /// <summary>Writes records in key order, a thousand a request, and leaves them in table files.</summary>
    public static async Task FillAsync(LocalStore store, long records)
    {
        Workload workload = new(seed: 11);
        List<WriteOperation> operations = new(1000);
        for (long i = 0; i < records; i++)
        {
            operations.Add(WriteOperation.Put(Workload.NewKey(i), workload.Value()));
            if (operations.Count == 1000 || i == records - 1)
            {
                await store.WriteAsync(
                    new WriteRequest(operations, Durability: Durability.Buffered), CancellationToken.None);
                operations = new List<WriteOperation>(1000);
            }
        }

        store.Flush();
    }

    private async Task LoadAsync(StoreResources resources)
    {
        await using LocalStore store = Open(_loaded, resources);
        await FillAsync(store, options.Records);
        store.Compact(columnFamily: null, KeyRange.All);
    }

    private async Task WarmUpAsync(StoreResources resources)
    {
        await GetAsync(resources, WarmUpOperations);
        await ScanAsync(resources);
        await PutAsync(resources, 1, Batch, WarmUpOperations);
        await PutAsync(resources, 1, 1, WarmUpOperations);
        await PutAsync(resources, ManyWriters, 1, WarmUpOperations);
    }

    private async Task ReadsAsync(StoreResources resources)
    {
        string[] existing = ["--use_existing_db=1", .. PeerOptions];
        await _comparison.RunAsync(
            "point get", "Random point reads from the block cache, one thread.", _data, "a full scan",
            "readrandom", () => GetAsync(resources, options.Records),
            db => db.Measure(_loaded, options.Records, "readseq,readrandom", existing));
        await _comparison.RunAsync(
            "forward scan", "All records in order from the block cache, in pages of 1,000, one thread.", _data,
            "a full scan", "readseq", () => ScanAsync(resources),
            db => db.Measure(_loaded, options.Records, "readseq,readseq", existing));
    }

    private async Task BufferedWritesAsync(StoreResources resources)
    {
        int each = options.Records / ManyWriters;
        await _comparison.RunAsync(
            "put, buffered, 1 writer", "Random puts into an empty store, log written but not synced.", _data,
            "200,000 puts elsewhere", "fillrandom", () => PutAsync(resources, 1, 1, options.Records),
            db => db.Measure(Fresh(_peers), options.Records, "fillrandom", PeerOptions));
        await _comparison.RunAsync(
            $"put, buffered, {ManyWriters} writers", "Random puts into an empty store, log written but not synced.",
            _data, "200,000 puts elsewhere", "fillrandom",
            () => PutAsync(resources, ManyWriters, 1, options.Records),
            db => db.Measure(
                Fresh(_peers), options.Records, "fillrandom",
                [$"--threads={ManyWriters}", $"--writes={each}", .. PeerOptions]));
        await _comparison.RunAsync(
            "batch put, buffered", "Random puts in requests of 100 into an empty store, one writer.", _data,
            "200,000 puts elsewhere", "fillrandom", () => PutAsync(resources, 1, Batch, options.Records),
            db => db.Measure(
                Fresh(_peers), options.Records, "fillrandom", [$"--batch_size={Batch}", .. PeerOptions]));
    }

    private async Task SyncedWritesAsync(StoreResources resources)
    {
        foreach (int writers in (int[])[1, ManyWriters])
        {
            await _comparison.RunAsync(
                $"put, synced, {writers} writer{(writers == 1 ? "" : "s")}",
                "Random puts into an empty store, each answered when the log is on disk.",
                $"{_data}; {options.Seconds} seconds a run", "200,000 puts elsewhere", "fillrandom",
                () => PutSyncedAsync(resources, writers),
                db => db.Measure(
                    Fresh(_peers), options.Records, "fillrandom",
                    ["--sync=1", $"--duration={options.Seconds}", $"--threads={writers}", .. PeerOptions]));
        }
    }

    private async Task<double> GetAsync(StoreResources resources, int reads)
    {
        await using LocalStore store = Open(_loaded, resources);
        ScanAll(store);
        Workload workload = new(seed: 12);
        ArrayBufferWriter<byte> value = new(BenchOptions.ValueBytes);
        long found = 0;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < reads; i++)
        {
            value.ResetWrittenCount();
            if (store.TryGet(columnFamily: null, workload.Key(workload.Next(options.Records)), value))
            {
                found++;
            }
        }

        double rate = Comparison.PerSecond(reads, start);
        return found == reads
            ? rate
            : throw new InvalidOperationException($"Only {found} of {reads} records were found in {_loaded}.");
    }

    private async Task<double> ScanAsync(StoreResources resources)
    {
        await using LocalStore store = Open(_loaded, resources);
        ScanAll(store);
        long start = Stopwatch.GetTimestamp();
        return Comparison.PerSecond(ScanAll(store), start);
    }

    private long ScanAll(LocalStore store)
    {
        ScanRequest everything = new(null, KeyRange.All, Reverse: false, Limit: int.MaxValue, MaxBytes: 1 << 20);
        using ScanCursor cursor = store.OpenCursor(everything);
        List<KeyValueEntry> page = new(1000);
        long seen = 0;
        bool more = true;
        while (more)
        {
            page.Clear();
            more = cursor.ReadPage(1000, 1 << 20, page);
            seen += page.Count;
        }

        return seen == options.Records
            ? seen
            : throw new InvalidOperationException($"A scan saw {seen} of {options.Records} records.");
    }

    private async Task<double> PutAsync(StoreResources resources, int writers, int batch, int writes)
    {
        await using LocalStore store = Open(Fresh(_fresh), resources);
        long requestsEach = writes / writers / batch;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, writers).Select(number => Task.Run(async () =>
        {
            Workload workload = new(seed: 13 + number);
            for (long i = 0; i < requestsEach; i++)
            {
                await WriteAsync(store, workload, batch, Durability.Buffered);
            }
        })));
        return Comparison.PerSecond(requestsEach * batch * writers, start);
    }

    private async Task<double> PutSyncedAsync(StoreResources resources, int writers)
    {
        await using LocalStore store = Open(Fresh(_fresh), resources);
        long[] done = new long[writers];
        TimeSpan length = TimeSpan.FromSeconds(options.Seconds);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, writers).Select(number => Task.Run(async () =>
        {
            Workload workload = new(seed: 14 + number);
            while (Stopwatch.GetElapsedTime(start) < length)
            {
                await WriteAsync(store, workload, batch: 1, Durability.Sync);
                done[number]++;
            }
        })));
        return Comparison.PerSecond(done.Sum(), start);
    }

    private async ValueTask WriteAsync(LocalStore store, Workload workload, int batch, Durability durability)
    {
        WriteOperation[] operations = new WriteOperation[batch];
        for (int i = 0; i < batch; i++)
        {
            operations[i] = WriteOperation.Put(Workload.NewKey(workload.Next(options.Records)), workload.Value());
        }

        await store.WriteAsync(new WriteRequest(operations, Durability: durability), CancellationToken.None);
    }

    private static LocalStore Open(string path, StoreResources resources) => LocalStore.Open(
        path, "the store under measurement", resources, create: !Directory.Exists(path), NullLogger.Instance,
        TimeProvider.System);

    private static string Fresh(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }

        return path;
    }
}
