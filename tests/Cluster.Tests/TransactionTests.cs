using System.Globalization;

namespace Branching.Cluster.Tests;

public sealed class TransactionTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    [Fact]
    public async Task Reads_and_writes_over_families_are_committed_in_one_call()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await store.CreateColumnFamilyAsync("second");
        await store.PutAsync("a", "1");
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);

        IReadOnlyList<GetResponse> seen =
            await transaction.GetAsync([new StoreKey(Bytes.Of("a")), new StoreKey(Bytes.Of("b"), "second")]);
        transaction.Put(Bytes.Of("a"), Bytes.Of("2"));
        transaction.Put(Bytes.Of("b"), Bytes.Of("3"), "second");
        transaction.Delete(Bytes.Of("c"));
        GetResponse own = await transaction.GetAsync(Bytes.Of("a"), "default");
        CommitResponse committed = await transaction.CommitAsync();
        BranchingException ended = await Assert.ThrowsAsync<BranchingException>(() => transaction.CommitAsync());

        Assert.Equal(["1", "-"], seen.Select(value => value.Found ? Bytes.Text(value.Value) : "-"));
        Assert.Equal("2", Bytes.Text(own.Value));
        Assert.True(committed.Committed);
        Assert.Equal(("2", "3"), (await store.ReadAsync("a"), await store.ReadAsync("b", "second")));
        Assert.Equal(FailureKind.TransactionEnded, ended.Kind);
    }

    [Fact]
    public async Task A_key_written_after_it_was_read_refuses_the_commit_and_says_which()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        Assert.False((await transaction.GetAsync(Bytes.Of("a"))).Found);
        transaction.Put(Bytes.Of("b"), Bytes.Of("mine"));

        WriteResponse other = await store.PutAsync("a", "theirs");
        CommitResponse refused = await transaction.CommitAsync();

        Assert.False(refused.Committed);
        Assert.Equal(
            (CommitConflictKind.Written, "a", other.Sequence, "default"),
            (refused.Conflict!.Kind, Bytes.Text(refused.Conflict.Key), refused.Conflict.Sequence,
                refused.Conflict.ColumnFamily));
        Assert.Null(await store.ReadAsync("b"));
    }

    [Fact]
    public async Task Clients_that_increment_one_key_lose_no_increment()
    {
        const int Clients = 6, Rounds = 5;
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());

        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                await OptimisticTransaction.RunAsync(
                    store, IncrementAsync, maxAttempts: 1000, WriteDurability.Buffered);
            }
        })).WaitAsync(Waiting.Deadline);

        Assert.Equal((Clients * Rounds).ToString(CultureInfo.InvariantCulture), await store.ReadAsync("n"));
    }

    [Fact]
    public async Task A_commit_sent_twice_is_applied_once_and_a_token_of_another_store_is_refused()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain store = cluster.Grains.GetDatabase(name);
        IBranchGrain branch = cluster.Grains.GetBranch(name, "topic");
        await branch.CreateAsync(new CreateBranchRequest("main", "test"));
        TransactionReadResponse read = await store.ReadForTransactionAsync(
            new TransactionReadRequest([new StoreKey(Bytes.Of("n"))]));
        CommitRequest commit = new(
            Guid.NewGuid(),
            read.Token,
            [new TransactionRead(Bytes.Of("n"), read.Sequence)],
            [new WriteOperation(WriteOperationKind.Put, Bytes.Of("n"), Bytes.Of("1"))],
            WriteDurability.Buffered);

        CommitResponse first = await store.CommitAsync(commit);
        await store.PutAsync("n", "2");
        CommitResponse again = await store.CommitAsync(commit with { IsRepeated = true });
        BranchingException foreign = await Assert.ThrowsAsync<BranchingException>(
            async () => await branch.CommitAsync(commit));

        Assert.True(first.Committed);
        Assert.Equal(first, again);
        Assert.Equal("2", await store.ReadAsync("n"));
        Assert.Equal(FailureKind.InvalidContinuation, foreign.Kind);
    }

    private static async Task<bool> IncrementAsync(
        OptimisticTransaction transaction, int attempt, CancellationToken cancellationToken)
    {
        GetResponse now = await transaction.GetAsync(Bytes.Of("n"), cancellationToken: cancellationToken);
        int n = now.Found ? int.Parse(Bytes.Text(now.Value), CultureInfo.InvariantCulture) : 0;
        transaction.Put(Bytes.Of("n"), Bytes.Of((n + 1).ToString(CultureInfo.InvariantCulture)));
        return attempt > 0;
    }
}
