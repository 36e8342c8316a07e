using System.Collections.Concurrent;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Xunit.Abstractions;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>
/// A child process is killed (SIGKILL) at every step between its data root and shared storage in turn; the same node
/// then takes the database twice, and another node after it. Each must find what was before or what was asked for.
/// Some scenarios are also killed at every named step of snapshots and stores; BRANCHING_CRASH_STEPS=all does that in
/// all of them, and adds every file step of the data root.
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
        new("restore", Nodes.Owner, Local, Snapshotted, Snapshotted, Snapshotted),
        new("recover", Nodes.Half, Snapshotted, Snapshotted, Snapshotted, Snapshotted),
        new("drop", Nodes.Owner, Local, "none", Snapshotted, "none"),
        new("create", Nodes.Empty, "none", "main:", "none", "none") { Database = "other" },

        // Given up and removed here after all of it was sent: killed on the way, the copy goes on with all it had.
        new("rest", Nodes.Owner, Local, Local, Snapshotted, Local) { AtAllKinds = true },

        // What is replaced is sent first, and there once, whenever the child dies.
        new("restore-after-snapshot", Nodes.Owner, Local, Snapshotted, Snapshotted, Snapshotted)
        {
            AtAllKinds = true,
            Unanswered = [Local],
            Look = AssertReplacedIsThereOnceAsync,
        },
        new("restore-branch", Nodes.Owner, Local, "back:a=1|" + Local, Snapshotted, "back:a=1|" + Snapshotted),

        // Published here, but not yet sent when the child died: nothing was answered, and only this node has it.
        new("restore-database", Nodes.Owner, "none", "main:a=1", "none", "main:a=1")
        {
            Database = "other",
            Unanswered = ["none"],
            Look = AssertSourceIsUnchangedAsync,
        },
        new("restore-whole", Nodes.Owner, "none", Snapshotted, "none", Snapshotted)
        {
            Database = "other",
            AtAllKinds = true,
            Unanswered = ["none", "keep!|main:a=1"],
            Look = AssertSourceIsUnchangedAsync,
        },

        // What is damaged is set aside whole, once, whenever the child dies.
        new("take-restoring", Nodes.Damaged, Snapshotted, Snapshotted, Snapshotted, Snapshotted)
        {
            AtAllKinds = true,
            Policy = DirtyStorePolicy.RestoreSnapshot,
            Look = AssertDamagedIsSetAsideOnceAsync,
        },

        // Set aside, but not yet begun anew, a node has no damaged copy any more: it restores what there is.
        new("take-afresh", Nodes.Damaged, Snapshotted, "main:", Snapshotted, "none")
        {
            Policy = DirtyStorePolicy.Fresh,
            Look = AssertDamagedIsSetAsideOnceAsync,
        },
    ];

    [Fact]
    public async Task Killed_at_any_step_every_node_finds_what_was_before_or_what_was_asked_for()
    {
        await using SharingTemplate template = await SharingTemplate.MakeAsync();
        ConcurrentBag<string> killedAt = [];

        await Parallel.ForEachAsync(_scenarios, async (scenario, _) =>
        {
            int killed = await KillAtEachAsync(scenario, template, killedAt);
            output.WriteLine($"{scenario.Name} on {scenario.On}: killed at {killed} steps");
        });

        Kills.AssertAtEvery<SharingStep>("sharing", killedAt);
    }

    private static Task<int> KillAtEachAsync(
        Scenario scenario, SharingTemplate template, ConcurrentBag<string> killedAt) =>
        new Kills<Copy>
        {
            Scenario = $"{scenario.Name} on {scenario.On}",
            Make = () => template.CopyFor(scenario.On),
            Arguments = (copy, n) => template.Arguments(copy, scenario.Name, n, Kills.Kinds),
            Choose = events => Kills.FirstOfEach(events)
                .Where(n => scenario.AtAllKinds || events[n - 1].StartsWith("sharing ", StringComparison.Ordinal)),
            Look = (copy, ended, where) => AssertAllAsync(scenario, template, copy, ended.Finished, where),
            KilledAt = killedAt,
        }.RunAsync();

    private static async Task AssertAllAsync(
        Scenario scenario, SharingTemplate template, Copy copy, bool finished, string where)
    {
        DatabaseName name = DatabaseName.Parse(scenario.Database);
        string first = await Taking.DescribeAsync(
            copy.Shared, copy.Root, "child", name, where, scenario.Policy);
        string[] tree = Tree(copy.Root.Path);
        string second = await Taking.DescribeAsync(
            copy.Shared, copy.Root, "child", name, where + ", again", scenario.Policy);
        string[] allowed = finished ? [scenario.After] : [scenario.Before, scenario.After];
        Assert.True(allowed.Contains(first, StringComparer.Ordinal), $"{where}: {first}");
        Assert.True(first == second, $"{where}: {first}, then {second}");
        Assert.Equal(string.Join('\n', tree), string.Join('\n', Tree(copy.Root.Path)));

        if (scenario.Look is { } look)
        {
            using Copy unharmed = copy.Again();
            await look(template, unharmed, where);
        }

        using TemporaryRoot elsewhere = new();
        string other = await Taking.DescribeAsync(copy.Shared, elsewhere, "elsewhere", name, where + ", elsewhere");
        bool isAfter = first == scenario.After && first != scenario.Before;
        string[] expected = finished ? [scenario.AfterElsewhere]
            : scenario.Before == scenario.After ? [scenario.BeforeElsewhere, scenario.AfterElsewhere]
            : [isAfter ? scenario.AfterElsewhere : scenario.BeforeElsewhere, .. scenario.Unanswered];
        Assert.True(
            expected.Contains(other, StringComparer.Ordinal),
            $"{where}: elsewhere {other}, expected {string.Join(" or ", expected)}");
    }

    /// <summary>A restore that is asked for again after the kill takes no second snapshot of what it replaces, and the
    /// one there is holds all that was acknowledged.</summary>
    private static async Task AssertReplacedIsThereOnceAsync(SharingTemplate template, Copy copy, string where)
    {
        await using SharedNodes nodes = new(copy.Shared);
        SharedNode node = await nodes.StartAsync("child", copy.Root);
        Database shop = await node.OwnAsync();
        RestoreReport report = await node.Root.RestoreAsync(
            TemporaryRoot.Shop, new RestoreRequest(SnapshotId.Parse(template.Snapshot), "tests"), null, default);
        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        SnapshotSource source = await node.Root.OpenSourceAsync(TemporaryRoot.Shop, directory: null, default);
        SnapshotManifest[] replaced = [.. (await source.Repository.ReadAsync(default)).Snapshots
            .Where(one => one.Id.Store == template.Main && one.Sequence.Value > report.Sequence.Value)];
        Assert.True(replaced.Length == 1, $"{where}: {replaced.Length} snapshots of what was replaced");
        await node.Root.RestoreAsync(
            TemporaryRoot.Shop, new RestoreRequest(replaced[0].Id, "tests", Branch: Name("rescued")), null, default);
        Assert.Equal("a=1 late=x", await shop.ReadAllAsync("rescued"));
    }

    private static async Task AssertSourceIsUnchangedAsync(SharingTemplate template, Copy copy, string where) =>
        Assert.Equal(
            Local, await Taking.DescribeAsync(copy.Shared, copy.Root, "child", TemporaryRoot.Shop, where));

    private static Task AssertDamagedIsSetAsideOnceAsync(SharingTemplate template, Copy copy, string where)
    {
        string aside = Assert.Single(Directory.GetDirectories(Path.Combine(copy.Root.Path, "quarantine")));
        Assert.True(File.Exists(Path.Combine(aside, "reason.json")), where);
        string stores = Path.Combine(aside, TemporaryRoot.Shop.Value, "stores");
        Assert.Equal(2, Directory.GetDirectories(stores).Length);
        string[] files = [.. Directory.GetFiles(Path.Combine(stores, template.Main.ToString()))
            .Select(file => Path.GetFileName(file))];
        Assert.DoesNotContain("CURRENT", files);
        Assert.Contains(files, file => file.EndsWith(".log", StringComparison.Ordinal));
        return Task.CompletedTask;
    }

    /// <summary>Directories of databases and stores, and what is set aside; RocksDB's own files change by opening.
    /// </summary>
    private static string[] Tree(string root) =>
    [
        .. Directory.GetDirectories(root, "*", SearchOption.AllDirectories).Select(path => path[root.Length..])
            .Order(StringComparer.Ordinal),
    ];

    /// <param name="Name">What the child does.</param>
    /// <param name="On">The data root it does it on.</param>
    /// <param name="Before">What its node finds when nothing of it happened.</param>
    /// <param name="After">What its node finds when all of it did.</param>
    /// <param name="BeforeElsewhere">What another node finds after <paramref name="Before"/>.</param>
    /// <param name="AfterElsewhere">What another node finds after <paramref name="After"/>.</param>
    private sealed record Scenario(
        string Name, Nodes On, string Before, string After, string BeforeElsewhere, string AfterElsewhere)
    {
        public string Database { get; init; } = TemporaryRoot.Shop.Value;

        public DirtyStorePolicy Policy { get; init; }

        /// <summary>Whether it is also killed at the named steps of snapshots and stores.</summary>
        public bool AtAllKinds { get; init; }

        /// <summary>What another node may find as well, as long as the child had no answer.</summary>
        public string[] Unanswered { get; init; } = [];

        /// <summary>What else must be true afterwards.</summary>
        public Func<SharingTemplate, Copy, string, Task>? Look { get; init; }
    }
}
