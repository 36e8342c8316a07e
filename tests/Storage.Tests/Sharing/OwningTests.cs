using System.Text.Json;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

public sealed class OwningTests
{
    [Fact]
    public async Task A_database_goes_on_from_its_local_stores_when_its_node_comes_back()
    {
        await using SharedNodes nodes = new();
        SharedNode node = await nodes.StartAsync("one");
        Database shop = await node.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("preview");
        await shop.PutAsync("preview", "b", "2");
        Assert.Equal(OwnedBy.Creation, shop.OwnedBy);
        Epoch first = shop.Epoch;
        await node.StopAsync();

        SharedNode again = await nodes.StartAsync("one", node.Files);
        Assert.Equal(FailureKind.NotOwner, await KindOfAsync(
            async () => await again.Root.GetDatabaseAsync(TemporaryRoot.Shop, default)));
        Database kept = await again.OwnAsync();

        Assert.Equal(OwnedBy.Return, kept.OwnedBy);
        Assert.True(kept.Epoch > first);
        Assert.Equal("a=1", await kept.ReadAllAsync("main"));
        Assert.Equal("a=1 b=2", await kept.ReadAllAsync("preview"));
        Assert.Same(kept, await again.OwnAsync());
        Assert.Same(kept, await again.Root.GetDatabaseAsync(TemporaryRoot.Shop, default));
    }

    [Fact]
    public async Task Another_node_restores_what_was_snapshotted_and_names_what_was_lost()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.BranchAsync("kept");
        await shop.PutAsync("kept", "b", "2");
        await shop.SnapshotAsync("main");
        await shop.SnapshotAsync("kept");
        await shop.BranchAsync("young");
        await shop.CreateBranchAsync(
            new CreateBranch(Name("scratch"), Name("kept"), "tests", Durability: BranchDurability.Ephemeral), default);
        await shop.BranchAsync("child-of-scratch", "scratch");
        await shop.BranchAsync("gone");
        await shop.DeleteBranchAsync(Name("gone"), default);
        await shop.PutAsync("main", "late", "x");
        one.Wire.Cut();

        Database taken = await two.OwnAsync();

