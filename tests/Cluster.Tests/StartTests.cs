using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.TestingHost;

namespace Branching.Cluster.Tests;

/// <summary>When a failover waits: for nodes that start, for a person, and for what a node brings back.</summary>
public sealed class StartTests
{
    private static readonly Dictionary<string, string> _longGrace = new() { ["StartGrace"] = "00:10:00" };

    [Fact]
    public async Task After_a_start_of_the_whole_cluster_a_database_waits_for_the_node_that_had_it()
    {
        string directory = Directory.CreateTempSubdirectory("branching-start-").FullName;
        try
        {
            (string name, string owner) = await EndWithUnsnapshottedWritesAsync(directory);
            await using NodeCluster again = await NodeCluster.StartAsync(
                1, directory, shared: true, failover: _longGrace);
            IDatabaseGrain database = again.Grains.GetDatabase(name);

            BranchingException early = await Assert.ThrowsAsync<BranchingException>(
                async () => await database.ReadAsync("k"));
            Assert.True(early is { Kind: FailureKind.Closed, IsTransient: true }, early.ToString());
            Assert.Contains($"'{owner}'", early.Message, StringComparison.Ordinal);
            Assert.Empty(await again.Coordinator.ListFailoversAsync());
            await again.BringBackAsync(owner);

            Assert.Equal(
                "only there", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
            Assert.Equal(owner, await again.Grains.OwnerAsync(name));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task A_node_that_was_seen_to_die_is_not_waited_for()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, failover: _longGrace);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        await nodes.Grains.SnapshotAsync("d");
        string dead = await nodes.Grains.OwnerAsync("d");

        await nodes.KillAsync(dead);

        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
        Assert.NotEqual(dead, await nodes.Grains.OwnerAsync("d"));
    }

    [Fact]
    public async Task A_database_that_fails_over_again_and_again_is_held_until_somebody_uses_it()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(
            4, shared: true, failover: new Dictionary<string, string> { ["MaxFailovers"] = "2" });
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        for (int i = 0; i < 2; i++)
        {
            await nodes.Grains.SnapshotAsync("d");
            await nodes.KillAsync(await nodes.Grains.OwnerAsync("d"));
            int expected = i + 1;
            await Waiting.UntilAsync(
                async () => (await FailoversAsync(nodes)).Count(one => one.State == FailoverState.Done) == expected,
                $"failover {expected}");
        }

        await nodes.Grains.SnapshotAsync("d");
        await nodes.KillAsync(await nodes.Grains.OwnerAsync("d"));
        FailoverRecord? held = null;
        await Waiting.UntilAsync(
            async () => (held = (await FailoversAsync(nodes)).FirstOrDefault(
                one => one.State == FailoverState.Held)) is not null,
            "the third one is held");

        Assert.Contains("failed over 2 times", held!.Problem, StringComparison.Ordinal);
        DatabaseDescription waiting = Assert.Single(
            await NodeCluster.RetryAsync(() => nodes.Coordinator.ListDatabasesAsync()));
        Assert.Equal((DatabaseState.Held, held.Problem), (waiting.State, waiting.Problem));
        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
        await Waiting.UntilAsync(
            async () => (await FailoversAsync(nodes)).All(one => one.State == FailoverState.Done),
            "the use of it ends the hold");
    }

