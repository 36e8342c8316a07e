using System.Globalization;

namespace Branching.Storage.Tests.Branches;

/// <summary>
/// A child process of a user without rights meets files that it may not enter, read or write: each refusal names the
/// path, changes nothing, and the same call works once access is given, in the same process.
/// </summary>
public sealed class PermissionTests(PermissionTests.Nobody nobody) : IClassFixture<PermissionTests.Nobody>, IDisposable
{
    private const int Refused = 3;
    private readonly TemporaryRoot _root = new();

    public void Dispose() => _root.Dispose();

    [OtherUserFact]
    public async Task A_data_root_that_may_not_be_written_is_refused_by_its_lock()
    {
        await PrepareAsync();
        Access.ForbidWriting(_root.Path);
        Access.ForbidWriting(Path.Combine(_root.Path, "LOCK"));

        await AssertRefusedAsync("none", Path.Combine(_root.Path, "LOCK"));
        await AssertWorksOnceAllowedAsync("put");
    }

    [OtherUserFact]
    public async Task A_data_root_that_cannot_be_made_is_refused_and_not_made()
    {
        string parent = Path.Combine(_root.Path, "parent");
        Directory.CreateDirectory(parent);
        Access.Allow(_root.Path);
        Access.ForbidWriting(parent);
        string root = Path.Combine(parent, "root");

        Ended ended = await RunAsync("none", root);

        AssertNames(ended, root);
        Assert.Empty(Directory.GetFileSystemEntries(parent));
        Access.Allow(parent);
        Assert.Equal(0, (await RunAsync("none", root)).Exit);
    }

    [OtherUserTheory]
    [InlineData("")]
    [InlineData("catalog")]
    [InlineData("stores")]
    [InlineData("building")]
    [InlineData("trash")]
    [InlineData("database.json")]
    public async Task A_database_that_may_not_be_read_is_refused_and_the_others_serve(string what)
    {
        await PrepareAsync();
        string path = Path.Combine(_root.DatabasePath, what).TrimEnd('/');
        Access.Forbid(path);

        await AssertRefusedAsync("put", path);
        Assert.Equal(0, (await RunAsync("create-database", _root.Path)).Exit);
        await AssertWorksOnceAllowedAsync("put");
    }

    [OtherUserTheory]
    [InlineData("")]
    [InlineData("CURRENT")]
    [InlineData("branch.json")]
    public async Task A_store_that_may_not_be_read_is_refused_and_no_other_is_made_in_its_place(string what)
    {
        string store = await PrepareAsync();
        string path = Path.Combine(store, what).TrimEnd('/');
        Access.Forbid(path);

        await AssertRefusedAsync("put", store);
        await AssertWorksOnceAllowedAsync("put");
    }

    [OtherUserTheory]
    [InlineData("create-branch", "databases/shop/building")]
    [InlineData("create-branch", "databases/shop/stores")]
    [InlineData("delete-branch", "databases/shop/trash")]
    [InlineData("delete-branch", "databases/shop/stores")]
    [InlineData("create-database", "building")]
    [InlineData("create-database", "databases")]
    [InlineData("drop-database", "trash")]
    [InlineData("drop-database", "databases")]
    public async Task A_place_that_may_not_be_written_refuses_the_operation_and_changes_nothing(
        string scenario, string place)
    {
        await PrepareAsync();
        string path = Path.Combine(_root.Path, place);
        Access.ForbidWriting(path);

        Ended ended = await RunAsync(scenario, _root.Path);

        AssertNames(ended, _root.Path);
        Access.Allow(_root.Path);
        Assert.Equal("doomed:a=1 keep:a=1 main:a=1", await DescribeAsync());
        await AssertWorksOnceAllowedAsync(scenario);
    }

