using Orleans.TestingHost;

namespace Branching.Cluster.Tests;

/// <summary>What happens to databases when nodes die and come back.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task A_database_lives_on_with_what_its_last_snapshot_held_and_no_caller_is_needed()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        IBranchGrain durable = nodes.Grains.GetBranch("d", "durable");
        IBranchGrain ephemeral = nodes.Grains.GetBranch("d", "ephemeral");
        await database.PutAsync("k", "main");
        await durable.CreateAsync(new CreateBranchRequest("main", "test"));
        await durable.PutAsync("k", "durable");
        await ephemeral.CreateAsync(
            new CreateBranchRequest("main", "test", Durability: BranchDurability.Ephemeral));
        await ephemeral.PutAsync("k", "ephemeral");
        await nodes.Grains.SnapshotAsync("d");
        await durable.PutAsync("k", "written after the snapshot");
        await nodes.Grains.GetBranch("d", "late").CreateAsync(new CreateBranchRequest("durable", "test"));
        string dead = await nodes.Grains.OwnerAsync("d");

        await nodes.KillAsync(dead);
        FailoverRecord record = await FailoverOfAsync(nodes, "d");

        Assert.Equal(FailoverState.Done, record.State);
        Assert.Equal(dead, record.FromNode);
        Assert.NotEqual(dead, record.ToNode);
        Assert.Equal(record.FromEpoch + 1, record.ToEpoch);
        Assert.True(record.DetectedAt <= record.FencedAt && record.FencedAt <= record.RestoredAt
            && record.RestoredAt <= record.ServingAt, record.ToString());
        Assert.Equal(["late"], record.LostBranches);
        Assert.Equal("main", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
        Assert.Equal("durable", await NodeCluster.RetryAsync<string?>(async () => await durable.ReadAsync("k")));
        BranchingException gone = await Assert.ThrowsAsync<BranchingException>(
            () => NodeCluster.RetryAsync<string?>(async () => await ephemeral.ReadAsync("k")));
        Assert.True(gone.Kind is FailureKind.BranchNotFound or FailureKind.BranchLost, gone.Message);
        BranchingException lost = await Assert.ThrowsAsync<BranchingException>(
            () => NodeCluster.RetryAsync<string?>(
                async () => await nodes.Grains.GetBranch("d", "late").ReadAsync("k")));
        Assert.Equal(FailureKind.BranchLost, lost.Kind);
        Assert.Equal(
            [("durable", BranchState.Ready), ("late", BranchState.Lost), ("main", BranchState.Ready)],
            (await database.ListBranchesAsync()).Where(one => one.Name != "ephemeral")
                .Select(one => (one.Name, one.State)));
    }

    [Fact]
    public async Task Killed_under_load_again_and_again_a_database_is_always_a_former_state_and_others_miss_nothing()
    {
        Random random = new(Waiting.Seed);
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true, leaseMs: 2000);
        string[] names = ["d0", "d1", "d2"];
        foreach (string name in names)
        {
            await nodes.Grains.GetDatabase(name).CreateAsync(new CreateDatabaseRequest("test"));
        }

        Dictionary<string, Load> loads =
            names.ToDictionary(name => name, name => Load.Start(nodes.Grains.GetDatabase(name)));
        try
        {
            for (int round = 0; round < Waiting.Rounds; round++)
            {
                string context = $"seed {Waiting.Seed}, round {round}";
                AssertNothingMissed(loads, names, deaths: round, context);
                string victim = names[random.Next(names.Length)];
                string dead = await nodes.Grains.OwnerAsync(victim);
                Dictionary<string, string> owners = [];
                foreach (string name in names)
                {
                    owners[name] = await nodes.Grains.OwnerAsync(name);
                }

                string[] doomed = [.. names.Where(name => owners[name] == dead)];
                Dictionary<string, int> floors = [];
                foreach (string name in doomed)
                {
                    floors[name] = loads[name].Acknowledged;
                    await nodes.Grains.SnapshotAsync(name);
                }

                await loads[victim].MoreAsync(random.Next(1, 200));
                foreach (string name in doomed)
                {
                    loads[name].EndAtFailure();
                }

                await nodes.KillAsync(dead);
                foreach (string name in doomed)
                {
                    await loads[name].EndAsync();
                    int now = await Load.CheckAsync(
                        nodes.Grains.GetDatabase(name), floors[name], loads[name].Issued, $"{context}, {name}");
                    loads[name] = Load.Start(nodes.Grains.GetDatabase(name), now);
                    await loads[name].MoreAsync(1);
                }

                foreach (string name in names.Except(doomed))
                {
                    await loads[name].MoreAsync(1);
                    Assert.Equal(owners[name], await nodes.Grains.OwnerAsync(name));
                }

                AssertNothingMissed(loads, names.Except(doomed), deaths: round + 1, context);
                await nodes.BringBackAsync(dead);
            }
        }
        finally
        {
            foreach (Load load in loads.Values)
            {
                await load.DisposeAsync();
            }
        }

        foreach (string name in names)
        {
            await Load.CheckAsync(
                nodes.Grains.GetDatabase(name), loads[name].Acknowledged, loads[name].Issued, $"{name} at the end");
        }
    }

    [Fact]
    public async Task A_node_that_comes_back_sets_its_stale_store_aside_and_does_no_harm()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "snapshotted");
        await nodes.Grains.SnapshotAsync("d");
        await database.PutAsync("k", "only on the old node");
        string dead = await nodes.Grains.OwnerAsync("d");
        await nodes.KillAsync(dead);
        FailoverRecord first = await FailoverOfAsync(nodes, "d");
        await NodeCluster.RetryAsync(() => database.PutAsync(Bytes.Of("k"), Bytes.Of("on the new node")));

        SiloHandle back = await nodes.BringBackAsync(dead);
        Assert.Equal("on the new node", await database.ReadAsync("k"));
        Assert.Equal(first.ToNode, await nodes.Grains.OwnerAsync("d"));
        await nodes.Grains.SnapshotAsync("d");
        await nodes.KillAsync(first.ToNode!);
        Assert.Equal(
            "on the new node", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));

        IReadOnlyList<QuarantineDescription> aside = await nodes.GrainOf(back).ListQuarantineAsync();
        QuarantineDescription stale = Assert.Single(aside);
        Assert.Equal("d", stale.Database);
        Assert.Equal(first.FromEpoch, stale.Epoch);
        Assert.True(Directory.Exists(stale.Path));
    }

    [Fact]
    public async Task Without_a_snapshot_there_is_nothing_to_restore_and_never_an_empty_database()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        string dead = await nodes.Grains.OwnerAsync("d");

        await nodes.KillAsync(dead);

        BranchingException nothing = await Assert.ThrowsAsync<BranchingException>(
            () => NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
        Assert.Equal(FailureKind.NothingToRestore, nothing.Kind);
        await Waiting.UntilAsync(
            async () => (await nodes.Coordinator.ListFailoversAsync("d")).Any(one => one.Problem is not null),
            "a failover that says why it failed");
        BranchingException exists = await Assert.ThrowsAsync<BranchingException>(() => NodeCluster.RetryAsync(
            () => database.CreateAsync(new CreateDatabaseRequest("test"))));
        Assert.Equal(FailureKind.DatabaseExists, exists.Kind);
    }

    [Fact]
    public async Task Only_the_dead_nodes_databases_move()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        for (int i = 0; i < 9; i++)
        {
            await nodes.Grains.GetDatabase($"d{i}").CreateAsync(new CreateDatabaseRequest("test"));
            await nodes.Grains.SnapshotAsync($"d{i}");
        }

        IReadOnlyList<DatabaseDescription> before = await nodes.Coordinator.ListDatabasesAsync();
        string dead = nodes.Cluster.Silos[^1].Name;
        await nodes.KillAsync(dead);
        await Waiting.UntilAsync(
            async () => (await NodeCluster.RetryAsync(() => nodes.Coordinator.ListDatabasesAsync()))
                is { Count: 9 } now && now.All(one => one.State == DatabaseState.Serving),
            "all databases serve");

        IReadOnlyList<DatabaseDescription> after = await nodes.Coordinator.ListDatabasesAsync();
        Assert.Equal(
            before.Where(one => one.Node != dead).Select(one => (one.Name, one.Node, one.Epoch)),
            after.Where(one => before.Single(old => old.Name == one.Name).Node != dead)
                .Select(one => (one.Name, one.Node, one.Epoch)));
        Assert.All(
            after.Where(one => before.Single(old => old.Name == one.Name).Node == dead),
            one => Assert.Equal(before.Single(old => old.Name == one.Name).Epoch + 1, one.Epoch));
    }

    [Fact]
    public async Task While_shared_storage_is_gone_nothing_is_taken_over_and_the_reason_is_told()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        await nodes.Grains.SnapshotAsync("d");
        string dead = await nodes.Grains.OwnerAsync("d");
        string hidden = nodes.SharedDirectory + "-hidden";

        Directory.Move(nodes.SharedDirectory, hidden);
        try
        {
            await nodes.KillAsync(dead);
            BranchingException gone = await Assert.ThrowsAsync<BranchingException>(
                async () => await database.ReadAsync("k"));
            Assert.True(
                gone.Kind is FailureKind.SharedStorageUnavailable or FailureKind.Closed,
                $"{gone.Kind}: {gone.Message}");
            await Waiting.UntilAsync(
                async () => (await nodes.Coordinator.ListNodesAsync()).Any(one => one.SharedStorageProblem is not null),
                "a node says that it cannot reach shared storage");
        }
        finally
        {
            Directory.Move(hidden, nodes.SharedDirectory);
        }

        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
    }

    [Fact]
    public async Task A_renewal_that_comes_late_costs_callers_time_and_no_answer()
    {
        const int leaseMs = 1000;
        await using NodeCluster nodes = await NodeCluster.StartAsync(1, shared: true, leaseMs: leaseMs);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await using Load load = Load.Start(database);
        await load.MoreAsync(10);
        string hidden = nodes.SharedDirectory + "-hidden";

        Directory.Move(nodes.SharedDirectory, hidden);
        Task<CountResponse>[] counts;
        try
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2 * leaseMs));
            counts = [.. Enumerable.Range(0, 4).Select(_ => database.CountAsync(
                new CountRequest(KeyRange.All)).AsTask())];
            await Task.Delay(TimeSpan.FromMilliseconds(50));
            Assert.All(counts, count => Assert.False(count.IsCompleted));
        }
        finally
        {
            Directory.Move(hidden, nodes.SharedDirectory);
        }

        await Task.WhenAll(counts);
        await load.MoreAsync(10);
        Assert.Empty(load.Missed);
    }

    [Fact]
    public async Task While_its_owner_lives_nobody_else_takes_a_database()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        string owner = await nodes.Grains.OwnerAsync("d");
        INodeGrain other = nodes.GrainOf(nodes.Cluster.Silos.Single(silo => silo.Name != owner));
        await using Load load = Load.Start(database);

        TakeoverStatus status = new(OperationState.Running, "");
        await Waiting.UntilAsync(
            async () => (status = await other.TakeDatabaseAsync(
                new TakeDatabaseRequest("d", "test", "one", TimeSpan.FromSeconds(1)))).State != OperationState.Running,
            "the other node learns that it is not the owner");

        Assert.Equal(OperationState.Failed, status.State);
        Assert.Equal(FailureKind.NotOwner, status.Failure);
        Assert.Contains(owner, status.Problem, StringComparison.Ordinal);
        await load.MoreAsync(20);
        Assert.Equal(owner, await nodes.Grains.OwnerAsync("d"));
        await load.EndAsync();
        await Load.CheckAsync(database, load.Acknowledged, load.Acknowledged, "the owner's data");
    }

    [Fact]
    public async Task A_node_killed_while_it_takes_over_leaves_the_database_to_the_next()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutManyAsync(20_000, 100);
        await nodes.Grains.SnapshotAsync("d");
        await nodes.KillAsync(await nodes.Grains.OwnerAsync("d"));
        string? taker = null;
        await Waiting.UntilAsync(
            async () => (taker = (await NodeCluster.RetryAsync(() => nodes.Coordinator.ListFailoversAsync("d")))
                .Select(record => record.ToNode).SingleOrDefault()) is not null,
            "a node begins to take over");

        await nodes.KillAsync(taker!);

        CountResponse count = await NodeCluster.RetryAsync(
            () => database.CountAsync(new CountRequest(KeyRange.All)));
        Assert.Equal(20_000, count.Count);
        Assert.NotEqual(taker, await nodes.Grains.OwnerAsync("d"));
    }

    [Fact]
    public async Task A_node_killed_while_it_sends_a_snapshot_leaves_the_one_before_or_the_new_one()
    {
        Random random = new(Waiting.Seed);
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        int from = 0;
        for (int round = 0; round < Math.Min(3, Waiting.Rounds); round++)
        {
            await using Load load = Load.Start(database, from, endAtFailure: true);
            await load.MoreAsync(100);
            int floor = load.Acknowledged;
            await nodes.Grains.SnapshotAsync("d");
            await load.MoreAsync(random.Next(1, 100));
            string owner = await nodes.Grains.OwnerAsync("d");
            await NodeCluster.RetryAsync(() => nodes.Grains.GetSnapshots("d").TakeAsync(new TakeSnapshotRequest()));
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(40)));

            await nodes.KillAsync(owner);
            await load.EndAsync();

            from = await Load.CheckAsync(database, floor, load.Issued, $"seed {Waiting.Seed}, round {round}");
            await nodes.BringBackAsync(owner);
        }
    }

    [Fact]
    public async Task A_node_killed_while_it_restores_leaves_the_old_state_or_the_restored_one()
    {
        Random random = new(Waiting.Seed);
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutManyAsync(2000, 100);
        await database.PutAsync("k", "old");
        string old = Assert.Single((await nodes.Grains.SnapshotAsync("d")).Taken!).SnapshotId!;
        await database.PutAsync("k", "new");
        await nodes.Grains.SnapshotAsync("d");
        string owner = await nodes.Grains.OwnerAsync("d");

        await snapshots.RestoreAsync(new RestoreRequest(old, Replace: true, RequestedBy: "test"));
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(150)));
        await nodes.KillAsync(owner);

        string? value = await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k"));
        Assert.True(value is "old" or "new", $"seed {Waiting.Seed}: '{value}'");
        Assert.Equal(2001, (await database.CountAsync(new CountRequest(KeyRange.All))).Count);
    }

    private static void AssertNothingMissed(
        Dictionary<string, Load> loads, IEnumerable<string> names, int deaths, string context)
        => Assert.All(names, name =>
    {
        IReadOnlyList<Exception> missed = loads[name].Missed;
        Assert.True(
            missed.Count == 0,
            $"{context}: {name} missed {missed.Count} requests, the first: {(missed.Count > 0 ? missed[0] : null)}");
        Assert.True(loads[name].Lost <= deaths, $"{context}: {name} lost {loads[name].Lost} requests.");
    });

    private static async Task<FailoverRecord> FailoverOfAsync(NodeCluster nodes, string database)
    {
        FailoverRecord? found = null;
        await Waiting.UntilAsync(
            async () =>
            {
                IReadOnlyList<FailoverRecord> all = await NodeCluster.RetryAsync(
                    () => nodes.Coordinator.ListFailoversAsync(database));
                found = all.Count > 0 ? all[0] : null;
                return found?.State == FailoverState.Done;
            },
            $"the failover of {database}");
        return found!;
    }
}