    [Fact]
    public async Task What_a_node_brings_back_and_another_took_over_is_set_aside_before_anybody_asks_for_it()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        await nodes.Grains.SnapshotAsync("d");
        string dead = await nodes.Grains.OwnerAsync("d");
        await nodes.KillAsync(dead);
        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));

        SiloHandle back = await nodes.BringBackAsync(dead);
        INodeGrain node = nodes.GrainOf(back);

        await Waiting.UntilAsync(
            async () => !(await DescribeAsync(node)).Databases.Contains("d", StringComparer.Ordinal),
            "the stale copy is gone from what the node holds");
        QuarantineDescription aside = Assert.Single(await node.ListQuarantineAsync());
        Assert.Equal("d", aside.Database);
        Assert.Empty((await DescribeAsync(node)).Stale!);
        Assert.NotEqual(back.Name, await nodes.Grains.OwnerAsync("d"));
    }

    [Fact]
    public async Task A_database_without_a_snapshot_is_served_again_from_the_disk_of_its_node_when_that_is_back()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        string dead = await nodes.Grains.OwnerAsync("d");
        await nodes.KillAsync(dead);
        await Waiting.UntilAsync(
            async () => (await FailoversAsync(nodes)).Any(one => one.Problem is not null),
            "another node finds nothing to restore");

        await nodes.BringBackAsync(dead);

        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await ReadWhenHeldAsync(database)));
        Assert.Equal(dead, await nodes.Grains.OwnerAsync("d"));
    }

    [Fact]
    public async Task A_stale_copy_that_no_snapshot_holds_is_listed_and_left_where_it_is()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        string dead = await nodes.Grains.OwnerAsync("d");
        await nodes.KillAsync(dead);
        await ClaimForAStrangerAsync(nodes, Storage.DatabaseName.Parse("d"));

        SiloHandle back = await nodes.BringBackAsync(dead);
        INodeGrain node = nodes.GrainOf(back);

        await Waiting.UntilAsync(
            async () => (await DescribeAsync(node)).Stale!.Contains("d", StringComparer.Ordinal),
            "the node says that it holds a stale copy");
        Assert.Empty(await node.ListQuarantineAsync());
        Assert.Contains("d", (await DescribeAsync(node)).Databases);
    }

    /// <summary>Takes the next epoch as a node would that serves nothing of it.</summary>
    private static async Task ClaimForAStrangerAsync(NodeCluster nodes, Storage.DatabaseName name)
    {
        ISharedStorage shared = await PosixSharedStorage.OpenAsync(nodes.SharedDirectory);
        Life life = await new DatabaseLives(shared).FindAsync(name, default)
            ?? throw new InvalidOperationException($"Shared storage does not know '{name}'.");
        DatabaseOwnership ownership = new(
            shared, name, life.Id, new OwnershipOptions(), TimeProvider.System, NullLogger.Instance);
        await using Claim claim = await ownership.ClaimAsync(
            new OwnerIdentity("stranger", new string('5', 32), "0-stranger"), new ClaimOptions(), default);
        await using Tenure tenure = await claim.ServeAsync(default);
        await tenure.EnterAsync(default);
    }

    /// <summary>Reads from the database, which tries in vain for as long as its node is away.</summary>
    private static async Task<string?> ReadWhenHeldAsync(IDatabaseGrain database)
    {
        try
        {
            return await database.ReadAsync("k");
        }
        catch (BranchingException e) when (e.Kind == FailureKind.NothingToRestore)
        {
            throw new TimeoutException("Its node is not back yet.", e);
        }
    }

    // Right after a node came back, another one that places the call may not know it yet.
    private static Task<NodeDescription> DescribeAsync(INodeGrain node) =>
        NodeCluster.RetryAsync(() => node.DescribeAsync());

    private static async Task<IReadOnlyList<FailoverRecord>> FailoversAsync(NodeCluster nodes) =>
        await NodeCluster.RetryAsync(() => nodes.Coordinator.ListFailoversAsync("d"));

    /// <summary>A cluster that ends with a database whose last write only its dead owner's disk holds.</summary>
    private static async Task<(string Name, string Owner)> EndWithUnsnapshottedWritesAsync(string directory)
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(
            2, directory, shared: true, failover: new Dictionary<string, string> { ["Enabled"] = "false" });
        string first = nodes.Cluster.Silos[0].Name;
        for (int i = 0; ; i++)
        {
            IDatabaseGrain database = nodes.Grains.GetDatabase($"d{i}");
            await database.CreateAsync(new CreateDatabaseRequest("test"));
            string owner = await nodes.Grains.OwnerAsync($"d{i}");
            if (owner == first)
            {
                continue;
            }

            await database.PutAsync("k", "snapshotted");
            await nodes.Grains.SnapshotAsync($"d{i}");
            await database.PutAsync("k", "only there");
            await nodes.KillAsync(owner);
            return ($"d{i}", owner);
        }
    }
}
