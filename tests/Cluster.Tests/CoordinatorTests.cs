namespace Branching.Cluster.Tests;

/// <summary>Deaths of whoever sees to failovers, and of several nodes.</summary>
public sealed class CoordinatorTests
{
    [Fact]
    public async Task The_coordinator_may_die_with_its_silo()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        string[] databases = await CreateAsync(nodes, 6);

        // Whichever silo the coordinator is on at first, or comes back to life on: it dies.
        foreach (string node in Names(nodes))
        {
            await nodes.KillAsync(node);
            await AllServeAsync(nodes, databases, $"without {node}");
            await nodes.BringBackAsync(node);
        }

        await AllHoldTheirValueAsync(nodes, databases);
        IReadOnlyList<FailoverRecord> all = [];
        await Waiting.UntilAsync(
            async () => (all = await NodeCluster.RetryAsync(() => nodes.Coordinator.ListFailoversAsync()))
                .All(record => record.State == FailoverState.Done),
            "the next coordinator closes what the one before left open");
        Assert.Equal(databases, all.Select(record => record.Database).Distinct(StringComparer.Ordinal).Order());
    }

    [Fact]
    public async Task Failovers_go_on_when_the_coordinator_dies_in_the_middle_of_them()
    {
        Random random = new(Waiting.Seed);
        await using NodeCluster nodes = await NodeCluster.StartAsync(4, shared: true);
        string[] databases = await CreateAsync(nodes, 6);
        for (int round = 0; round < Math.Min(2, Waiting.Rounds); round++)
        {
            // All but one die within moments: the coordinator, and most of those that took over from the first.
            string[] victims = Names(nodes);
            random.Shuffle(victims);
            foreach (string victim in victims[1..])
            {
                await nodes.KillAsync(victim);
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1500)));
            }

            await AllServeAsync(nodes, databases, $"on {victims[0]} alone, seed {Waiting.Seed}, round {round}");
            await AllHoldTheirValueAsync(nodes, databases);
            foreach (string victim in victims[1..])
            {
                await nodes.BringBackAsync(victim);
            }
        }
    }

    [Fact]
    public async Task A_client_that_lives_on_reaches_everything_after_nodes_died_and_came_back_at_once()
    {
        Random random = new(Waiting.Seed);
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        string[] databases = await CreateAsync(nodes, 6);
        for (int round = 0; round < Waiting.Rounds; round++)
        {
            string[] names = Names(nodes);
            string victim = names[random.Next(names.Length)];

            await nodes.KillAsync(victim);
            await nodes.BringBackAsync(victim);

            await AllHoldTheirValueAsync(nodes, databases);
            await AllServeAsync(nodes, databases, $"after {victim} came back, seed {Waiting.Seed}, round {round}");
        }
    }

    private static string[] Names(NodeCluster nodes) => [.. nodes.Cluster.Silos.Select(silo => silo.Name)];

    private static async Task<string[]> CreateAsync(NodeCluster nodes, int count)
    {
        string[] databases = [.. Enumerable.Range(0, count).Select(i => $"d{i}")];
        foreach (string name in databases)
        {
            IDatabaseGrain database = nodes.Grains.GetDatabase(name);
            await database.CreateAsync(new CreateDatabaseRequest("test"));
            await database.PutAsync("k", $"value of {name}");
            IBranchGrain branch = nodes.Grains.GetBranch(name, "b");
            await branch.CreateAsync(new CreateBranchRequest("main", "test"));
            await branch.PutAsync("k", $"branch of {name}");
            await nodes.Grains.SnapshotAsync(name);
        }

        return databases;
    }

    private static async Task AllServeAsync(NodeCluster nodes, string[] databases, string when)
    {
        IReadOnlyList<DatabaseDescription> now = [];
        IReadOnlyList<FailoverRecord> failovers = [];
        await Waiting.UntilAsync(
            async () =>
            {
                now = await NodeCluster.RetryAsync(() => nodes.Coordinator.ListDatabasesAsync());
                failovers = await NodeCluster.RetryAsync(() => nodes.Coordinator.ListFailoversAsync());
                return now.Count == databases.Length && now.All(one => one.State == DatabaseState.Serving);
            },
            () => string.Join(
                Environment.NewLine,
                [
                    $"all databases serve {when}",
                    .. now.Where(one => one.State != DatabaseState.Serving).Select(one => one.ToString()),
                    .. failovers.Where(one => one.State != FailoverState.Done).Select(one => one.ToString()),
                ]));
    }

    private static async Task AllHoldTheirValueAsync(NodeCluster nodes, string[] databases)
    {
        foreach (string name in databases)
        {
            Assert.Equal($"value of {name}", await NodeCluster.RetryAsync<string?>(
                async () => await nodes.Grains.GetDatabase(name).ReadAsync("k")));
            Assert.Equal($"branch of {name}", await NodeCluster.RetryAsync<string?>(
                async () => await nodes.Grains.GetBranch(name, "b").ReadAsync("k")));
        }
    }
}
