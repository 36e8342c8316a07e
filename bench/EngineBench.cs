using System.Globalization;

namespace Branching.Bench;

/// <summary>
/// What a program sees that embeds the store, operation by operation, beside another runtime's binding of the same
/// engine and beside the engine itself.
/// </summary>
internal sealed class EngineBench(BenchOptions options, Report report, DbBench? dbBench, string directory)
{
    private const int Batch = 100;
    private const int ShortRange = 100;
    private const int LongRange = 1_000_000;
    private const int Checkpoints = 10;
    private const int MostWarmUp = 100_000;
    private const string NoSync = "it documents no put that waits for the disk";

    // Not fewer than the long range has entries, also in a short run.
    private readonly long _records = Math.Max(options.Records, LongRange);
    private readonly string _nodeLoaded = Path.Combine(directory, "node-loaded");
    private readonly string _nodeChanged = Path.Combine(directory, "node-changed");
    private readonly string _nodeFresh = Path.Combine(directory, "node-fresh");
    private readonly string _peers = Path.Combine(directory, "engine-peer");

    private long ColdReads => Math.Max(1, options.Records / 100);

    private long Ranges => Math.Max(1, options.Records / 100);

    private long Transactions => Math.Max(1, options.Records / 20);

    private long Changes => _records / 100;

    private string Written => Comparison.Describe(options.Records);

    private string Read => Comparison.Describe(_records);

    public async Task RunAsync()
    {
        (NodePeer? node, string? missing) = await NodePeer.StartAsync(directory, options.NodePackage);
        try
        {
            using EngineWork work = new(directory, _records, options.Records);
            await work.LoadAsync();
            if (node is not null)
            {
                missing = await TryLoadAsync(node);
            }

            await WarmUpAsync(work);
            EngineComparison comparison = new(
                options, report, dbBench, missing is null ? node : null, missing ?? "");
            foreach (EngineRow row in (EngineRow[])[.. Writes(work), .. Reads(work), .. Whole(work), Logged(work)])
            {
                await comparison.RunAsync(row);
            }
        }
        finally
        {
            if (node is not null)
            {
                await node.DisposeAsync();
            }
        }
    }

    private async Task<string?> TryLoadAsync(NodePeer node)
    {
        try
        {
            await node.AskAsync(new NodeRequest("load", _nodeLoaded, _records) { Target = _nodeChanged });
            return null;
        }
        catch (InvalidOperationException e)
        {
            return $"skipped: {NodePeer.Package} could not load the records: {e.Message.ReplaceLineEndings(" ")}";
        }
    }

    private async Task WarmUpAsync(EngineWork work)
    {
        int operations = Math.Min(options.Records, MostWarmUp);
        await work.PutAsync(operations, 1);
        await work.PutAsync(operations, Batch);
        await work.GetAsync(operations);
        await work.RangeAsync(operations / ShortRange, ShortRange);
        await work.TransactAsync(operations / 20);
        await work.LogAsync(operations, logged: true);
    }

    private IEnumerable<EngineRow> Writes(EngineWork work)
    {
        yield return new EngineRow(
            "put", "Random puts into an empty store, one at a time, log written but not synced.", Written,
            () => work.PutAsync(options.Records, batch: 1))
        {
            Node = node => node.AskAsync(
                new NodeRequest("put", _nodeFresh, options.Records) { Operations = options.Records }),
            DbBench = db => db.Measure(FreshPeers(), options.Records, "fillrandom", StoreBench.PeerOptions),
            DbBenchName = "fillrandom",
        };
        yield return new EngineRow(
            "put, synced", "Random puts into an empty store, one at a time, each answered when the log is on disk.",
            $"{Written}; {options.Seconds} seconds a run",
            () => work.PutSyncedAsync(TimeSpan.FromSeconds(options.Seconds)))
        {
            NodeLacks = NoSync,
            DbBench = db => db.Measure(
                FreshPeers(), options.Records, "fillrandom",
                ["--sync=1", $"--duration={options.Seconds}", .. StoreBench.PeerOptions]),
            DbBenchName = "fillrandom",
        };
        yield return new EngineRow(
            "batch of 100", "Random puts in requests of 100 into an empty store, log written but not synced; a put is "
            + "one of the hundred.", Written, () => work.PutAsync(options.Records, Batch))
        {
            Node = node => node.AskAsync(
                new NodeRequest("batch", _nodeFresh, options.Records) { Operations = options.Records, Batch = Batch }),
            DbBench = db => db.Measure(
                FreshPeers(), options.Records, "fillrandom", [$"--batch_size={Batch}", .. StoreBench.PeerOptions]),
            DbBenchName = "fillrandom",
        };
    }

