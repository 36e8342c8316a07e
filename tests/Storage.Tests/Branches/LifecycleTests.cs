using Branching.RocksDb.Files;

namespace Branching.Storage.Tests.Branches;

/// <summary>Branches and databases that are used, dropped, left behind and looked for in unusual order.</summary>
public sealed class LifecycleTests : IDisposable
{
    private readonly TemporaryRoot _root = new();
    private readonly ManualResetEventSlim _mayCheckpoint = new(initialState: true);
    private readonly SemaphoreSlim _atCheckpoint = new(0);

    public void Dispose()
    {
        _root.Dispose();
        _mayCheckpoint.Dispose();
        _atCheckpoint.Dispose();
    }

    [Theory]
    [InlineData("open")]
    [InlineData("closed")]
    [InlineData("never opened")]
    public async Task Deleting_the_parent_leaves_the_branch_all_its_data(string state)
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("parent");
        await shop.PutAsync("parent", "b", "2");
        await FlushAsync(shop, "parent");
        await shop.PutAsync("parent", "c", "3");
        await shop.BranchAsync("child", "parent");
        StoreLease? lease = state == "never opened" ? null : await shop.AcquireAsync(Name("child"), default);
        if (state == "closed")
        {
            lease!.Dispose();
            await CloseAsync(root, lease.Branch.Id);
        }

        await shop.DeleteBranchAsync(Name("parent"), default);

