using System.Diagnostics;
using System.Globalization;
using Branching.RocksDb;
using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Bench;

/// <summary>What a snapshot sends, what it does to those who write meanwhile, and how long a restore takes.</summary>
internal sealed class SnapshotBench(BenchOptions options, Report report, string directory)
{
    private const int PutsPerSecond = 2000;
    private const int RecordBytes = BenchOptions.KeyBytes + BenchOptions.ValueBytes;
    private const int Rounds = 9;

    private static readonly TimeSpan _warmUp = TimeSpan.FromSeconds(2);

    /// <summary>More often than that no schedule takes one.</summary>
    private static readonly TimeSpan _shortestSchedule = TimeSpan.FromSeconds(1);

    public async Task RunAsync()
    {
        int megabytes = options.SizesMegabytes[^1];
        await using Owner owner = await Owner.LoadAsync(directory, megabytes);
        SnapshotResult first = await owner.TakeAsync();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  first snapshot: {first.SentBytes:N0} bytes in {first.Elapsed.TotalSeconds:F2} s"));
        SnapshotResult second = await MeasureChangeAsync(owner, first);
        await MeasureUnchangedAsync(owner);
        await MeasureRestoreAsync(owner, second);
        await MeasureWritersAsync(owner, _shortestSchedule);
        await MeasureWritersAsync(owner, TimeSpan.Zero);
    }

    private async Task<SnapshotResult> MeasureChangeAsync(Owner owner, SnapshotResult first)
    {
        long changed = owner.Records / 100;
        await owner.OverwriteAsync(changed);
        owner.Shared.PutBytes = 0;
        SnapshotResult second = await owner.TakeAsync();
        HashSet<string> old = [.. first.Manifest.Files.Select(file => file.Sha256)];
        SnapshotFile[] fresh = [.. second.Manifest.Files.Where(file => !old.Contains(file.Sha256))];
        long tables = fresh.Where(file => file.Role == SnapshotFileRole.Table).Sum(file => file.Bytes);
        long logs = fresh.Where(file => file.Role == SnapshotFileRole.Log).Sum(file => file.Bytes);
        report.Print(new Row("snapshot", $"second of {owner.Megabytes:N0} MB, 1 % changed",
            "Bytes sent for a second snapshot, manifest included, beside the bytes of table files that are new.")
        {
            Data = Invariant($"{owner.Records:N0} records of 16-byte keys and 100-byte values, ")
                + Invariant($"{changed:N0} overwritten"),
            Result = Invariant($"{owner.Shared.PutBytes:N0} bytes sent in {second.Elapsed.TotalMilliseconds:N0} ms"),
            Details =
            [
                Invariant($"{second.SentFiles} files sent, {second.ReusedFiles} reused, ")
                    + Invariant($"{second.DigestedBytes:N0} bytes read"),
            ],
            Peer = Invariant($"{tables:N0} bytes of new table files and {logs:N0} of logs"),
            Ratio = Invariant($"{(double)owner.Shared.PutBytes / (tables + logs):F3} (goal <= 1.1)"),
        });
        return second;
    }

    private async Task MeasureUnchangedAsync(Owner owner)
    {
        owner.Shared.PutBytes = 0;
        SnapshotResult unchanged = await owner.TakeAsync(evenIfUnchanged: true);
        SnapshotResult skipped = await owner.TakeAsync();
        report.Print(new Row("snapshot", $"unchanged {owner.Megabytes:N0} MB",
            "Bytes sent for a snapshot of a database that nobody wrote to since the last one.")
        {
            Data = Invariant($"{owner.Records:N0} records"),
            Result = Invariant($"{owner.Shared.PutBytes:N0} bytes sent in {unchanged.Elapsed.TotalMilliseconds:N0} ms ")
                + "(goal <= 65,536)",
            Details =
            [
                Invariant($"when not forced: none taken ({!skipped.Taken}), {skipped.Elapsed.TotalMilliseconds:N1} ms"),
            ],
        });
    }

