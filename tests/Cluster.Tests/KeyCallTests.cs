namespace Branching.Cluster.Tests;

/// <summary>Families with settings, and the calls that speak of keys without their values.</summary>
public sealed class KeyCallTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    [Fact]
    public async Task A_family_is_described_as_it_was_made_also_in_a_branch()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain database = cluster.Grains.GetDatabase(name);
        ColumnFamilyDescription sessions = new(
            "sessions", "append", Expires: true, DefaultTimeToLive: TimeSpan.FromHours(1));
        await database.AddColumnFamilyAsync(new ColumnFamilyDescription("counters", "add"));
        await database.AddColumnFamilyAsync(sessions);
        await cluster.Grains.GetBranch(name, "b").CreateAsync(new CreateBranchRequest("main", "test"));

        IReadOnlyList<ColumnFamilyDescription> families =
            await cluster.Grains.GetBranch(name, "b").DescribeColumnFamiliesAsync();

        Assert.Equal(
            [new ColumnFamilyDescription("counters", "add"), new ColumnFamilyDescription("default"), sessions],
            families);
        Assert.Equal(["counters", "default", "sessions"], await database.ListColumnFamiliesAsync());
    }

    [Fact]
    public async Task Keys_are_merged_appended_inspected_and_taken()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.AddColumnFamilyAsync(new ColumnFamilyDescription("n", "add"));
        await database.AddColumnFamilyAsync(new ColumnFamilyDescription("s", Expires: true));
        await WriteAsync(
            database, new(WriteOperationKind.Merge, Bytes.Of("k"), Bytes.Of("5"), "n"),
            new(WriteOperationKind.Merge, Bytes.Of("k"), Bytes.Of("-7"), "n"),
            new(WriteOperationKind.Append, Bytes.Of("log"), Bytes.Of("ab")),
            new(WriteOperationKind.Append, Bytes.Of("log"), Bytes.Of("cd")),
            new(WriteOperationKind.Put, Bytes.Of("s1"), Bytes.Of("x"), "s", TimeSpan.FromHours(1)));

        InspectResponse inspected = await database.InspectAsync(
            new InspectRequest([Bytes.Of("absent"), Bytes.Of("log")]));
        InspectResponse session = await database.InspectAsync(new InspectRequest([Bytes.Of("s1")], "s"));
        GetResponse taken = await database.TakeAsync(new TakeRequest(Bytes.Of("log")));

        Assert.Equal("-2", await database.ReadAsync("k", "n"));
        Assert.Equal([default, new KeyInspection(true, 4)], inspected.Keys);
        Assert.InRange(session.Keys[0].TimeToLive!.Value, TimeSpan.FromMinutes(1), TimeSpan.FromHours(1));
        Assert.Equal("abcd", Bytes.Text(taken.Value));
        Assert.False((await database.TakeAsync(new TakeRequest(Bytes.Of("log")))).Found);
    }

    [Fact]
    public async Task A_range_is_passed_over_measured_estimated_and_cleared()
    {
        IDatabaseGrain database = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await database.PutManyAsync(50, 1000);
        await database.FlushAsync();
        KeyRange range = new(Bytes.Of("key000010"), Bytes.Of("key000030"));

        ScanResponse page = await database.ScanAsync(new ScanRequest(range, 3, Offset: 2));
        ScanResponse next = await database.ScanAsync(
            new ScanRequest(range, 2, Offset: 2, Continuation: page.Continuation));
        List<Entry> values = [];
        await foreach (IReadOnlyList<Entry> some in database.StreamAsync(
            new StreamRequest(range, Offset: 15, ValuesOnly: true)))
        {
            values.AddRange(some);
        }

        Assert.Equal(
            ["key000012", "key000013", "key000014", "key000015", "key000016"],
            page.Entries.Concat(next.Entries).Select(entry => Bytes.Text(entry.Key)));
        Assert.Equal(5, values.Count);
        Assert.All(values, entry => Assert.Equal((0, 1000), (entry.Key.Length, entry.Value.Length)));
        Assert.Equal(
            new CountResponse(20, IsEstimate: false),
            await database.CountAsync(new CountRequest(range, Estimate: true)));
        Assert.Equal(
            new CountResponse(50, IsEstimate: false), // So few are counted.
            await database.CountAsync(new CountRequest(KeyRange.All, Estimate: true)));
        Assert.True(await database.MeasureAsync(new MeasureRequest(KeyRange.All)) > 0);
        Assert.Equal(new ClearResponse(20, 3), await database.ClearAsync(new ClearRequest(range, BatchKeys: 8)));
        Assert.Equal(30, (await database.CountAsync(new CountRequest(KeyRange.All))).Count);
    }

    private static async Task WriteAsync(IStoreGrain store, params WriteOperation[] operations) => Assert.True(
        (await store.WriteAsync(new WriteRequest(operations, null, WriteDurability.Buffered))).Applied);
}
