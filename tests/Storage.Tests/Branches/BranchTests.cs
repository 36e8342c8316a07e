namespace Branching.Storage.Tests.Branches;

public sealed class BranchTests : IDisposable
{
    private readonly TemporaryRoot _root = new();

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public async Task A_branch_has_an_identity_of_its_own_and_opens_when_a_power_failure_took_it(string? left)
    {
        using TemporaryRoot temporary = new();
        await using DataRoot root = await temporary.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        string Identity(string id) => Path.Combine(temporary.DatabasePath, "stores", id, "IDENTITY");
        string parent = await File.ReadAllTextAsync(Identity(shop.GetBranch(BranchName.Main).Id.ToString()));

        string kept = Identity((await shop.BranchAsync("kept")).Id.ToString());
        string lost = Identity((await shop.BranchAsync("lost")).Id.ToString());
        string before = await File.ReadAllTextAsync(kept);
        File.Delete(lost);
        if (left is not null)
        {
            await File.WriteAllTextAsync(lost, left);
        }

        Assert.Equal("a=1", await shop.ReadAllAsync("kept"));
        Assert.Equal("a=1", await shop.ReadAllAsync("lost"));
        await shop.PutAsync("lost", "b", "2");
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("lost"));
        Assert.Equal(before, await File.ReadAllTextAsync(kept)); // RocksDB found it and made none.
        Assert.NotEqual(parent, before);
    }

    [Fact]
    public async Task A_branch_holds_what_was_acknowledged_before_and_both_sides_are_isolated()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");

        BranchRecord topic = await shop.BranchAsync("topic");
        await shop.PutAsync("main", "a", "2");
        await shop.PutAsync("topic", "b", "3");

        Assert.Equal("a=2", await shop.ReadAllAsync("main"));
        Assert.Equal("a=1 b=3", await shop.ReadAllAsync("topic"));
        Assert.Equal((1UL, 1, BranchName.Main), (topic.BranchSequence.Value, topic.Depth, topic.ParentName!.Value));
    }

    [Fact]
    public async Task Everything_is_there_after_a_restart()
    {
        await using (DataRoot root = await _root.OpenAsync())
        {
            Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("topic");
            await shop.PutAsync("topic", "a", "2");
            await shop.BranchAsync("topic/deep", "topic");
            await shop.DeleteBranchAsync(BranchName.Parse("topic"), default);
        }

        await using DataRoot again = await _root.OpenAsync();
        Database same = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.True(again.Reconciliation.IsClean, string.Join('\n', again.Reconciliation.Findings));
        Assert.Equal("main topic/deep", string.Join(" ", same.ListBranches().Select(b => b.Name)));
        Assert.Equal("a=2", await same.ReadAllAsync("topic/deep"));
        Assert.Equal("topic main", string.Join(" ", same.GetAncestors(BranchName.Parse("topic/deep")).Select(b =>
            b.Name)));
        Assert.Equal(BranchState.Deleted, same.GetAncestors(BranchName.Parse("topic/deep"))[0].State);
    }

    [Fact]
    public async Task One_name_and_operation_asked_for_at_once_gives_one_branch_to_all()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);

        BranchRecord[] all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => shop.BranchAsync("b", "main",
            "op-1")));
        BranchRecord later = await shop.BranchAsync("b", "main", "op-1");

        Assert.All(all, record => Assert.Equal(later.Id, record.Id));
        Assert.Equal(2, Directory.GetDirectories(Path.Combine(_root.DatabasePath, "stores")).Length);
    }

    [Fact]
    public async Task One_name_and_different_operations_at_once_give_one_winner()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);

        FailureKind?[] outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            try
            {
                await shop.BranchAsync("b", "main", $"op-{i}");
                return (FailureKind?)null;
            }
            catch (StorageException e)
            {
                return e.Kind;
            }
        }));

        Assert.Single(outcomes, kind => kind is null);
        Assert.Equal(7, outcomes.Count(kind => kind == FailureKind.BranchExists));
    }

    [Fact]
    public async Task Different_branches_are_created_at_once_while_the_parent_is_written()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        Task writer = Task.Run(async () =>
        {
            for (int i = 0; i < 50; i++)
            {
                await shop.PutAsync("main", $"k{i:000}", "v");
            }
        });

        BranchRecord[] all = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => shop.BranchAsync($"b{i}")));
        await writer;

        Assert.Equal(12, all.Select(r => r.Id).Distinct().Count());
        foreach (BranchRecord record in all)
        {
            string content = await shop.ReadAllAsync(record.Name.Value);
            Assert.True(content.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length >= (
                int)record.BranchSequence.Value);
        }
    }

    [Fact]
    public async Task A_deleted_name_is_free_at_once_and_the_old_store_takes_no_writes()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        BranchRecord first = await shop.BranchAsync("b");
        StoreLease lease = await shop.AcquireAsync(first.Name, default);
        LocalStore old = lease.Store;
        lease.Dispose();
        await shop.DeleteBranchAsync(first.Name, default);

        BranchRecord second = await shop.BranchAsync("b");
        lease.Dispose();

        Assert.NotEqual(first.Id, second.Id);
        Assert.Equal(FailureKind.Closed, await DatabaseShortcuts.KindOfAsync(
            async () => await old.WriteAsync(DatabaseShortcuts.Put("a", "1"), default)));
        Assert.Equal("", await shop.ReadAllAsync("b"));
    }

    [Fact]
    public async Task A_branch_in_use_is_not_deleted_and_serves_on()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.BranchAsync("b");
        shop.LeaseDeadline = TimeSpan.FromMilliseconds(50);
        using (await shop.AcquireAsync(BranchName.Parse("b"), default))
        {
            Assert.Equal(FailureKind.InUse, await DatabaseShortcuts.KindOfAsync(
                () => shop.DeleteBranchAsync(BranchName.Parse("b"), default)));
            await shop.PutAsync("b", "a", "1");
        }

        await shop.DeleteBranchAsync(BranchName.Parse("b"), default);
        Assert.False(shop.TryGetBranch(BranchName.Parse("b"), out _));
    }

    [Fact]
    public async Task Each_refusal_has_its_own_kind_and_leaves_nothing()
    {
        StorageOptions options = _root.Options;
        options.MaxBranchesPerDatabase = 4;
        options.MaxBranchDepth = 2;
        await using DataRoot root = await DataRoot.OpenAsync(options);
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.BranchAsync("a");
        await shop.BranchAsync("b", "a");

        Assert.Equal(FailureKind.BranchExists, await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("a")));
        Assert.Equal(FailureKind.BranchExists, await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("main")));
        Assert.Equal(FailureKind.ParentNotFound, await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("c",
            "none")));
        Assert.Equal(FailureKind.BranchTooDeep, await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("c", "b")));
        await shop.BranchAsync("c");
        Assert.Equal(FailureKind.TooManyBranches, await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("d")));
        Assert.Equal(FailureKind.BranchNotFound, await DatabaseShortcuts.KindOfAsync(
            () => shop.DeleteBranchAsync(BranchName.Parse("d"), default)));
        Assert.Equal(FailureKind.InvalidArgument, await DatabaseShortcuts.KindOfAsync(
            () => shop.DeleteBranchAsync(BranchName.Main, default)));
        Assert.Equal(FailureKind.DatabaseExists, await DatabaseShortcuts.KindOfAsync(
            () => root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default)));
        Assert.Equal(4, Directory.GetDirectories(Path.Combine(_root.DatabasePath, "stores")).Length);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "building")));
    }

    [Fact]
    public async Task More_branches_than_may_be_open_serve_in_turn_and_a_full_house_says_so()
    {
        StorageOptions options = _root.Options;
        options.MaxOpenStores = 2;
        options.WriteTimeout = TimeSpan.FromMilliseconds(100);
        await using DataRoot root = await DataRoot.OpenAsync(options);
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        for (int i = 0; i < 5; i++)
        {
            await shop.BranchAsync($"b{i}");
            await shop.PutAsync($"b{i}", "key", $"{i}");
        }

        for (int i = 0; i < 5; i++)
        {
            Assert.Equal($"key={i}", await shop.ReadAllAsync($"b{i}"));
            Assert.InRange(root.GetStatistics().OpenStores, 1, 2);
        }

        using StoreLease one = await shop.AcquireAsync(BranchName.Parse("b1"), default);
        using StoreLease two = await shop.AcquireAsync(BranchName.Parse("b2"), default);
        Assert.Equal(FailureKind.Overloaded, await DatabaseShortcuts.KindOfAsync(() => shop.ReadAllAsync("b3")));
        one.Dispose();
        Assert.Equal("key=3", await shop.ReadAllAsync("b3"));
    }

    [Fact]
    public async Task Sizes_tell_shared_from_own()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", new string('x', 200_000));
        using (StoreLease lease = await shop.AcquireAsync(BranchName.Main, default))
        {
            lease.Store.Flush();
        }

        BranchRecord branch = await shop.BranchAsync("b");
        BranchSize? size = await shop.MeasureAsync(branch.Name, default);

        Assert.NotNull(size);
        Assert.True(branch.LinkedFiles >= 1);
        Assert.True(size.SharedBytes > 0 && size.UniqueBytes > 0);
        Assert.Equal(size.TotalBytes, size.SharedBytes + size.UniqueBytes);
    }

    [Fact]
    public async Task A_dropped_database_is_gone_and_its_name_free()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database first = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await first.PutAsync("main", "a", "1");
        await first.BranchAsync("b");

        await root.DropDatabaseAsync(TemporaryRoot.Shop, default);
        Database second = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);

        Assert.NotEqual(first.Id, second.Id);
        Assert.Equal("", await second.ReadAllAsync("main"));
        Assert.Equal(FailureKind.Closed, await DatabaseShortcuts.KindOfAsync(() => first.ReadAllAsync("main")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "trash")));
    }

    [Fact]
    public async Task A_root_in_use_names_its_holder()
    {
        await using DataRoot root = await _root.OpenAsync();

        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => _root.OpenAsync());

        Assert.Equal(FailureKind.Locked, refused.Kind);
        Assert.Contains($"process {Environment.ProcessId}", refused.Message, StringComparison.Ordinal);
    }
}
