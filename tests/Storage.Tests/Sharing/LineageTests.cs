using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

public sealed class LineageTests
{
    [Fact]
    public async Task A_branch_that_shared_storage_did_not_take_is_not_there_and_its_name_is_free()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        one.Wire.Fail(static (step, name) => step == "put" && name.Contains("/catalog/", StringComparison.Ordinal));

        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync(() => shop.BranchAsync("preview")));
        Assert.False(shop.TryGetBranch(Name("preview"), out _));
        Assert.Single(Directory.GetDirectories(Path.Combine(one.Files.DatabasePath, "stores")));
        one.Wire.Mend();
        await shop.BranchAsync("preview");

        Assert.Equal("main preview", await LivingOnSharedAsync(one, shop));
    }

    [Fact]
    public async Task A_deletion_that_shared_storage_did_not_take_leaves_the_branch_serving()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.BranchAsync("preview");
        await shop.PutAsync("preview", "a", "1");
        one.Wire.Fail(static (step, name) => step == "put" && name.Contains("/catalog/", StringComparison.Ordinal));

        Assert.Equal(
            FailureKind.SharedStorageUnavailable,
            await KindOfAsync(() => shop.DeleteBranchAsync(Name("preview"), default)));
        Assert.Equal("a=1", await shop.ReadAllAsync("preview"));
        one.Wire.Mend();
        Assert.Equal("main preview", await LivingOnSharedAsync(one, shop));
        await shop.DeleteBranchAsync(Name("preview"), default);

        Assert.Equal("main", await LivingOnSharedAsync(one, shop));
    }

    [Fact]
    public async Task Policies_travel_with_the_database()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.SetPolicyAsync("database", """{"every":"00:05:00"}""", default);
        await shop.SetPolicyAsync("other", "1", default);
        await shop.SetPolicyAsync("other", null, default);
        await shop.SnapshotAsync("main");
        await one.StopAsync();

        SharedNode two = await nodes.StartAsync("two");
        Database taken = await two.OwnAsync();

        Assert.Equal("""{"every":"00:05:00"}""", taken.Policies["database"]);
        Assert.Single(taken.Policies);
    }

    [Fact]
    public async Task The_lag_says_what_would_be_lost_with_the_node()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.PutAsync("main", "b", "2");
        SnapshotLag before = shop.GetLag(Name("main"));
        await shop.SnapshotAsync("main");
        SnapshotLag after = shop.GetLag(Name("main"));
        await shop.PutAsync("main", "c", "3");
        SnapshotLag later = shop.GetLag(Name("main"));
        await one.StopAsync();
        SharedNode again = await nodes.StartAsync("one", one.Files);
        Database back = await again.OwnAsync();

        Assert.Equal((2ul, null), (before.Sequences, before.Snapshotted));
        Assert.Equal((0ul, TimeSpan.Zero, new Sequence(2)), (after.Sequences, after.Behind, after.Snapshotted));
        Assert.Equal(1ul, later.Sequences);
        Assert.Equal(1ul, back.GetLag(Name("main")).Sequences);
        Assert.Equal(1ul, back.GetLag().Sequences);
    }

    [Fact]
    public async Task The_lag_of_branches_that_were_not_opened_since_the_start_is_found_without_opening_them()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("sent");
        await shop.SnapshotAsync("sent");
        await shop.PutAsync("sent", "b", "2");
        await shop.PutAsync("sent", "c", "3");
        await shop.BranchAsync("new");
        await shop.PutAsync("new", "d", "4");
        await one.StopAsync();
        SharedNode again = await nodes.StartAsync("one", one.Files);
        Database back = await again.OwnAsync();
        string store = Path.Combine(again.Files.DatabasePath, "stores", $"{back.GetBranch(Name("sent")).Id}");
        string[] before = [.. Directory.GetFiles(store).Order(StringComparer.Ordinal)];

        await back.LookForLagAsync(branch: null, default);

        Assert.Equal(2ul, back.GetLag(Name("sent")).Sequences);
        Assert.True(back.GetLag(Name("sent")).Behind > TimeSpan.Zero);
        Assert.Equal((2ul, null), (back.GetLag(Name("new")).Sequences, back.GetLag(Name("new")).Snapshotted));
        Assert.Equal(1ul + 2ul + 2ul, back.GetLag().Sequences);
        Assert.Equal(before, Directory.GetFiles(store).Order(StringComparer.Ordinal));
        await back.PutAsync("sent", "e", "5");
        Assert.Equal(3ul, back.GetLag(Name("sent")).Sequences);
        await back.SnapshotAsync("sent");
        Assert.Equal(0ul, back.GetLag(Name("sent")).Sequences);
    }

    [Fact]
    public async Task The_lag_of_a_branch_can_be_asked_for_that_was_deleted_since_it_was_listed()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.BranchAsync("old");
        await shop.PutAsync("old", "a", "1");
        BranchRecord listed = shop.ListBranches().Single(record => record.Name == Name("old"));
        Assert.Equal(shop.GetLag(Name("old")).Sequences, shop.GetLag(listed).Sequences);

        await shop.DeleteBranchAsync(Name("old"), default);
        await shop.BranchAsync("old");

        Assert.Null(shop.GetLag(listed).Snapshotted);
        Assert.NotEqual(listed.Id, shop.GetBranch(Name("old")).Id);
    }

    [Fact]
    public async Task An_ephemeral_branch_never_reaches_shared_storage()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.CreateBranchAsync(
            new CreateBranch(Name("scratch"), Name("main"), "tests", Durability: BranchDurability.Ephemeral), default);

        Assert.Equal("main", await LivingOnSharedAsync(one, shop));
        await one.StopAsync();
        SharedNode again = await nodes.StartAsync("one", one.Files);
        Database back = await again.OwnAsync();
        Assert.Equal(BranchDurability.Ephemeral, back.GetBranch(Name("scratch")).Durability);
        Assert.Equal("main", await LivingOnSharedAsync(again, back));
    }

    private static async Task<string> LivingOnSharedAsync(SharedNode node, Database database)
    {
        SharedCatalog catalog = new(
            await node.Root.GetSharedStorageAsync(default), database.Name, database.Id,
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        CatalogState state = await catalog.ReadAsync(default);
        return string.Join(' ', state.Branches.Values
            .Where(b => b.State != BranchState.Deleted).Select(b => b.Name.Value).Order(StringComparer.Ordinal));
    }
}
