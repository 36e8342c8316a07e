using System.Globalization;
using Branching.RocksDb.Files;
using Branching.Storage.Snapshots;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreCheckpointTests
{
    // Where tables are linked, and where links are refused.
    public static TheoryData<string> Ways => new("linked", "copied");

    // And what snapshots and backups are made of, which nobody opens before it was copied.
    public static TheoryData<string> AllWays => new("linked", "copied", "pinned");

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task A_checkpoint_reads_exactly_like_its_source(string way)
    {
        await using TestStore test = new(seams: SeamsOf(way));
        await FillAsync(test);

        Sequence sequence = Take(test, "branch", way);

        await using LocalStore branch = test.Open("branch");
        Assert.Equal(Dump(test.Store), Dump(branch), StringComparer.Ordinal);
        Assert.Equal(test.Store.LastAcknowledged, branch.LastAcknowledged);
        Assert.Equal(test.Store.LastAcknowledged, sequence);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_checkpoint_reports_the_bytes_that_are_on_disk(string way)
    {
        await using TestStore test = new(seams: SeamsOf(way));
        await FillAsync(test);

        LocalCheckpoint checkpoint = test.Store.CreateCheckpoint(test.InRoot("branch"));

        FileInfo[] files = new DirectoryInfo(test.InRoot("branch")).GetFiles();
        Assert.Equal(files.Sum(file => file.Length), checkpoint.TotalBytes);
        Assert.Equal(checkpoint.TotalBytes, checkpoint.LinkedBytes + checkpoint.CopiedBytes);
        Assert.Equal(files.Length, checkpoint.LinkedFiles + checkpoint.CopiedFiles);
        Assert.Equal(way != "copied", checkpoint.LinkedFiles > 0);
        Assert.False(Path.Exists(test.InRoot("branch.tmp")));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Source_and_checkpoint_never_see_each_others_writes(string way)
    {
        await using TestStore test = new(seams: SeamsOf(way));
        await test.WriteAsync(Put("common", "1"));
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        await using LocalStore branch = test.Open("branch");

        await test.WriteAsync(Put("common", "source"), Put("only source", "1"));
        await WriteAsync(branch, Put("common", "branch"), Put("only branch", "1"));

        Assert.Equal("source", test.Get("common"));
        Assert.Equal("branch", Get(branch, "common"));
        Assert.Null(test.Get("only branch"));
        Assert.Null(Get(branch, "only source"));
    }

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task A_checkpoint_under_eight_writers_holds_every_write_acknowledged_before_it(string way)
    {
        const int Writers = 8, Rounds = 10;
        await using TestStore test = new(options => options.MemtableBytes = 64 << 10, seams: SeamsOf(way));
        int[] acknowledged = new int[Writers];
        using CancellationTokenSource stop = new();
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(w => Task.Run(async () =>
        {
            for (int i = 1; !stop.IsCancellationRequested; i++)
            {
                await test.WriteAsync(Put($"w{w}", $"{i}"), Put($"w{w}-{i}", new string('v', 200)));
                Volatile.Write(ref acknowledged[w], i);
            }
        }))];

        for (int round = 0; round < Rounds; round++)
        {
            int[] before = [.. Enumerable.Range(0, Writers).Select(w => Volatile.Read(ref acknowledged[w]))];
            Sequence sequence = Take(test, $"branch{round}", way);
            await using LocalStore branch = test.Open($"branch{round}");
            Assert.True(branch.LastAcknowledged >= sequence);
            for (int w = 0; w < Writers; w++)
            {
                int held = int.Parse(Get(branch, $"w{w}") ?? "0", System.Globalization.CultureInfo.InvariantCulture);
                Assert.InRange(held, before[w], int.MaxValue);
                Assert.True(held == 0 || Get(branch, $"w{w}-{held}") is not null);
                Assert.Null(Get(branch, $"w{w}-{held + 1}"));
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers).WaitAsync(Waiting.Deadline);
    }

    [Fact]
    public async Task A_checkpoint_flushes_nothing_and_carries_the_log()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("k", "v"));

        test.Store.CreateCheckpoint(test.InRoot("branch"));

        Assert.Equal(0, test.Store.GetStatistics().TableBytes);
        await using LocalStore branch = test.Open("branch");
        Assert.Equal(0, branch.GetStatistics().TableBytes);
        Assert.Equal("v", Get(branch, "k"));
    }

    [Fact]
    public async Task A_checkpoint_of_an_empty_store_opens_empty()
    {
        await using TestStore test = new();

        test.Store.CreateCheckpoint(test.InRoot("branch"));

        await using LocalStore branch = test.Open("branch");
        Assert.Empty(branch.Scan(All()).Entries);
        Assert.Equal(0UL, branch.LastAcknowledged.Value);
    }

    [Fact]
    public async Task Clearing_compacting_and_deleting_the_source_changes_no_byte_of_the_checkpoint()
    {
        await using TestStore test = new();
        await FillAsync(test);
        string[] before = Dump(test.Store);
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        Dictionary<string, byte[]> files = Directory.GetFiles(test.InRoot("branch"))
            .ToDictionary(file => file, File.ReadAllBytes, StringComparer.Ordinal);

        await test.WriteAsync(WriteOperation.DeleteRange(new byte[] { 0 }, new byte[] { 0xFF, 0xFF, 0xFF }));
        test.Store.Flush();
        test.Store.Compact(null, KeyRange.All);

        Assert.All(files, file => Assert.Equal(file.Value, File.ReadAllBytes(file.Key)));
        await test.Store.DisposeAsync();
        Directory.Delete(test.InRoot("store"), recursive: true);
        await using LocalStore branch = test.Open("branch");
        Assert.Equal(before, Dump(branch), StringComparer.Ordinal);
    }

    [Fact]
    public async Task An_existing_target_is_refused_untouched()
    {
        await using TestStore test = new();
        Directory.CreateDirectory(test.InRoot("taken"));
        File.WriteAllText(Path.Combine(test.InRoot("taken"), "mine"), "text");

        StorageException failure = Assert.Throws<StorageException>(
            () => test.Store.CreateCheckpoint(test.InRoot("taken")));

        Assert.Equal(FailureKind.InvalidArgument, failure.Kind);
        Assert.Equal("text", File.ReadAllText(Path.Combine(test.InRoot("taken"), "mine")));
    }

    [Fact]
    public async Task A_missing_parent_is_refused_and_nothing_is_created()
    {
        await using TestStore test = new();

        StorageException failure = Assert.Throws<StorageException>(
            () => test.Store.CreateCheckpoint(Path.Combine(test.InRoot("absent"), "branch")));

        Assert.Equal(FailureKind.InvalidArgument, failure.Kind);
        Assert.False(Path.Exists(test.InRoot("absent")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Failing_at_the_nth_file_leaves_the_source_whole_and_nothing_behind_and_a_retry_works(int failing)
    {
        int calls = 0;
        LocalStoreSeams seams = new()
        {
            TryLink = (existing, link) => ++calls == failing
                ? throw new IOException("injected")
                : LocalStoreSeams.Real.TryLink(existing, link),
        };
        await using TestStore test = new(seams: seams);
        for (int i = 0; i < 3; i++)
        {
            await FillAsync(test);
            test.Store.Flush();
        }

        StorageException failure = Assert.Throws<StorageException>(
            () => test.Store.CreateCheckpoint(test.InRoot("branch")));

        Assert.Equal(FailureKind.Io, failure.Kind);
        Assert.Equal(["store"], Directory.GetDirectories(test.Root).Select(Path.GetFileName), StringComparer.Ordinal);
        Assert.True(test.Store.Health.IsHealthy);
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        await using LocalStore branch = test.Open("branch");
        Assert.Equal(Dump(test.Store), Dump(branch), StringComparer.Ordinal);
    }

    [Theory]
    [InlineData("branch")]
    [InlineData("pinned")]
    public async Task A_file_that_rocksdb_deletes_while_a_checkpoint_lists_it_is_left_out(string way)
    {
        const string Obsolete = "000009.sst";
        int vanished = 0;
        LocalStoreSeams seams = new()
        {
            TryLink = (existing, link) =>
            {
                if (Path.GetFileName(existing) == Obsolete)
                {
                    File.Delete(existing);
                    vanished++;
                }

                return LocalStoreSeams.Real.TryLink(existing, link);
            },
        };
        await using TestStore test = new(seams: seams);
        await FillAsync(test);
        test.Store.Flush();
        File.WriteAllText(Path.Combine(test.Store.Directory, Obsolete), "of a compaction that is over");

        if (way == "pinned")
        {
            test.Store.PinFiles(test.InRoot("taken"));
        }
        else
        {
            test.Store.CreateCheckpoint(test.InRoot("taken"));
        }

        Assert.Equal(1, vanished);
        await using LocalStore taken = test.Open("taken");
        Assert.Equal(Dump(test.Store), Dump(taken), StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_table_that_the_checkpoint_does_not_name_is_never_written_to_by_it()
    {
        const int Numbers = 40;
        await using TestStore test = new();
        await FillAsync(test);
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        long last = Directory.GetFiles(test.InRoot("branch"), "0*").Max(
            file => long.Parse(Path.GetFileNameWithoutExtension(file), CultureInfo.InvariantCulture));
        for (int i = 1; i <= Numbers; i++)
        {
            // As a compaction of the source has them, under the numbers that come next.
            string table = test.InRoot($"{last + i:D6}.sst");
            File.WriteAllText(table, "of the source");
            Assert.True(LocalFiles.TryCreateHardLink(
                table, Path.Combine(test.InRoot("branch"), Path.GetFileName(table)), out _));
        }

        await using LocalStore branch = test.Open("branch");
        for (int i = 0; i < Numbers; i++)
        {
            await WriteAsync(branch, Put($"k{i}", "branch"));
            branch.Flush();
        }

        Assert.All(
            Directory.GetFiles(test.Root, "*.sst"),
            table => Assert.Equal("of the source", File.ReadAllText(table)));
        Assert.Equal(Numbers, Directory.GetFiles(test.Root, "*.sst").Length);
        Assert.All(
            Directory.GetFiles(test.Root, "*.sst"),
            table => Assert.False(File.Exists(Path.Combine(test.InRoot("branch"), Path.GetFileName(table)))));
    }

    [Fact]
    public async Task Two_hundred_checkpoints_in_a_row_leave_level_zero_and_open_files_bounded()
    {
        const int Checkpoints = 200;
        await using TestStore test = new(options => options.BranchedTailBytes = 16 << 10);
        int most = 0;
        for (int i = 0; i < Checkpoints; i++)
        {
            await test.WriteAsync(Put($"k{i}", new string('v', 2000)));
            test.Store.CreateCheckpoint(test.InRoot($"branch{i}"));
            most = Math.Max(most, test.Store.GetStatistics().Level0Files);
        }

        Assert.InRange(most, 0, 20);
        Assert.Equal(Checkpoints, test.Store.Count(null, KeyRange.All, CancellationToken.None));
        string[] open = OpenFiles(test.Root);
        Assert.DoesNotContain(open, file => file.StartsWith(test.InRoot("branch"), StringComparison.Ordinal));
        Assert.InRange(open.Length, 1, 40);
        await using LocalStore last = test.Open($"branch{Checkpoints - 1}");
        Assert.Equal(Checkpoints, last.Count(null, KeyRange.All, CancellationToken.None));
    }

    [Fact]
    public async Task After_a_checkpoint_the_unflushed_tail_is_kept_short_in_the_background()
    {
        await using TestStore test = new(options => options.BranchedTailBytes = 16 << 10);
        await test.WriteAsync(Put("before", new string('v', 100_000)));
        Assert.Equal(0, test.Store.GetStatistics().BackgroundFlushes);
        test.Store.CreateCheckpoint(test.InRoot("branch"));

        await test.WriteAsync(Put("after", "1"));
        await Waiting.UntilAsync(() => test.Store.GetStatistics().BackgroundFlushes > 0, "a background flush");

        Assert.InRange(test.Store.TailBytes, 0, 16 << 10);
    }

    [Fact]
    public async Task Closing_during_checkpoints_ends_each_with_a_result_or_a_typed_failure()
    {
        await using TestStore test = new();
        await FillAsync(test);
        int made = 0;
        Task maker = Task.Run(() =>
        {
            try
            {
                while (true)
                {
                    test.Store.CreateCheckpoint(test.InRoot($"branch{made}"));
                    Interlocked.Increment(ref made);
                }
            }
            catch (StorageException e)
            {
                Assert.Equal(FailureKind.Closed, e.Kind);
            }
        });
        await Waiting.UntilAsync(() => Volatile.Read(ref made) >= 3, "three checkpoints");

        await test.Store.DisposeAsync();
        await maker.WaitAsync(Waiting.Deadline);

        await test.ReopenAsync();
        await using LocalStore last = test.Open($"branch{made - 1}");
        Assert.Equal(Dump(test.Store), Dump(last), StringComparer.Ordinal);
    }

    [Fact]
    public async Task Two_checkpoints_to_one_name_leave_one_whole_result()
    {
        await using TestStore test = new();
        await FillAsync(test);

        bool[] made = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            try
            {
                test.Store.CreateCheckpoint(test.InRoot("branch"));
                return true;
            }
            catch (StorageException)
            {
                return false;
            }
        })));

        Assert.Single(made, won => won);
        await using LocalStore branch = test.Open("branch");
        Assert.Equal(Dump(test.Store), Dump(branch), StringComparer.Ordinal);
    }

    /// <summary>The files below a directory that this process holds open, once for each handle.</summary>
    private static string[] OpenFiles(string directory)
    {
        List<string> files = [];
        foreach (string handle in Directory.GetFiles("/proc/self/fd"))
        {
            try
            {
                string? target = new FileInfo(handle).LinkTarget;
                if (target?.StartsWith(directory, StringComparison.Ordinal) == true)
                {
                    files.Add(target);
                }
            }
            catch (IOException)
            {
                // Closed since it was listed, by a test that runs beside this one.
            }
        }

        return [.. files];
    }

    /// <summary>The store's sequence before the checkpoint, which is what a snapshot copies if it is pinned.</summary>
    private static Sequence Take(TestStore test, string name, string way)
    {
        string directory = test.InRoot(name);
        if (way != "pinned")
        {
            return test.Store.CreateCheckpoint(directory).Sequence;
        }

        Sequence before = test.Store.LastAcknowledged;
        test.Store.PinFiles(directory);
        StoreInspection inspection = StoreInspection.Read(directory, "what was pinned", test.Store.Merges);
        Assert.True(inspection.Sequence >= before);
        HashSet<string> kept = [.. CheckpointContents.Read(directory, test.Store.Directory, inspection.Tables)
            .Select(file => file.Path)];
        Array.ForEach([.. Directory.GetFiles(directory).Where(file => !kept.Contains(file))], File.Delete);
        return before;
    }

    private static LocalStoreSeams SeamsOf(string way) =>
        way == "copied" ? new() { TryLink = static (_, _) => false } : LocalStoreSeams.Real;

    /// <summary>Two families, empty values, binary keys; some in table files, some only in the log.</summary>
    private static async Task FillAsync(TestStore test)
    {
        if (!test.Store.ColumnFamilies.Contains("second", StringComparer.Ordinal))
        {
            test.Store.CreateColumnFamily("second");
        }

        await test.WriteAsync([.. Enumerable.Range(0, 500).Select(i => Put($"k{i}", new string('v', i)))]);
        test.Store.Flush();
        await test.WriteAsync(
            Put("empty", ""), Put("k7", "overwritten"), Delete("k8"), Put("k", "v", "second"),
            WriteOperation.Put(new byte[] { 0 }, new byte[] { 0xFF, 0 }),
            WriteOperation.Put(new byte[] { 0xFF, 0xFF }, new byte[] { 1 }, "second"),
            WriteOperation.DeleteRange(Bytes("k30"), Bytes("k31")));
    }

    private static string[] Dump(LocalStore store) =>
    [
        .. store.ColumnFamilies.SelectMany(family => store.Scan(All() with { ColumnFamily = family }).Entries
            .Select(entry =>
                $"{family}:{Convert.ToHexString(entry.Key.Span)}={Convert.ToHexString(entry.Value.Span)}")),
    ];
}
