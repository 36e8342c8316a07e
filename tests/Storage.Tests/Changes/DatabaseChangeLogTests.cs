using Branching.Storage.Changes;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.Sharing;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Changes;

/// <summary>Change logs of the branches of a database: where they begin, and what becomes of them.</summary>
public sealed class DatabaseChangeLogTests
{
    [Fact]
    public async Task A_branch_begins_its_own_log_at_the_branch_point()
    {
        using TemporaryRoot root = new();
        await using DataRoot opened = await root.OpenAsync();
        Database shop = await CreateLoggedAsync(opened);
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("topic");
        await shop.CreateBranchAsync(
            new CreateBranch(Name("quiet"), BranchName.Main, "tests", ChangeLog: false), default);
        await shop.PutAsync("main", "b", "2");
        await shop.PutAsync("topic", "c", "3");

        Assert.Equal(["1 put a=1", "2 put b=2"], await ReadAsync(shop, "main"));
        Assert.Equal(["2 put c=3"], await ReadAsync(shop, "topic"));
        Assert.Null(shop.GetBranch(Name("quiet")).ChangeLog);
        Assert.Equal(FailureKind.ChangeLogOff, await KindOfAsync(() => ReadAsync(shop, "quiet")));
    }

    [Fact]
    public async Task It_stays_on_with_its_settings_after_a_restart_and_off_when_switched_off()
    {
        using TemporaryRoot root = new();
        ChangeLogSettings settings = ChangeLogSettings.Default with { KeepBytes = null, KeepFiles = 7 };
        await using (DataRoot opened = await root.OpenAsync())
        {
            Database shop = await CreateLoggedAsync(opened, settings);
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("topic");
            await shop.DisableChangeLogAsync(Name("topic"), default);
        }

        await using DataRoot again = await root.OpenAsync();
        Database kept = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);
        await kept.PutAsync("main", "b", "2");
        await kept.PutAsync("topic", "c", "3");

