namespace Branching.Cluster.Tests;

/// <summary>Every failure as a user sees it: its kind and its message.</summary>
public sealed class FailureTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    private static readonly byte[] _tooLong = new byte[65_537];

    private static readonly (
        string Case, FailureKind Kind, string Message, Func<IGrainFactory, string, Task> Call)[] _cases =
    [
        ("unknown database", FailureKind.DatabaseNotFound, "'absent'",
            async (grains, _) => await grains.GetDatabase("absent").ReadAsync("k")),
        ("branch of an unknown database", FailureKind.DatabaseNotFound, "'absent'",
            async (grains, _) => await grains.GetBranch("absent", "b").ReadAsync("k")),
        ("drop of an unknown database", FailureKind.DatabaseNotFound, "'absent'",
            async (grains, _) => await grains.GetDatabase("absent").DropAsync()),
        ("illegal database name", FailureKind.InvalidName, "'Bad Name' is not a database name: it begins with 'B'",
            async (grains, _) => await grains.GetDatabase("Bad Name").CreateAsync(new CreateDatabaseRequest("test"))),
        ("database name taken", FailureKind.DatabaseExists, "exists",
            async (grains, name) => await grains.GetDatabase(name).CreateAsync(new CreateDatabaseRequest("test"))),
        ("long creator", FailureKind.InvalidArgument, "CreatedBy has 257 characters; at most 256 are allowed.",
            async (grains, _) => await grains.GetDatabase("new")
                .CreateAsync(new CreateDatabaseRequest(new string('x', 257)))),
        ("missing creator", FailureKind.InvalidArgument, "CreatedBy is missing.",
            async (grains, _) => await grains.GetDatabase("new").CreateAsync(new CreateDatabaseRequest(null!))),
        ("unknown branch", FailureKind.BranchNotFound, "'absent'",
            async (grains, name) => await grains.GetBranch(name, "absent").ReadAsync("k")),
        ("branch key without a slash", FailureKind.InvalidName, "it is empty",
            async (grains, _) => await grains.GetGrain<IBranchGrain>("noslash").ReadAsync("k")),
        ("illegal branch name", FailureKind.InvalidName, "'a//b' is not a branch name",
            async (grains, name) => await CreateAsync(grains, name, "a//b", "main")),
        ("main is not created", FailureKind.BranchExists, "main",
            async (grains, name) => await CreateAsync(grains, name, "main", "main")),
        ("branch name taken", FailureKind.BranchExists, "'taken'",
            async (grains, name) => await CreateAsync(grains, name, "taken", "main")),
        ("unknown parent", FailureKind.ParentNotFound, "'absent'",
            async (grains, name) => await CreateAsync(grains, name, "orphan", "absent")),
        ("too many labels", FailureKind.InvalidArgument, "There are 65 labels; at most 64 are allowed.",
            async (grains, name)
                => await grains.GetBranch(name, "l").CreateAsync(new CreateBranchRequest("main", "test",
                Enumerable.Range(0, 65).ToDictionary(i => $"l{i}", _ => "")))),
        ("long label", FailureKind.InvalidArgument,
            "The value of label 'a' has 1025 characters; at most 1,024 are allowed.",
            async (grains, name)
                => await grains.GetBranch(name, "l").CreateAsync(new CreateBranchRequest("main", "test",
                new Dictionary<string, string> { ["a"] = new('x', 1025) }))),
        ("unknown column family", FailureKind.ColumnFamilyNotFound, "'absent'",
            async (grains, name) => await grains.GetDatabase(name).ReadAsync("k", "absent")),
        ("column family taken", FailureKind.ColumnFamilyExists, "'default'",
            async (grains, name) => await grains.GetDatabase(name).CreateColumnFamilyAsync("default")),
        ("illegal column family name", FailureKind.InvalidName, "a b",
            async (grains, name) => await grains.GetDatabase(name).CreateColumnFamilyAsync("a b")),
        ("empty key", FailureKind.InvalidArgument, "empty",
            async (grains, name) => await grains.GetDatabase(name).ReadAsync("")),
        ("long key", FailureKind.InvalidArgument, "65537",
            async (grains, name) => await grains.GetDatabase(name).GetAsync(new GetRequest(_tooLong))),
        ("write without operations", FailureKind.InvalidArgument,
            "The number of operations of a write: 0 is outside of 1 to 100,000.",
            async (grains, name) => await grains.GetDatabase(name).WriteAsync(new WriteRequest([]))),
        ("write of an unknown kind", FailureKind.InvalidArgument, "kind 9",
            async (grains, name) => await grains.GetDatabase(name).WriteAsync(
                new WriteRequest([new WriteOperation((WriteOperationKind)9, Bytes.Of("k"), default)]))),
        ("oversized write", FailureKind.RequestTooLarge, "at most 4194304 are allowed",
            async (grains, name) => await grains.GetDatabase(name).PutAsync(Bytes.Of("k"), new byte[5 << 20])),
        ("oversized multi-get", FailureKind.RequestTooLarge, "The 8 values asked for at once",
            async (grains, name) => await grains.GetBranch(name, "big").MultiGetAsync(
                new MultiGetRequest([.. Enumerable.Repeat(Bytes.Of("key000000"), 8)]))),
        ("scan limit", FailureKind.InvalidArgument, "The limit of a scan: 100001 is outside of 1 to 100,000.",
            async (grains, name) => await grains.GetDatabase(name).ScanAsync(new ScanRequest(KeyRange.All, 100_001))),
        ("merge without an operator", FailureKind.InvalidArgument, "its column family has no merge operator",
            async (grains, name) => await grains.GetDatabase(name).WriteAsync(
                new WriteRequest([new WriteOperation(WriteOperationKind.Merge, Bytes.Of("k"), Bytes.Of("1"))]))),
        ("unknown merge operator", FailureKind.MergeOperatorMissing, "'nope'",
            async (grains, name) => await grains.GetDatabase(name).AddColumnFamilyAsync(
                new ColumnFamilyDescription("x", Merge: "nope"))),
        ("time to live where nothing expires", FailureKind.InvalidArgument, "the keys of its column family do not",
            async (grains, name) => await grains.GetDatabase(name).WriteAsync(new WriteRequest(
                [new WriteOperation(WriteOperationKind.Put, Bytes.Of("k"), default, null, TimeSpan.FromHours(1))]))),
        ("step of clearing", FailureKind.InvalidArgument, "0 is outside of 1 to 1,000,000",
            async (grains, name) => await grains.GetDatabase(name).ClearAsync(
                new ClearRequest(KeyRange.All, BatchKeys: 0))),
        ("stream of nothing", FailureKind.InvalidArgument, "would be of nothing",
            async (grains, name) =>
            {
                await foreach (IReadOnlyList<Entry> _ in grains.GetDatabase(name).StreamAsync(
                    new StreamRequest(KeyRange.All, KeysOnly: true, ValuesOnly: true)))
                {
                }
            }),
        ("damaged continuation", FailureKind.InvalidContinuation, "its format is 255, this node reads 1",
            async (grains, name) => await grains.GetDatabase(name).ScanAsync(
                new ScanRequest(KeyRange.All, 1, Continuation: new byte[] { 255, 1, 2 }))),
        ("continuation of another branch", FailureKind.InvalidContinuation, "it belongs to store",
            async (grains, name) => await grains.GetDatabase(name).ScanAsync(
                new ScanRequest(KeyRange.All, 1, Continuation: await TokenAsync(grains, name)))),
        ("continuation of another range", FailureKind.InvalidContinuation, "it belongs to another range",
            async (grains, name) => await grains.GetBranch(name, "big").ScanAsync(new ScanRequest(
                KeyRange.Prefix(Bytes.Of("key")), 1, Continuation: await TokenAsync(grains, name)))),
        ("stream of an unknown column family", FailureKind.ColumnFamilyNotFound, "'absent'",
            async (grains, name) =>
            {
                await foreach (IReadOnlyList<Entry> _ in grains.GetDatabase(name).StreamAsync(
                    new StreamRequest(KeyRange.All, ColumnFamily: "absent")))
                {
                }
            }),
    ];

    public static TheoryData<string> Cases => [.. _cases.Select(failure => failure.Case)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_failure_has_its_kind_and_says_what_and_why(string name)
    {
        (_, FailureKind kind, string message, Func<IGrainFactory, string, Task> call) =
            _cases.Single(failure => failure.Case == name);
        string database = await cluster.CreateDatabaseAsync();
        await CreateAsync(cluster.Grains, database, "taken", "main");
        await CreateAsync(cluster.Grains, database, "big", "main");
        await cluster.Grains.GetBranch(database, "big").PutManyAsync(2, 900_000);

        BranchingException failure = await Assert.ThrowsAsync<BranchingException>(() => call(cluster.Grains, database));

        Assert.Equal(kind, failure.Kind);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.False(failure.IsTransient);
    }

    [Fact]
    public async Task A_node_that_is_not_there_is_refused_and_not_placed_elsewhere()
    {
        await Assert.ThrowsAnyAsync<OrleansException>(
            async () => await cluster.Grains.GetGrain<INodeGrain>("127.0.0.1:1@1").DescribeAsync());
    }

    private static async Task CreateAsync(IGrainFactory grains, string database, string branch, string parent)
        => await grains.GetBranch(database, branch).CreateAsync(new CreateBranchRequest(parent, "test"));

    private static async Task<ReadOnlyMemory<byte>> TokenAsync(IGrainFactory grains, string database)
        => (await grains.GetBranch(database, "big").ScanAsync(new ScanRequest(KeyRange.All, 1))).Continuation;
}
