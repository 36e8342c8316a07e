namespace Branching.Cluster.Tests;

public sealed class StoreCallTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    [Fact]
    public async Task Get_after_put_returns_the_value_and_an_empty_value_differs_from_an_absent_key()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());

        WriteResponse written = await database.PutAsync("full", "value");
        await database.PutAsync("empty", "");

        Assert.True(written.Applied);
        Assert.Equal(-1, written.FailedPrecondition);
        Assert.Equal("value", await database.ReadAsync("full"));
        Assert.Equal("", await database.ReadAsync("empty"));
        Assert.Null(await database.ReadAsync("absent"));
    }

    [Fact]
    public async Task Multi_get_answers_in_the_order_of_the_keys()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutAsync("a", "1");
        await database.PutAsync("b", "2");

        MultiGetResponse answer = await database.MultiGetAsync(
            new MultiGetRequest([Bytes.Of("b"), Bytes.Of("absent"), Bytes.Of("a")]));

        Assert.Equal(["2", "-", "1"], answer.Values.Select(value => value.Found ? Bytes.Text(value.Value) : "-"));
    }

    [Fact]
    public async Task A_store_is_examined_reopened_and_listed_among_what_is_open()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        await database.PutAsync("k", "v");

        StoreHealth health = await database.GetHealthAsync();
        StoreHealth reopened = await database.ReopenAsync();
        string? property = await database.GetPropertyAsync("rocksdb.num-snapshots");
        string? unknown = await database.GetPropertyAsync("rocksdb.nothing");
        List<OpenStoreDescription> open = [];
        foreach (NodeDescription node in await cluster.Grains.GetClusterCoordinator().ListNodesAsync())
        {
            open.AddRange(await cluster.Grains.GetGrain<INodeGrain>(node.Address).ListOpenStoresAsync());
        }

        Assert.Equal(StoreCondition.Healthy, health.Condition);
        Assert.Equal(StoreCondition.Healthy, reopened.Condition);
        Assert.Equal("v", await database.ReadAsync("k"));
        Assert.Equal(("0", null), (property, unknown));
        Assert.Contains(open, store => store.Store.Contains($"'{name}'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lost_precondition_is_an_answer_and_nothing_is_applied()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutAsync("k", "old");

        WriteResponse lost = await database.WriteAsync(new WriteRequest(
            [new WriteOperation(WriteOperationKind.Put, Bytes.Of("k"), Bytes.Of("new"))],
            [
                new WritePrecondition(WritePreconditionKind.KeyPresent, Bytes.Of("k"), default),
                new WritePrecondition(WritePreconditionKind.ValueEquals, Bytes.Of("k"), Bytes.Of("other")),
            ]));

        Assert.Equal(new WriteResponse(Applied: false, Sequence: 0, FailedPrecondition: 1), lost);
        Assert.Equal("old", await database.ReadAsync("k"));
    }

    [Fact]
    public async Task A_scan_goes_on_after_its_page_without_loss_or_repetition_in_both_directions()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(25, 10);

        foreach (bool reverse in new[] { false, true })
        {
            List<string> keys = [];
            ReadOnlyMemory<byte> continuation = default;
            do
            {
                ScanResponse page = await database.ScanAsync(
                    new ScanRequest(KeyRange.All, 7, reverse, KeysOnly: true, continuation));
                keys.AddRange(page.Entries.Select(entry => Bytes.Text(entry.Key)));
                continuation = page.Continuation;
            }
            while (!continuation.IsEmpty);

            IEnumerable<string> expected = Enumerable.Range(0, 25).Select(i => $"key{i:D6}");
            Assert.Equal(reverse ? expected.Reverse() : expected, keys);
        }
    }

    [Fact]
    public async Task A_page_ends_before_the_size_limit()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(10, 900_000);

        ScanResponse page = await database.ScanAsync(new ScanRequest(KeyRange.All, 1000));

        Assert.Equal(4, page.Entries.Count);
        Assert.False(page.Continuation.IsEmpty);
        ScanResponse next = await database.ScanAsync(
            new ScanRequest(KeyRange.All, 1000, Continuation: page.Continuation));
        Assert.Equal("key000004", Bytes.Text(next.Entries[0].Key));
    }

    [Fact]
    public async Task Counts_are_exact_or_said_to_be_estimates()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(100, 1);

        CountResponse exact = await database.CountAsync(new CountRequest(
            new KeyRange(Bytes.Of("key000010"), Bytes.Of("key000020"), FromExclusive: true, ToInclusive: true)));
        CountResponse few = await database.CountAsync(new CountRequest(KeyRange.All, Estimate: true));
        await database.PutManyAsync(20_000, 1);
        await database.FlushAsync();
        CountResponse many = await database.CountAsync(new CountRequest(KeyRange.All, Estimate: true));

        Assert.Equal(new CountResponse(10, IsEstimate: false), exact);
        Assert.Equal(new CountResponse(100, IsEstimate: false), few);
        Assert.True(many.IsEstimate);
        Assert.InRange(many.Count, 10_000, 40_000);
    }

    [Fact]
    public async Task Column_families_hold_keys_of_their_own()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.CreateColumnFamilyAsync("tags");
        await database.WriteAsync(new WriteRequest(
            [new WriteOperation(WriteOperationKind.Put, Bytes.Of("k"), Bytes.Of("tagged"), "tags")]));

        Assert.Equal(["default", "tags"], await database.ListColumnFamiliesAsync());
        Assert.Equal("tagged", await database.ReadAsync("k", "tags"));
        Assert.Null(await database.ReadAsync("k"));

        await database.DropColumnFamilyAsync("tags");
        Assert.Equal(["default"], await database.ListColumnFamiliesAsync());
    }

    [Fact]
    public async Task Flush_and_compact_leave_the_data_and_show_in_the_figures()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(100, 100);

        await database.FlushAsync();
        await database.CompactAsync(KeyRange.All);

        StoreFigures figures = await database.GetFiguresAsync();
        Assert.True(figures.TableBytes > 0);
        Assert.True(figures.Writes >= 1);
        Assert.Null(figures.Poisoned);
        Assert.Equal(100, (await database.CountAsync(new CountRequest(KeyRange.All))).Count);
    }

    [Fact]
    public async Task Sixty_four_writers_at_once_lose_no_write()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());

        await Task.WhenAll(Enumerable.Range(0, 64).Select(async writer =>
        {
            for (int i = 0; i < 20; i++)
            {
                await database.PutAsync($"w{writer:D2}-{i:D2}", "x");
            }
        }));

        Assert.Equal(64 * 20, (await database.CountAsync(new CountRequest(KeyRange.All))).Count);
        StoreFigures figures = await database.GetFiguresAsync();
        Assert.Equal(64 * 20, figures.Writes);
        Assert.True(figures.WriteGroups <= figures.Writes);
    }

    [Fact]
    public async Task A_stream_delivers_the_whole_range_as_of_the_moment_of_the_call()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(2000, 1000);

        int entries = 0;
        int pages = 0;
        await foreach (IReadOnlyList<Entry> page in database.StreamAsync(new StreamRequest(KeyRange.All)))
        {
            if (pages++ == 0)
            {
                await database.PutAsync("zzz", "after the call");
            }

            Assert.True(page.Sum(entry => entry.Key.Length + entry.Value.Length) < (256 << 10) + 2000);
            entries += page.Count;
        }

        Assert.Equal(2000, entries);
        Assert.True(pages >= 7, $"{pages} pages");
    }

    [Fact]
    public async Task A_stream_that_is_left_early_gives_its_view_of_the_store_back()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(2000, 1000);

        await foreach (IReadOnlyList<Entry> page in database.StreamAsync(new StreamRequest(KeyRange.All)))
        {
            Assert.NotEmpty(page);
            break;
        }

        await NoIteratorsAsync(database);
    }

    [Fact]
    public async Task A_cancelled_stream_ends_and_gives_its_view_of_the_store_back()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(2000, 1000);
        using CancellationTokenSource cancel = new();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (IReadOnlyList<Entry> _ in database.StreamAsync(new StreamRequest(KeyRange.All))
                .WithCancellation(cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });

        await NoIteratorsAsync(database);
    }

    [Fact]
    public async Task A_cancelled_call_ends_with_the_cancellation_and_applies_nothing()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        using CancellationTokenSource cancel = new();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await database.PutAsync(Bytes.Of("k"), Bytes.Of("v"), cancellationToken: cancel.Token));

        Assert.Null(await database.ReadAsync("k"));
    }

    // Closing runs after the last answer; the next look may still see it.
    private static async Task NoIteratorsAsync(IDatabaseGrain database)
    {
        for (int attempt = 0; (await database.GetFiguresAsync()).OpenIterators > 0; attempt++)
        {
            Assert.True(attempt < 100, "The stream's iterator is still open.");
            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
    }
}