        Assert.Equal(["1 put a=1", "2 put b=2"], await ReadAsync(kept, "main"));
        Assert.Equal(settings, kept.GetBranch(BranchName.Main).ChangeLog);
        Assert.Equal(FailureKind.ChangeLogOff, await KindOfAsync(() => ReadAsync(kept, "topic")));
    }

    [Fact]
    public async Task A_deleted_branch_takes_its_log_with_it_also_after_a_crash_in_between()
    {
        using TemporaryRoot root = new();
        string changes = Path.Combine(root.DatabasePath, "changes");
        string gone, left;
        await using (DataRoot opened = await root.OpenAsync())
        {
            Database shop = await CreateLoggedAsync(opened);
            gone = (await shop.BranchAsync("gone")).Id.ToString();
            left = (await shop.BranchAsync("left")).Id.ToString();
            await shop.PutAsync("gone", "a", "1");
            await shop.PutAsync("left", "a", "1");
            await shop.DeleteBranchAsync(Name("gone"), default);
            await shop.DeleteBranchAsync(Name("left"), default);
            Assert.False(Directory.Exists(Path.Combine(changes, gone)));
            Assert.False(Directory.Exists(Path.Combine(changes, left)));
        }

        Directory.CreateDirectory(Path.Combine(changes, left));
        Directory.CreateDirectory(Path.Combine(changes, "not ours"));
        await using DataRoot again = await root.OpenAsync();

        Assert.False(Directory.Exists(Path.Combine(changes, left)));
        Assert.False(Directory.Exists(Path.Combine(changes, "not ours")));
        Assert.Equal(1, again.Reconciliation.Quarantined);
    }

    [Fact]
    public async Task A_store_that_is_not_open_is_not_opened_to_validate_its_log()
    {
        using TemporaryRoot root = new();
        string file;
        await using (DataRoot opened = await root.OpenAsync())
        {
            Database shop = await CreateLoggedAsync(opened);
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("topic");
            file = Directory.GetFiles(shop.GetChangeLogDirectory(BranchName.Main), "*.log").Single();
        }

        await File.AppendAllTextAsync(file, "torn");
        await using DataRoot again = await root.OpenAsync();
        Database kept = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);

        ChangeLogValidation asItLies = await kept.ValidateChangeLogAsync(BranchName.Main, default);
        ChangeLogValidation never = await kept.ValidateChangeLogAsync(Name("topic"), default);
        await kept.PutAsync("main", "b", "2");
        ChangeLogValidation mended = await kept.ValidateChangeLogAsync(BranchName.Main, default);

        Assert.Equal(
            "the 4 bytes up to the end are fewer than a frame's header", Assert.Single(asItLies.Damage).Reason);
        Assert.Equal((1, 0), ((int)asItLies.Entries, never.Files));
        Assert.Empty(mended.Damage);
        Assert.Equal(2, mended.Entries);
    }

    [Fact]
    public async Task A_restored_branch_begins_a_log_of_its_own_and_the_old_one_goes_with_the_old_store()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.EnableChangeLogAsync(BranchName.Main, ChangeLogSettings.Default, default);
        await shop.PutAsync("main", "a", "1");
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "a", "2");
        ChangePosition old = await PositionAsync(shop, 1);
        StoreId before = shop.GetBranch(BranchName.Main).Id;

        RestoreReport report = await one.Root.RestoreAsync(
            TemporaryRoot.Shop, new RestoreRequest(snapshot, "tests"), null, default);
        await shop.PutAsync("main", "b", "3");

        Assert.Equal(["2 put b=3"], await ReadAsync(shop, "main"));
        Assert.Equal(
            FailureKind.ChangePositionInvalid,
            await KindOfAsync(() => ReadAsync(shop, "main", ChangeStart.Behind(old))));
        Assert.Single(Directory.GetFiles(Path.Combine(report.Quarantine!, "changes"), "*.log"));
        Assert.False(Directory.Exists(Path.Combine(one.Files.DatabasePath, "changes", before.ToString())));
    }

    [Fact]
    public async Task A_takeover_begins_the_log_anew_and_refuses_what_was_read_before()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        Database shop = await one.CreateAsync();
        await shop.EnableChangeLogAsync(BranchName.Main, ChangeLogSettings.Default, default);
        await shop.PutAsync("main", "a", "1");
        await shop.PutAsync("main", "b", "2");
        await shop.SnapshotAsync("main");
        await shop.PutAsync("main", "late", "x");
        ChangePosition[] old = [await PositionAsync(shop, 1), await PositionAsync(shop, 3)];
        one.Wire.Cut();

        Database taken = await two.OwnAsync();
        await taken.PutAsync("main", "c", "4");
        await taken.PutAsync("main", "d", "5");

        Assert.Equal(["3 put c=4", "4 put d=5"], await ReadAsync(taken, "main"));
        foreach (ChangePosition position in old)
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => ReadAsync(taken, "main", ChangeStart.Behind(position)));
            Assert.Equal(FailureKind.ChangePositionInvalid, refused.Kind);
            Assert.Contains("began behind sequence 2", refused.Message, StringComparison.Ordinal);
        }

        // The former owner comes back: its log is not mixed with what the store has now.
        one.Wire.Mend();
        await one.StopAsync();
        await two.StopAsync();
        SharedNode again = await nodes.StartAsync("one", one.Files);
        Database back = await again.OwnAsync();
        await back.PutAsync("main", "e", "6");
        Assert.Equal(OwnedBy.Restore, back.OwnedBy);
        Assert.DoesNotContain(await ReadAsync(back, "main"), entry => entry.Contains("late", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_that_comes_back_to_its_own_store_goes_on_in_its_log()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.EnableChangeLogAsync(BranchName.Main, ChangeLogSettings.Default, default);
        await shop.PutAsync("main", "a", "1");
        ChangePosition position = await PositionAsync(shop, 1);
        await one.StopAsync();

        SharedNode again = await nodes.StartAsync("one", one.Files);
        Database kept = await again.OwnAsync();
        await kept.PutAsync("main", "b", "2");

        Assert.True(kept.Epoch > position.Epoch);
        Assert.Equal(["2 put b=2"], await ReadAsync(kept, "main", ChangeStart.Behind(position)));
    }

    private static async Task<Database> CreateLoggedAsync(DataRoot root, ChangeLogSettings? settings = null)
    {
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.EnableChangeLogAsync(BranchName.Main, settings ?? ChangeLogSettings.Default, default);
        return shop;
    }

    private static async Task<string[]> ReadAsync(Database database, string branch, ChangeStart? start = null)
    {
        using StoreLease lease = await database.AcquireAsync(Name(branch), default);
        return LoggedStore.Show(LoggedStore.Read(lease.Store.Changes, start));
    }

    private static async Task<ChangePosition> PositionAsync(Database database, ulong sequence)
    {
        using StoreLease lease = await database.AcquireAsync(BranchName.Main, default);
        return lease.Store.Changes.PositionOf(new Sequence(sequence));
    }
}
