namespace Branching.Cluster.Tests;

/// <summary>Snapshots put back by command, and databases put to rest.</summary>
public sealed class RestoreTests(SharedStorageCluster cluster) : IClassFixture<SharedStorageCluster>
{
    [Fact]
    public async Task An_older_snapshot_takes_the_place_of_a_branch_and_what_stood_there_is_set_aside()
    {
        (string name, string older, _) = await TwoSnapshotsAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        await database.PutAsync("k", "not snapshotted");

        OperationDescription restored = await RestoreAsync(
            name, new RestoreRequest(older, Replace: true, RequestedBy: "test"));

        Assert.True(restored.State == OperationState.Succeeded, restored.Message);
        Assert.Equal("1", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
        Assert.NotNull(restored.Restored!.Quarantine);
        Assert.True(Directory.Exists(restored.Restored.Quarantine));
    }

    [Fact]
    public async Task A_snapshot_becomes_a_new_branch_or_a_new_database_and_the_source_stays()
    {
        (string name, string older, string newer) = await TwoSnapshotsAsync();

        OperationDescription branch = await RestoreAsync(
            name, new RestoreRequest(older, IntoBranch: "restored", RequestedBy: "test"));
        OperationDescription database = await RestoreAsync(
            name, new RestoreRequest(newer, IntoDatabase: name + "-copy", RequestedBy: "test"));

        Assert.True(branch.State == OperationState.Succeeded, branch.Message);
        Assert.True(database.State == OperationState.Succeeded, database.Message);
        Assert.Equal("1", await cluster.Grains.GetBranch(name, "restored").ReadAsync("k"));
        Assert.Equal("2", await NodeCluster.RetryAsync<string?>(
            async () => await cluster.Grains.GetDatabase(name + "-copy").ReadAsync("k")));
        Assert.Equal("2", await cluster.Grains.GetDatabase(name).ReadAsync("k"));
    }

    [Fact]
    public async Task By_time_the_newest_until_then_is_found()
    {
        (string name, string older, string newer) = await TwoSnapshotsAsync();
        ISnapshotCoordinatorGrain snapshots = cluster.Grains.GetSnapshots(name);
        DateTimeOffset first = (await snapshots.DescribeAsync(older)).Snapshot.TakenAt!.Value;

        OperationDescription at = await RestoreAsync(
            name, new RestoreRequest(At: first, IntoBranch: "at", RequestedBy: "test"));
        OperationDescription latest = await RestoreAsync(
            name, new RestoreRequest(IntoBranch: "latest", RequestedBy: "test"));

        Assert.Equal(older, Assert.Single(at.Restored!.Stores).SnapshotId);
        Assert.Equal(newer, Assert.Single(latest.Restored!.Stores).SnapshotId);
    }

    [Fact]
    public async Task A_dry_run_says_what_would_happen_and_changes_nothing()
    {
        (string name, string older, _) = await TwoSnapshotsAsync();

        OperationDescription dry = await RestoreAsync(
            name, new RestoreRequest(older, DryRun: true, Replace: true, RequestedBy: "test"));

        Assert.True(dry is { State: OperationState.Succeeded, Restored.DryRun: true }, dry.Message);
        Assert.NotEmpty(dry.Restored!.Steps);
        Assert.EndsWith("quarantine", dry.Restored.Quarantine, StringComparison.Ordinal); // Where it would be put.
        Assert.Equal("2", await cluster.Grains.GetDatabase(name).ReadAsync("k"));
    }

    [Fact]
    public async Task What_exists_is_not_replaced_unless_told_and_a_wrong_id_lists_near_ones()
    {
        (string name, string older, string newer) = await TwoSnapshotsAsync();

        OperationDescription exists = await RestoreAsync(name, new RestoreRequest(older, RequestedBy: "test"));
        OperationDescription wrong = await RestoreAsync(
            name, new RestoreRequest(older[..^1] + "77", IntoBranch: "x", RequestedBy: "test"));

        Assert.Equal(FailureKind.BranchExists, exists.Failure);
        Assert.Equal(FailureKind.SnapshotNotFound, wrong.Failure);
        Assert.Contains(newer, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_put_to_rest_is_on_shared_storage_alone_and_the_next_call_brings_it_back()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        await database.PutAsync("k", "v");
        NodeDescription owner = (await cluster.Nodes.Coordinator.ListNodesAsync())
            .Single(one => one.Owned!.Contains(name, StringComparer.Ordinal));

        await cluster.Grains.SnapshotAsync(name, new TakeSnapshotRequest(RemoveSource: true, RequestedBy: "test"));

        Assert.False(Directory.Exists(Path.Combine(owner.DataRoot, "databases", name)));
        DatabaseState state = default;
        await Waiting.UntilAsync(
            async () => (state = (await cluster.Nodes.Coordinator.ListDatabasesAsync())
                .Single(one => one.Name == name).State) == DatabaseState.AtRest,
            () => $"the database at rest, not {state}");
        Assert.Equal("v", await NodeCluster.RetryAsync<string?>(async () => await database.ReadAsync("k")));
    }

    [Fact]
    public async Task A_database_with_an_ephemeral_branch_is_not_put_to_rest()
    {
        string name = await cluster.CreateDatabaseAsync();
        await cluster.Grains.GetBranch(name, "e").CreateAsync(
            new CreateBranchRequest("main", "test", Durability: BranchDurability.Ephemeral));
        ISnapshotCoordinatorGrain snapshots = cluster.Grains.GetSnapshots(name);

        OperationDescription refused = await snapshots.EndAsync(
            await snapshots.TakeAsync(new TakeSnapshotRequest(RemoveSource: true, RequestedBy: "test")));

        Assert.Equal(FailureKind.Refused, refused.Failure);
        Assert.Contains("'e'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_database_becomes_a_new_one_with_its_branches()
    {
        (string name, _, string newer) = await TwoSnapshotsAsync();
        IBranchGrain branch = cluster.Grains.GetBranch(name, "b");
        await branch.CreateAsync(new CreateBranchRequest("main", "test"));
        await branch.PutAsync("k", "branch");
        await cluster.Grains.SnapshotAsync(name, new TakeSnapshotRequest(Force: true, RequestedBy: "test"));
        string copy = name + "-whole";
        RestoreRequest request = new(WholeDatabase: true, IntoDatabase: copy, DryRun: true, RequestedBy: "test");

        OperationDescription dry = await RestoreAsync(name, request);
        OperationDescription whole = await RestoreAsync(name, request with { DryRun = false });
        OperationDescription again = await RestoreAsync(name, request with { DryRun = false });

        Assert.True(whole.State == OperationState.Succeeded, whole.Message);
        Assert.Equal(["main", "b"], whole.Restored!.Stores.Select(store => store.Branch));
        Assert.Equal(
            dry.Restored!.Stores.Select(store => store.SnapshotId),
            whole.Restored.Stores.Select(store => store.SnapshotId));
        Assert.Equal("branch", await NodeCluster.RetryAsync<string?>(
            async () => await cluster.Grains.GetBranch(copy, "b").ReadAsync("k")));
        Assert.Equal("2", await NodeCluster.RetryAsync<string?>(
            async () => await cluster.Grains.GetDatabase(copy).ReadAsync("k")));
        BranchDescription lineage = (await cluster.Grains.GetDatabase(copy).GetLineageAsync())
            .Single(one => one.Name == "b");
        Assert.Equal("main", lineage.Parent);
        Assert.Equal((OperationState.Failed, FailureKind.DatabaseExists), (again.State, again.Failure));
        Assert.NotEqual(newer, lineage.LastSnapshotId);
    }

    [Fact]
    public async Task From_another_directory_a_database_comes_back_that_is_not_known_here_and_so_does_one_branch()
    {
        (string name, string older, _) = await TwoSnapshotsAsync();
        string elsewhere = Path.Combine(cluster.Nodes.Directory, name + "-elsewhere");
        ISnapshotCoordinatorGrain snapshots = cluster.Grains.GetSnapshots(name);
        OperationDescription copied = await snapshots.EndAsync(await snapshots.CopyAsync(older, elsewhere));
        Assert.True(copied.State == OperationState.Succeeded, copied.Message);
        Assert.Single(Directory.GetFiles(elsewhere, "*.entered.json", SearchOption.AllDirectories));
        await cluster.Grains.GetDatabase(name).DropAsync();
        string other = await cluster.CreateDatabaseAsync();

        OperationDescription whole = await RestoreAsync(name, new RestoreRequest(
            WholeDatabase: true, IntoDatabase: name, FromDirectory: elsewhere, RequestedBy: "test"));
        OperationDescription branch = await RestoreAsync(other, new RestoreRequest(
            copied.Copied!.SnapshotId, IntoBranch: "guest", FromDirectory: elsewhere, FromDatabase: name,
            RequestedBy: "test"));

        Assert.True(whole.State == OperationState.Succeeded, whole.Message);
        Assert.True(branch.State == OperationState.Succeeded, branch.Message);
        Assert.Equal("1", await NodeCluster.RetryAsync<string?>(
            async () => await cluster.Grains.GetDatabase(name).ReadAsync("k")));
        Assert.Equal("1", await cluster.Grains.GetBranch(other, "guest").ReadAsync("k"));
    }

    [Fact]
    public async Task Another_databases_branches_are_not_put_in_the_place_of_this_ones()
    {
        (string name, _, _) = await TwoSnapshotsAsync();
        string other = await cluster.CreateDatabaseAsync();

        OperationDescription refused = await RestoreAsync(other, new RestoreRequest(
            WholeDatabase: true, Replace: true, FromDatabase: name, RequestedBy: "test"));

        Assert.Equal((OperationState.Failed, FailureKind.InvalidArgument), (refused.State, refused.Failure));
        Assert.Contains("IntoDatabase", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restored_branch_has_the_options_asked_for_and_wrong_ones_are_named()
    {
        (string name, string older, _) = await TwoSnapshotsAsync();

        OperationDescription tuned = await RestoreAsync(name, new RestoreRequest(
            older, IntoBranch: "tuned", RequestedBy: "test", Verify: true,
            Options: new Dictionary<string, string> { ["BlockCacheBytes"] = "4194304" }));
        OperationDescription wrong = await RestoreAsync(name, new RestoreRequest(
            older, IntoBranch: "wrong", RequestedBy: "test",
            Options: new Dictionary<string, string> { ["WriteTimeout"] = "1" }));

        Assert.True(tuned.State == OperationState.Succeeded, tuned.Message);
        BranchDescription branch = await cluster.Grains.GetBranch(name, "tuned").DescribeAsync();
        Assert.Equal("4194304", branch.Labels["branching/option/BlockCacheBytes"]);
        Assert.Equal("1", await cluster.Grains.GetBranch(name, "tuned").ReadAsync("k"));
        Assert.Equal((OperationState.Failed, FailureKind.InvalidArgument), (wrong.State, wrong.Failure));
        Assert.Contains("'WriteTimeout'", wrong.Message, StringComparison.Ordinal);
    }

    private async Task<(string Name, string Older, string Newer)> TwoSnapshotsAsync()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        await database.PutAsync("k", "1");
        string older = Assert.Single((await cluster.Grains.SnapshotAsync(name)).Taken!).SnapshotId!;
        await database.PutAsync("k", "2");
        string newer = Assert.Single((await cluster.Grains.SnapshotAsync(name)).Taken!).SnapshotId!;
        return (name, older, newer);
    }

    private async Task<OperationDescription> RestoreAsync(string database, RestoreRequest request)
    {
        ISnapshotCoordinatorGrain snapshots = cluster.Grains.GetSnapshots(database);
        return await snapshots.EndAsync(await NodeCluster.RetryAsync(() => snapshots.RestoreAsync(request)));
    }
}
