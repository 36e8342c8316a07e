namespace Branching.Cluster.Tests;

/// <summary>The snapshots of a database through its coordinator.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public async Task A_snapshot_is_listed_described_verified_pinned_and_deleted()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "1");
        OperationDescription first = await nodes.Grains.SnapshotAsync(
            "d", new TakeSnapshotRequest(Labels: new Dictionary<string, string> { ["why"] = "test" }));
        await database.PutAsync("k", "2");
        OperationDescription second = await nodes.Grains.SnapshotAsync("d");
        string older = Assert.Single(first.Taken!).SnapshotId!;
        string newer = Assert.Single(second.Taken!).SnapshotId!;

        Assert.NotEqual(older, newer);
        Assert.Equal([newer, older], (await snapshots.ListAsync()).Select(one => one.SnapshotId));
        SnapshotDetails details = await snapshots.DescribeAsync(older);
        Assert.Equal("test", details.Snapshot.Labels["why"]);
        Assert.Equal("main", details.Snapshot.Branch);
        Assert.Equal(details.Snapshot.Files, details.FileList.Count);
        Assert.Equal(details.Snapshot.TotalBytes, details.FileList.Sum(file => file.Bytes));

        OperationDescription verified =
            await snapshots.EndAsync(await snapshots.VerifyAsync(older, VerificationKind.Opened));
        Assert.True(verified is { State: OperationState.Succeeded, Verified.Good: true }, verified.Message);
        SnapshotPin pin = await snapshots.PinAsync(older, "to keep", "test");
        BranchingException pinned = await Assert.ThrowsAsync<BranchingException>(
            async () => await snapshots.DeleteAsync(older, force: true));
        Assert.Equal(FailureKind.Pinned, pinned.Kind);
        Assert.True(await snapshots.UnpinAsync(pin.PinId, "test"));
        await snapshots.DeleteAsync(older, force: true);
        Assert.Equal([newer], (await snapshots.ListAsync()).Select(one => one.SnapshotId));
    }

    [Fact]
    public async Task What_was_not_written_since_is_not_sent_again()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutManyAsync(1000, 100);
        TakenSnapshot first = Assert.Single((await nodes.Grains.SnapshotAsync("d")).Taken!);

        TakenSnapshot again = Assert.Single((await nodes.Grains.SnapshotAsync("d")).Taken!);

        Assert.False(first.Unchanged);
        Assert.True(first.SentBytes > 0);
        Assert.Equal((first.SnapshotId, true, 0L), (again.SnapshotId, again.Unchanged, again.SentBytes));
    }

    [Fact]
    public async Task The_policy_and_the_history_travel_with_the_database()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(shared: true);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        SnapshotPolicy policy = new(TimeSpan.FromHours(1), 1 << 20, 3, 2, 1, 1);
        Assert.True((await snapshots.GetStatusAsync()).IsDefaultPolicy);
        await snapshots.SetPolicyAsync(policy);
        await nodes.Grains.SnapshotAsync("d");

        await nodes.KillAsync(await nodes.Grains.OwnerAsync("d"));

        SnapshotStatus status = await NodeCluster.RetryAsync(() => snapshots.GetStatusAsync());
        Assert.Equal(policy, status.Policy);
        Assert.False(status.IsDefaultPolicy);
        IReadOnlyList<SnapshotRun> runs = await snapshots.GetHistoryAsync();
        Assert.Contains(runs, run => run is { Kind: OperationKind.Take, State: OperationState.Succeeded });
        Assert.NotNull(status.LastSuccessAt);
    }

    [Fact]
    public async Task By_bytes_and_for_a_new_branch_snapshots_are_taken_without_a_caller()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await snapshots.SetPolicyAsync(new SnapshotPolicy(EveryBytes: 50_000));
        await Waiting.UntilAsync(
            async () => (await snapshots.ListAsync("main")).Count == 1, "the first snapshot of a new database");
        await nodes.Grains.GetBranch("d", "b").CreateAsync(new CreateBranchRequest("main", "test"));
        await Waiting.UntilAsync(
            async () => (await snapshots.ListAsync("b")).Count == 1, "the first snapshot of a new branch");

        await database.PutManyAsync(1000, 100);

        await Waiting.UntilAsync(
            async () => (await snapshots.ListAsync("main")).Count >= 2, "a snapshot after enough bytes");
        // A run is recorded when it has ended, a moment after its snapshot is there.
        await Waiting.UntilAsync(
            async () => (await snapshots.GetHistoryAsync()).Any(run => run.Trigger == "bytes"), "the run for bytes");
        Assert.Contains(await snapshots.GetHistoryAsync(), run => run.Trigger == "new-branch");
    }

    [Fact]
    public async Task Retention_keeps_what_the_policy_says_and_a_dry_run_changes_nothing()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        List<string> ids = [];
        for (int i = 0; i < 5; i++)
        {
            await database.PutAsync("k", $"{i}");
            ids.Add(Assert.Single((await nodes.Grains.SnapshotAsync("d")).Taken!).SnapshotId!);
        }

        await snapshots.PinAsync(ids[0], "the first", "test");
        await snapshots.SetPolicyAsync(new SnapshotPolicy(KeepLast: 2));

        OperationDescription dry = await snapshots.EndAsync(await snapshots.CollectGarbageAsync(dryRun: true));
        Assert.Equal(5, (await snapshots.ListAsync()).Count);
        OperationDescription wet = await snapshots.EndAsync(await snapshots.CollectGarbageAsync());

        Assert.True(wet.State == OperationState.Succeeded, wet.Message);
        Assert.Equal(ids[1..3], wet.Collected!.Snapshots.OrderBy(ids.IndexOf));
        Assert.Equal(dry.Collected!.Snapshots.Order(), wet.Collected.Snapshots.Order());
        Assert.Equal(
            [ids[4], ids[3], ids[0]], (await snapshots.ListAsync()).Select(one => one.SnapshotId));
        OperationDescription again = await snapshots.EndAsync(await snapshots.CollectGarbageAsync());
        Assert.Empty(again.Collected!.Snapshots);
        OperationDescription verified = await snapshots.EndAsync(
            await snapshots.VerifyAsync(ids[0], VerificationKind.Opened));
        Assert.True(verified.Verified?.Good, verified.Message);
    }

    [Fact]
    public async Task Lag_counts_what_is_not_on_shared_storage_and_a_snapshot_brings_it_to_nothing()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("a", "1");
        await nodes.Grains.SnapshotAsync("d");
        Assert.Equal(0ul, (await database.DescribeAsync()).Lag?.Sequences);

        await database.PutAsync("b", "2");
        await database.PutAsync("c", "3");

        Assert.Equal(2ul, (await database.DescribeAsync()).Lag?.Sequences);
        SnapshotStatus status = await nodes.Grains.GetSnapshots("d").GetStatusAsync();
        Assert.Equal(2ul, Assert.Single(status.Lag).Sequences);
        string newest = Assert.Single((await nodes.Grains.SnapshotAsync("d")).Taken!).SnapshotId!;
        Assert.Equal(0ul, (await database.DescribeAsync()).Lag?.Sequences);
        Assert.Equal(newest, Assert.Single(await database.ListBranchesAsync()).LastSnapshotId);
        Assert.Equal(
            newest, Assert.Single((await nodes.Grains.GetSnapshots("d").GetStatusAsync()).Lag).SnapshotId);
    }

    [Fact]
    public async Task A_copy_on_other_shared_storage_is_whole()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        string id = Assert.Single((await nodes.Grains.SnapshotAsync("d")).Taken!).SnapshotId!;

        OperationDescription copied = await snapshots.EndAsync(
            await snapshots.CopyAsync(id, Path.Combine(nodes.Directory, "elsewhere")));

        Assert.True(copied.State == OperationState.Succeeded, copied.Message);
        Assert.True(copied.Copied!.SentBytes > 0);
        Assert.Equal(copied.Copied.TotalBytes, (await snapshots.DescribeAsync(id)).Snapshot.TotalBytes);
    }

    [Fact]
    public async Task Failed_runs_are_told_with_the_lag_and_the_next_one_succeeds_when_storage_is_back()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 60_000);
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        ISnapshotCoordinatorGrain snapshots = nodes.Grains.GetSnapshots("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k", "v");
        await snapshots.GetStatusAsync();
        string hidden = nodes.SharedDirectory + "-hidden";
        Directory.Move(nodes.SharedDirectory, hidden);
        try
        {
            OperationDescription failed = await snapshots.EndAsync(
                await snapshots.TakeAsync(new TakeSnapshotRequest()));
            Assert.Equal(OperationState.Failed, failed.State);
            Assert.NotNull(failed.Message);
            SnapshotStatus status = await snapshots.GetStatusAsync();
            Assert.False(status.Healthy);
            Assert.Equal(1, status.ConsecutiveFailures);
            Assert.NotNull(status.RetryAt);
            Assert.Equal(1ul, Assert.Single(status.Lag).Sequences);
        }
        finally
        {
            Directory.Move(hidden, nodes.SharedDirectory);
        }

        await Waiting.UntilAsync(
            async () => (await snapshots.GetStatusAsync()).ConsecutiveFailures == 0, "the retry succeeds");
        Assert.Equal(0ul, (await database.DescribeAsync()).Lag?.Sequences);
    }

    [Fact]
    public async Task Without_shared_storage_snapshots_are_refused_with_what_to_set()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(1);
        await nodes.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));

        BranchingException refused = await Assert.ThrowsAsync<BranchingException>(
            async () => await nodes.Grains.GetSnapshots("d").ListAsync());

        Assert.Equal(FailureKind.NotSupported, refused.Kind);
        Assert.Contains("Branching:SharedStorage:Directory", refused.Message, StringComparison.Ordinal);
        Assert.Null((await nodes.Grains.GetDatabase("d").DescribeAsync()).Lag);
    }

    [Fact]
    public async Task A_wrong_policy_is_refused_by_name()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(1, shared: true, leaseMs: 10_000);
        await nodes.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));
        foreach ((SnapshotPolicy policy, string names) in new[]
        {
            (new SnapshotPolicy(TimeSpan.Zero), "Every"),
            (new SnapshotPolicy(EveryBytes: 0), "EveryBytes"),
            (new SnapshotPolicy(KeepLast: 0), "KeepLast"),
            (new SnapshotPolicy(KeepHourly: -1), "KeepHourly"),
        })
        {
            BranchingException refused = await Assert.ThrowsAsync<BranchingException>(
                async () => await nodes.Grains.GetSnapshots("d").SetPolicyAsync(policy));
            Assert.Equal(FailureKind.InvalidArgument, refused.Kind);
            Assert.Contains(names, refused.Message, StringComparison.Ordinal);
        }
    }
}