        Assert.Equal(OwnedBy.Restore, taken.OwnedBy);
        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
        Assert.Equal("a=1 b=2", await taken.ReadAllAsync("kept"));
        Assert.Equal(
            "child-of-scratch:Lost kept:Ready main:Ready scratch:Lost young:Lost",
            string.Join(' ', taken.ListBranches().Select(b => $"{b.Name}:{b.State}")));
        Assert.Equal(FailureKind.BranchLost, await KindOfAsync(() => taken.ReadAllAsync("young")));
        Assert.Equal(BranchDurability.Ephemeral, taken.GetBranch(Name("scratch")).Durability);
        Assert.Contains(taken.ListBranches(includeDeleted: true), b => b.Name == Name("gone"));
        Assert.Equal(
            ["scratch", "kept", "main"], taken.GetAncestors(Name("child-of-scratch")).Select(b => b.Name.Value));
        await taken.DeleteBranchAsync(Name("young"), default);
        await taken.PutAsync("kept", "c", "3");
        await taken.BranchAsync("young");
    }

    [Fact]
    public async Task A_fenced_owner_refuses_and_its_copy_is_set_aside_when_it_comes_back()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.SnapshotAsync("main");
        await shop.PutAsync("main", "late", "x");
        one.Wire.Cut();
        Database taken = await two.OwnAsync();
        await taken.PutAsync("main", "b", "2");
        await taken.SnapshotAsync("main");

        Assert.Equal(FailureKind.LeaseExpired, await KindOfAsync(() => shop.ReadAllAsync("main")));
        one.Wire.Mend();
        await Waiting.UntilAsync(
            async () => await KindOfAsync(() => shop.PutAsync("main", "c", "3")) == FailureKind.Fenced,
            "the former owner is fenced");
        Assert.Equal(FailureKind.NotOwner, await KindOfAsync(() => one.OwnAsync()));
        await two.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        Database back = await one.OwnAsync();

        Assert.Equal("a=1 b=2", await back.ReadAllAsync("main"));
        string place = Assert.Single(Directory.GetDirectories(Path.Combine(one.Files.Path, "quarantine")));
        using JsonDocument reason = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(place, "reason.json")));
        JsonElement main = reason.RootElement.GetProperty("database").GetProperty("branches")[0];
        Assert.Equal(2ul, main.GetProperty("localSequence").GetUInt64());
        Assert.True(Directory.Exists(Path.Combine(place, "shop", "stores", main.GetProperty("store").GetString()!)));
    }

    [Fact]
    public async Task A_claim_that_does_not_come_to_serve_leaves_the_database_to_others()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one", leases: SharedNodes.Patient);
        SharedNode two = await nodes.StartAsync("two", leases: SharedNodes.Patient);
        SharedNode three = await nodes.StartAsync("three", leases: SharedNodes.Patient);
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.SnapshotAsync("main");
        one.Wire.Cut();
        two.Wire.Fail((step, name) => step == "put" && name.Contains("heads", StringComparison.Ordinal));

        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync(() => two.OwnAsync()));
        Database? taken = null;
        for (int attempts = 0; taken is null; attempts++)
        {
            try
            {
                taken = await three.OwnAsync();
            }
            catch (StorageException e) when (e.Kind == FailureKind.NotOwner && attempts < 3)
            {
                // A renewal of node two was on its way to the storage when it gave up, and has arrived since.
            }
        }

        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
    }

    [Fact]
    public async Task A_living_owner_is_named_and_a_name_belongs_to_the_cluster()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        await one.CreateAsync();

        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => two.OwnAsync());
        Assert.Equal(FailureKind.NotOwner, refused.Kind);
        Assert.Contains("one", refused.Message, StringComparison.Ordinal);
        Assert.Equal(FailureKind.DatabaseExists, await KindOfAsync(() => two.CreateAsync()));
        Assert.Equal(FailureKind.DatabaseNotFound, await KindOfAsync(() =>
            two.Root.OwnDatabaseAsync(DatabaseName.Parse("nowhere"), new OwnRequest(), null, default)));
    }

    [Fact]
    public async Task Nothing_starts_empty_when_no_snapshot_had_arrived()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        one.Wire.Cut();

        Assert.Equal(FailureKind.NothingToRestore, await KindOfAsync(() => two.OwnAsync()));
        Assert.Equal(FailureKind.NothingToRestore, await KindOfAsync(() => two.OwnAsync()));
        Assert.Empty(two.Root.ListDatabases());
        await two.Root.DropDatabaseAsync(TemporaryRoot.Shop, default);
        await two.CreateAsync();
    }

    [Fact]
    public async Task A_database_of_one_node_is_put_on_shared_storage_when_it_is_first_taken()
    {
        await using SharedNodes nodes = new();
        TemporaryRoot root = nodes.NewRoot();
        await using (DataRoot alone = await root.OpenAsync())
        {
            Database before = await alone.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await before.PutAsync("main", "a", "1");
            await before.BranchAsync("preview");
        }

        SharedNode one = await nodes.StartAsync("one", root);
        Database shop = await one.OwnAsync();
        Assert.Equal(OwnedBy.Adoption, shop.OwnedBy);
        await shop.SnapshotAsync("main");
        await shop.SnapshotAsync("preview");
        await one.StopAsync();
        SharedNode two = await nodes.StartAsync("two");
        Database taken = await two.OwnAsync();
        await using DataRoot detached = await root.OpenAsync();

        Assert.Equal("a=1", await taken.ReadAllAsync("preview"));
        Assert.Equal(FailureKind.Refused, await KindOfAsync(
            async () => await detached.GetDatabaseAsync(TemporaryRoot.Shop, default)));
    }

    [Fact]
    public async Task A_dropped_database_is_gone_everywhere_and_left_copies_are_set_aside()
    {
        await using SharedNodes nodes = new();
        (SharedNode one, SharedNode two, Database shop) = await nodes.StartTwoAsync();
        await shop.SnapshotAsync("main");
        one.Wire.Cut();
        await two.OwnAsync();

        await two.Root.DropDatabaseAsync(TemporaryRoot.Shop, default);
        one.Wire.Mend();

        Assert.Equal(FailureKind.DatabaseNotFound, await KindOfAsync(() => two.OwnAsync()));
        await Waiting.UntilAsync(() => shop.Tenure?.EndCause is not null, "the former owner is told");
        Assert.Equal(FailureKind.DatabaseNotFound, await KindOfAsync(() => one.OwnAsync()));
        Assert.Single(Directory.GetDirectories(Path.Combine(one.Files.Path, "quarantine")));
        Database next = await one.CreateAsync();
        Assert.Equal("", await next.ReadAllAsync("main"));
        Assert.NotEqual(shop.Id, next.Id);
    }

    [Fact]
    public async Task Nothing_is_taken_while_shared_storage_is_away()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await one.StopAsync();
        SharedNode again = await nodes.StartAsync("one", one.Files);
        again.Wire.Cut();
        string before = await File.ReadAllTextAsync(Path.Combine(again.Files.DatabasePath, "database.json"));

        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync(() => again.OwnAsync()));
        Assert.Equal(before, await File.ReadAllTextAsync(Path.Combine(again.Files.DatabasePath, "database.json")));
        again.Wire.Mend();
        Assert.Equal("a=1", await (await again.OwnAsync()).ReadAllAsync("main"));
    }
}
