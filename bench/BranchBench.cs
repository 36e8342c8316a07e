using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using Branching.RocksDb;
using Branching.Storage;

namespace Branching.Bench;

/// <summary>How long a branch takes until it is of use, and what that does to those who write to its parent.</summary>
internal sealed class BranchBench(BenchOptions options, Report report, string directory)
{
    private const int PutsPerSecond = 5000;
    private const int RecordBytes = BenchOptions.KeyBytes + BenchOptions.ValueBytes;

    private const int Rounds = 9;
    private const int WarmUpBranches = 150;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _warmUp = TimeSpan.FromSeconds(2);

    public async Task RunAsync()
    {
        List<Parent> parents = [];
        try
        {
            foreach (int megabytes in options.SizesMegabytes)
            {
                parents.Add(await Parent.LoadAsync(directory, megabytes));
            }

            await WarmUpAsync(parents[0]);

            // The sizes take turns, so that a slow minute of the disk meets all of them.
            for (int round = 0; round < Rounds; round++)
            {
                foreach (Parent parent in parents)
                {
                    await MeasureAsync(parent, round);
                }
            }

            parents.ForEach(Print);
        }
        finally
        {
            foreach (Parent parent in parents)
            {
                await parent.DisposeAsync();
            }
        }
    }

    /// <summary>Until the code that runs is compiled as well as it is going to be.</summary>
    private static async Task WarmUpAsync(Parent parent)
    {
        await using PacedWriter writer = new(parent.Store, PutsPerSecond, parent.Records);
        for (int i = 0; i < WarmUpBranches; i++)
        {
            await BranchAsync(parent.Database, $"warm-up/{i}");
            await Task.Delay(_pause);
        }
    }

    private async Task MeasureAsync(Parent parent, int round)
    {
        int branches = Math.Max(1, options.Branches / Rounds);
        Windows quiet = new();
        Windows creating = new();
        PacedWriter writer = new(parent.Store, PutsPerSecond, parent.Records);
        await using (writer)
        {
            await Task.Delay(_warmUp);
            for (int i = 0; i < 3; i++)
            {
                await BranchAsync(parent.Database, $"warm-up/{round}/{i}");
            }

            using (StoreLease branch = await parent.Database.AcquireAsync(
                BranchName.Parse($"warm-up/{round}/0"), CancellationToken.None))
            {
                parent.BranchDirectory = branch.Store.Directory;
            }

            // Beside the same writer as the branches, so that both meet the same disk.
            parent.Disk.AddRange(DiskProbe.Measure(directory, 200));
            await CreateAsync(branches, quiet, creating, async i =>
                parent.Created.Add(await BranchAsync(parent.Database, $"branch/{round}/{i}")));
        }

        parent.Ready.AddRange(new Samples(creating.Milliseconds));
        parent.Puts.Add(writer.Within(quiet), writer.Within(creating));
        await MeasureBareAsync(parent, round, branches);
        parent.Processors.Measure();
    }

    /// <summary>The same appends and operations on files without a database: the disk's share.</summary>
    private async Task MeasureBareAsync(Parent parent, int round, int branches)
    {
        Windows quiet = new();
        Windows creating = new();
        string place = Directory.CreateDirectory(
            Path.Combine(directory, $"bare-{parent.Megabytes}-{round}")).FullName;
        BareFiles files = new(place);
        using BareLog log = new(place, PutsPerSecond);
        await Task.Delay(_warmUp);
        await CreateAsync(branches, quiet, creating, _ => Task.Run(() => files.Branch(parent.BranchDirectory)));
        parent.Bare.Add(log.Within(quiet), log.Within(creating));
    }

    /// <summary>Creates branches, with a pause after each, between two times without.</summary>
    private static async Task CreateAsync(int branches, Windows quiet, Windows creating, Func<int, Task> create)
    {
        Task RestAsync() => Task.Delay(_pause * Math.Max(10, branches / 2));

        await quiet.AddAsync(RestAsync);
        for (int i = 0; i < branches; i++)
        {
            await creating.AddAsync(() => create(i));
            await Task.Delay(_pause);
        }

        await quiet.AddAsync(RestAsync);
    }

