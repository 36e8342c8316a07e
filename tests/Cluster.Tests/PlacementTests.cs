using Orleans.TestingHost;

namespace Branching.Cluster.Tests;

public sealed class PlacementTests
{
    [Fact]
    public async Task Databases_spread_and_every_branch_lives_on_its_databases_node()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync();
        for (int i = 0; i < 9; i++)
        {
            await nodes.Grains.GetDatabase($"d{i}").CreateAsync(new CreateDatabaseRequest("test"));
            IBranchGrain branch = nodes.Grains.GetBranch($"d{i}", "b");
            await branch.CreateAsync(new CreateBranchRequest("main", "test"));
            await branch.PutAsync("k", $"d{i}");
        }

        IReadOnlyList<NodeDescription> described = await nodes.Grains.GetClusterCoordinator().ListNodesAsync();
        IReadOnlyList<DatabaseDescription> databases = await nodes.Grains.GetClusterCoordinator().ListDatabasesAsync();

        Assert.Equal(3, described.Count);
        Assert.All(described, node => Assert.Equal(3, node.Databases.Count));
        Assert.Equal(Enumerable.Range(0, 9).Select(i => $"d{i}"), databases.Select(database => database.Name));
        Assert.All(databases, database =>
        {
            Assert.Equal(2, database.Branches);
            Assert.Contains(database.Name, described.Single(node => node.Name == database.Node).Databases);
        });
    }

    [Fact]
    public async Task Creations_of_one_name_at_once_make_one_database_on_one_node()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync();

        string[] outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
        {
            try
            {
                return (await nodes.Grains.GetDatabase("one").CreateAsync(new CreateDatabaseRequest("test")))
                    .DatabaseId;
            }
            catch (BranchingException e)
            {
                return e.Kind.ToString();
            }
        }));

        Assert.Equal(15, outcomes.Count(outcome => outcome == nameof(FailureKind.DatabaseExists)));
        Assert.Single(await nodes.Grains.GetClusterCoordinator().ListNodesAsync(), node => node.Databases.Count == 1);
    }

    [Fact]
    public async Task A_new_cluster_on_the_same_data_roots_serves_all_data_on_the_same_nodes()
    {
        string directory = Directory.CreateTempSubdirectory("branching-cluster-").FullName;
        try
        {
            IReadOnlyList<DatabaseDescription> before;
            await using (NodeCluster first = await NodeCluster.StartAsync(directory: directory))
            {
                for (int i = 0; i < 6; i++)
                {
                    await first.Grains.GetDatabase($"d{i}").CreateAsync(new CreateDatabaseRequest("test"));
                    await first.Grains.GetBranch($"d{i}", "b").CreateAsync(new CreateBranchRequest("main", "test"));
                    await first.Grains.GetDatabase($"d{i}").PutAsync("k", $"main of d{i}");
                    await first.Grains.GetBranch($"d{i}", "b").PutAsync("k", $"branch of d{i}");
                }

                before = await first.Grains.GetClusterCoordinator().ListDatabasesAsync();
                foreach (SiloHandle silo in first.Cluster.Silos.Reverse().ToArray())
                {
                    await first.Cluster.StopSiloAsync(silo);
                }
            }

            await using NodeCluster second = await NodeCluster.StartAsync(directory: directory);
            // A branch comes first: it must not need its database's grain to find its data.
            for (int i = 0; i < 6; i++)
            {
                Assert.Equal($"branch of d{i}", await second.Grains.GetBranch($"d{i}", "b").ReadAsync("k"));
                Assert.Equal($"main of d{i}", await second.Grains.GetDatabase($"d{i}").ReadAsync("k"));
            }

            IReadOnlyList<DatabaseDescription> after = await second.Grains.GetClusterCoordinator().ListDatabasesAsync();
            Assert.Equal(
                before.Select(database => (database.Name, database.DatabaseId, database.Node)),
                after.Select(database => (database.Name, database.DatabaseId, database.Node)));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task After_a_kill_the_dead_nodes_databases_are_not_there_and_the_others_go_on()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync();
        for (int i = 0; i < 6; i++)
        {
            await nodes.Grains.GetDatabase($"d{i}").CreateAsync(new CreateDatabaseRequest("test"));
            await nodes.Grains.GetDatabase($"d{i}").PutAsync("k", "v");
        }

        IReadOnlyList<DatabaseDescription> before = await nodes.Grains.GetClusterCoordinator().ListDatabasesAsync();
        SiloHandle victim = nodes.Cluster.Silos[^1];
        await nodes.Cluster.KillSiloAsync(victim);

        foreach (DatabaseDescription database in before)
        {
            if (database.Node != victim.Name)
            {
                Assert.Equal("v", await NodeCluster.RetryAsync(
                    async () => await nodes.Grains.GetDatabase(database.Name).ReadAsync("k")));
                continue;
            }

            BranchingException gone = await Assert.ThrowsAsync<BranchingException>(async () =>
                await NodeCluster.RetryAsync(async () => await nodes.Grains.GetDatabase(database.Name).ReadAsync("k")));
            Assert.Equal(FailureKind.DatabaseNotFound, gone.Kind);
            BranchingException branch = await Assert.ThrowsAsync<BranchingException>(async () =>
                await NodeCluster.RetryAsync(
                    async () => await nodes.Grains.GetBranch(database.Name, "b").ReadAsync("k")));
            Assert.Equal(FailureKind.DatabaseNotFound, branch.Kind);
        }

        IReadOnlyList<NodeDescription> left = await nodes.Grains.GetClusterCoordinator().ListNodesAsync();
        Assert.DoesNotContain(left, node => node.Name == victim.Name);
        Assert.Equal(
            before.Where(database => database.Node != victim.Name).Select(database => database.Name),
            left.SelectMany(node => node.Databases).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_grain_left_on_a_node_without_its_database_says_so_and_the_next_call_finds_it()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2);
        // The branch's grain comes to life before the database: on a node that may turn out to be the wrong one.
        string[] names = [.. Enumerable.Range(0, 8).Select(i => $"d{i}")];
        foreach (string name in names)
        {
            BranchingException early = await Assert.ThrowsAsync<BranchingException>(
                async () => await nodes.Grains.GetBranch(name, "b").ReadAsync("k"));
            Assert.Equal(FailureKind.DatabaseNotFound, early.Kind);
            await nodes.Grains.GetDatabase(name).CreateAsync(new CreateDatabaseRequest("test"));
        }

        foreach (string name in names)
        {
            IBranchGrain branch = nodes.Grains.GetBranch(name, "b");
            await NodeCluster.RetryAsync(() => branch.CreateAsync(new CreateBranchRequest("main", "test")));
            await branch.PutAsync("k", name);
            Assert.Equal(name, await branch.ReadAsync("k"));
        }
    }

    [Fact]
    public async Task A_dropped_database_is_gone_with_its_branches_and_its_name_is_free()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        DatabaseDescription first = await database.CreateAsync(new CreateDatabaseRequest("test"));
        await nodes.Grains.GetBranch("d", "b").CreateAsync(new CreateBranchRequest("main", "test"));
        await database.PutAsync("k", "v");

        await database.DropAsync();

        BranchingException gone = await Assert.ThrowsAsync<BranchingException>(
            async () => await nodes.Grains.GetBranch("d", "b").ReadAsync("k"));
        Assert.Equal(FailureKind.DatabaseNotFound, gone.Kind);
        DatabaseDescription second = await NodeCluster.RetryAsync(
            () => database.CreateAsync(new CreateDatabaseRequest("test")));
        Assert.NotEqual(first.DatabaseId, second.DatabaseId);
        Assert.Null(await database.ReadAsync("k"));
    }
}