    private async Task MeasureRestoreAsync(Owner owner, SnapshotResult snapshot)
    {
        Samples restores = new();
        Samples copies = new();
        Samples durableCopies = new();
        SnapshotRestorer restorer = new(new SnapshotOptions(), TimeProvider.System, NullLogger.Instance);
        for (int run = 0; run < 3; run++)
        {
            string place = Directory.CreateDirectory(Path.Combine(directory, $"restore-{run}")).FullName;
            LocalObjects objects = LocalObjects.Open(Path.Combine(place, "objects"));
            long start = Stopwatch.GetTimestamp();
            RestoredStore restored = await restorer.RestoreStoreAsync(
                owner.Shared, owner.Repository, snapshot.Manifest, Path.Combine(place, "store"), objects,
                new RestoreOptions(), progress: null, CancellationToken.None);
            restores.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            start = Stopwatch.GetTimestamp();
            await CommandAsync("cp", "-r", restored.Directory, Path.Combine(place, "copy"));
            copies.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            await CommandAsync("sync", "-f", place);
            durableCopies.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            Directory.Delete(place, recursive: true);
            await CommandAsync("sync", "-f", directory); // The next run does not pay for this one's deletions.
        }

        report.Print(new Row("snapshot", $"restore of {owner.Megabytes:N0} MB",
            "From the manifest to a verified, durable store on the same disk.")
        {
            Data = Invariant($"{snapshot.Manifest.TotalBytes:N0} bytes in {snapshot.Manifest.Files.Count} files"),
            Runs = "3, each followed by its peer",
            Result = Seconds(restores),
            Details = [$"cp -r and sync, as durable as the restore: {Seconds(durableCopies)}"],
            Peer = $"cp -r of the same bytes, not durable: {Seconds(copies)}",
            Ratio = Invariant($"{restores.Median / copies.Median:F2}; ")
                + Invariant($"of the durable copy {restores.Median / durableCopies.Median:F2}"),
        });
    }

    /// <summary>
    /// Windows with and without snapshots take turns, so that a slow minute of the disk meets both. Between the
    /// beginnings of two is <paramref name="every"/>; zero: no pause.
    /// </summary>
    private async Task MeasureWritersAsync(Owner owner, TimeSpan every)
    {
        TimeSpan window = TimeSpan.FromSeconds(options.Seconds * 5);
        BesideRounds puts = new();
        int taken = 0;
        int files = 0;
        long sent = 0;
        PacedWriter writer = new(owner.Store, PutsPerSecond, owner.Records);
        List<(Windows Quiet, Windows During)> turns;
        await using (writer)
        {
            turns = await TakeTurnsAsync(window, async from =>
            {
                for (TimeSpan due = TimeSpan.Zero; Stopwatch.GetElapsedTime(from) < window; due += every)
                {
                    SnapshotResult result = await owner.TakeAsync(evenIfUnchanged: true);
                    taken++;
                    files += result.SentFiles + 1; // And the manifest.
                    sent += result.SentBytes;
                    TimeSpan early = due + every - Stopwatch.GetElapsedTime(from);
                    await Task.Delay(early > TimeSpan.Zero ? early : TimeSpan.Zero);
                }
            });
        }

        turns.ForEach(turn => puts.Add(writer.Within(turn.Quiet), writer.Within(turn.During)));
        BesideRounds bare = await MeasureBareAsync(owner, window, taken, files, sent);
        ProcessorProbe processors = new();
        for (int round = 0; round < Rounds; round++)
        {
            processors.Measure();
        }

        string schedule = every > TimeSpan.Zero
            ? Invariant($"every {every.TotalSeconds:N0} s, the shortest schedule")
            : "one after the other";
        report.Print(new Row("snapshot", $"writes during snapshots of {owner.Megabytes:N0} MB, {schedule}",
            "Latency of synced puts while snapshots are taken, beside the same without.")
        {
            Data = Invariant($"{PutsPerSecond:N0} synced puts/s of 16-byte keys and 100-byte values by one client"),
            WarmUp = "2 s of puts",
            Runs = Invariant($"{Rounds} windows of {window.TotalSeconds:N0} s each way, in turn; ")
                + Invariant($"{taken} snapshots, {sent:N0} bytes sent"),
            Result = Latency(puts.With),
            Details =
            [
                $"bare: the same appends and the same links, files and syncs without a database: {Latency(bare.With)}",
                $"bare, without the files: {Latency(bare.Without)}",
                $"bare p99.9 with / without: {bare.Ratio(99.9)}",
                processors.Describe(Latency),
            ],
            Peer = $"without snapshots: {Latency(puts.Without)}",
            Ratio = $"p99.9 {puts.Ratio(99.9)} (goal <= 1.2); p99 {puts.Ratio(99)}",
        });
    }

