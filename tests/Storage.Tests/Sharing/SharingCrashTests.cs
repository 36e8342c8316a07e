using System.Collections.Concurrent;
using Branching.Storage.Tests.Branches;
using Xunit.Abstractions;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>
/// A child process is killed (SIGKILL) at every step between its data root and shared storage in turn; the same node
/// then takes the database twice, and another node after it. Each must find what was before or what was asked for.
/// BRANCHING_CRASH_STEPS=all adds every crash point and file step of the data root.
/// </summary>
public sealed class SharingCrashTests(ITestOutputHelper output)
{
    private const string Snapshotted = "keep:a=1 b=2|main:a=1";
    private const string Local = "keep:a=1 b=2|main:a=1 late=x";

    private static readonly Scenario[] _scenarios =
    [
        new("take", Nodes.Owner, Local, Local, Snapshotted, Snapshotted),
        new("take", Nodes.Empty, Snapshotted, Snapshotted, Snapshotted, Snapshotted),
        new("take", Nodes.Stale, Snapshotted, Snapshotted, Snapshotted, Snapshotted),
        new("take", Nodes.Released, Snapshotted, Snapshotted, Snapshotted, Snapshotted),
        new("release", Nodes.Owner, Local, Local, Local, Local),
        new("branch", Nodes.Owner, Local, "fresh:a=1 b=2|" + Local, Snapshotted, "fresh!|" + Snapshotted),
        new("unbranch", Nodes.Owner, Local, "main:a=1 late=x", Snapshotted, "main:a=1"),
        new("restore", Nodes.Owner, Local, "keep:a=1 b=2|main:a=1", Snapshotted, Snapshotted),
        new("recover", Nodes.Half, "keep:a=1 b=2|main:a=1", "keep:a=1 b=2|main:a=1", Snapshotted, Snapshotted),
        new("drop", Nodes.Owner, Local, "none", Snapshotted, "none"),
        new("create", Nodes.Empty, "none", "main:", "none", "none"),
    ];

    private enum Nodes
    {
        Owner,
        Empty,
        Stale,
        Released,
        Half,
    }

    [Fact]
    public async Task Killed_at_any_step_every_node_finds_what_was_before_or_what_was_asked_for()
    {
        await using Template template = await Template.MakeAsync();
        ConcurrentBag<string> killedAt = [];

        await Parallel.ForEachAsync(_scenarios, async (scenario, _) =>
        {
            int killed = await KillAtEachAsync(scenario, template, killedAt);
            output.WriteLine($"{scenario.Name} on {scenario.On}: killed at {killed} steps");
        });

        Kills.AssertAtEvery<SharingStep>("sharing", killedAt);
    }

    private static Task<int> KillAtEachAsync(
        Scenario scenario, Template template, ConcurrentBag<string> killedAt) =>
        new Kills<Copy>
        {
            Scenario = $"{scenario.Name} on {scenario.On}",
            Make = () => template.CopyFor(scenario.On),
            Arguments = (copy, n) => template.Arguments(copy, scenario.Name, n, Kills.Kinds),
            Choose = Kills.FirstOfEach,
            Look = (copy, ended, where) => AssertAllAsync(scenario, copy, ended.Finished, where),
            KilledAt = killedAt,
        }.RunAsync();

    private static async Task AssertAllAsync(Scenario scenario, Copy copy, bool finished, string where)
    {
        DatabaseName name = scenario.Name == "create" ? DatabaseName.Parse("other") : TemporaryRoot.Shop;
        string first = await Taking.DescribeAsync(copy.Shared, copy.Root, "child", name, where);
        string[] tree = Tree(copy.Root.Path);
        string second = await Taking.DescribeAsync(copy.Shared, copy.Root, "child", name, where + ", again");
        string[] allowed = finished ? [scenario.After] : [scenario.Before, scenario.After];
        Assert.True(allowed.Contains(first, StringComparer.Ordinal), $"{where}: {first}");
        Assert.True(first == second, $"{where}: {first}, then {second}");
        Assert.Equal(string.Join('\n', tree), string.Join('\n', Tree(copy.Root.Path)));

        using TemporaryRoot elsewhere = new();
        string other = await Taking.DescribeAsync(copy.Shared, elsewhere, "elsewhere", name, where + ", elsewhere");
        string expected = first == scenario.After && first != scenario.Before ? scenario.AfterElsewhere
            : scenario.BeforeElsewhere;
        Assert.True(
            other == expected || (scenario.Before == scenario.After && other == scenario.AfterElsewhere),
            $"{where}: elsewhere {other}, expected {expected}");
    }

    /// <summary>Directories of databases and stores, and what is set aside; RocksDB's own files change by opening.
    /// </summary>
    private static string[] Tree(string root) =>
    [
        .. Directory.GetDirectories(root, "*", SearchOption.AllDirectories).Select(path => path[root.Length..])
            .Order(StringComparer.Ordinal),
    ];

    private sealed record Scenario(
        string Name, Nodes On, string Before, string After, string BeforeElsewhere, string AfterElsewhere);

    /// <summary>What the child starts from: a shared directory and the data roots of several nodes.</summary>
    private sealed class Template : IAsyncDisposable
    {
        private readonly SharedNodes _nodes = new();
        private readonly TemporaryRoot _halfShared = new();
        private readonly Dictionary<Nodes, TemporaryRoot> _roots = [];

        public string Snapshot { get; private set; } = "";

        public static async Task<Template> MakeAsync()
        {
            Template template = new();
            SharedNode stale = await template._nodes.StartAsync("stale");
            Database shop = await stale.CreateAsync();
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("keep");
            await shop.PutAsync("keep", "b", "2");
            await shop.SnapshotAsync("keep");
            template.Snapshot = (await shop.SnapshotAsync("main")).Id.ToString();
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

    private sealed class Copy : IDisposable
    {
        public TemporaryRoot Root { get; } = new();

        public string Shared { get; } = Directory.CreateTempSubdirectory("branching-shared-").FullName;

        public void Dispose()
        {
            Root.Dispose();
            Directory.Delete(Shared, recursive: true);
        }
    }
}
