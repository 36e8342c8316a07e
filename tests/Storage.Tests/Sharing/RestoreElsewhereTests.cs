using Branching.RocksDb.Files;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>Snapshots put back in another place than they came from, and with other options.</summary>
public sealed class RestoreElsewhereTests
{
    private static readonly DatabaseName _copy = DatabaseName.Parse("copy");

    [Fact]
    public async Task A_whole_database_becomes_a_new_one_with_all_branches_and_their_lineage()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await FillAsync(one);
        SnapshotId named = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "late", "x");
        await shop.BranchAsync("younger");
        await shop.SnapshotAsync("younger");
        SharedNode two = await nodes.StartAsync("two");
        SnapshotSource source = await two.Root.OpenSourceAsync(TemporaryRoot.Shop, null, default);

        WholeRestoreReport report = await two.Root.RestoreDatabaseAsync(
            source, new RestoreRequest(named, "tests", NewDatabase: _copy), null, null, default);

        Database copy = await two.Root.GetDatabaseAsync(_copy, default);
        Assert.Equal(["main", "kept", "grandchild"], report.Stores.Select(store => store.Branch.Value));
        Assert.Equal("a=1", await copy.ReadAllAsync("main"));
        Assert.Equal("a=1 b=2", await copy.ReadAllAsync("kept"));
        Assert.Equal("a=1 c=3", await copy.ReadAllAsync("grandchild"));
        Assert.Equal(
            ["grandchild:Ready", "kept:Ready", "main:Ready", "unsent:Lost"],
            copy.ListBranches().Select(branch => $"{branch.Name}:{branch.State}"));
        Assert.Equal(
            ["parent:Deleted", "main:Ready"],
            copy.GetAncestors(Name("grandchild")).Select(branch => $"{branch.Name}:{branch.State}"));
        Assert.Contains(report.Left, line => line.Contains("'unsent'", StringComparison.Ordinal));
        Assert.Empty(copy.ListBranches(includeDeleted: true).Select(branch => branch.Id)
            .Intersect(shop.ListBranches(includeDeleted: true).Select(branch => branch.Id)));
        Assert.Equal("a=1 late=x", await shop.ReadAllAsync("main"));
        await two.StopAsync();
        SharedNode three = await nodes.StartAsync("three");
        Database taken = await three.Root.OwnDatabaseAsync(_copy, new OwnRequest(), null, default);
        Assert.Equal("a=1 b=2", await taken.ReadAllAsync("kept"));
        Assert.Equal(BranchState.Lost, taken.GetBranch(Name("unsent")).State);
    }

    [Fact]
    public async Task Another_shared_storage_is_only_read_and_its_database_goes_on_here_under_a_new_identity()
    {
        await using SharedNodes there = new();
        SharedNode old = await there.StartAsync("old");
        Database shop = await FillAsync(old);
        SnapshotId named = (await shop.SnapshotAsync("main")).Id;
        await old.StopAsync();
        string[] before = Listing(there.Directory);
        await using SharedNodes here = new();
        SharedNode fresh = await here.StartAsync("fresh");
        SnapshotSource source = await fresh.Root.OpenSourceAsync(TemporaryRoot.Shop, there.Directory, default);

        await fresh.Root.RestoreDatabaseAsync(
            source, new RestoreRequest(named, "tests", NewDatabase: TemporaryRoot.Shop), null, null, default);

        Assert.True(source.IsForeign);
        Database restored = await fresh.Root.GetDatabaseAsync(TemporaryRoot.Shop, default);
        Assert.NotEqual(shop.Id, restored.Id);
        Assert.Equal("a=1 b=2", await restored.ReadAllAsync("kept"));
        await restored.PutAsync("kept", "d", "4");
        await restored.SnapshotAsync("kept");
        Assert.Equal(before, Listing(there.Directory));
    }

    [Fact]
    public async Task A_node_without_shared_storage_restores_from_a_directory_too()
    {
        await using SharedNodes there = new();
        SharedNode old = await there.StartAsync("old");
        Database shop = await FillAsync(old);
        SnapshotId named = (await shop.SnapshotAsync("main")).Id;
        using TemporaryRoot root = new();
        await using DataRoot alone = await root.OpenAsync();
        SnapshotSource source = await alone.OpenSourceAsync(TemporaryRoot.Shop, there.Directory, default);

        await alone.RestoreDatabaseAsync(
            source, new RestoreRequest(named, "tests", NewDatabase: _copy), null, null, default);
        await alone.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await alone.RestoreAsync(
            source, TemporaryRoot.Shop, [new RestoreRequest(named, "tests", Branch: Name("theirs"))], null, default);

        Database copy = await alone.GetDatabaseAsync(_copy, default);
        Database other = await alone.GetDatabaseAsync(TemporaryRoot.Shop, default);
        Assert.Equal("a=1 c=3", await copy.ReadAllAsync("grandchild"));
        Assert.Equal("a=1", await other.ReadAllAsync("theirs"));
        Assert.Null(other.GetBranch(Name("theirs")).ParentId);
        Assert.Equal($"shop/{named}", other.GetBranch(Name("theirs")).Labels[Database.RestoredFromLabel]);
    }

    [Fact]
    public async Task A_branch_of_another_database_joins_this_one_and_survives_its_node()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await FillAsync(one);
        SnapshotId kept = (await shop.SnapshotAsync("kept")).Id;
        Database other = await one.Root.CreateDatabaseAsync(_copy, "tests", default);
        await other.SnapshotAsync("main");
        SnapshotSource source = await one.Root.OpenSourceAsync(TemporaryRoot.Shop, null, default);

        await one.Root.RestoreAsync(
            source, _copy, [new RestoreRequest(kept, "tests", Branch: Name("guest"))], null, default);
        Assert.Equal("a=1 b=2", await other.ReadAllAsync("guest"));
        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");

        Database taken = await two.Root.OwnDatabaseAsync(_copy, new OwnRequest(), null, default);
        Assert.Equal("a=1 b=2", await taken.ReadAllAsync("guest"));
        Assert.Equal("", await taken.ReadAllAsync("main"));
    }

    [Fact]
    public async Task Options_of_a_restored_store_are_its_own_travel_with_it_and_can_be_taken_back()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;

        await RestoreAsync(one, snapshot, "tuned", new()
        {
            ["BlockCacheBytes"] = "2097152",
            ["Compression"] = "none",
            ["MemtableBytes"] = "131072",
        });
        await shop.BranchAsync("child", "tuned");
        await shop.SnapshotAsync("child");
        await shop.SnapshotAsync("tuned");
        Assert.Contains("\n  compression=kNoCompression", OptionsOf(one, shop, "tuned"), StringComparison.Ordinal);
        Assert.Contains("write_buffer_size=131072", OptionsOf(one, shop, "tuned"), StringComparison.Ordinal);
        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");
        Database taken = await two.OwnAsync();
        Assert.Equal("a=1", await taken.ReadAllAsync("child"));
        Assert.Contains("write_buffer_size=131072", OptionsOf(two, taken, "child"), StringComparison.Ordinal);
        SnapshotId tuned = (await taken.SnapshotAsync("tuned")).Id;
        await RestoreAsync(two, tuned, "again", new() { ["MemtableBytes"] = "262144", ["Compression"] = "node" });
        Assert.Equal("a=1", await taken.ReadAllAsync("again"));

        string again = OptionsOf(two, taken, "again");
        Assert.Contains("write_buffer_size=262144", again, StringComparison.Ordinal);
        Assert.DoesNotContain("\n  compression=kNoCompression", again, StringComparison.Ordinal);
        Assert.Equal(
            ["branching/option/BlockCacheBytes=2097152", "branching/option/MemtableBytes=262144"],
            taken.GetBranch(Name("again")).Labels.Where(label => label.Key.Contains("option", StringComparison.Ordinal))
                .Select(label => $"{label.Key}={label.Value}").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("BlockCache", "1", "MaxOpenFilesPerStore")]
    [InlineData("BlockCacheBytes", "12 MB", "BlockCacheBytes")]
    [InlineData("BlockCacheBytes", "-1", "BlockCacheBytes")]
    [InlineData("BlockCacheBytes", "1", "BlockCacheBytes")]
    [InlineData("MaxOpenFilesPerStore", "99999999999999999999", "MaxOpenFilesPerStore")]
    [InlineData("MemtableBytes", "1073741824", "MemtableBudgetBytes")]
    [InlineData("Compression", "brotli", "Zstd")]
    [InlineData("Compression", "4", "Zstd")]
    public async Task An_option_that_cannot_be_is_refused_by_name_and_nothing_is_touched(
        string name, string value, string named)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;

        StorageException refused = await Assert.ThrowsAsync<StorageException>(
            () => RestoreAsync(one, snapshot, "tuned", new() { [name] = value }));

        Assert.Equal(FailureKind.InvalidArgument, refused.Kind);
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.False(shop.TryGetBranch(Name("tuned"), out _));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(one.Files.DatabasePath, "building")));
    }

    [Fact]
    public async Task The_labels_that_are_the_programs_own_are_not_taken_from_callers()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();

        Assert.Equal(FailureKind.InvalidArgument, await KindOfAsync(() => shop.CreateBranchAsync(
            new CreateBranch(Name("b"), BranchName.Main, "tests", new Dictionary<string, string>
            {
                ["branching/option/MemtableBytes"] = "1",
            }),
            default)));
    }

    [Fact]
    public async Task A_snapshot_is_not_looked_for_where_nothing_is_and_nothing_is_made_there()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        string nowhere = Path.Combine(nodes.Directory, "nowhere");

        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync(
            () => one.Root.OpenSourceAsync(TemporaryRoot.Shop, nowhere, default)));
        Assert.False(Directory.Exists(nowhere));
        StorageException unknown = await Assert.ThrowsAsync<StorageException>(
            () => one.Root.OpenSourceAsync(TemporaryRoot.Shop, nodes.Directory, default));
        Assert.Equal(FailureKind.DatabaseNotFound, unknown.Kind);
        Assert.Contains(nodes.Directory, unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Branches_that_share_files_have_them_fetched_once_and_linked_to_one_local_copy()
    {
        const int Branches = 8;
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", new string('x', 200_000));
        using (StoreLease lease = await shop.AcquireAsync(BranchName.Main, default))
        {
            lease.Store.Flush();
        }

        await shop.SnapshotAsync("main");
        for (int i = 0; i < Branches; i++)
        {
            await shop.BranchAsync($"b{i}");
            await shop.PutAsync($"b{i}", "own", $"{i}");
            await shop.SnapshotAsync($"b{i}");
        }

        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");
        List<string> fetched = [];
        two.Wire.Fail((step, name) =>
        {
            if (step == "fetch")
            {
                lock (fetched)
                {
                    fetched.Add(name);
                }
            }

            return false;
        });

        Database taken = await two.OwnAsync();

        Assert.Equal(fetched.Count, fetched.Distinct(StringComparer.Ordinal).Count());
        FileStatus[] tables = [.. taken.ListBranches().SelectMany(branch => Directory.GetFiles(
                Path.Combine(two.Files.DatabasePath, "stores", branch.Id.ToString()), "*.sst"))
            .Select(LocalFiles.GetStatus).Where(status => status.Bytes > 1000)];
        Assert.Equal(Branches + 1, tables.Length);
        Assert.Single(tables.Select(status => status.Inode).Distinct());
        Assert.EndsWith(" own=3", await taken.ReadAllAsync("b3"), StringComparison.Ordinal);
    }

    private static async Task<Database> FillAsync(SharedNode node)
    {
        Database shop = await node.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("kept");
        await shop.PutAsync("kept", "b", "2");
        await shop.SnapshotAsync("kept");
        await shop.BranchAsync("parent");
        await shop.BranchAsync("grandchild", "parent");
        await shop.PutAsync("grandchild", "c", "3");
        await shop.SnapshotAsync("grandchild");
        await shop.DeleteBranchAsync(Name("parent"), default);
        await shop.BranchAsync("unsent");
        await shop.CreateBranchAsync(
            new CreateBranch(Name("scratch"), BranchName.Main, "tests", Durability: BranchDurability.Ephemeral),
            default);
        return shop;
    }

    private static Task<RestoreReport> RestoreAsync(
        SharedNode node, SnapshotId snapshot, string branch, Dictionary<string, string> options) =>
        node.Root.RestoreAsync(
            TemporaryRoot.Shop, new RestoreRequest(snapshot, "tests", Branch: Name(branch), Options: options), null,
            default);

    /// <summary>What RocksDB wrote of the options that the store was opened with last.</summary>
    private static string OptionsOf(SharedNode node, Database database, string branch)
    {
        string store = Path.Combine(
            node.Files.DatabasePath, "stores", database.GetBranch(Name(branch)).Id.ToString());
        return File.ReadAllText(Directory.GetFiles(store, "OPTIONS-*").Order(StringComparer.Ordinal).Last());
    }

    private static string[] Listing(string directory) =>
        [.. Directory.GetFileSystemEntries(directory, "*", SearchOption.AllDirectories)
            .Select(path => File.Exists(path) ? $"{path} {File.GetLastWriteTimeUtc(path):O}" : path)
            .Order(StringComparer.Ordinal)];
}
