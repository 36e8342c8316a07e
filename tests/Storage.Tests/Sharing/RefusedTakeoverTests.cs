using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>Takers that serve nothing, for want of a snapshot or since their restore fails: whoever holds the data goes
/// on with it.</summary>
public sealed class RefusedTakeoverTests
{
    [Fact]
    public async Task A_taker_that_finds_no_snapshot_does_not_fence_the_owner_that_was_cut_off()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one", leases: SharedNodes.Patient);
        SharedNode two = await nodes.StartAsync("two");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        one.Wire.Cut();

        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => two.OwnAsync());
        one.Wire.Mend();
        await shop.PutAsync("main", "b", "2");

        Assert.Equal(FailureKind.NothingToRestore, refused.Kind);
        Assert.Contains("'one'", refused.Message, StringComparison.Ordinal);
        Assert.Equal(shop.Epoch, (await LookAsync(two)).Newest);
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
    }

    [Fact]
    public async Task A_node_that_held_the_only_copy_serves_it_after_others_tried_in_vain()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        Epoch first = shop.Epoch;
        await one.StopAsync();
        Assert.Equal(FailureKind.NothingToRestore, await KindOfAsync(() => two.OwnAsync()));
        Assert.Equal(FailureKind.NothingToRestore, await KindOfAsync(
            () => two.OwnAsync(new OwnRequest(WaitForLease: false))));

        SharedNode again = await nodes.StartAsync("one", one.Files);
        Assert.Equal(LocalCopyState.Current, await again.Root.SetStaleAsideAsync(
            TemporaryRoot.Shop, ReleasedCopyRule.Remove, default));
        Database back = await again.OwnAsync();

        Assert.Equal(OwnedBy.Return, back.OwnedBy);
        Assert.Equal(first.Value + 1, back.Epoch.Value);
        Assert.Equal("a=1", await back.ReadAllAsync("main"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_takeover_that_fails_leaves_the_former_owner_all_that_it_acknowledged(bool isReleased)
    {
        const int Tries = 3;
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.SnapshotAsync("main");
        await shop.BranchAsync("preview");
        await shop.PutAsync("preview", "late", "x");
        Epoch first = shop.Epoch;
        if (isReleased)
        {
            await one.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        }
        else
        {
            await one.StopAsync();
        }

        two.Wire.Fail(static (_, name) => name.Contains("/objects/", StringComparison.Ordinal));
        for (int tries = 0; tries < Tries; tries++)
        {
            await Assert.ThrowsAsync<StorageException>(() => two.OwnAsync());
        }

        two.Wire.Mend();
        string heads = Directory.GetFiles(nodes.Directory, "*.heads.json", SearchOption.AllDirectories).Max()!;
        HeadsDocument last = SealedDocument.Open(
            await File.ReadAllBytesAsync(heads), SharedDocuments.Default.HeadsDocument, Formats.Shared, "The heads",
            heads);
        Assert.Equal(first.Value, last.Entered);
        SharedNode again = isReleased ? one : await nodes.StartAsync("one", one.Files);
        OwnershipStatus status = await LookAsync(again);
        Assert.Equal(("two", first), (status.Owner!.NodeName, status.Entered));
        Assert.Equal(("one", "one"), (status.EnteredBy!.NodeName, status.Holder!.NodeName));
        Assert.Equal(LocalCopyState.Current, await again.Root.SetStaleAsideAsync(
            TemporaryRoot.Shop, ReleasedCopyRule.Remove, default));

        Database back = await again.OwnAsync();

        Assert.Equal((OwnedBy.Return, first.Value + Tries + 1), (back.OwnedBy, back.Epoch.Value));
        Assert.Equal("a=1", await back.ReadAllAsync("main"));
        Assert.Equal("a=1 late=x", await back.ReadAllAsync("preview"));
        await back.SnapshotAsync("preview");
        await again.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        Database taken = await two.OwnAsync();
        Assert.Equal("a=1 late=x", await taken.ReadAllAsync("preview"));
        Assert.Empty(two.Root.ListQuarantine());
    }

    [Fact]
    public async Task A_claim_of_a_former_version_has_entered_when_its_lease_says_that_it_serves()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.SnapshotAsync("main");
        await one.StopAsync();
        await two.OwnAsync();
        await two.StopAsync();
        string entered = Directory.GetFiles(nodes.Directory, "*2.entered.json", SearchOption.AllDirectories).Single();
        File.Delete(entered);
        string claim = entered.Replace(".entered", "", StringComparison.Ordinal);
        byte[] bytes = await File.ReadAllBytesAsync(claim);
        ClaimDocument document = SealedDocument.Open(
            bytes, SharedDocuments.Default.ClaimDocument, Formats.Shared, "The claim", claim);
        Assert.True(document.Enters);

        SharedNode again = await nodes.StartAsync("one", one.Files);
        Assert.Equal("one", (await LookAsync(again)).EnteredBy!.NodeName);
        await File.WriteAllBytesAsync(
            claim, SealedDocument.Seal(document with { Enters = null }, SharedDocuments.Default.ClaimDocument));

        Assert.Equal("two", (await LookAsync(again)).EnteredBy!.NodeName);
        Assert.Equal(LocalCopyState.SetAside, await again.Root.SetStaleAsideAsync(
            TemporaryRoot.Shop, ReleasedCopyRule.SetAside, default));
    }

    [Fact]
    public async Task A_taker_that_cannot_read_the_newest_snapshot_does_not_fence_the_owner()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.SnapshotAsync("main");
        await shop.PutAsync("main", "a", "2");
        await shop.SnapshotAsync("main");
        Epoch epoch = shop.Epoch;
        await one.StopAsync();
        string manifest = Directory.GetFiles(nodes.Directory, "*-*2.json", SearchOption.AllDirectories)
            .Single(file => file.Contains("snapshots", StringComparison.Ordinal));
        await File.WriteAllTextAsync(manifest, "{");

        StorageException damaged = await Assert.ThrowsAsync<StorageException>(() => two.OwnAsync());
        Assert.Equal(epoch, (await LookAsync(two)).Newest);
        Database taken = await two.OwnAsync(new OwnRequest(AcceptOlderSnapshots: true));

        Assert.Equal(FailureKind.SnapshotDamaged, damaged.Kind);
        Assert.Contains(nameof(OwnRequest.AcceptOlderSnapshots), damaged.Message, StringComparison.Ordinal);
        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
    }

    [Fact]
    public async Task A_name_without_an_epoch_is_neither_taken_nor_dropped_by_a_node_that_does_not_hold_it()
    {
        await using SharedNodes nodes = new();
        SharedNode two = await nodes.StartAsync("two");
        ISharedStorage shared = await two.Root.GetSharedStorageAsync(default);
        DatabaseLives lives = new(shared);
        await lives.ReserveAsync(
            TemporaryRoot.Shop, DatabaseId.New(TimeProvider.System), "tests", TimeProvider.System.GetUtcNow(), default);

        Assert.Equal(FailureKind.NothingToRestore, await KindOfAsync(() => two.OwnAsync()));
        Assert.Equal(FailureKind.NothingToRestore, await KindOfAsync(() => two.OwnAsync()));

        Assert.Equal(0ul, (await LookAsync(two)).Newest.Value);
        await two.Root.DropDatabaseAsync(TemporaryRoot.Shop, default);
        await two.CreateAsync();
    }

    private static async Task<OwnershipStatus> LookAsync(SharedNode node) =>
        await node.Root.LookAtOwnerAsync(TemporaryRoot.Shop, default)
        ?? throw new InvalidOperationException("Shared storage does not know the database.");
}