        Assert.Equal("a=1 b=2 c=3", await shop.ReadAllAsync("child"));
        await shop.PutAsync("child", "d", "4");
        Assert.Equal("a=1 b=2 c=3 d=4", await shop.ReadAllAsync("child"));
        lease?.Dispose();
    }

    [Fact]
    public async Task Dropping_a_database_while_it_branches_is_refused_and_both_go_on()
    {
        await using DataRoot root = await OpenHeldAsync(new StorageOptions());
        Database shop = await PrepareHeldAsync(root);
        Task<BranchRecord> creation = shop.BranchAsync("b");
        await AtCheckpointAsync();

        StorageException refused = await Assert.ThrowsAsync<StorageException>(
            () => root.DropDatabaseAsync(TemporaryRoot.Shop, default));
        _mayCheckpoint.Set();
        await creation.WaitAsync(Waiting.Deadline);

        Assert.Equal(FailureKind.InUse, refused.Kind);
        Assert.Contains("'shop'", refused.Message, StringComparison.Ordinal);
        Assert.Equal("a=1", await shop.ReadAllAsync("b"));
        await root.DropDatabaseAsync(TemporaryRoot.Shop, default);
    }

    [Fact]
    public async Task Deleting_the_parent_of_a_branch_in_the_making_waits_for_it()
    {
        await using DataRoot root = await OpenHeldAsync(new StorageOptions());
        Database shop = await PrepareHeldAsync(root);
        _mayCheckpoint.Set();
        await shop.BranchAsync("parent");
        await AtCheckpointAsync();
        _mayCheckpoint.Reset();
        Task<BranchRecord> creation = shop.BranchAsync("child", "parent");
        await AtCheckpointAsync();

        Task<BranchRecord> deletion = shop.DeleteBranchAsync(Name("parent"), default);
        _mayCheckpoint.Set();
        await Task.WhenAll(creation, deletion).WaitAsync(Waiting.Deadline);

        Assert.Equal("a=1", await shop.ReadAllAsync("child"));
        Assert.Equal(BranchState.Deleted, shop.GetAncestors(Name("child"))[0].State);
    }

    [Fact]
    public async Task Who_no_longer_waits_for_a_creation_does_not_end_it()
    {
        await using DataRoot root = await OpenHeldAsync(new StorageOptions());
        Database shop = await PrepareHeldAsync(root);
        CreateBranch request = new(Name("b"), BranchName.Main, "tests", OperationId: "op-1");
        using CancellationTokenSource impatient = new();
        Task<BranchRecord> first = shop.CreateBranchAsync(request, impatient.Token);
        await AtCheckpointAsync();

        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        _mayCheckpoint.Set();
        BranchRecord again = await shop.CreateBranchAsync(request, default).WaitAsync(Waiting.Deadline);

        Assert.Equal(again.Id, shop.GetBranch(Name("b")).Id);
        Assert.Equal(2, Directory.GetDirectories(Path.Combine(_root.DatabasePath, "stores")).Length);
    }

    [Fact]
    public async Task More_creations_than_may_be_under_way_are_refused_by_name_and_work_later()
    {
        StorageOptions options = new()
        {
            MaxBranchCreationsInFlight = 1,
            WriteTimeout = TimeSpan.FromMilliseconds(50),
        };
        await using DataRoot root = await OpenHeldAsync(options);
        Database shop = await PrepareHeldAsync(root);
        Task<BranchRecord> first = shop.BranchAsync("first");
        await AtCheckpointAsync();

        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => shop.BranchAsync("second"));
        _mayCheckpoint.Set();
        await first.WaitAsync(Waiting.Deadline);

        Assert.Equal((FailureKind.Overloaded, true), (refused.Kind, refused.IsTransient));
        Assert.Contains("MaxBranchCreationsInFlight", refused.Message, StringComparison.Ordinal);
        await shop.BranchAsync("second");
    }

    [Fact]
    public async Task A_branch_with_an_open_cursor_is_not_deleted_and_its_cursor_reads_on()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await shop.PutAsync("main", "b", "2");
        await shop.BranchAsync("topic");
        shop.LeaseDeadline = TimeSpan.FromMilliseconds(50);
        List<KeyValueEntry> entries = [];
        using (StoreLease lease = await shop.AcquireAsync(Name("topic"), default))
        using (ScanCursor cursor = lease.Store.OpenCursor(new ScanRequest(null, KeyRange.All, false, 1, 1)))
        {
            Assert.True(cursor.ReadPage(1, 1, entries));

            Assert.Equal(FailureKind.InUse, await DatabaseShortcuts.KindOfAsync(
                () => shop.DeleteBranchAsync(Name("topic"), default)));

            cursor.ReadPage(10, 100, entries);
            Assert.Equal(2, entries.Count);
            await shop.PutAsync("topic", "c", "3");
        }

        await shop.DeleteBranchAsync(Name("topic"), default);
    }

    [Fact]
    public async Task A_store_that_does_not_open_takes_nothing_from_those_that_are_open()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("good");
        BranchRecord bad = await shop.BranchAsync("bad");
        string current = Path.Combine(_root.DatabasePath, "stores", bad.Id.ToString(), "CURRENT");
        await File.WriteAllTextAsync(current, "MANIFEST-999999\n");
        using StoreLease used = await shop.AcquireAsync(Name("good"), default);

        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(FailureKind.Corruption, await DatabaseShortcuts.KindOfAsync(() => shop.ReadAllAsync("bad")));
        }

        Assert.Equal("a=1", await shop.ReadAllAsync("good"));
        Assert.Equal("MANIFEST-999999\n", await File.ReadAllTextAsync(current));
        Assert.Equal(2, root.GetStatistics().OpenStores);
    }

    [Fact]
    public async Task What_a_killed_process_left_is_swept_at_the_start_and_only_that()
    {
        await using (DataRoot root = await _root.OpenAsync())
        {
            Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
        }

        string id = StoreId.New(TimeProvider.System).ToString();
        string[] ours =
        [
            MakeDirectory(_root.DatabasePath, "building", id + ".tmp"), MakeDirectory(_root.DatabasePath, "trash", id),
            MakeDirectory(_root.Path, "building", id), MakeDirectory(_root.Path, "trash", id),
        ];
        string[] foreign =
        [
            MakeDirectory(_root.DatabasePath, "mine.tmp"), MakeDirectory(_root.Path, "building", "mine"),
            MakeDirectory(_root.Path, "mine"),
        ];
        string stranger = MakeDirectory(_root.DatabasePath, "building", "mine.tmp");

        await using DataRoot again = await _root.OpenAsync();

        Assert.All(ours, path => Assert.False(Directory.Exists(path), path));
        Assert.All(foreign, path => Assert.True(File.Exists(Path.Combine(path, "file")), path));
        Assert.False(Directory.Exists(stranger));
        Assert.Equal((2, 2, 1), (again.Reconciliation.RemovedUnfinished, again.Reconciliation.FinishedDeletions,
            again.Reconciliation.Quarantined));
        Assert.Single(Directory.GetFiles(
            Path.Combine(_root.DatabasePath, "quarantine"), "file", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Emptying_the_trash_follows_no_link_out_of_it()
    {
        string outside = MakeDirectory(_root.Path, "outside");
        await using (DataRoot root = await _root.OpenAsync())
        {
            await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        }

        string trash = Path.Combine(_root.DatabasePath, "trash");
        string half = Path.Combine(trash, StoreId.New(TimeProvider.System).ToString());
        Directory.CreateDirectory(half);
        Directory.CreateSymbolicLink(Path.Combine(half, "link"), outside);
        Directory.CreateSymbolicLink(Path.Combine(trash, StoreId.New(TimeProvider.System).ToString()), outside);

        await using DataRoot again = await _root.OpenAsync();

        Assert.Empty(Directory.GetFileSystemEntries(trash));
        Assert.Equal("text", await File.ReadAllTextAsync(Path.Combine(outside, "file")));
    }

    [Fact]
    public async Task A_start_knows_an_absent_a_foreign_a_damaged_and_a_whole_store_apart()
    {
        string Store(BranchRecord branch) => Path.Combine(_root.DatabasePath, "stores", branch.Id.ToString());
        BranchRecord whole, absent, unmarked, damaged;
        await using (DataRoot root = await _root.OpenAsync())
        {
            Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            whole = await shop.BranchAsync("whole");
            absent = await shop.BranchAsync("absent");
            unmarked = await shop.BranchAsync("unmarked");
            damaged = await shop.BranchAsync("damaged");
        }

        // Without a catalog the start believes the stores alone.
        Directory.Delete(Path.Combine(_root.DatabasePath, "catalog"), recursive: true);
        Directory.Delete(Store(absent), recursive: true);
        File.Delete(Path.Combine(Store(unmarked), "branch.json"));
        await File.WriteAllTextAsync(Path.Combine(Store(damaged), "branch.json"), "{\"format\":1");

        await using DataRoot again = await _root.OpenAsync();
        Database same = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.Equal("main whole", string.Join(' ', same.ListBranches().Select(b => b.Name)));
        Assert.Equal("a=1", await same.ReadAllAsync("whole"));
        Assert.Equal(2, again.Reconciliation.UnknownEntries);
        Assert.True(File.Exists(Path.Combine(Store(unmarked), "CURRENT")));
        Assert.True(File.Exists(Path.Combine(Store(damaged), "CURRENT")));
        Assert.Equal(whole.Id, same.GetBranch(Name("whole")).Id);
    }

    [FewLinksFact]
    public async Task A_file_that_may_have_no_more_names_is_copied_and_the_answer_says_so()
    {
        const int TooManyLinks = 31; // EMLINK
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await FlushAsync(shop, "main");
        await shop.PutAsync("main", "b", "2");
        await FlushAsync(shop, "main");
        await shop.PutAsync("main", "c", "3");
        string store = Assert.Single(Directory.GetDirectories(Path.Combine(_root.DatabasePath, "stores")));
        string full = Directory.GetFiles(store, "*.sst").Min(StringComparer.Ordinal)!;
        string links = Directory.CreateDirectory(Path.Combine(_root.Path, "links")).FullName;
        int errno = 0;
        for (int i = 0; errno == 0; i++)
        {
            LocalFiles.TryCreateHardLink(full, Path.Combine(links, $"{i}"), out errno);
        }

        Assert.Equal(TooManyLinks, errno);
        BranchRecord branch = await shop.BranchAsync("b");

        // Looked at before the branch is opened: RocksDB may then rewrite its files.
        Assert.Equal(2, branch.LinkedFiles); // The other table and RocksDB's options.
        string copy = Path.Combine(
            _root.DatabasePath, "stores", branch.Id.ToString(), Path.GetFileName(full));
        Assert.NotEqual(LocalFiles.GetStatus(full).Inode, LocalFiles.GetStatus(copy).Inode);
        Assert.Equal(await File.ReadAllBytesAsync(full), await File.ReadAllBytesAsync(copy));
        Assert.Equal("a=1 b=2 c=3", await shop.ReadAllAsync("b"));
    }

    private static BranchName Name(string name) => BranchName.Parse(name);

    private static string MakeDirectory(params string[] parts)
    {
        string path = Directory.CreateDirectory(Path.Combine(parts)).FullName;
        File.WriteAllText(Path.Combine(path, "file"), "text");
        return path;
    }

    private static async Task FlushAsync(Database shop, string branch)
    {
        using StoreLease lease = await shop.AcquireAsync(Name(branch), default);
        lease.Store.Flush();
    }

    private static async Task CloseAsync(DataRoot root, StoreId id)
    {
        Assert.True(root.Registry.TryGet(id, out StoreSlot? slot));
        Assert.True(await slot.TryCloseAsync());
    }

    private Task<DataRoot> OpenHeldAsync(StorageOptions limits)
    {
        StorageOptions options = _root.Options;
        options.MaxBranchCreationsInFlight = limits.MaxBranchCreationsInFlight;
        options.WriteTimeout = limits.WriteTimeout;
        return DataRoot.OpenAsync(options, new Disk
        {
            BeforeStep = step =>
            {
                if (step.Kind == DiskStepKind.Checkpoint)
                {
                    _atCheckpoint.Release();
                    Assert.True(_mayCheckpoint.Wait(Waiting.Deadline));
                }
            },
        });
    }

    private async Task<Database> PrepareHeldAsync(DataRoot root)
    {
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        _mayCheckpoint.Reset();
        return shop;
    }

    private async Task AtCheckpointAsync() => Assert.True(await _atCheckpoint.WaitAsync(Waiting.Deadline));
}
