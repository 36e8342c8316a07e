using Branching.RocksDb;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Health;

public sealed class HealthTests : IDisposable
{
    private readonly TemporaryRoot _root = new();

    public void Dispose() => _root.Dispose();

    [Fact]
    public async Task A_store_that_nothing_is_wrong_with_is_healthy()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await CreateAsync(root);

        StoreHealthReport report = await shop.ExamineAsync(BranchName.Main, default);

        Assert.Equal(StoreCondition.Healthy, report.Condition);
        Assert.Empty(report.Causes);
        Assert.False(report.NeedsRestart);
        Assert.Empty(Directory.GetFiles(report.Directory, "probe-*"));
    }

    [Fact]
    public async Task A_directory_that_cannot_be_written_degrades_the_store_and_is_named()
    {
        await using DataRoot root = await _root.OpenAsync();
        root.Registry.Seams = new LocalStoreSeams
        {
            ProbeDirectory = directory => throw new UnauthorizedAccessException($"Access to '{directory}' is denied."),
        };
        Database shop = await CreateAsync(root);

        StoreHealthReport report = await shop.ExamineAsync(BranchName.Main, default);

        Assert.Equal(StoreCondition.Degraded, report.Condition);
        string cause = Assert.Single(report.Causes);
        Assert.Contains($"its directory {report.Directory} cannot be written", cause, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_poisoned_store_says_why_and_takes_writes_again_when_it_is_reopened_after_the_cause_is_gone()
    {
        using TestCommit commit = new() { Fault = Failing(2) };
        await using DataRoot root = await _root.OpenAsync();
        root.Registry.Seams = commit.Seams;
        Database shop = await CreateAsync(root);
        await shop.PutAsync("main", "kept", "1");
        await Assert.ThrowsAsync<StorageException>(() => shop.PutAsync("main", "lost", "1"));

        StoreHealthReport before = await shop.ExamineAsync(BranchName.Main, default);
        StoreHealthReport after = await shop.ReopenAsync(BranchName.Main, default);
        await shop.PutAsync("main", "later", "1");

        Assert.Equal(StoreCondition.Poisoned, before.Condition);
        Assert.Contains("injected IOError", before.Causes[0], StringComparison.Ordinal);
        Assert.Equal(StoreCondition.Healthy, after.Condition);
        Assert.Equal("kept=1 later=1", await shop.ReadAllAsync("main"));
    }

    [Fact]
    public async Task Reopening_is_no_success_while_writes_still_fail()
    {
        bool mended = false;
        await using DataRoot root = await _root.OpenAsync();
        root.Registry.Seams = new LocalStoreSeams
        {
            ProbeDirectory = _ =>
            {
                if (!mended)
                {
                    throw new IOException("Read-only file system");
                }
            },
        };
        Database shop = await CreateAsync(root);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => shop.ReopenAsync(BranchName.Main, default));
        mended = true;
        StoreHealthReport report = await shop.ReopenAsync(BranchName.Main, default);

        Assert.Equal(FailureKind.Io, failure.Kind);
        Assert.Contains("was reopened, but writes still fail", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Read-only file system", failure.Message, StringComparison.Ordinal);
        Assert.Equal(StoreCondition.Healthy, report.Condition);
    }

    [MountingFact]
    public async Task A_directory_made_read_only_is_told_and_the_store_serves_again_after_it_is_mended()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await CreateAsync(root);
        await shop.PutAsync("main", "a", "1");
        string directory = (await shop.ExamineAsync(BranchName.Main, default)).Directory;
        Run("mount", "--bind", directory, directory);
        try
        {
            Run("mount", "-o", "remount,bind,ro", directory);

            StoreHealthReport told = await shop.ExamineAsync(BranchName.Main, default);
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => shop.ReopenAsync(BranchName.Main, default));

            Assert.NotEqual(StoreCondition.Healthy, told.Condition);
            Assert.Contains(told.Causes, cause => cause.Contains("Read-only file system", StringComparison.Ordinal));
            Assert.Contains("Read-only file system", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            Run("umount", directory);
        }

        StoreHealthReport healed = await shop.ReopenAsync(BranchName.Main, default);
        await shop.PutAsync("main", "b", "2");

        Assert.Equal(StoreCondition.Healthy, healed.Condition);
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
    }

    [Fact]
    public async Task Reopening_a_store_that_stays_in_use_leaves_it_as_it_was()
    {
        await using DataRoot root = await DataRoot.OpenAsync(new StorageOptions
        {
            DataRoot = _root.Path,
            BlockCacheBytes = 8 << 20,
            WriteTimeout = TimeSpan.FromMilliseconds(50),
        });
        Database shop = await CreateAsync(root);
        using StoreLease held = await shop.AcquireAsync(BranchName.Main, default);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => shop.ReopenAsync(BranchName.Main, default));
        using StoreLease another = await shop.AcquireAsync(BranchName.Main, default);

        Assert.Equal(FailureKind.InUse, failure.Kind);
        Assert.Same(held.Store, another.Store);
    }

    [Fact]
    public async Task Callers_wait_while_a_store_is_reopened_and_none_of_them_fails()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await CreateAsync(root);
        await shop.PutAsync("main", "a", "1");
        using CancellationTokenSource enough = new();
        Task<int>[] readers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            int reads = 0;
            while (!enough.IsCancellationRequested)
            {
                Assert.Equal("a=1", await shop.ReadAllAsync("main"));
                reads++;
            }

            return reads;
        }))];

        for (int i = 0; i < 5; i++)
        {
            await shop.ReopenAsync(BranchName.Main, default);
        }

        await enough.CancelAsync();
        Assert.All(await Task.WhenAll(readers).WaitAsync(Waiting.Deadline), reads => Assert.True(reads > 0));
    }

    [Fact]
    public async Task Whenever_a_commit_fails_reopening_keeps_exactly_what_was_acknowledged_or_in_doubt()
    {
        int seed = TestStore.Seed;
        Random random = new(seed);
        using TestCommit commit = new()
        {
            Fault = _ => random.Next(6) == 0
                ? TestCommit.Failure(random.Next(2) == 0 ? RocksDbStatus.IOError : RocksDbStatus.NoSpace)
                : null,
        };
        await using DataRoot root = await _root.OpenAsync();
        root.Registry.Seams = commit.Seams;
        Database shop = await CreateAsync(root);
        List<string> acknowledged = [];
        int failures = 0;

        for (int i = 0; i < 60; i++)
        {
            try
            {
                await shop.PutAsync("main", $"k{i:00}", "1");
                acknowledged.Add($"k{i:00}=1");
            }
            catch (StorageException e)
            {
                failures++;
                StoreHealthReport report = await shop.ExamineAsync(BranchName.Main, default);
                Assert.True(report.Condition == StoreCondition.Poisoned, $"seed {seed}: {e.Message}");
                Assert.Equal(
                    StoreCondition.Healthy, (await shop.ReopenAsync(BranchName.Main, default)).Condition);
            }
        }

        Assert.True(failures > 0, $"seed {seed}: nothing failed");
        Assert.True(
            string.Join(' ', acknowledged) == await shop.ReadAllAsync("main"), $"seed {seed}: not what was answered");
    }

    [Fact]
    public async Task Everything_open_is_listed_with_what_keeps_it_open()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await CreateAsync(root);
        await shop.BranchAsync("topic");
        using StoreLease main = await shop.AcquireAsync(BranchName.Main, default);
        using (await shop.AcquireAsync(BranchName.Parse("topic"), default))
        {
            // Used and given back: open, with nothing on it.
        }

        long transactions = 3;
        main.Store.ListAsOpen("transactions", () => transactions);
        using ScanCursor cursor = main.Store.OpenCursor(TestStore.All());

        IReadOnlyList<OpenStore> open = root.ListOpenStores();

        Assert.Equal(2, open.Count);
        OpenStore used = Assert.Single(open, store => store.References == 1);
        Assert.Equal((1L, 1L, 3L), (used.Items["cursors"], used.Items["snapshots"], used.Items["transactions"]));
        Assert.Contains("topic", Assert.Single(open, store => store.References == 0).Label, StringComparison.Ordinal);
    }

    private static Func<int, Exception?> Failing(int failing)
        => call => call == failing ? TestCommit.Failure(RocksDbStatus.IOError) : null;

    private static Task<Database> CreateAsync(DataRoot root)
        => root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);

    private static void Run(params string[] command)
        => Assert.True(ChildProcess.Succeeds(out string answer, command), answer);
}
