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
    public async Task What_is_appended_is_seen_behind_the_value_and_committed_behind_what_is_there_then()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        foreach (string key in (string[])["blind", "read", "put", "gone"])
        {
            await store.PutAsync(key, "1");
        }

        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        transaction.Append(Bytes.Of("blind"), Bytes.Of("+a"));
        transaction.Append(Bytes.Of("blind"), Bytes.Of("+b"));
        transaction.Append(Bytes.Of("new"), Bytes.Of("n"));
        transaction.Put(Bytes.Of("put"), Bytes.Of("2"));
        transaction.Append(Bytes.Of("put"), Bytes.Of("+c"));
        transaction.Delete(Bytes.Of("gone"));
        transaction.Append(Bytes.Of("gone"), Bytes.Of("back"));
        await store.PutAsync("blind", "theirs");
        transaction.Append(Bytes.Of("read"), Bytes.Of("+d"));
        IReadOnlyList<GetResponse> seen = await transaction.GetAsync(
            [.. ((string[])["read", "new", "put", "gone"]).Select(key => new StoreKey(Bytes.Of(key)))]);
        CommitResponse committed = await transaction.CommitAsync();

        Assert.Equal(["1+d", "n", "2+c", "back"], seen.Select(value => Bytes.Text(value.Value)));
        Assert.All(seen, value => Assert.True(value.Found));
        Assert.True(committed.Committed);
        Assert.Equal("theirs+a+b", await store.ReadAsync("blind"));
        Assert.Equal(
            ("1+d", "n", "2+c", "back"),
            (await store.ReadAsync("read"), await store.ReadAsync("new"), await store.ReadAsync("put"),
                await store.ReadAsync("gone")));
    }

    [Fact]
    public async Task What_was_read_behind_an_append_must_not_have_changed()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        transaction.Append(Bytes.Of("a"), Bytes.Of("mine"));
        Assert.Equal("mine", Bytes.Text((await transaction.GetAsync(Bytes.Of("a"))).Value));

        await store.PutAsync("a", "theirs");
        CommitResponse refused = await transaction.CommitAsync();

        Assert.Equal(CommitConflictKind.Written, refused.Conflict?.Kind);
        Assert.Equal("theirs", await store.ReadAsync("a"));
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