    /// <summary>
    /// The same appends and the same operations on files, at the same pace, without a database: the disk's share.
    /// </summary>
    private async Task<BesideRounds> MeasureBareAsync(
        Owner owner, TimeSpan window, int taken, int files, long sent)
    {
        string place = Directory.CreateDirectory(Path.Combine(directory, "bare")).FullName;
        string[] links = Directory.GetFiles(owner.Store.Directory, "*.sst");
        long pace = (long)(window.TotalSeconds * Rounds / taken * Stopwatch.Frequency);
        BareFiles bare = new(place);
        using BareLog log = new(place, PutsPerSecond);
        List<(Windows Quiet, Windows During)> turns = await TakeTurnsAsync(window, from => Task.Run(() =>
        {
            for (long due = from; Stopwatch.GetElapsedTime(from) < window; due += pace)
            {
                bare.Snapshot(links, files / taken, sent / taken);
                Pause.Until(due + pace);
            }
        }));
        BesideRounds puts = new();
        turns.ForEach(turn => puts.Add(log.Within(turn.Quiet), log.Within(turn.During)));
        return puts;
    }

    /// <summary>After a warm-up, windows without and with what is measured, which is told when its window began.
    /// </summary>
    private static async Task<List<(Windows Quiet, Windows During)>> TakeTurnsAsync(
        TimeSpan window, Func<long, Task> measured)
    {
        List<(Windows Quiet, Windows During)> turns = [];
        await Task.Delay(_warmUp);
        for (int round = 0; round < Rounds; round++)
        {
            (Windows quiet, Windows during) = (new(), new());
            await quiet.AddAsync(() => Task.Delay(window));
            await during.AddAsync(() => measured(Stopwatch.GetTimestamp()));
            turns.Add((quiet, during));
        }

        return turns;
    }

    private static string Latency(Samples samples) => Invariant(
        $"median {samples.Median:F2} ms, p99 {samples.Percentile(99):F2} ms, p99.9 {samples.Percentile(99.9):F2} ms ")
        + Invariant($"({samples.Count:N0} puts, most {samples.Most:F2})");

