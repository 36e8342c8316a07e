using System.Security.Cryptography;
using System.Text.Json;
using Branching.Grains;

namespace Branching.ClientApp.Tests;

/// <summary>Commands of machines that come to shared storage, and of those that only look at it.</summary>
public sealed class SharedStorageCommandTests : CliTest
{
    private string Shared => Path.Combine(Scratch, "shared");

    [Fact]
    public async Task A_new_machine_lists_and_serves_what_shared_storage_has()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");
        Directory.Delete(Data, recursive: true);

        JsonElement listed = (await ShareAsync("databases", "--json")).Json;
        Directory.Delete(Data, recursive: true);
        CliResult got = await ShareAsync("get", "shop", "apple");

        Assert.Equal("shop", Assert.Single(listed.EnumerateArray()).GetProperty("name").GetString());
        Assert.Equal("at rest", listed[0].GetProperty("state").GetString());
        Assert.Equal("3", got.Output.Trim());
    }

    [Fact]
    public async Task A_database_that_nobody_can_serve_is_dropped_and_its_name_is_free()
    {
        await ShareAsync("create", "shop");
        Directory.Delete(Data, recursive: true);

        CliResult unasked = await RunSharedAsync("drop", "shop");
        CliResult dropped = await ShareAsync("drop", "shop", "--yes");

        Assert.Equal(ExitCode.Refused, unasked.ExitCode);
        Assert.Contains("which cannot be served", unasked.Error, StringComparison.Ordinal);
        Assert.Equal("dropped database shop", dropped.Output.Trim());
        await ShareAsync("create", "shop");
    }

    [Fact]
    public async Task A_database_is_not_dropped_while_its_owner_lives_elsewhere()
    {
        await ShareAsync("create", "shop");
        await using (ISession owner = await Sessions.ConnectAsync(
            new SessionTarget(Data, null, Shared), CancellationToken.None))
        {
            await owner.Grains.GetDatabase("shop").DescribeAsync();

            CliResult refused = await RunAsync(
                "drop", "shop", "--yes", "--shared-storage", Shared, "--data", Path.Combine(Scratch, "other"));

            Assert.NotEqual(ExitCode.Ok, refused.ExitCode);
            await owner.Grains.GetDatabase("shop").DescribeAsync();
        }

        await ShareAsync("put", "shop", "apple", "3");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_database_whose_main_store_is_damaged_is_dropped(bool isShared)
    {
        string[] more = isShared ? ["--shared-storage", Shared] : [];
        await SucceedAsync(["create", "shop", .. more]);
        await SucceedAsync(["put", "shop", "apple", "3", .. more]);
        string current = Assert.Single(Directory.GetFiles(
            Path.Combine(Data, "databases", "shop", "stores"), "CURRENT", SearchOption.AllDirectories));
        await File.WriteAllTextAsync(current, "nothing");

        CliResult get = await RunAsync(["get", "shop", "apple", .. more]);
        CliResult dropped = await SucceedAsync(["drop", "shop", "--yes", .. more]);

        Assert.Equal(ExitCode.Failed, get.ExitCode);
        Assert.Equal("dropped database shop", dropped.Output.Trim());
        await SucceedAsync(["create", "shop", .. more]);
    }

    [Fact]
    public async Task A_lost_branch_is_shown_with_what_is_known_of_it_and_comes_back_by_a_restore()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");
        await ShareAsync("branch", "create", "shop", "late", "--label", "owner=ada");
        Directory.Delete(Data, recursive: true);

        CliResult shown = await ShareAsync("branch", "show", "shop", "late");
        JsonElement json = (await ShareAsync("branch", "show", "shop", "late", "--json")).Json;
        CliResult restored = await ShareAsync("snapshot", "restore", "shop", "main", "--into-branch", "late");

        Assert.Contains("lost", shown.Output, StringComparison.Ordinal);
        Assert.Contains("main at sequence 1", shown.Output, StringComparison.Ordinal);
        Assert.Contains("owner=ada", shown.Output, StringComparison.Ordinal);
        Assert.Equal("lost", json.GetProperty("state").GetString());
        Assert.False(json.TryGetProperty("size", out _));
        Assert.DoesNotContain("''", restored.Output, StringComparison.Ordinal);
        Assert.Contains("has no files here to set aside", restored.Output, StringComparison.Ordinal);
        Assert.Equal("3", (await ShareAsync("get", "shop", "apple", "--branch", "late")).Output.Trim());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Looking_puts_no_database_on_shared_storage(bool othersUseIt)
    {
        if (othersUseIt)
        {
            await SucceedAsync(
                "create", "theirs", "--shared-storage", Shared, "--data", Path.Combine(Scratch, "other"));
        }

        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");
        Dictionary<string, string> before = Files();

        JsonElement listed = (await ShareAsync("databases", "--json")).Json;
        CliResult garbage = await RunSharedAsync("gc", "shop", "--dry-run");
        CliResult restore = await RunSharedAsync("snapshot", "restore", "shop", "--replace", "--dry-run");

        JsonElement shop = listed.EnumerateArray().Single(one => one.GetProperty("name").GetString() == "shop");
        Assert.Equal("serving", shop.GetProperty("state").GetString());
        Assert.Equal(1, shop.GetProperty("sequence").GetInt32());
        Assert.Equal(othersUseIt ? 2 : 1, listed.GetArrayLength());
        Assert.Equal(ExitCode.Precondition, garbage.ExitCode);
        Assert.Contains("not on shared storage", garbage.Error, StringComparison.Ordinal);
        Assert.Contains("not on shared storage", restore.Error, StringComparison.Ordinal);
        Assert.Equal(before, Files());
        Assert.Equal("3", (await SucceedAsync("get", "shop", "apple")).Output.Trim());
    }

    [Fact]
    public async Task A_dry_run_is_refused_where_the_restore_would_be_and_names_the_quarantine()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");

        CliResult refused = await RunSharedAsync("snapshot", "restore", "shop", "--dry-run");
        string[] restore = ["snapshot", "restore", "shop", "--replace", "--json"];
        JsonElement planned = (await ShareAsync([.. restore, "--dry-run"])).Json;
        JsonElement done = (await ShareAsync([.. restore, "--yes"])).Json;

        Assert.Equal(ExitCode.Precondition, refused.ExitCode);
        Assert.Contains("Branch 'main' of database 'shop' exists", refused.Error, StringComparison.Ordinal);
        string place = planned.GetProperty("quarantine").GetString()!;
        Assert.Equal(place, Path.GetDirectoryName(done.GetProperty("quarantine").GetString()));
    }

    [Fact]
    public async Task A_replaced_main_store_stands_beside_the_tree_whose_json_keeps_its_shape()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("branch", "create", "shop", "topic");
        await ShareAsync("snapshot", "take", "shop");
        JsonElement before = (await ShareAsync("branch", "tree", "shop", "--json")).Json;
        await ShareAsync("snapshot", "restore", "shop", "--replace", "--yes");

        JsonElement after = (await ShareAsync("branch", "tree", "shop", "--json")).Json;
        CliResult drawn = await ShareAsync("branch", "tree", "shop");

        Assert.Equal(0, before.GetProperty("otherRoots").GetArrayLength());
        Assert.Equal("ready", after.GetProperty("state").GetString());
        JsonElement replaced = Assert.Single(after.GetProperty("otherRoots").EnumerateArray());
        Assert.Equal(before.GetProperty("storeId").GetString(), replaced.GetProperty("storeId").GetString());
        Assert.Equal("topic", replaced.GetProperty("children")[0].GetProperty("name").GetString());
        Assert.Contains("main (replaced)", drawn.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_at_rest_is_described_by_what_shared_storage_knows()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("branch", "create", "shop", "topic");
        await ShareAsync("create", "fresh");
        await ShareAsync("snapshot", "take", "shop");

        JsonElement listed = (await ShareAsync("cluster", "databases", "--json")).Json;
        CliResult table = await ShareAsync("cluster", "databases");

        JsonElement fresh = listed[0];
        JsonElement shop = listed[1];
        Assert.Equal("at rest", shop.GetProperty("state").GetString());
        Assert.Equal(2, shop.GetProperty("branches").GetInt32());
        Assert.Equal(1, shop.GetProperty("sequence").GetInt32());
        Assert.Equal(JsonValueKind.String, shop.GetProperty("lastSnapshotAt").ValueKind);
        Assert.Equal(JsonValueKind.Null, fresh.GetProperty("sequence").ValueKind);
        Assert.Equal(JsonValueKind.Null, fresh.GetProperty("lastSnapshotAt").ValueKind);
        Assert.Matches(@"fresh +at rest +\d+ +1 +- +- +-", table.Output);
    }

    [Fact]
    public async Task A_database_that_was_at_rest_moves_from_no_node()
    {
        await ShareAsync("create", "shop");
        string node = (await ShareAsync("cluster", "nodes", "--json")).Json[0].GetProperty("name").GetString()!;

        CliResult moved = await ShareAsync("cluster", "move", "shop", node);

        Assert.Contains(
            $"moved database shop, which was at rest, to {node} in", moved.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_made_up_of_a_database_that_cannot_be_opened()
    {
        await SucceedAsync("create", "shop");
        File.Delete(Path.Combine(Data, "databases", "shop", "database.json"));

        JsonElement shop = (await SucceedAsync("databases", "--json")).Json[0];

        Assert.Equal("failed", shop.GetProperty("state").GetString());
        string[] unknown = ["id", "epoch", "createdAt", "createdBy", "branches", "sequence"];
        Assert.All(unknown, name => Assert.Equal(JsonValueKind.Null, shop.GetProperty(name).ValueKind));
    }

    [Fact]
    public async Task Files_that_restored_branches_share_are_fetched_once_and_counted_once()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", new string('x', 100_000));
        await ShareAsync("flush", "shop");
        await ShareAsync("branch", "create", "shop", "topic");
        await ShareAsync("snapshot", "take", "shop");
        string[] restore = ["snapshot", "restore", "shop", "--all", "--into-database", "copy", "--json"];

        JsonElement planned = (await ShareAsync([.. restore, "--dry-run"])).Json.GetProperty("stores");
        JsonElement done = (await ShareAsync(restore)).Json.GetProperty("stores");

        Assert.All([planned, done], stores =>
        {
            Assert.True(stores[0].GetProperty("fetchedBytes").GetInt64() > 1000);
            JsonElement topic = stores[1];
            Assert.Equal("topic", topic.GetProperty("branch").GetString());
            Assert.True(
                topic.GetProperty("linkedBytes").GetInt64() >= stores[0].GetProperty("fetchedBytes").GetInt64() / 2,
                stores.ToString());
        });
    }

    [Fact]
    public async Task A_second_copy_sends_nothing_and_says_so()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("snapshot", "take", "shop");
        string[] copy = ["snapshot", "copy", "shop", "main", Path.Combine(Scratch, "copies"), "--json"];

        JsonElement first = (await ShareAsync(copy)).Json;
        JsonElement second = (await ShareAsync(copy)).Json;

        Assert.True(first.GetProperty("sentFiles").GetInt32() > 0);
        Assert.Equal(0, second.GetProperty("sentFiles").GetInt32());
        Assert.Equal(0, second.GetProperty("sentBytes").GetInt64());
    }

    [Fact]
    public async Task What_cannot_be_asked_of_snapshots_is_refused_with_its_reason()
    {
        await ShareAsync("create", "shop");

        CliResult rate = await RunSharedAsync("snapshot", "take", "shop", "--limit-rate", "0");
        CliResult branch = await RunSharedAsync("snapshot", "list", "shop", "-b", "nope");

        Assert.Equal(ExitCode.Usage, rate.ExitCode);
        Assert.Contains("--limit-rate must be more than 0", rate.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.NotFound, branch.ExitCode);
        Assert.Contains("has no branch 'nope'", branch.Error, StringComparison.Ordinal);
    }

    /// <summary>Every file with its digest; opening a store is RocksDB's own affair, with or without shared storage.
    /// </summary>
    private Dictionary<string, string> Files() => Directory.EnumerateFiles(Scratch, "*", SearchOption.AllDirectories)
        .Where(file => !file.StartsWith(
            Path.Combine(Data, "databases", "shop", "stores") + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        .ToDictionary(file => file, file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));

    private Task<CliResult> ShareAsync(params string[] arguments)
        => SucceedAsync([.. arguments, "--shared-storage", Shared]);

    private Task<CliResult> RunSharedAsync(params string[] arguments)
        => RunAsync([.. arguments, "--shared-storage", Shared]);
}