    /// <summary>Creates a branch, puts (synced) and gets; returns the milliseconds of the creation alone.</summary>
    private static async Task<double> BranchAsync(Database database, string name)
    {
        BranchName branch = BranchName.Parse(name);
        long start = Stopwatch.GetTimestamp();
        await database.CreateBranchAsync(
            new CreateBranch(branch, BranchName.Main, "bench"), CancellationToken.None);
        double created = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        using StoreLease lease = await database.AcquireAsync(branch, CancellationToken.None);
        byte[] key = Workload.NewKey(1);
        WriteResult put = await lease.Store.WriteAsync(
            new WriteRequest([WriteOperation.Put(key, key)]), CancellationToken.None);
        ArrayBufferWriter<byte> value = new();
        return put.Applied && lease.Store.TryGet(columnFamily: null, key, value) && value.WrittenSpan.SequenceEqual(key)
            ? created
            : throw new InvalidOperationException($"Branch {name} did not return what was put.");
    }

    private void Print(Parent parent)
    {
        (Samples quiet, Samples during) = (parent.Puts.Without, parent.Puts.With);
        string name = string.Create(CultureInfo.InvariantCulture, $"branch of {parent.Megabytes:N0} MB");
        report.Print(new Row("branch", name,
            "From asking for a branch until its first synced put is acknowledged and read back.")
        {
            Data = string.Create(CultureInfo.InvariantCulture,
                $"{parent.Records:N0} records of 16-byte keys and 100-byte values in the parent, ")
                + $"{PutsPerSecond:N0} synced puts/s to it by another client",
            WarmUp = $"{WarmUpBranches} branches; 2 s of puts and 3 branches before each round",
            Runs = $"{parent.Ready.Count} branches, {_pause.TotalMilliseconds:N0} ms apart, in {Rounds} rounds that "
                + "the sizes take in turn, each between times without",
            Result = Latency(parent.Ready),
            Details =
            [
                $"of which creation: {Latency(parent.Created)}",
                $"parent's puts while a branch is created: {Latency(during)} ({during.Count:N0} puts)",
                $"parent's puts without: {Latency(quiet)} ({quiet.Count:N0} puts)",
                $"parent's p99 with / without: {parent.Puts.Ratio(99)}",
                "bare: the same appends and the same links, files and syncs by two threads, without a database: "
                    + $"{Latency(parent.Bare.With)}; without the files: {Latency(parent.Bare.Without)}",
                $"bare p99 with / without: {parent.Bare.Ratio(99)}",
                parent.Processors.Describe(Latency),
            ],
            Peer = $"4 KiB append with fdatasync, same disk and time: {Latency(parent.Disk)}",
        });
    }

    private static string Latency(Samples samples) => string.Create(
        CultureInfo.InvariantCulture,
        $"median {samples.Median:F2} ms, p99 {samples.Percentile(99):F2} ms ")
        + string.Create(CultureInfo.InvariantCulture, $"(least {samples.Least:F2}, most {samples.Most:F2})");

    /// <summary>A loaded main store and what was measured on it.</summary>
    private sealed class Parent : IAsyncDisposable
    {
        private readonly DataRoot _node;
        private readonly StoreLease _lease;

        private Parent(DataRoot node, Database database, StoreLease lease)
        {
            _node = node;
            Database = database;
            _lease = lease;
        }

        public required int Megabytes { get; init; }

        public required long Records { get; init; }

        public Database Database { get; }

        public LocalStore Store => _lease.Store;

        public Samples Ready { get; } = new();

        public Samples Created { get; } = new();

        public Samples Disk { get; } = new();

        public BesideRounds Puts { get; } = new();

        public BesideRounds Bare { get; } = new();

        public ProcessorProbe Processors { get; } = new();

        /// <summary>A branch's store, the model of what the bare files are like.</summary>
        public string BranchDirectory { get; set; } = "";

        public static async Task<Parent> LoadAsync(string directory, int megabytes)
        {
            long records = megabytes * 1_000_000L / RecordBytes;
            DataRoot node = await DataRoot.OpenAsync(new StorageOptions
            {
                DataRoot = Path.Combine(directory, $"branch-{megabytes}"),
                Compression = Compression.None,
            });
            Database database = await node.CreateDatabaseAsync(
                DatabaseName.Parse("bench"), "bench", CancellationToken.None);
            StoreLease lease = await database.AcquireAsync(BranchName.Main, CancellationToken.None);
            await StoreBench.FillAsync(lease.Store, records);
            lease.Store.Compact(columnFamily: null, KeyRange.All);
            return new Parent(node, database, lease) { Megabytes = megabytes, Records = records };
        }

        public async ValueTask DisposeAsync()
        {
            _lease.Dispose();
            await _node.DisposeAsync();
        }
    }
}
