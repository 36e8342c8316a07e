using Branching.Storage.Changes;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>The record of a restore (<c>restore.json</c>) that is torn, or there again after its restore ended.
/// </summary>
public sealed class RestoreIntentTests
{
    private const string Intent = RestoreIntent.FileName;

    [Theory]
    [InlineData("")]
    [InlineData("{\"format\":1,\"snapsho")]
    [InlineData("{\"format\":1}")]
    [InlineData("{\"format\":1,\"store\":\"x\",\"replaces\":\"../y\"}")]
    public async Task A_torn_record_keeps_its_database_closed_and_the_others_serve(string torn)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        DatabaseName other = DatabaseName.Parse("other");
        await (await one.CreateAsync()).PutAsync("main", "a", "1");
        await (await one.Root.CreateDatabaseAsync(other, "tests", default)).PutAsync("main", "b", "2");
        await one.StopAsync();
        string path = Path.Combine(one.Files.DatabasePath, Intent);
        await File.WriteAllTextAsync(path, torn);
        string[] before = Files(one);

        SharedNode again = await nodes.StartAsync("one", one.Files);
        StorageException? closed = again.Root.WhyNotServed(TemporaryRoot.Shop);
        FailureKind refused = await KindOfAsync(() => again.OwnAsync());
        Database serving = await again.Root.OwnDatabaseAsync(other, new OwnRequest(), null, default);
        string served = await serving.ReadAllAsync("main");
        await again.StopAsync();

        Assert.Equal("b=2", served);
        Assert.Equal((FailureKind.Corruption, FailureKind.Corruption), (closed?.Kind, refused));
        foreach (string place in (string[])[path, "stores'", "quarantine'", "Then delete"])
        {
            Assert.Contains(place, closed!.Message, StringComparison.Ordinal);
        }