    [OtherUserFact]
    public async Task Deleting_what_the_system_does_not_let_go_keeps_it_in_the_trash_and_finishes_later()
    {
        await PrepareAsync();
        string doomed = StoreOf("doomed");
        string locked = Path.Combine(doomed, "locked");
        Directory.CreateDirectory(locked);
        await File.WriteAllTextAsync(Path.Combine(locked, "file"), "");
        Access.ForbidWriting(locked);

        Ended first = await RunAsync("delete-branch", _root.Path);
        string trash = Path.Combine(_root.DatabasePath, "trash");
        string[] left = Directory.GetFileSystemEntries(trash);
        Ended again = await RunAsync("put", _root.Path);

        Assert.True(first.Exit == 0, first.ToString());
        Assert.Equal(Path.GetFileName(doomed), Path.GetFileName(Assert.Single(left)));
        Assert.True(again.Exit == 0, again.ToString());
        Access.Allow(_root.Path);
        Assert.Equal("keep:a=1 c=3 main:a=1", await DescribeAsync());
        Assert.Empty(Directory.GetFileSystemEntries(trash));
    }

    private static void AssertNames(Ended ended, string path)
    {
        Assert.True(ended.Exit == Refused, ended.ToString());
        string refusal = ended.Lines[^1];
        Assert.StartsWith($"refused {nameof(FailureKind.PermissionDenied)} ", refusal, StringComparison.Ordinal);
        Assert.Contains(path, refusal, StringComparison.Ordinal);
    }

    private Task<Ended> RunAsync(string scenario, string root) =>
        nobody.Child.RunAsync([root, scenario, "0", "points"]);

    private async Task AssertRefusedAsync(string scenario, string named)
    {
        string[] before = Tree();

        Ended ended = await RunAsync(scenario, _root.Path);

        AssertNames(ended, named);
        Assert.Equal(before, Tree());
    }

    private async Task AssertWorksOnceAllowedAsync(string scenario)
    {
        Access.Allow(_root.Path);
        Ended ended = await RunAsync(scenario, _root.Path);
        Assert.True(ended.Exit == 0, ended.ToString());
    }

    /// <summary>All entries and the size of each file, except what opening another store of the root renews.</summary>
    private string[] Tree() =>
        [.. Directory.EnumerateFileSystemEntries(_root.Path, "*", SearchOption.AllDirectories)
            .Where(path => Path.GetFileName(path) != "LOCK")
            .Select(path => $"{path} {(File.Exists(path) ? new FileInfo(path).Length : -1)}")
            .Order(StringComparer.Ordinal)];

    private string StoreOf(string branch) => Directory.GetDirectories(Path.Combine(_root.DatabasePath, "stores"))
        .Single(store => File.ReadAllText(Path.Combine(store, "branch.json"))
            .Contains(string.Create(CultureInfo.InvariantCulture, $"\"name\":\"{branch}\""), StringComparison.Ordinal));

    /// <returns>The store of branch 'keep', which the child writes to.</returns>
    private async Task<string> PrepareAsync()
    {
        await using (DataRoot root = await _root.OpenAsync())
        {
            Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("keep");
            await shop.BranchAsync("doomed");
        }

        Access.Allow(_root.Path);
        return StoreOf("keep");
    }

    private async Task<string> DescribeAsync()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
        List<string> branches = [];
        foreach (BranchRecord branch in shop.ListBranches())
        {
            branches.Add($"{branch.Name}:{await shop.ReadAllAsync(branch.Name.Value)}");
        }

        // Opened here as root, so its files are root's again.
        Access.Allow(_root.Path);
        return string.Join(' ', branches);
    }

    /// <summary>The child of all these tests, started by the first that is not skipped.</summary>
    public sealed class Nobody : IAsyncLifetime
    {
        private readonly Lazy<ServingChild> _child = new(() => ServingChild.Start(ChildProcess.AsNobody));

        internal ServingChild Child => _child.Value;

        public Task InitializeAsync() => Task.CompletedTask;

        public async Task DisposeAsync()
        {
            if (_child.IsValueCreated)
            {
                await _child.Value.DisposeAsync();
            }
        }
    }
}
