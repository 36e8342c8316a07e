using Branching.Storage.Changes;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>What becomes of the copy on a node that gave its database up by plan.</summary>
public sealed class ReleasedCopyTests
{
    [Fact]
    public async Task A_copy_released_in_order_stays_until_the_later_owner_serves_and_is_removed_then()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        await FillAndReleaseAsync(one);
        Assert.Equal(LocalCopyState.Current, await SettleAsync(one, ReleasedCopyRule.Remove));
        Database taken = await two.OwnAsync();

        Assert.Equal(LocalCopyState.Released, await SettleAsync(one, ReleasedCopyRule.Leave));
        Assert.Contains(TemporaryRoot.Shop, one.Root.ListDatabases());
        Assert.Equal(LocalCopyState.Removed, await SettleAsync(one, ReleasedCopyRule.Remove));

        Assert.Empty(one.Root.ListDatabases());
        Assert.Empty(one.Root.ListQuarantine());
        Assert.False(Directory.Exists(one.Files.DatabasePath));
        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
        Assert.Equal("a=1 b=2", await taken.ReadAllAsync("preview"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_copy_stays_until_the_later_owner_has_entered(bool isReleased)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        await FillAndReleaseAsync(one);
        if (!isReleased)
        {
            await (await one.OwnAsync()).PutAsync("main", "late", "x");
            await one.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        }

        two.Wire.Fail(static (step, name) => step == "put" && name.EndsWith(".heads.json", StringComparison.Ordinal));
        await Assert.ThrowsAsync<StorageException>(() => two.OwnAsync());
        foreach (ReleasedCopyRule rule in Enum.GetValues<ReleasedCopyRule>())
        {
            Assert.Equal(LocalCopyState.Current, await SettleAsync(one, rule));
        }

        Assert.Contains(TemporaryRoot.Shop, one.Root.ListDatabases());
        two.Wire.Mend();
        await Waiting.UntilAsync(() => HasTakenAsync(two), "the later owner's second try");

        Assert.Equal(
            isReleased ? LocalCopyState.Removed : LocalCopyState.SetAside,
            await SettleAsync(one, ReleasedCopyRule.Remove));
    }

    [Fact]
    public async Task A_copy_released_in_order_is_removed_also_after_its_node_was_restarted()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        await FillAndReleaseAsync(one);
        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");
        Database taken = await two.OwnAsync();
        await taken.PutAsync("main", "c", "3");
        await taken.SnapshotAsync("main");

        SharedNode again = await nodes.StartAsync("one", one.Files);

        Assert.Equal(LocalCopyState.Removed, await SettleAsync(again, ReleasedCopyRule.Remove));
        Assert.Empty(again.Root.ListQuarantine());
    }

    [Fact]
    public async Task A_database_that_comes_back_to_its_former_owner_leaves_nothing_in_quarantine()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        await FillAndReleaseAsync(one);
        Database taken = await two.OwnAsync();
        await taken.PutAsync("main", "c", "3");
        await ReleaseAsync(two, taken, "main", "preview");

        Database back = await one.OwnAsync();