        Assert.Equal(torn, await File.ReadAllTextAsync(path));
        Assert.Equal(before, Files(one));
    }

    [Theory]
    [InlineData(nameof(SharingStep.RestoreSetAside), "a=1 late=x")]
    [InlineData(nameof(SharingStep.RestoreSwapped), "a=1 late=x")]
    [InlineData(nameof(SharingStep.RestoreRecorded), "a=1")]
    [InlineData(nameof(SharingStep.RestoreRetired), "a=1")]
    public async Task Whoever_follows_the_advice_about_a_torn_record_has_the_old_or_the_new_store(
        string step, string expected)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one", disk: StoppingAt(step));
        (Database shop, SnapshotId older) = await FillAsync(one);
        string store = shop.GetBranch(BranchName.Main).Id.ToString();
        await Assert.ThrowsAsync<TimeoutException>(() => RestoreAsync(one, older));
        await one.StopAsync();
        string path = Path.Combine(one.Files.DatabasePath, Intent);
        string whole = await File.ReadAllTextAsync(path);
        await File.WriteAllTextAsync(path, whole[..(whole.Length / 2)]);
        SharedNode closed = await nodes.StartAsync("one", one.Files);
        Assert.Equal(FailureKind.Corruption, await KindOfAsync(() => closed.OwnAsync()));
        await closed.StopAsync();

        // As the message says: the store that was replaced goes back, then the record goes.
        string quarantine = Path.Combine(one.Files.DatabasePath, "quarantine");
        foreach (string replaced in Directory.GetDirectories(quarantine, store, SearchOption.AllDirectories))
        {
            Directory.Move(replaced, Path.Combine(one.Files.DatabasePath, "stores", store));
        }

        File.Delete(path);
        SharedNode mended = await nodes.StartAsync("one", one.Files);
        Database back = await mended.OwnAsync();

        Assert.Equal(expected, await back.ReadAllAsync("main"));
        await RestoreAsync(mended, older);
        Assert.Equal("a=1", await back.ReadAllAsync("main"));
    }

    [Fact]
    public async Task A_restore_that_ended_is_not_applied_again_when_its_record_is_there_again()
    {
        await using SharedNodes nodes = new();
        string record = "";
        TemporaryRoot files = nodes.NewRoot();
        SharedNode one = await nodes.StartAsync("one", files, Remembering(files, text => record = text));
        (Database shop, SnapshotId older) = await FillAsync(one);
        await RestoreAsync(one, older);
        string first = record;
        await shop.PutAsync("main", "b", "2");
        await shop.EnableChangeLogAsync(BranchName.Main, new ChangeLogSettings(), default);
        BranchRecord main = shop.GetBranch(BranchName.Main);
        await one.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(files.DatabasePath, Intent), first);

        SharedNode again = await nodes.StartAsync("one", files);
        Database kept = await again.OwnAsync();

        Assert.Equal("a=1 b=2", await kept.ReadAllAsync("main"));
        Assert.Equal((main.Id, true), (
            kept.GetBranch(BranchName.Main).Id, kept.GetBranch(BranchName.Main).ChangeLog is not null));
        Assert.False(File.Exists(Path.Combine(files.DatabasePath, Intent)));
        Assert.Single(Directory.GetDirectories(Path.Combine(files.DatabasePath, "quarantine")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_record_whose_store_was_replaced_or_deleted_since_is_removed(bool replaced)
    {
        await using SharedNodes nodes = new();
        string record = "";
        TemporaryRoot files = nodes.NewRoot();
        SharedNode one = await nodes.StartAsync("one", files, Remembering(files, text => record = text));
        (Database shop, SnapshotId older) = await FillAsync(one);
        await shop.BranchAsync("topic");
        await RestoreAsync(one, older, "topic");
        string first = record;
        if (replaced)
        {
            await shop.PutAsync("topic", "b", "2");
            await RestoreAsync(one, (await shop.SnapshotAsync("topic")).Id, "topic");
        }
        else
        {
            await shop.DeleteBranchAsync(Name("topic"), default);
        }

        await one.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(files.DatabasePath, Intent), first);

        SharedNode again = await nodes.StartAsync("one", files);
        Database kept = await again.OwnAsync();

        Assert.Contains(
            again.Root.Reconciliation.Repairs,
            repair => repair.Contains("that restore had ended", StringComparison.Ordinal));
        Assert.Equal("a=1 late=x", await kept.ReadAllAsync("main"));
        Assert.Equal(replaced, kept.TryGetBranch(Name("topic"), out _));
        Assert.Equal("a=1 b=2", replaced ? await kept.ReadAllAsync("topic") : "a=1 b=2");
        Assert.False(File.Exists(Path.Combine(files.DatabasePath, Intent)));
    }

    private static string[] Files(SharedNode node) =>
    [
        .. Directory.GetFileSystemEntries(Path.Combine(node.Files.DatabasePath, "stores"))
            .Concat(Directory.GetFileSystemEntries(Path.Combine(node.Files.DatabasePath, "quarantine")))
            .Concat(Directory.GetFileSystemEntries(Path.Combine(node.Files.DatabasePath, "catalog")))
            .Order(StringComparer.Ordinal),
    ];

    private static async Task<(Database Shop, SnapshotId Older)> FillAsync(SharedNode node)
    {
        Database shop = await node.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        SnapshotId older = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "late", "x");
        return (shop, older);
    }

    private static Task<RestoreReport> RestoreAsync(SharedNode node, SnapshotId snapshot, string branch = "main") =>
        node.Root.RestoreAsync(
            TemporaryRoot.Shop,
            new RestoreRequest(snapshot, "tests", Branch: Name(branch), SnapshotBefore: false), null, default);

    /// <summary>Ends a restore at a step, with nothing undone: as a kill would.</summary>
    private static Disk StoppingAt(string step) =>
        SharedNodes.DiskAt(step, () => throw new TimeoutException(step));

    private static Disk Remembering(TemporaryRoot files, Action<string> remember) => SharedNodes.DiskAt(
        nameof(SharingStep.RestoreReady),
        () => remember(File.ReadAllText(Path.Combine(files.DatabasePath, Intent))));
}
