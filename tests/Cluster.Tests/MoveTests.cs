using Orleans.TestingHost;

namespace Branching.Cluster.Tests;

/// <summary>Databases that change their node by plan.</summary>
public sealed class MoveTests
{
    [Fact]
    public async Task A_planned_move_under_load_loses_nothing_and_tells_how_long_writes_paused()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true, leaseMs: 1000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        IBranchGrain branch = nodes.Grains.GetBranch("d", "b");
        await branch.CreateAsync(new CreateBranchRequest("main", "test"));
        await using Load main = Load.Start(database);
        await using Load other = Load.Start(branch);
        string from = await nodes.Grains.OwnerAsync("d");
        foreach (SiloHandle target in nodes.Cluster.Silos.Where(silo => silo.Name != from))
        {
            await main.MoreAsync(20);
            await other.MoreAsync(20);

            OperationDescription ended = await MoveAsync(nodes, "d", target.Name);

            Assert.True(ended.State == OperationState.Succeeded, ended.Message);
            MoveOutcome moved = Assert.Single(ended.Moved!);
            Assert.True(moved.Succeeded && moved.WritePause > TimeSpan.Zero && moved.WritePause < moved.Duration);
            Assert.Equal(target.Name, await nodes.Grains.OwnerAsync("d"));
            await main.MoreAsync(20);
            await other.MoreAsync(20);
        }

