namespace Branching.Cluster.Tests;

/// <summary>Ranges in a client's transaction: what it shows, and what its commit asks of them.</summary>
public sealed class TransactionScanTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    private static readonly string[] _stored = ["b=1", "d=2", "f=3", "h=4", "j=5"];

    [Theory]
    [InlineData(false, 1000)]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    [InlineData(false, 3)]
    [InlineData(true, 1000)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    [InlineData(true, 3)]
    public async Task A_scan_shows_the_store_under_the_transactions_own_writes_page_by_page(bool reverse, int limit)
    {
        OptimisticTransaction transaction = await BeginAsync();
        string[] expected = Write(transaction);

        string[] seen = await ScanAsync(transaction, new ScanRequest(KeyRange.All, limit, reverse));
        string[] keys = await ScanAsync(transaction, new ScanRequest(KeyRange.All, limit, reverse, KeysOnly: true));
        string[] offset = await ScanAsync(transaction, new ScanRequest(KeyRange.All, limit, reverse, Offset: 3));

        Assert.Equal(reverse ? expected.Reverse() : expected, seen);
        Assert.Equal(seen.Select(entry => entry[..2]), keys);
        Assert.Equal(seen[3..], offset);
        Assert.Equal(expected.Length, await transaction.CountAsync(KeyRange.All));
        Assert.Equal(1, transaction.RangeCount);
        Assert.True((await transaction.CommitAsync()).Committed);
    }

    [Theory]
    [InlineData("d", "h", false, false, "d=new,e=own,f=3+x")]
    [InlineData("d", "h", true, true, "e=own,f=3+x,h=4")]
    [InlineData("", "b", false, true, "a=own,b=1")]
    [InlineData("i", "", false, false, "k=own,l=app")]
    [InlineData("f", "b", false, false, "")]
    [InlineData("m", "z", false, false, "")]
    public async Task A_range_has_its_bounds_also_for_own_writes(
        string from, string to, bool fromExclusive, bool toInclusive, string expected)
    {
        OptimisticTransaction transaction = await BeginAsync();
        Write(transaction);
        KeyRange range = new(Bytes.Of(from), Bytes.Of(to), fromExclusive, toInclusive);

        string[] seen = await ScanAsync(transaction, new ScanRequest(range, 2));
        string[] backwards = await ScanAsync(transaction, new ScanRequest(range, 2, Reverse: true));

        Assert.Equal(expected.Split(',', StringSplitOptions.RemoveEmptyEntries), seen);
        Assert.Equal(seen.Reverse(), backwards);
        Assert.Equal(seen.Length, await transaction.CountAsync(range));
    }

    [Fact]
    public async Task A_prefix_and_a_column_family_show_only_what_is_theirs()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await store.CreateColumnFamilyAsync("second");
        await store.PutAsync("user/1", "default");
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        transaction.Put(Bytes.Of("user/2"), Bytes.Of("own"), "default");
        transaction.Put(Bytes.Of("user/3"), Bytes.Of("other"), "second");
        transaction.Put(Bytes.Of("v"), Bytes.Of("outside"));

        string[] seen = await ScanAsync(transaction, new ScanRequest(KeyRange.Prefix(Bytes.Of("user/"))));
        string[] second = await ScanAsync(transaction, new ScanRequest(KeyRange.All, ColumnFamily: "second"));

        Assert.Equal(["user/1=default", "user/2=own"], seen);
        Assert.Equal(["user/3=other"], second);
    }

    [Fact]
    public async Task A_page_whose_keys_are_all_deleted_is_passed_over()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await store.PutManyAsync(100, valueBytes: 10);
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        for (int i = 0; i < 99; i++)
        {
            transaction.Delete(Bytes.Of($"key{i:D6}"));
        }

        ScanResponse page = await transaction.ScanAsync(new ScanRequest(KeyRange.All, 10, KeysOnly: true));

        Assert.Equal("key000099", Bytes.Text(Assert.Single(page.Entries).Key));
        Assert.Equal(1, transaction.RangeCount);
    }

    [Theory]
    [InlineData("d", true)] // Shown.
    [InlineData("c", true)] // Between two that were shown.
    [InlineData("b", true)] // The first bound.
    [InlineData("gone", false)] // Behind what was asked for.
    [InlineData("a", false)]
    [InlineData("f", false)]
    public async Task What_is_written_into_a_range_that_was_read_refuses_the_commit(string key, bool refuses)
    {
        foreach (bool deletes in (bool[])[false, true])
        {
            IDatabaseGrain store = await FillAsync();
            OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
            await ScanAsync(
                transaction, new ScanRequest(new KeyRange(Bytes.Of("b"), Bytes.Of("f")), Reverse: deletes));
            transaction.Put(Bytes.Of("z"), Bytes.Of("mine"));

            WriteResponse other = await store.WriteAsync(new WriteRequest(
                [new WriteOperation(
                    deletes ? WriteOperationKind.Delete : WriteOperationKind.Put, Bytes.Of(key), default)],
                null, WriteDurability.Buffered));
            CommitResponse answer = await transaction.CommitAsync();

            Assert.Equal(!refuses, answer.Committed);
            Assert.Equal(refuses ? null : "mine", await store.ReadAsync("z"));
            if (refuses)
            {
                Assert.Equal(
                    (CommitConflictKind.Written, key, other.Sequence),
                    (answer.Conflict!.Kind, Bytes.Text(answer.Conflict.Key), answer.Conflict.Sequence));
            }
        }
    }

    [Theory]
    [InlineData(false, "c", true)]
    [InlineData(false, "e", false)]
    [InlineData(true, "i", true)]
    [InlineData(true, "g", false)]
    public async Task A_scan_with_a_limit_depends_on_no_more_than_it_looked_at(bool reverse, string key, bool refuses)
    {
        IDatabaseGrain store = await FillAsync();
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);

        ScanResponse page = await transaction.ScanAsync(new ScanRequest(KeyRange.All, 2, reverse));
        await store.PutAsync(key, "theirs");

        Assert.Equal(2, page.Entries.Count);
        Assert.Equal(!refuses, (await transaction.CommitAsync()).Committed);
    }

    [Fact]
    public async Task A_removed_range_that_meets_one_that_was_read_refuses_the_commit()
    {
        IDatabaseGrain store = await FillAsync();
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        await transaction.CountAsync(new KeyRange(Bytes.Of("g"), default));

        await store.WriteAsync(new WriteRequest(
            [new WriteOperation(WriteOperationKind.DeleteRange, Bytes.Of("a"), Bytes.Of("i"))],
            null, WriteDurability.Buffered));

        Assert.False((await transaction.CommitAsync()).Committed);
    }

    [Fact]
    public async Task A_range_that_was_written_between_two_of_its_pages_refuses_the_commit()
    {
        IDatabaseGrain store = await FillAsync();
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        ScanRequest request = new(KeyRange.All, 2);
        ScanResponse first = await transaction.ScanAsync(request);
        await store.PutAsync("a", "theirs");
        ScanResponse second = await transaction.ScanAsync(request with { Continuation = first.Continuation });

        CommitResponse answer = await transaction.CommitAsync();

        Assert.Equal(["f", "h"], second.Entries.Select(entry => Bytes.Text(entry.Key)));
        Assert.Equal((false, "a"), (answer.Committed, Bytes.Text(answer.Conflict!.Key)));
    }

    [Fact]
    public async Task So_many_writes_that_the_store_forgot_some_refuse_the_commit_as_too_old()
    {
        IDatabaseGrain store = await FillAsync();
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        await transaction.CountAsync(new KeyRange(Bytes.Of("x"), Bytes.Of("y")));

        await store.PutManyAsync(20_000, valueBytes: 1); // The default window is 1 MiB, about 10,000 keys.

        CommitResponse answer = await transaction.CommitAsync();
        Assert.Equal(CommitConflictKind.TooOld, answer.Conflict?.Kind);
    }

    [Fact]
    public async Task Ranges_are_bounded_and_adjoining_or_covered_ones_count_as_one()
    {
        IDatabaseGrain store = await FillAsync();
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        for (int i = 0; i < OptimisticTransaction.MaxRanges; i++)
        {
            await transaction.CountAsync(KeyRange.Prefix(Bytes.Of($"{2 * i:D4}")));
        }

        await transaction.CountAsync(KeyRange.Prefix(Bytes.Of("0002/within")));
        BranchingException full = await Assert.ThrowsAsync<BranchingException>(
            () => transaction.CountAsync(KeyRange.Prefix(Bytes.Of("x"))));

        Assert.Equal(FailureKind.RequestTooLarge, full.Kind);
        Assert.Contains("256 ranges", full.Message, StringComparison.Ordinal);
        Assert.Contains("read fewer and larger ranges", full.Message, StringComparison.Ordinal);
        transaction.Put(Bytes.Of("z"), Bytes.Of("mine"));
        Assert.True((await transaction.CommitAsync()).Committed);
    }

    [Fact]
    public async Task Continuations_of_the_store_and_of_a_transaction_are_not_taken_for_each_other()
    {
        IDatabaseGrain store = await FillAsync();
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        ScanRequest request = new(KeyRange.All, 2);
        ScanResponse outside = await store.ScanAsync(request);
        ScanResponse inside = await transaction.ScanAsync(request);

        BranchingException one = await Assert.ThrowsAsync<BranchingException>(
            () => transaction.ScanAsync(request with { Continuation = outside.Continuation }));
        BranchingException other = await Assert.ThrowsAsync<BranchingException>(
            async () => await store.ScanAsync(request with { Continuation = inside.Continuation }));
        BranchingException before = await Assert.ThrowsAsync<BranchingException>(
            () => transaction.ScanAsync(request with { Offset = -1 }));

        Assert.Equal(
            (FailureKind.InvalidContinuation, FailureKind.InvalidContinuation, FailureKind.InvalidArgument),
            (one.Kind, other.Kind, before.Kind));
        Assert.True(outside.Token.IsEmpty && outside.Sequence > 0);
    }

    private async Task<IDatabaseGrain> FillAsync()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        foreach (string entry in _stored)
        {
            await store.PutAsync(entry[..1], entry[2..]);
        }

        return store;
    }

    private async Task<OptimisticTransaction> BeginAsync() => new(await FillAsync(), WriteDurability.Buffered);

    /// <summary>Writes before, between and behind what is stored; answers what is to be seen then.</summary>
    private static string[] Write(OptimisticTransaction transaction)
    {
        transaction.Put(Bytes.Of("a"), Bytes.Of("own"));
        transaction.Put(Bytes.Of("d"), Bytes.Of("new"));
        transaction.Put(Bytes.Of("e"), Bytes.Of("own"));
        transaction.Append(Bytes.Of("f"), Bytes.Of("+x"));
        transaction.Delete(Bytes.Of("g"));
        transaction.Put(Bytes.Of("j"), Bytes.Of("soon gone"));
        transaction.Delete(Bytes.Of("j"));
        transaction.Put(Bytes.Of("k"), Bytes.Of("own"));
        transaction.Append(Bytes.Of("l"), Bytes.Of("app"));
        return ["a=own", "b=1", "d=new", "e=own", "f=3+x", "h=4", "k=own", "l=app"];
    }

    private static async Task<string[]> ScanAsync(OptimisticTransaction transaction, ScanRequest request)
    {
        List<string> seen = [];
        while (true)
        {
            ScanResponse page = await transaction.ScanAsync(request);
            Assert.InRange(page.Entries.Count, 0, request.Limit);
            seen.AddRange(page.Entries.Select(entry => $"{Bytes.Text(entry.Key)}={Bytes.Text(entry.Value)}"));
            if (page.Continuation.IsEmpty)
            {
                return [.. seen];
            }

            request = request with { Continuation = page.Continuation };
        }
    }
}
