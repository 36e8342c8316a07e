using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>Restores that are cancelled, that do not fit, or that meet what they did not expect.</summary>
public sealed class RestoreUnderWayTests
{
    [Theory]
    [InlineData(nameof(SharingStep.RestoreIntended))]
    [InlineData(nameof(SharingStep.RestoreStaged))]
    public async Task Cancelled_before_its_commit_a_restore_leaves_the_old_store_serving(string step)
    {
        await using SharedNodes nodes = new();
        using CancellationTokenSource cancel = new();
        SharedNode one = await nodes.StartAsync("one", disk: SharedNodes.DiskAt(step, cancel.Cancel));
        (Database shop, SnapshotId older) = await FillAsync(one);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => one.Root.RestoreAsync(TemporaryRoot.Shop, new RestoreRequest(older, "tests"), null, cancel.Token));

        Assert.Equal("a=2", await shop.ReadAllAsync("main"));
        await shop.PutAsync("main", "b", "3");
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(one.Files.DatabasePath, "building")));
        Assert.False(File.Exists(Path.Combine(one.Files.DatabasePath, RestoreIntent.FileName)));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(one.Files.DatabasePath, "quarantine")));
    }

    [Theory]
    [InlineData(nameof(SharingStep.RestoreReady))]
    [InlineData(nameof(SharingStep.RestoreSetAside))]
    [InlineData(nameof(SharingStep.RestoreSwapped))]
    [InlineData(nameof(SharingStep.RestoreRecorded))]
    public async Task Once_the_swap_begins_a_cancellation_comes_too_late_and_the_restore_is_whole(string step)
    {
        await using SharedNodes nodes = new();
        using CancellationTokenSource cancel = new();
        SharedNode one = await nodes.StartAsync("one", disk: SharedNodes.DiskAt(step, cancel.Cancel));
        (Database shop, SnapshotId older) = await FillAsync(one);

        RestoreReport report = await one.Root.RestoreAsync(
            TemporaryRoot.Shop, new RestoreRequest(older, "tests"), null, cancel.Token);

        Assert.True(cancel.IsCancellationRequested);
        Assert.True(report.Done);
        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        Assert.Single(Directory.GetFileSystemEntries(Path.Combine(one.Files.DatabasePath, "quarantine")));
    }

    [Fact]
    public async Task Without_room_on_the_local_disk_nothing_is_fetched_and_the_error_says_how_much_is_needed()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        (Database shop, SnapshotId older) = await FillAsync(one);
        SharedNode tight = await nodes.StartAsync("tight", reserveBytes: 1L << 42);
        List<string> fetched = [];
        tight.Wire.Fail((kind, name) =>
        {
            if (kind == "fetch")
            {
                fetched.Add(name);
            }

            return false;
        });

        StorageException single = await Assert.ThrowsAsync<StorageException>(() => tight.Root.RestoreAsync(
            TemporaryRoot.Shop, new RestoreRequest(older, "tests", NewDatabase: DatabaseName.Parse("copy")), null,
            default));
        await one.StopAsync();
        StorageException whole = await Assert.ThrowsAsync<StorageException>(() => tight.OwnAsync());

        Assert.All([single, whole], failure =>
        {
            Assert.Equal(FailureKind.DiskFull, failure.Kind);
            Assert.Matches("has [0-9]+ bytes available, [0-9]+ are needed", failure.Message);
        });
        Assert.Empty(fetched);
        Assert.Empty(tight.Root.ListDatabases());
        Assert.Equal("a=2", await (await (await nodes.StartAsync("roomy")).OwnAsync()).ReadAllAsync("main"));
        Assert.NotNull(shop);
    }

    [Fact]
    public async Task An_older_snapshot_takes_the_place_of_a_damaged_one_only_when_that_is_accepted()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        (Database shop, SnapshotId older) = await FillAsync(one);
        SnapshotManifest newest = (await shop.SnapshotAsync("main")).Manifest;
        SnapshotManifest before = await shop.Repository!.ReadManifestAsync(older, default);
        string only = newest.Files.First(file => !before.Files.Any(f => f.ObjectName == file.ObjectName)).ObjectName;
        await one.StopAsync();
        string path = Directory.GetFiles(nodes.Directory, Path.GetFileName(only), SearchOption.AllDirectories).Single();
        File.Delete(path);
        SharedNode two = await nodes.StartAsync("two");

        StorageException damaged = await Assert.ThrowsAsync<StorageException>(() => two.OwnAsync());
        Database taken = await two.OwnAsync(new OwnRequest(AcceptOlderSnapshots: true));

        Assert.Equal(FailureKind.SnapshotDamaged, damaged.Kind);
        Assert.Contains(nameof(OwnRequest.AcceptOlderSnapshots), damaged.Message, StringComparison.Ordinal);
        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
        Assert.Equal(older, taken.GetLag(BranchName.Main).Snapshot);
    }

    [Fact]
    public async Task A_copy_that_shared_storage_does_not_know_is_put_there_only_when_that_is_accepted()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        (Database shop, _) = await FillAsync(one);
        await one.StopAsync();
        await using SharedNodes empty = new();
        SharedNode moved = await empty.StartAsync("one", one.Files);

        StorageException unknown = await Assert.ThrowsAsync<StorageException>(() => moved.OwnAsync());
        Database accepted = await moved.OwnAsync(new OwnRequest(AcceptUnknown: true));

        Assert.Equal(FailureKind.Refused, unknown.Kind);
        Assert.Contains(nameof(OwnRequest.AcceptUnknown), unknown.Message, StringComparison.Ordinal);
        Assert.Equal("a=2", await accepted.ReadAllAsync("main"));
        Assert.Equal(shop.Id, accepted.Id);
        await accepted.SnapshotAsync("main");
        await moved.StopAsync();
        Assert.Equal("a=2", await (await (await empty.StartAsync("two")).OwnAsync()).ReadAllAsync("main"));
    }

    [Fact]
    public async Task Without_shared_storage_the_policy_fresh_sets_a_damaged_database_aside_and_begins_anew()
    {
        using TemporaryRoot files = new();
        DatabaseName whole = DatabaseName.Parse("whole");
        string store;
        await using (DataRoot root = await files.OpenAsync())
        {
            Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            store = Path.Combine(files.DatabasePath, "stores", shop.GetBranch(BranchName.Main).Id.ToString());
            await (await root.CreateDatabaseAsync(whole, "tests", default)).PutAsync("main", "b", "2");
        }

        File.Delete(Path.Combine(store, "CURRENT"));
        await using (DataRoot careful = await OpenAsync(files, DirtyStorePolicy.Fail))
        {
            Database kept = await careful.GetDatabaseAsync(TemporaryRoot.Shop, default);
            Assert.Equal(FailureKind.Corruption, await KindOfAsync(() => kept.ReadAllAsync("main")));
        }

        await using DataRoot fresh = await OpenAsync(files, DirtyStorePolicy.Fresh);

        Assert.Equal("", await (await fresh.GetDatabaseAsync(TemporaryRoot.Shop, default)).ReadAllAsync("main"));
        Assert.Equal("b=2", await (await fresh.GetDatabaseAsync(whole, default)).ReadAllAsync("main"));
        QuarantineEntry aside = Assert.Single(fresh.ListQuarantine());
        Assert.True(Directory.Exists(Path.Combine(aside.Path, "shop", "stores", Path.GetFileName(store))));
        Assert.Contains("CURRENT", aside.Reason, StringComparison.Ordinal);
    }

    private static Task<DataRoot> OpenAsync(TemporaryRoot files, DirtyStorePolicy policy) => DataRoot.OpenAsync(
        files.Options,
        new DataRootSharing(
            new SharedStorageOptions { DirtyStore = policy }, new OwnershipOptions(), new SnapshotOptions()));

    private static async Task<(Database Shop, SnapshotId Older)> FillAsync(SharedNode node)
    {
        Database shop = await node.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId older = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");
        await shop.SnapshotAsync("main");
        return (shop, older);
    }
}