    private IEnumerable<EngineRow> Reads(EngineWork work)
    {
        yield return new EngineRow(
            "get, hot", "Random point reads from the block cache into the caller's buffer.", Read,
            () => work.GetAsync(options.Records))
        {
            WarmUp = "a full scan",
            Node = node => node.AskAsync(
                new NodeRequest("hot", _nodeLoaded, _records) { Operations = options.Records }),
            DbBench = db => Existing(db, work, options.Records, "readtocache,readrandom"),
            DbBenchName = "readrandom",
        };
        yield return new EngineRow(
            "get, cold", "Random point reads of a store just opened, its files dropped from the page cache before.",
            $"{Read}, but {EngineWork.SmallCacheBytes >> 20} MiB block cache; {ColdReads} reads",
            () => work.GetColdAsync(ColdReads))
        {
            WarmUp = "none",
            Node = node => Cold(
                _nodeLoaded,
                () => node.AskAsync(new NodeRequest("cold", _nodeLoaded, _records)
                {
                    Operations = ColdReads,
                    CacheBytes = EngineWork.SmallCacheBytes,
                })),
            DbBench = db => Cold(
                work.Loaded,
                () => Existing(db, work, ColdReads, "readrandom", $"--cache_size={EngineWork.SmallCacheBytes}")),
            DbBenchName = "readrandom",
            Details = () => [Fetched(work)],
        };
        yield return Range(work, "range of 100", Ranges, ShortRange) with
        {
            DbBench = db => Existing(db, work, Ranges, "readtocache,seekrandom", $"--seek_nexts={ShortRange}"),
            DbBenchName = "seekrandom",
        };
        yield return Range(work, "range of 1,000,000", 1, LongRange) with
        {
            InMilliseconds = true,
            DbBench = db => Existing(db, work, LongRange, "readtocache,readseq") / LongRange,
            DbBenchName = "readseq",
        };
    }

    private EngineRow Range(EngineWork work, string name, long operations, long length) => new(
        name, "Entries of a range in order from the block cache, key and value of each looked at, without copies.",
        Read, () => work.RangeAsync(operations, length))
    {
        WarmUp = "a full scan",
        Node = node => node.AskAsync(
            new NodeRequest("range", _nodeLoaded, _records) { Operations = operations, Length = length }),
    };

    private IEnumerable<EngineRow> Whole(EngineWork work)
    {
        yield return new EngineRow(
            "transaction of ten keys", "Optimistic, each key read and written, commit not synced.", Read,
            () => work.TransactAsync(Transactions))
        {
            WarmUp = "a full scan",
            Node = node => node.AskAsync(new NodeRequest("transaction", _nodeChanged, _records)
            {
                Operations = Transactions,
                Batch = EngineWork.TransactionKeys,
            }),
            DbBenchLacks = "its transactions are of another shape",
        };
        yield return new EngineRow(
            "checkpoint", "Of a store with a put since the last one; durable.", Read,
            () => work.CheckpointAsync(Checkpoints))
        {
            InMilliseconds = true,
            Node = node => node.AskAsync(new NodeRequest("checkpoint", _nodeChanged, _records)
            {
                Operations = Checkpoints,
                Target = Path.Combine(directory, "node-checkpoint"),
            }),
        };
        yield return new EngineRow(
            "backup, full", "Into an empty directory, files read, digested, copied and synced.", Read,
            work.BackUpWholeAsync)
        {
            InMilliseconds = true,
            Node = node => BackUpAsync(node, "node-backup-whole", changes: 0),
            DbBenchLacks = "its backup is timed together with verifying it",
            Details = () => [BackedUp(work)],
        };
        yield return new EngineRow(
            "backup, incremental", "Into a directory with a backup from before 1 % of the records changed.", Read,
            () => work.BackUpChangesAsync(Changes))
        {
            InMilliseconds = true,
            Node = node => BackUpAsync(node, "node-backups", Changes),
            DbBenchLacks = "its backup is timed together with verifying it",
            Details = () => [BackedUp(work)],
        };
    }

    private EngineRow Logged(EngineWork work)
    {
        Samples off = new();
        Samples nodeOff = new();
        return new EngineRow(
            "change-log append", "The row put with the change log on.", Written,
            async () =>
            {
                off.Add((await work.LogAsync(options.Records, logged: false)).PerSecond);
                return await work.LogAsync(options.Records, logged: true);
            })
        {
            Node = async node =>
            {
                NodeRequest request = new("log", _nodeFresh, options.Records) { Operations = options.Records };
                nodeOff.Add(await node.AskAsync(request));
                return await node.AskAsync(request with { Logged = true });
            },
            DbBenchLacks = "RocksDB has no log that readers may rely on",
            Details = () =>
            [
                $"without the change log: {off.Rate()}",
                .. nodeOff.Count == 0 ? (string[])[] : [$"rocksdb-js without its log: {nodeOff.Rate()}"],
            ],
        };
    }

    private Task<double> BackUpAsync(NodePeer node, string target, long changes) => node.AskAsync(
        new NodeRequest("backup", _nodeChanged, _records)
        {
            Target = Path.Combine(directory, target),
            Changes = changes,
        });

    private double Existing(DbBench db, EngineWork work, long reads, string benchmarks, params string[] more)
        => db.Measure(
            work.Loaded, _records, benchmarks,
            [
                "--use_existing_db=1", string.Create(CultureInfo.InvariantCulture, $"--reads={reads}"),
                .. StoreBench.PeerOptions, .. more,
            ]);

    private static T Cold<T>(string path, Func<T> measure)
    {
        PageCache.Drop(path);
        return measure();
    }

    private static string Fetched(EngineWork work) => work.Fetched.Count == 0
        ? "how much came from the disk is not known here: pages are dropped and counted on Linux only"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"from the disk: {work.Fetched.Median:N0} bytes a get")
            + (work.Fetched.Median < 1 ? "; this file system keeps its pages, so nothing was cold" : "");

    private static string BackedUp(EngineWork work) => work.LastBackup is { } last
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"the last one copied {last.NewBytes:N0} bytes in {last.NewFiles} files and reused {last.ReusedFiles}")
        : "no backup was made";

    private string FreshPeers()
    {
        if (Directory.Exists(_peers))
        {
            Directory.Delete(_peers, recursive: true);
        }

        return _peers;
    }
}
