namespace Branching.Cluster.Tests;

/// <summary>Backups of databases in a cluster: each node keeps its own, and the owner speaks for them.</summary>
public sealed class BackupTests
{
    [Fact]
    public async Task Backups_are_made_on_the_node_that_owns_the_database_whoever_asks()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true, leaseMs: 10_000);
        HashSet<string> owners = new(StringComparer.Ordinal);
        for (int i = 0; i < 6; i++)
        {
            string name = $"d{i}";
            IDatabaseGrain database = nodes.Grains.GetDatabase(name);
            await database.CreateAsync(new CreateDatabaseRequest("test"));
            await database.PutAsync("k", $"v{i}");
            string owner = await nodes.Grains.OwnerAsync(name);
            owners.Add(owner);
            IBackupGrain backups = nodes.Grains.GetBackups(name);

            OperationDescription made = await backups.EndAsync(
                await backups.CreateAsync(new CreateBackupRequest(Label: "first")));

            Assert.True(made.State == OperationState.Succeeded, made.Message);
            Assert.Equal(1ul, Assert.Single(await backups.ListAsync()).Number);
            Assert.All(nodes.Cluster.Silos, silo => Assert.Equal(
                silo.Name == owner, Directory.Exists(nodes.BackupsOf(silo.Name, name))));
        }

        Assert.True(owners.Count > 1, "the databases are on several nodes");
    }

    [Fact]
    public async Task A_call_that_comes_to_a_node_without_the_database_is_sent_on_to_its_owner()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IBackupGrain backups = await CreateWithBackupAsync(nodes);
        string from = await nodes.Grains.OwnerAsync("d");
        string to = nodes.Cluster.Silos.First(silo => silo.Name != from).Name;
        OperationDescription moved = await nodes.Coordinator.EndAsync(
            await NodeCluster.RetryAsync(() => nodes.Coordinator.MoveDatabaseAsync("d", to)));
        Assert.True(moved.State == OperationState.Succeeded, moved.Message);

        // The grain of the backups is still where it was, on the former owner.
        OperationDescription made = await backups.EndAsync(
            await NodeCluster.RetryAsync(() => backups.CreateAsync(new CreateBackupRequest(Label: "there"))));

        Assert.True(made.State == OperationState.Succeeded, made.Message);
        Assert.Equal("there", Assert.Single(await backups.ListAsync()).Label);
        Assert.True(Directory.Exists(nodes.BackupsOf(to, "d")));
        Assert.True(Directory.Exists(nodes.BackupsOf(from, "d")), "what the former owner made stays with it");
    }

    [Fact]
    public async Task A_backup_whose_node_dies_under_it_fails_with_a_reason_and_can_be_made_on_the_next_owner()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IBackupGrain backups = await CreateWithBackupAsync(nodes, entries: 2000);
        await nodes.Grains.SnapshotAsync("d");
        string dead = await nodes.Grains.OwnerAsync("d");
        OperationDescription started = await backups.CreateAsync(new CreateBackupRequest(Label: "second"));

        await nodes.KillAsync(dead);
        Exception? failure = await Record.ExceptionAsync(
            async () => await backups.GetOperationAsync(started.OperationId, TimeSpan.FromSeconds(2)));

        // Its record died with the node: an operation that nobody knows, or a call that got no answer; never a success.
        Assert.True(
            failure is BranchingException or OrleansException or TimeoutException, failure?.ToString() ?? "no failure");
        Assert.Equal(2000, (await NodeCluster.RetryAsync(() => nodes.Grains.GetDatabase("d").CountAsync(
            new CountRequest(KeyRange.All)))).Count);
        OperationDescription again = await backups.EndAsync(
            await NodeCluster.RetryAsync(() => backups.CreateAsync(new CreateBackupRequest(Label: "third"))));
        Assert.True(again.State == OperationState.Succeeded, again.Message);
    }

    [Fact]
    public async Task After_a_failover_the_new_owner_lists_what_it_has_and_not_what_died_with_the_other_node()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true);
        IBackupGrain backups = await CreateWithBackupAsync(nodes);
        await nodes.Grains.SnapshotAsync("d");
        string dead = await nodes.Grains.OwnerAsync("d");

        await nodes.KillAsync(dead);

        Assert.Empty(await NodeCluster.RetryAsync(() => backups.ListAsync()));
        BranchingException none = await Assert.ThrowsAsync<BranchingException>(
            async () => await NodeCluster.RetryAsync(() => backups.DescribeAsync(1)));
        Assert.Equal(FailureKind.BackupNotFound, none.Kind);
        Assert.True(Directory.Exists(nodes.BackupsOf(dead, "d")), "its files are still on its disk");
        string owner = await nodes.Grains.OwnerAsync("d");
        await nodes.BringBackAsync(dead);
        OperationDescription moved = await nodes.Coordinator.EndAsync(
            await NodeCluster.RetryAsync(() => nodes.Coordinator.MoveDatabaseAsync("d", dead)));
        Assert.True(moved.State == OperationState.Succeeded, moved.Message);
        Assert.NotEqual(owner, await nodes.Grains.OwnerAsync("d"));
        Assert.Equal("first", Assert.Single(await NodeCluster.RetryAsync(() => backups.ListAsync())).Label);
    }

    [Fact]
    public async Task With_one_directory_for_all_nodes_the_new_owner_lists_and_restores_the_backups_of_the_former()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, sharedBackups: true);
        IBackupGrain backups = await CreateWithBackupAsync(nodes);
        await nodes.Grains.SnapshotAsync("d");

        await nodes.KillAsync(await nodes.Grains.OwnerAsync("d"));

        Assert.Equal("first", Assert.Single(await NodeCluster.RetryAsync(() => backups.ListAsync())).Label);
        OperationDescription restored = await backups.EndAsync(await NodeCluster.RetryAsync(
            () => backups.RestoreAsync(new RestoreBackupRequest(null, "again", null, RequestedBy: "test"))));
        Assert.True(restored.State == OperationState.Succeeded, restored.Message);
        CountResponse count = await nodes.Grains.GetBranch("d", "again").CountAsync(new CountRequest(KeyRange.All));
        Assert.Equal(1, count.Count);
    }

    private static async Task<IBackupGrain> CreateWithBackupAsync(NodeCluster nodes, int entries = 1)
    {
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutManyAsync(entries, 100);
        IBackupGrain backups = nodes.Grains.GetBackups("d");
        OperationDescription made = await backups.EndAsync(
            await backups.CreateAsync(new CreateBackupRequest(Label: "first")));
        Assert.True(made.State == OperationState.Succeeded, made.Message);
        return backups;
    }
}
