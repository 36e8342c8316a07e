namespace Branching.Cluster.Tests;

/// <summary>Followers of changes while their database goes to another node.</summary>
public sealed class ChangeFollowTests
{
    [Fact]
    public async Task A_follower_of_a_moved_database_is_told_and_goes_on_by_sequence_without_gap_or_repetition()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = await CreateAsync(nodes, 20);
        await using IAsyncEnumerator<IReadOnlyList<ChangeEntry>> following = database
            .ChangesAsync(new ChangesRequest(ChangeFrom.First, Follow: true)).GetAsyncEnumerator();
        List<ChangeEntry> read = [];
        while (read.Count < 20)
        {
            Assert.True(await following.MoveNextAsync().AsTask().WaitAsync(Waiting.Deadline));
            read.AddRange(following.Current);
        }

        Task<bool> next = following.MoveNextAsync().AsTask();
        await MoveAsync(nodes);
        Exception end = await Assert.ThrowsAnyAsync<Exception>(() => next.WaitAsync(Waiting.Deadline));
        await PutAsync(database, 20, 40);
        BranchingException old = await Assert.ThrowsAsync<BranchingException>(
            () => ChangeLogTests.ReadAsync(database, ChangeFrom.Position(read[^1].Position), 20));
        List<ChangeEntry> rest = await ChangeLogTests.ReadAsync(
            database, ChangeFrom.Sequence(read[^1].Last + 1), 20, follow: true);

        Assert.True(IsTransient(end), end.ToString());
        Assert.Equal(FailureKind.ChangePositionInvalid, old.Kind);
        Assert.Contains($"began behind sequence {read[^1].Last}.", old.Message, StringComparison.Ordinal);
        Assert.Equal(
            Enumerable.Range(0, 40).Select(Key),
            read.Concat(rest).Select(entry => Bytes.Text(Assert.Single(entry.Operations).Key)));
        Assert.Equal(
            Enumerable.Range(1, 40).Select(i => (ulong)i), read.Concat(rest).Select(entry => entry.First));
    }

    [Fact]
    public async Task A_reader_that_was_behind_when_the_database_moved_is_told_where_the_log_begins()
    {
        await using NodeCluster nodes = await NodeCluster.StartAsync(2, shared: true, leaseMs: 10_000);
        IDatabaseGrain database = await CreateAsync(nodes, 20);
        List<ChangeEntry> all = await ChangeLogTests.ReadAsync(database, ChangeFrom.First, 20);

        await MoveAsync(nodes);
        await PutAsync(database, 20, 30);

        BranchingException gone = await Assert.ThrowsAsync<BranchingException>(
            () => ChangeLogTests.ReadAsync(database, ChangeFrom.Sequence(all[9].Last + 1), 20));
        Assert.Equal(FailureKind.ChangesGone, gone.Kind);
        Assert.Contains("begins with sequence 21", gone.Message, StringComparison.Ordinal);
        List<ChangeEntry> rest = await ChangeLogTests.ReadAsync(database, ChangeFrom.Sequence(21), 10);
        Assert.Equal(
            Enumerable.Range(20, 10).Select(Key), rest.Select(entry => Bytes.Text(entry.Operations[0].Key)));
    }

    private static bool IsTransient(Exception e) => e switch
    {
        BranchingException known => known.IsTransient,
        OrleansException => true, // The grain was deactivated with the stream in it.
        AggregateException { InnerException: { } inner } => IsTransient(inner),
        _ => false,
    };

    private static async Task<IDatabaseGrain> CreateAsync(NodeCluster nodes, int entries)
    {
        IDatabaseGrain database = nodes.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.EnableChangeLogAsync();
        await PutAsync(database, 0, entries);
        return database;
    }

    private static async Task PutAsync(IDatabaseGrain database, int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            // A call may come to the node that gave the database up a moment ago, which did nothing for it.
            await NodeCluster.RetryAsync(() => database.PutAsync(Bytes.Of(Key(i)), Bytes.Of("v")));
        }
    }

    private static string Key(int i) => $"k{i:00}";

    private static async Task MoveAsync(NodeCluster nodes)
    {
        string from = await nodes.Grains.OwnerAsync("d");
        string to = nodes.Cluster.Silos.First(silo => silo.Name != from).Name;
        OperationDescription ended = await nodes.Coordinator.EndAsync(
            await NodeCluster.RetryAsync(() => nodes.Coordinator.MoveDatabaseAsync("d", to)));
        Assert.True(ended.State == OperationState.Succeeded, ended.Message);
        Assert.Equal(to, await nodes.Grains.OwnerAsync("d"));
    }
}