        Assert.Equal(OwnedBy.Restore, back.OwnedBy);
        Assert.Equal("a=1 c=3", await back.ReadAllAsync("main"));
        Assert.Empty(one.Root.ListQuarantine());
        Assert.Equal(LocalCopyState.Removed, await SettleAsync(two, ReleasedCopyRule.Remove));
    }

    public static TheoryData<string> Doubts => new()
    {
        "a write after the snapshot", "an ephemeral branch", "a change log", "a branch without a snapshot",
        "a branch that was not opened since", "something in quarantine", "a store that nobody knows",
    };

    [Theory]
    [MemberData(nameof(Doubts))]
    public async Task A_copy_that_may_hold_more_than_its_snapshots_is_set_aside_whole(string doubt)
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.SnapshotAsync("main");
        switch (doubt)
        {
            case "a write after the snapshot":
                await shop.PutAsync("main", "late", "x");
                break;
            case "an ephemeral branch":
                await shop.CreateBranchAsync(
                    new CreateBranch(Name("scratch"), Name("main"), "tests", Durability: BranchDurability.Ephemeral),
                    default);
                break;
            case "a change log":
                await shop.EnableChangeLogAsync(Name("main"), ChangeLogSettings.Default, default);
                await shop.SnapshotAsync("main");
                break;
            case "a branch without a snapshot":
                await shop.BranchAsync("young");
                break;
            case "a branch that was not opened since":
                await shop.BranchAsync("idle");
                await shop.SnapshotAsync("idle");
                await shop.PutAsync("idle", "late", "x");
                await one.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
                await one.OwnAsync();
                break;
        }

        await one.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        if (doubt == "something in quarantine")
        {
            Directory.CreateDirectory(Path.Combine(one.Files.DatabasePath, "quarantine", "of somebody"));
        }
        else if (doubt == "a store that nobody knows")
        {
            Directory.CreateDirectory(Path.Combine(one.Files.DatabasePath, "stores", "unknown"));
        }

        await two.OwnAsync();

        Assert.Equal(LocalCopyState.SetAside, await SettleAsync(one, ReleasedCopyRule.Remove));
        QuarantineEntry aside = Assert.Single(one.Root.ListQuarantine());
        Assert.True(Directory.Exists(Path.Combine(aside.Path, "shop", "stores")));
    }

    [Fact]
    public async Task A_note_of_a_release_is_no_proof_when_a_later_epoch_does_not_name_the_snapshot()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        await FillAndReleaseAsync(one);
        string note = Path.Combine(one.Files.DatabasePath, "released.json");
        string text = await File.ReadAllTextAsync(note);
        await File.WriteAllTextAsync(note, text.Replace("-1-1\"", "-1-9\"", StringComparison.Ordinal));
        Assert.NotEqual(text, await File.ReadAllTextAsync(note));
        await two.OwnAsync();

        Assert.Equal(LocalCopyState.SetAside, await SettleAsync(one, ReleasedCopyRule.Remove));
        Assert.Single(one.Root.ListQuarantine());
    }

    [Fact]
    public async Task A_copy_that_was_served_detached_after_its_release_is_set_aside()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        await FillAndReleaseAsync(one);
        string note = Path.Combine(one.Files.DatabasePath, "released.json");
        string text = await File.ReadAllTextAsync(note);
        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");
        await two.OwnAsync();
        await using (DataRoot detached = await DataRoot.OpenAsync(one.Files.Options, new Disk(), serveDetached: true))
        {
            Database shop = await detached.GetDatabaseAsync(TemporaryRoot.Shop, default);
            await shop.PutAsync("main", "only here", "x");
        }

        Assert.False(File.Exists(note));
        await File.WriteAllTextAsync(note, text); // Even with the note, the store's log tells.
        SharedNode again = await nodes.StartAsync("one", one.Files);

        Assert.Equal(LocalCopyState.SetAside, await SettleAsync(again, ReleasedCopyRule.Remove));
        Assert.Single(again.Root.ListQuarantine());
    }

    private static async Task FillAndReleaseAsync(SharedNode node)
    {
        Database shop = await node.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("preview");
        await shop.PutAsync("preview", "b", "2");
        await ReleaseAsync(node, shop, "main", "preview");
    }

    private static async Task ReleaseAsync(SharedNode node, Database shop, params string[] branches)
    {
        foreach (string branch in branches)
        {
            await shop.SnapshotAsync(branch);
        }

        await node.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
    }

    /// <summary>Whether it is taken now: a renewal of an earlier claim may still be on its way.</summary>
    private static async Task<bool> HasTakenAsync(SharedNode node)
    {
        try
        {
            await node.OwnAsync();
            return true;
        }
        catch (StorageException e) when (e.Kind == FailureKind.NotOwner)
        {
            return false;
        }
    }

    private static Task<LocalCopyState> SettleAsync(SharedNode node, ReleasedCopyRule rule) =>
        node.Root.SetStaleAsideAsync(TemporaryRoot.Shop, rule, default);
}