    private static string Seconds(Samples samples) =>
        Invariant($"{samples.Median:F2} s (spread {samples.Least:F2} to {samples.Most:F2})");

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static async Task CommandAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit {process.ExitCode}");
        }
    }

    /// <summary>A loaded database that is owned on a shared storage beside it.</summary>
    private sealed class Owner : IAsyncDisposable
    {
        private readonly DataRoot _node;
        private readonly Database _database;
        private readonly StoreLease _lease;
        private readonly Tenure _tenure;
        private readonly SnapshotTaker _taker;

        private Owner(
            DataRoot node, Database database, StoreLease lease, Tenure tenure, CountingStorage shared,
            SnapshotRepository repository)
        {
            _node = node;
            _database = database;
            _lease = lease;
            _tenure = tenure;
            Shared = shared;
            Repository = repository;
            _taker = new SnapshotTaker(
                shared, repository, new SnapshotOptions(), TimeProvider.System, NullLogger.Instance);
        }

        public required int Megabytes { get; init; }

        public required long Records { get; init; }

        public LocalStore Store => _lease.Store;

        public CountingStorage Shared { get; }

        public SnapshotRepository Repository { get; }

        public static async Task<Owner> LoadAsync(string directory, int megabytes)
        {
            long records = megabytes * 1_000_000L / RecordBytes;
            DataRoot node = await DataRoot.OpenAsync(new StorageOptions
            {
                DataRoot = Path.Combine(directory, $"snapshot-{megabytes}"),
                Compression = Compression.None,
            });
            Database database = await node.CreateDatabaseAsync(
                DatabaseName.Parse("bench"), "bench", CancellationToken.None);
            CountingStorage shared = new(await PosixSharedStorage.OpenAsync(Path.Combine(directory, "shared")));
            await new DatabaseLives(shared).ReserveAsync(
                database.Name, database.Id, "bench", database.CreatedAt, CancellationToken.None);
            DatabaseOwnership ownership = new(
                shared, database.Name, database.Id, new OwnershipOptions(), TimeProvider.System, NullLogger.Instance);
            Claim claim = await ownership.ClaimAsync(
                new OwnerIdentity("bench", "bench", Guid.NewGuid().ToString("N")), new ClaimOptions(),
                CancellationToken.None);
            Tenure tenure = await claim.ServeAsync(CancellationToken.None);
            StoreLease lease = await database.AcquireAsync(BranchName.Main, CancellationToken.None);
            await StoreBench.FillAsync(lease.Store, records);
            lease.Store.Compact(columnFamily: null, KeyRange.All);
            SnapshotRepository repository = new(
                shared, database.Name, database.Id, TimeProvider.System, NullLogger.Instance);
            return new Owner(node, database, lease, tenure, shared, repository)
            {
                Megabytes = megabytes,
                Records = records,
            };
        }

        public Task<SnapshotResult> TakeAsync(bool evenIfUnchanged = false) => _taker.TakeAsync(
            _database, BranchName.Main, _tenure, new TakeSnapshot(EvenIfUnchanged: evenIfUnchanged), progress: null,
            CancellationToken.None);

        public async Task OverwriteAsync(long count)
        {
            Workload workload = new(seed: 77);
            List<WriteOperation> batch = [];
            for (long i = 0; i < count; i++)
            {
                batch.Add(WriteOperation.Put(Workload.NewKey(workload.Next(Records)), workload.Value()));
                if (batch.Count == 1000 || i == count - 1)
                {
                    await Store.WriteAsync(new WriteRequest([.. batch]), CancellationToken.None);
                    batch.Clear();
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _tenure.DisposeAsync();
            _lease.Dispose();
            await _node.DisposeAsync();
        }
    }

    /// <summary>Counts what is put.</summary>
    private sealed class CountingStorage(ISharedStorage inner) : ISharedStorage
    {
        private long _putBytes;

        public long PutBytes
        {
            get => Volatile.Read(ref _putBytes);
            set => Volatile.Write(ref _putBytes, value);
        }

        public string Location => inner.Location;

        public Task<bool> PutIfAbsentAsync(
            string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            Interlocked.Add(ref _putBytes, content.Length);
            return inner.PutIfAbsentAsync(name, content, cancellationToken);
        }

        public Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            inner.ReplaceAsync(name, content, cancellationToken); // Leases: they do not belong to a snapshot.

        public Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken) =>
            inner.TryReadAsync(name, cancellationToken);

        public Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken) =>
            inner.ListAsync(directory, cancellationToken);

        public Task<IReadOnlyList<long?>> FindAsync(
            IReadOnlyList<string> names, CancellationToken cancellationToken) =>
            inner.FindAsync(names, cancellationToken);

        public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken) =>
            inner.DeleteAsync(name, cancellationToken);

        public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken)
        {
            Interlocked.Add(ref _putBytes, file.Bytes);
            return inner.PutFileIfAbsentAsync(name, file, cancellationToken);
        }

        public Task<FetchedFile> FetchFileAsync(string name, FileToFetch file, CancellationToken cancellationToken) =>
            inner.FetchFileAsync(name, file, cancellationToken);

        public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) =>
            inner.GetFreeBytesAsync(cancellationToken);
    }
}
