using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

public sealed class RestoreTests
{
    [Fact]
    public async Task A_restored_branch_takes_the_place_of_the_former_store_which_is_set_aside()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");
        await shop.BranchAsync("child");

        RestoreReport report = await RestoreAsync(one, new RestoreRequest(snapshot, "tests"));

        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        Assert.Equal("a=2", await shop.ReadAllAsync("child"));
        Assert.True(report.Done);
        Assert.Equal(shop.GetBranch(BranchName.Main).Id, report.Store);
        Assert.True(File.Exists(Path.Combine(report.Quarantine!, "reason.json")));
        Assert.True(Directory.Exists(Path.Combine(report.Quarantine!, report.Replaced.ToString()!)));
        Assert.False(File.Exists(Path.Combine(one.Files.DatabasePath, "restore.json")));
        Assert.Equal(new Sequence(2), report.ReplacedSequence);
        RestoreReport back = await RestoreAsync(one, new RestoreRequest(report.SnapshotBefore!.Value, "tests"));
        Assert.Equal("a=2", await shop.ReadAllAsync("main"));
        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");
        Database taken = await two.OwnAsync();
        Assert.Equal("a=2", await taken.ReadAllAsync("main"));
        Assert.Equal(back.Store, taken.GetBranch(BranchName.Main).Id);
    }

    [Fact]
    public async Task A_dry_run_says_what_would_happen_and_changes_nothing()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");
        string[] before = Directory.GetFileSystemEntries(one.Files.Path, "*", SearchOption.AllDirectories);

        RestoreReport plan = await RestoreAsync(one, new RestoreRequest(snapshot, "tests", DryRun: true));

        Assert.False(plan.Done);
        Assert.Equal(shop.GetBranch(BranchName.Main).Id, plan.Replaced);
        Assert.Equal((new Sequence(1), new Sequence(2)), (plan.Sequence, plan.ReplacedSequence));
        Assert.True(plan.Plan.BytesToFetch > 0);
        Assert.Equal("a=2", await shop.ReadAllAsync("main"));
        Assert.Equal(
            before.Order(StringComparer.Ordinal),
            Directory.GetFileSystemEntries(one.Files.Path, "*", SearchOption.AllDirectories)
                .Where(path => Path.GetFileName(path) is not "fetched").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_snapshot_becomes_a_new_branch_or_a_new_database_on_another_node()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");

        await RestoreAsync(one, new RestoreRequest(snapshot, "tests", Branch: Name("past")));
        DatabaseName copy = DatabaseName.Parse("copy");
        await RestoreAsync(two, new RestoreRequest(snapshot, "tests", NewDatabase: copy));

        Assert.Equal("a=1", await shop.ReadAllAsync("past"));
        Assert.Equal(BranchName.Main, shop.GetBranch(Name("past")).ParentName);
        Database copied = await two.Root.GetDatabaseAsync(copy, default);
        Assert.Equal("a=1", await copied.ReadAllAsync("main"));
        Assert.NotEqual(shop.Id, copied.Id);
        Assert.Equal(FailureKind.DatabaseExists, await KindOfAsync(
            () => RestoreAsync(two, new RestoreRequest(snapshot, "tests", NewDatabase: copy))));
    }

    [Fact]
    public async Task A_damaged_snapshot_is_refused_and_the_store_stays()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");
        string largest = new DirectoryInfo(nodes.Directory).GetFiles("*", SearchOption.AllDirectories)
            .Where(file => file.FullName.Contains("/objects/", StringComparison.Ordinal)).MaxBy(file => file.Length)!
            .FullName;
        byte[] bytes = await File.ReadAllBytesAsync(largest);
        bytes[bytes.Length / 2] ^= 1;
        File.Delete(largest);
        await File.WriteAllBytesAsync(largest, bytes);

        Assert.Equal(FailureKind.SnapshotDamaged, await KindOfAsync(() => RestoreAsync(
            one, new RestoreRequest(snapshot, "tests", SnapshotBefore: false))));
        Assert.Equal("a=2", await shop.ReadAllAsync("main"));
        Assert.False(File.Exists(Path.Combine(one.Files.DatabasePath, "restore.json")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(one.Files.DatabasePath, "building")));
    }

    [Fact]
    public async Task After_too_many_interrupted_starts_the_database_waits_for_a_person()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        StoreId main = shop.GetBranch(BranchName.Main).Id;
        await one.StopAsync();
        RestoreIntent intent = new(
            1, "x", "main", StoreId.New(TimeProvider.System).ToString(), main.ToString(), IsStaged: true, Attempts: 5,
            DateTimeOffset.UnixEpoch, "tests");
        string path = Path.Combine(one.Files.DatabasePath, "restore.json");
        await File.WriteAllTextAsync(
            path, System.Text.Json.JsonSerializer.Serialize(intent, Documents.Default.RestoreIntent));

        SharedNode again = await nodes.StartAsync("one", one.Files);
        Assert.Equal(FailureKind.Refused, again.Root.WhyNotServed(TemporaryRoot.Shop)?.Kind);
        Assert.Equal(FailureKind.Refused, await KindOfAsync(() => again.OwnAsync()));
        File.Delete(path);
        await again.StopAsync();
        SharedNode mended = await nodes.StartAsync("one", one.Files);

        Assert.Equal("a=1", await (await mended.OwnAsync()).ReadAllAsync("main"));
    }

    [Theory]
    [InlineData(DirtyStorePolicy.Fail, null)]
    [InlineData(DirtyStorePolicy.RestoreSnapshot, "a=1")]
    [InlineData(DirtyStorePolicy.Fresh, "")]
    public async Task A_damaged_local_store_is_handled_as_its_policy_says(DirtyStorePolicy policy, string? content)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.SnapshotAsync("main");
        await shop.PutAsync("main", "late", "x");
        string store = await one.StopAndDamageAsync(shop);

        SharedNode again = await nodes.StartAsync(
            "one", one.Files, options: new SharedStorageOptions { DirtyStore = policy });
        if (content is null)
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(() => again.OwnAsync());
            Assert.Equal(FailureKind.Corruption, refused.Kind);
            Assert.Contains("DirtyStore", refused.Message, StringComparison.Ordinal);
            Assert.True(Directory.Exists(store));
            return;
        }

        Database back = await again.OwnAsync();
        Assert.Equal(content, await back.ReadAllAsync("main"));
        Assert.Single(Directory.GetDirectories(Path.Combine(one.Files.Path, "quarantine")));
    }

    [Theory]
    [InlineData(DirtyStorePolicy.Fail)]
    [InlineData(DirtyStorePolicy.RestoreSnapshot)]
    [InlineData(DirtyStorePolicy.Fresh)]
    public async Task Nobody_is_given_a_database_before_its_main_store_was_looked_at(DirtyStorePolicy policy)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.SnapshotAsync("main");
        await shop.BranchAsync("dev");
        await one.StopAndDamageAsync(shop);
        SharedNode? again = null;
        List<bool> wasServing = [];

        // A write that a healthy branch took there would be set aside with the damaged main store.
        Disk watching = SharedNodes.DiskAt(
            nameof(SharingStep.TenureAttached),
            () => wasServing.Add(again!.Root.TryGetServing(TemporaryRoot.Shop) is not null));

        again = await nodes.StartAsync(
            "one", one.Files, options: new SharedStorageOptions { DirtyStore = policy }, disk: watching);
        bool isServed = await Record.ExceptionAsync(() => again.OwnAsync()) is null;

        Assert.Equal(policy != DirtyStorePolicy.Fail, isServed);
        Assert.Equal(isServed, again.Root.TryGetServing(TemporaryRoot.Shop) is not null);
        Assert.Equal(policy == DirtyStorePolicy.Fail ? 1 : 2, wasServing.Count);
        Assert.DoesNotContain(true, wasServing);
    }

    [Fact]
    public async Task A_deleted_snapshot_does_not_come_back_with_any_restore_nor_with_another_owner()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId older = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "secret", "x");
        SnapshotId purged = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");
        SnapshotId newer = (await shop.SnapshotAsync("main")).Id;
        await shop.Repository!.RetireAsync(shop.Tenure!, purged, evenLast: false, default);

        await RestoreAsync(one, new RestoreRequest(older, "tests", SnapshotBefore: false));
        await RestoreAsync(one, new RestoreRequest(newer, "tests", Branch: Name("copy")));
        SnapshotSource source = await one.Root.OpenSourceAsync(TemporaryRoot.Shop, directory: null, default);
        await one.Root.RestoreDatabaseAsync(
            source, new RestoreRequest(older, "tests", NewDatabase: DatabaseName.Parse("whole")), until: null, null,
            default);
        await one.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        SharedNode two = await nodes.StartAsync("two");
        Database taken = await two.OwnAsync();

        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
        foreach (DataRoot root in (DataRoot[])[one.Root, two.Root])
        {
            SnapshotSource known = await root.OpenSourceAsync(TemporaryRoot.Shop, directory: null, default);
            SnapshotView view = await known.Repository.ReadAsync(default);
            Assert.DoesNotContain(view.Snapshots, one => one.Id == purged);
            Assert.Contains(view.Snapshots, one => one.Id == newer);
        }

        Assert.Equal(FailureKind.SnapshotNotFound, await KindOfAsync(
            () => RestoreAsync(two, new RestoreRequest(purged, "tests"))));
        await taken.Repository!.CollectAsync(taken.Tenure!, new GarbageOptions(Grace: TimeSpan.Zero), default);
        Assert.Equal(FailureKind.SnapshotNotFound, await KindOfAsync(
            () => RestoreAsync(two, new RestoreRequest(purged, "tests"))));
        await RestoreAsync(two, new RestoreRequest(newer, "tests", Branch: Name("again")));
        Assert.Equal("a=2 secret=x", await taken.ReadAllAsync("again"));
    }

    private static Task<RestoreReport> RestoreAsync(SharedNode node, RestoreRequest request) =>
        node.Root.RestoreAsync(TemporaryRoot.Shop, request, null, default);
}
