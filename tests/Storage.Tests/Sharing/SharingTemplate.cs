using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>The data roots that children start on.</summary>
internal enum Nodes
{
    /// <summary>Of the newest owner, with a write that no snapshot has.</summary>
    Owner,

    /// <summary>Of a node that never had the database.</summary>
    Empty,

    /// <summary>Of an owner before the newest, with a write of its own.</summary>
    Stale,

    /// <summary>Of one that gave the database up in order.</summary>
    Released,

    /// <summary>Of the owner, killed between the two renames of a restore.</summary>
    Half,

    /// <summary>Of the owner, with a main store that does not open.</summary>
    Damaged,
}

/// <summary>What the child starts from: a shared directory and the data roots of several nodes.</summary>
internal sealed class SharingTemplate : IAsyncDisposable
{
    private readonly SharedNodes _nodes = new();
    private readonly TemporaryRoot _halfShared = new();
    private readonly Dictionary<Nodes, TemporaryRoot> _roots = [];

    /// <summary>A snapshot of the main store with a=1.</summary>
    public string Snapshot { get; private set; } = "";

    /// <summary>The main store.</summary>
    public StoreId Main { get; private set; }

    public static async Task<SharingTemplate> MakeAsync()
    {
        SharingTemplate template = new();
        SharedNode stale = await template._nodes.StartAsync("stale");
        Database shop = await stale.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("keep");
        await shop.PutAsync("keep", "b", "2");
        await shop.SnapshotAsync("keep");
        template.Snapshot = (await shop.SnapshotAsync("main")).Id.ToString();
        template.Main = shop.GetBranch(BranchName.Main).Id;
        await shop.PutAsync("main", "lost", "y");
        await stale.StopAsync();
        SharedNode released = await template._nodes.StartAsync("released");
        Database there = await released.OwnAsync();
        await there.SnapshotAsync("keep");
        await there.SnapshotAsync("main");
        await released.Root.ReleaseDatabaseAsync(TemporaryRoot.Shop, default);
        await released.StopAsync();
        SharedNode owner = await template._nodes.StartAsync("owner");
        Database taken = await owner.OwnAsync();
        await taken.PutAsync("main", "late", "x");
        await owner.StopAsync();
        template._roots[Nodes.Owner] = owner.Files;
        template._roots[Nodes.Stale] = stale.Files;
        template._roots[Nodes.Released] = released.Files;
        template._roots[Nodes.Empty] = template._nodes.NewRoot();
        template._roots[Nodes.Half] = await template.MakeHalfAsync();
        template._roots[Nodes.Damaged] = template.MakeDamaged();
        return template;
    }

    public Copy CopyFor(Nodes node)
    {
        Copy copy = new();
        TemporaryRoot.CopyTree(node == Nodes.Half ? _halfShared.Path : _nodes.Directory, copy.Shared);
        TemporaryRoot.CopyTree(_roots[node].Path, copy.Root.Path);
        return copy;
    }

    public async ValueTask DisposeAsync()
    {
        _halfShared.Dispose();
        await _nodes.DisposeAsync();
    }

    public string[] Arguments(Copy copy, string scenario, int killAt, string kinds) =>
        [copy.Root.Path, "shared:" + scenario, $"{killAt}", kinds, copy.Shared, Snapshot];

    /// <summary>The owner's root, whose main store does not open.</summary>
    private TemporaryRoot MakeDamaged()
    {
        TemporaryRoot damaged = _nodes.NewRoot();
        TemporaryRoot.CopyTree(_roots[Nodes.Owner].Path, damaged.Path);
        File.Delete(Path.Combine(damaged.DatabasePath, "stores", Main.ToString(), "CURRENT"));
        return damaged;
    }

    /// <summary>A restore that was killed between its two renames.</summary>
    private async Task<TemporaryRoot> MakeHalfAsync()
    {
        const string Between = "sharing RestoreSetAside";
        using Copy copy = CopyFor(Nodes.Owner), unharmed = CopyFor(Nodes.Owner);
        Ended whole = await ChildProcess.RunAsync(
            ChildProcess.Child(Arguments(unharmed, "restore", 0, "points")));
        int between = whole.Events.ToList().IndexOf(Between) + 1;
        Assert.True(between > 0, whole.ToString());
        Ended killed = await ChildProcess.RunAsync(
            ChildProcess.Child(Arguments(copy, "restore", between, "points")));
        Assert.True(killed is { Exit: Ended.Killed, At: Between }, killed.ToString());

        // The epoch that the child claimed is of no concern to the other scenarios.
        TemporaryRoot.CopyTree(copy.Shared, _halfShared.Path);
        TemporaryRoot half = _nodes.NewRoot();
        TemporaryRoot.CopyTree(copy.Root.Path, half.Path);
        return half;
    }
}

/// <summary>A shared directory and a data root that a child may spoil.</summary>
internal sealed class Copy : IDisposable
{
    public TemporaryRoot Root { get; } = new();

    public string Shared { get; } = Directory.CreateTempSubdirectory("branching-shared-").FullName;

    /// <summary>What it is now, once more.</summary>
    public Copy Again()
    {
        Copy again = new();
        TemporaryRoot.CopyTree(Shared, again.Shared);
        TemporaryRoot.CopyTree(Root.Path, again.Root.Path);
        return again;
    }

    public void Dispose()
    {
        Root.Dispose();
        Directory.Delete(Shared, recursive: true);
    }
}