        await main.EndAsync();
        await other.EndAsync();
        await Load.CheckAsync(database, main.Acknowledged, main.Acknowledged, "main");
        await Load.CheckAsync(branch, other.Acknowledged, other.Acknowledged, "branch");
    }

    [Fact]
    public async Task A_call_between_release_and_takeover_brings_the_database_up_on_the_target_alone()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        for (int i = 0; i < 3; i++)
        {
            string from = await nodes.Grains.OwnerAsync("d");
            foreach (SiloHandle target in nodes.Cluster.Silos.Where(silo => silo.Name != from).ToArray())
            {
                await NodeCluster.RetryAsync(() => database.PutAsync(Bytes.Of("k"), Bytes.Of(target.Name)));
                await ReleaseAsync(nodes, target.Name);

                // Nobody tells the target: only callers come.
                await NodeCluster.RetryAsync(() => database.PutAsync(Bytes.Of("after"), Bytes.Of("v")));

                Assert.Equal(target.Name, await nodes.Grains.OwnerAsync("d"));
                Assert.Equal(
                    target.Name, await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
            }
        }
    }

    [Fact]
    public async Task A_drained_node_owns_nothing_and_everything_is_served_elsewhere()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        for (int i = 0; i < 6; i++)
        {
            IDatabaseGrain database = nodes.Grains.GetDatabase($"d{i}");
            await database.CreateAsync(new CreateDatabaseRequest("test"));
            await database.PutAsync("k", $"v{i}");
        }

        string drained = (await nodes.Coordinator.ListNodesAsync()).First(one => one.Owned!.Count > 0).Name;
        IReadOnlyList<string> owned =
            (await nodes.Coordinator.ListNodesAsync()).Single(one => one.Name == drained).Owned!;

        OperationDescription ended = await nodes.Coordinator.EndAsync(await nodes.Coordinator.DrainNodeAsync(drained));

        Assert.True(ended.State == OperationState.Succeeded, ended.Message);
        Assert.Equal(owned, ended.Moved!.Select(one => one.Database));
        Assert.Empty((await nodes.Coordinator.ListNodesAsync()).Single(one => one.Name == drained).Owned!);
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal($"v{i}", await NodeCluster.RetryAsync<string?>(
                async () => await nodes.Grains.GetDatabase($"d{i}").ReadAsync("k")));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_killed_during_a_planned_move_leaves_a_database_that_serves_what_was_sent(bool killSource)
    {
        Random random = new(Waiting.Seed);
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await using Load load = Load.Start(database, endAtFailure: true);
        await load.MoreAsync(50);
        int floor = load.Acknowledged;
        await nodes.Grains.SnapshotAsync("d");
        string from = await nodes.Grains.OwnerAsync("d");
        string to = nodes.Cluster.Silos.First(silo => silo.Name != from).Name;

        await NodeCluster.RetryAsync(() => nodes.Coordinator.MoveDatabaseAsync("d", to));
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(200)));
        await nodes.KillAsync(killSource ? from : to);
        await load.EndAsync();

        await Load.CheckAsync(database, floor, load.Issued, $"seed {Waiting.Seed}");
        await NodeCluster.RetryAsync(() => database.PutAsync(Bytes.Of("k"), Bytes.Of("v")));
    }

    [Fact]
    public async Task A_move_to_a_node_that_is_not_there_or_of_a_database_that_is_not_there_is_refused()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        await nodes.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));

        BranchingException node = await Assert.ThrowsAsync<BranchingException>(
            async () => await nodes.Coordinator.MoveDatabaseAsync("d", "nowhere"));
        Assert.Equal(FailureKind.InvalidArgument, node.Kind);
        Assert.Contains("'nowhere'", node.Message, StringComparison.Ordinal);
        BranchingException database = await Assert.ThrowsAsync<BranchingException>(
            async () => await nodes.Coordinator.MoveDatabaseAsync("absent", nodes.Cluster.Silos[0].Name));
        Assert.Equal(FailureKind.DatabaseNotFound, database.Kind);
    }

    [Fact]
    public async Task Without_shared_storage_a_move_is_refused_with_what_to_set()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2);
        await nodes.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));

        BranchingException refused = await Assert.ThrowsAsync<BranchingException>(
            async () => await nodes.Coordinator.MoveDatabaseAsync("d", nodes.Cluster.Silos[0].Name));

        Assert.Equal(FailureKind.NotSupported, refused.Kind);
        Assert.Contains("Branching:SharedStorage:Directory", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_planned_move_the_former_owner_holds_no_copy_and_nothing_in_quarantine(bool isRestarted)
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        await nodes.Grains.GetBranch("d", "b").CreateAsync(new CreateBranchRequest("main", "test"));
        string from = await nodes.Grains.OwnerAsync("d");
        string to = nodes.Cluster.Silos.First(silo => silo.Name != from).Name;

        OperationDescription ended = await MoveAsync(nodes, "d", to);
        Assert.True(ended.State == OperationState.Succeeded, ended.Message);
        if (isRestarted)
        {
            await nodes.KillAsync(from);
            await nodes.BringBackAsync(from);
        }

        INodeGrain former = nodes.GrainOf(nodes.Node(from));
        await Waiting.UntilAsync(
            async () => !(await DescribeAsync(former)).Databases.Contains("d", StringComparer.Ordinal),
            "the former owner's copy is gone");
        Assert.Empty(await NodeCluster.RetryAsync(() => former.ListQuarantineAsync()));
        Assert.Equal(to, await nodes.Grains.OwnerAsync("d"));
        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(
            async () => await nodes.Grains.GetBranch("d", "b").ReadAsync("k")));
        Assert.True((await MoveAsync(nodes, "d", from)).State == OperationState.Succeeded);
        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
    }

    [Fact]
    public async Task After_a_planned_move_a_copy_with_an_ephemeral_branch_is_set_aside()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        await nodes.Grains.GetBranch("d", "scratch").CreateAsync(
            new CreateBranchRequest("main", "test", Durability: BranchDurability.Ephemeral));
        string from = await nodes.Grains.OwnerAsync("d");

        OperationDescription ended = await MoveAsync(
            nodes, "d", nodes.Cluster.Silos.First(silo => silo.Name != from).Name);

        Assert.Equal(["scratch"], Assert.Single(ended.Moved!).LeftBehind);
        INodeGrain former = nodes.GrainOf(nodes.Node(from));
        await Waiting.UntilAsync(
            async () => !(await DescribeAsync(former)).Databases.Contains("d", StringComparer.Ordinal),
            "the former owner's copy is gone");
        Assert.Equal("d", Assert.Single(await former.ListQuarantineAsync()).Database);
    }

    private static async Task ReleaseAsync(NodeCluster nodes, string target)
    {
        string from = await nodes.Grains.OwnerAsync("d");
        INodeGrain source = nodes.GrainOf(nodes.Node(from));
        ReleaseDatabaseRequest request = new("d", Guid.NewGuid().ToString("N"), target, TimeSpan.FromSeconds(20));
        ReleaseStatus released = await NodeCluster.RetryAsync(() => source.ReleaseDatabaseAsync(request));
        Assert.True(released.State == OperationState.Succeeded, released.Problem);
    }

    // Right after a node came back, another one that places the call may not know it yet.
    private static Task<NodeDescription> DescribeAsync(INodeGrain node) =>
        NodeCluster.RetryAsync(() => node.DescribeAsync());

    private static async Task<OperationDescription> MoveAsync(NodeCluster nodes, string database, string target)
        => await nodes.Coordinator.EndAsync(
            await NodeCluster.RetryAsync(() => nodes.Coordinator.MoveDatabaseAsync(database, target)));
}
