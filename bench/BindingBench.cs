using System.Buffers;
using System.Diagnostics;
using Branching.RocksDb;

namespace Branching.Bench;

/// <summary>The binding by itself beside db_bench: what calling RocksDB from .NET costs.</summary>
internal sealed class BindingBench(BenchOptions options, Report report, DbBench? peer, string directory)
{
    private const int Batch = 100;
    private const int WarmUpOperations = 200_000;

    private readonly Comparison _comparison = new(options, report, peer, "binding");
    private readonly string _loaded = Path.Combine(directory, "binding-loaded");
    private readonly string _fresh = Path.Combine(directory, "binding-fresh");
    private readonly string _data = Comparison.Describe(options.Records);

    public async Task RunAsync()
    {
        Load(_loaded, options.Records);
        WarmUp();
        await ReadsAsync();
        await BufferedWritesAsync();
        await SyncedWritesAsync();
    }

    /// <summary>Makes a database of <paramref name="records"/> compacted records that both sides read.</summary>
    public static void Load(string path, int records)
    {
        Workload workload = new(seed: 1);
        using RocksDatabase database = Open(path);
        using WriteBatch batch = new();
        for (int i = 0; i < records; i++)
        {
            batch.Put(database.DefaultColumnFamily, workload.Key(i), workload.Value().Span);
            if (batch.Count == 1000 || i == records - 1)
            {
                database.Write(batch, WriteOptions.Buffered);
                batch.Clear();
            }
        }

        database.Flush();
        database.CompactRange(database.DefaultColumnFamily);
    }

    private static RocksDatabase Open(string path) => RocksDatabase.Open(path, new DatabaseOptions
    {
        CreateIfMissing = true,
        BlockCache = new BlockCache(DbBench.CacheBytes),
        DefaultColumnFamily = new ColumnFamilyOptions
        {
            Compression = Compression.None,
            WriteBufferBytes = DbBench.WriteBufferBytes,
        },
    });

    private async Task ReadsAsync()
    {
        string[] existing = ["--use_existing_db=1"];
        await _comparison.RunAsync(
            "point get", "Random point reads from the block cache, one thread.", _data, "a full scan",
            "readrandom", () => Task.FromResult(Get(options.Records)),
            db => db.Measure(_loaded, options.Records, "readseq,readrandom", existing));
        await _comparison.RunAsync(
            "forward scan", "All records in order from the block cache, key and value read, one thread.", _data,
            "a full scan", "readseq", () => Task.FromResult(Scan(options.Records)),
            db => db.Measure(_loaded, options.Records, "readseq,readseq", existing));
    }

    private async Task BufferedWritesAsync()
    {
        await _comparison.RunAsync(
            "put, buffered", "Random puts into an empty database, log written but not synced, one thread.", _data,
            "200,000 puts elsewhere", "fillrandom", () => Task.FromResult(Put(options.Records)),
            db => db.Measure(Fresh(), options.Records, "fillrandom"));
        await _comparison.RunAsync(
            "batch put, buffered", "Random puts in batches of 100 into an empty database, one thread.", _data,
            "200,000 puts elsewhere", "fillrandom", () => Task.FromResult(PutBatches(options.Records)),
            db => db.Measure(Fresh(), options.Records, "fillrandom", $"--batch_size={Batch}"));
    }

    private async Task SyncedWritesAsync()
    {
        foreach (int writers in (int[])[1, 64])
        {
            await _comparison.RunAsync(
                $"put, synced, {writers} writer{(writers == 1 ? "" : "s")}",
                "Random puts into an empty database, each answered when the log is on disk.",
                $"{_data}; {options.Seconds} seconds a run", "200,000 puts elsewhere", "fillrandom",
                () => Task.FromResult(PutSynced(writers)),
                db => db.Measure(
                    Fresh(), options.Records, "fillrandom", "--sync=1", $"--duration={options.Seconds}",
                    $"--threads={writers}"));
        }
    }

    private void WarmUp()
    {
        Get(WarmUpOperations);
        Scan(WarmUpOperations);
        Put(WarmUpOperations);
        PutBatches(WarmUpOperations);
        Fresh();
    }

    private double Get(int reads)
    {
        using RocksDatabase database = Open(_loaded);
        ScanAll(database, int.MaxValue);
        Workload workload = new(seed: 2);
        ArrayBufferWriter<byte> value = new(BenchOptions.ValueBytes);
        long found = 0;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < reads; i++)
        {
            value.ResetWrittenCount();
            if (database.TryGet(database.DefaultColumnFamily, workload.Key(workload.Next(options.Records)), value))
            {
                found++;
            }
        }

        double rate = Comparison.PerSecond(reads, start);
        return found == reads
            ? rate
            : throw new InvalidOperationException($"Only {found} of {reads} records were found in {_loaded}.");
    }

    private double Scan(int reads)
    {
        using RocksDatabase database = Open(_loaded);
        ScanAll(database, int.MaxValue);
        long start = Stopwatch.GetTimestamp();
        long seen = ScanAll(database, reads);
        return Comparison.PerSecond(seen, start);
    }

    private static long ScanAll(RocksDatabase database, long most)
    {
        using Iterator iterator = database.NewIterator(database.DefaultColumnFamily);
        long seen = 0;
        long bytes = 0;
        for (iterator.SeekToFirst(); iterator.IsValid && seen < most; iterator.Next())
        {
            bytes += iterator.Key.Length + iterator.Value.Length;
            seen++;
        }

        return bytes == seen * (BenchOptions.KeyBytes + BenchOptions.ValueBytes)
            ? seen
            : throw new InvalidOperationException($"{seen} records hold {bytes} bytes.");
    }

    private double Put(int writes)
    {
        using RocksDatabase database = Open(Fresh());
        Workload workload = new(seed: 3);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < writes; i++)
        {
            byte[] key = workload.Key(workload.Next(options.Records));
            database.Put(database.DefaultColumnFamily, key, workload.Value().Span, WriteOptions.Buffered);
        }

        return Comparison.PerSecond(writes, start);
    }

    private double PutBatches(int writes)
    {
        using RocksDatabase database = Open(Fresh());
        using WriteBatch batch = new();
        Workload workload = new(seed: 4);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < writes; i += Batch)
        {
            batch.Clear();
            for (int j = 0; j < Batch; j++)
            {
                byte[] key = workload.Key(workload.Next(options.Records));
                batch.Put(database.DefaultColumnFamily, key, workload.Value().Span);
            }

            database.Write(batch, WriteOptions.Buffered);
        }

        return Comparison.PerSecond(writes, start);
    }

    private double PutSynced(int writers)
    {
        using RocksDatabase database = Open(Fresh());
        long[] done = new long[writers];
        long start = Stopwatch.GetTimestamp();
        TimeSpan length = TimeSpan.FromSeconds(options.Seconds);
        Thread[] threads = [.. Enumerable.Range(0, writers).Select(number => new Thread(() =>
        {
            Workload workload = new(seed: 5 + number);
            while (Stopwatch.GetElapsedTime(start) < length)
            {
                byte[] key = workload.Key(workload.Next(options.Records));
                database.Put(database.DefaultColumnFamily, key, workload.Value().Span, WriteOptions.Sync);
                done[number]++;
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        return Comparison.PerSecond(done.Sum(), start);
    }

    private string Fresh()
    {
        if (Directory.Exists(_fresh))
        {
            Directory.Delete(_fresh, recursive: true);
        }

        return _fresh;
    }
}
