namespace Branching.Cluster.Tests;

/// <summary>The change log through grains.</summary>
public sealed class ChangeLogTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    [Fact]
    public async Task Changes_are_streamed_in_order_and_go_on_from_any_position_without_gap_or_repetition()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.EnableChangeLogAsync();
        for (int i = 0; i < 30; i++)
        {
            await database.PutAsync($"k{i:00}", $"v{i}");
        }

        List<ChangeEntry> all = await ReadAsync(database, ChangeFrom.First, 30);

        Assert.Equal(Enumerable.Range(1, 30).Select(i => (ulong)i), all.Select(entry => entry.First));
        Assert.Equal("k07", Bytes.Text(all[7].Operations[0].Key));
        for (int at = 0; at < 30; at += 7)
        {
            List<ChangeEntry> rest = await ReadAsync(database, ChangeFrom.Position(all[at].Position), 29 - at);
            Assert.Equal(all.Skip(at + 1).Select(entry => entry.Last), rest.Select(entry => entry.Last));
        }

        Assert.Equal(3, (await ReadAsync(database, ChangeFrom.Sequence(28), 3)).Count);
    }

    [Fact]
    public async Task A_follower_gets_what_is_written_while_it_waits()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        await database.EnableChangeLogAsync();
        IBranchGrain branch = cluster.Grains.GetBranch(name, "topic");
        await branch.CreateAsync(new CreateBranchRequest("main", "test"));
        Task<List<ChangeEntry>> following = ReadAsync(branch, ChangeFrom.First, 40, follow: true);

        for (int i = 0; i < 40; i++)
        {
            await branch.PutAsync($"k{i:00}", $"v{i}");
        }

        List<ChangeEntry> followed = await following;
        Assert.Equal(
            Enumerable.Range(0, 40).Select(i => $"k{i:00}"),
            followed.Select(entry => Bytes.Text(entry.Operations[0].Key)));
    }

    [Fact]
    public async Task Consumers_are_created_acknowledged_listed_and_removed()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.EnableChangeLogAsync(ChangeLogPolicy.Default with { KeepFiles = 9 });
        await database.PutAsync("a", "1");
        await database.PutAsync("b", "2");
        await database.CreateConsumerAsync("indexer", ChangeFrom.First);
        List<ChangeEntry> read = await ReadAsync(database, ChangeFrom.Consumer("indexer"), 2);

        ConsumerDescription acknowledged = await database.AcknowledgeAsync("indexer", read[0].Position);
        ChangeLogDescription log = await database.GetChangeLogAsync();
        ChangeLogReport report = await database.ValidateChangesAsync();
        PurgeChangesOutcome purged = await database.PurgeChangesAsync(new PurgeChangesRequest(Through: 2));
        await database.RemoveConsumerAsync("indexer");

        Assert.Equal((1ul, 1ul), (acknowledged.Acknowledged, acknowledged.Lag));
        Assert.Equal((true, 1ul, 2ul, 9), (log.IsOn, log.First, log.Last, log.Policy.KeepFiles));
        Assert.Equal("indexer", Assert.Single(log.Consumers).Name);
        Assert.Equal((2, 0), ((int)report.Entries, report.Findings.Count));
        Assert.Equal(0, purged.Files);
        Assert.Equal(FailureKind.ConsumerNotFound, await KindOfAsync(
            async () => await database.AcknowledgeAsync("indexer", read[0].Position)));
    }

    [Fact]
    public async Task Each_refusal_has_its_own_kind()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        IDatabaseGrain other = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await other.EnableChangeLogAsync();
        await other.PutAsync("x", "1");
        ReadOnlyMemory<byte> foreign = (await ReadAsync(other, ChangeFrom.First, 1))[0].Position;

        Assert.Equal(FailureKind.ChangeLogOff, await KindOfAsync(() => ReadAsync(database, ChangeFrom.First, 0)));
        await database.PutAsync("a", "1");
        await database.EnableChangeLogAsync();
        Assert.Equal(FailureKind.ChangesGone, await KindOfAsync(() => ReadAsync(database, ChangeFrom.Sequence(1), 0)));
        Assert.Equal(
            FailureKind.ChangePositionInvalid,
            await KindOfAsync(() => ReadAsync(database, ChangeFrom.Position(foreign), 0)));
        Assert.Equal(
            FailureKind.ChangePositionInvalid,
            await KindOfAsync(() => ReadAsync(database, ChangeFrom.Position(Bytes.Of("none")), 0)));
        Assert.Equal(
            FailureKind.InvalidArgument,
            await KindOfAsync(async () => await database.EnableChangeLogAsync(
                ChangeLogPolicy.Default with { RotateBytes = 1 })));
        await database.DisableChangeLogAsync();
        Assert.False((await database.GetChangeLogAsync()).IsOn);
    }

    [Fact]
    public async Task A_followed_branch_can_be_deleted_and_its_follower_is_told()
    {
        string name = await cluster.CreateDatabaseAsync();
        await cluster.Grains.GetDatabase(name).EnableChangeLogAsync();
        IBranchGrain branch = cluster.Grains.GetBranch(name, "topic");
        await branch.CreateAsync(new CreateBranchRequest("main", "test"));
        await branch.PutAsync("a", "1");
        await using IAsyncEnumerator<IReadOnlyList<ChangeEntry>> following = branch
            .ChangesAsync(new ChangesRequest(ChangeFrom.First, Follow: true)).GetAsyncEnumerator();
        Assert.True(await following.MoveNextAsync());
        Task<bool> next = following.MoveNextAsync().AsTask();

        await branch.DeleteAsync();

        Exception end = await Assert.ThrowsAnyAsync<Exception>(() => next.WaitAsync(Waiting.Deadline));
        Assert.IsNotType<TimeoutException>(end);
    }

    internal static async Task<List<ChangeEntry>> ReadAsync(
        IStoreGrain store, ChangeFrom from, int expected, bool follow = false)
    {
        using CancellationTokenSource deadline = new(Waiting.Deadline);
        List<ChangeEntry> read = [];
        await foreach (IReadOnlyList<ChangeEntry> page in store.ChangesAsync(
            new ChangesRequest(from, follow), deadline.Token))
        {
            read.AddRange(page);
            if (follow && read.Count >= expected)
            {
                break;
            }
        }

        Assert.Equal(expected, read.Count);
        return read;
    }

    private static async Task<FailureKind> KindOfAsync(Func<Task> call) =>
        (await Assert.ThrowsAsync<BranchingException>(call)).Kind;
}
