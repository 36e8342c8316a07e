using System.Text.Json;
using Branching.ClientApp.Commands;

namespace Branching.ClientApp.Tests;

public sealed class SnapshotCommandTests : CliTest
{
    private string Shared => Path.Combine(Scratch, "shared");

    [Fact]
    public async Task A_database_comes_back_from_shared_storage_when_its_data_directory_is_gone()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("branch", "create", "shop", "topic");
        await ShareAsync("put", "shop", "apple", "4", "--branch", "topic");
        await ShareAsync("snapshot", "take", "shop");
        await ShareAsync("put", "shop", "pear", "late");

        Directory.Delete(Data, recursive: true);
        Directory.CreateDirectory(Data);

        Assert.Equal("3", (await ShareAsync("get", "shop", "apple")).Output.Trim());
        Assert.Equal("4", (await ShareAsync("get", "shop", "apple", "--branch", "topic")).Output.Trim());
        CliResult pear = await RunSharedAsync("get", "shop", "pear");
        Assert.Equal(ExitCode.NotFound, pear.ExitCode);
    }

    [Fact]
    public async Task The_local_copy_is_removed_only_when_that_is_confirmed_and_the_next_call_brings_it_back()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("branch", "create", "shop", "topic");
        string copy = Path.Combine(Data, "databases", "shop");

        CliResult unasked = await RunSharedAsync("snapshot", "take", "shop", "--remove-source");
        Assert.Equal(ExitCode.Refused, unasked.ExitCode);
        Assert.Contains("Remove the copy of database shop on node", unasked.Error, StringComparison.Ordinal);
        Assert.Contains("--yes", unasked.Error, StringComparison.Ordinal);
        Assert.True(Directory.Exists(copy));
        CliResult branch = await RunSharedAsync(
            "snapshot", "take", "shop", "--branch", "topic", "--remove-source", "--yes");
        Assert.Equal(ExitCode.Usage, branch.ExitCode);
        CliResult removed = await ShareAsync("snapshot", "take", "shop", "--remove-source", "--yes");

        Assert.Contains("2 of 2 branches are on shared storage", removed.Output, StringComparison.Ordinal);
        Assert.Contains("the local copy is removed", removed.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(copy));
        Assert.Equal("3", (await ShareAsync("get", "shop", "apple", "--branch", "topic")).Output.Trim());
        JsonElement again = (await ShareAsync(
            "snapshot", "take", "shop", "--remove-source", "--yes", "--json")).Json;
        Assert.True(again.GetProperty("sourceRemoved").GetBoolean());
        Assert.False(Directory.Exists(copy));
    }

    [Fact]
    public async Task A_database_with_an_ephemeral_branch_keeps_its_local_copy()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("branch", "create", "shop", "scratch", "--ephemeral");

        CliResult refused = await RunSharedAsync("snapshot", "take", "shop", "--remove-source", "--yes");

        Assert.NotEqual(ExitCode.Ok, refused.ExitCode);
        Assert.Contains("'scratch'", refused.Error, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(Data, "databases", "shop")));
    }

    [Fact]
    public async Task Lists_show_durability_last_snapshot_and_lag()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("branch", "create", "shop", "scratch", "--ephemeral");
        await ShareAsync("snapshot", "take", "shop");
        await ShareAsync("put", "shop", "pear", "4");

        CliResult listed = await ShareAsync("branch", "list", "shop");
        JsonElement branches = (await ShareAsync("branch", "list", "shop", "--json")).Json;
        CliResult tree = await ShareAsync("branch", "tree", "shop");
        JsonElement lag = (await ShareAsync("databases", "--json")).Json[0].GetProperty("lag");

        Assert.Contains("DURABILITY", listed.Output, StringComparison.Ordinal);
        Assert.Empty(listed.Error);
        JsonElement main = branches[0];
        JsonElement scratch = branches[1];
        Assert.Equal("durable", main.GetProperty("durability").GetString());
        Assert.Equal(1, main.GetProperty("lagSequences").GetInt32());
        Assert.Equal(JsonValueKind.String, main.GetProperty("lastSnapshotAt").ValueKind);
        Assert.Equal("ephemeral", scratch.GetProperty("durability").GetString());
        Assert.Equal(JsonValueKind.Null, scratch.GetProperty("lagSequences").ValueKind);
        Assert.Contains("(ephemeral)", tree.Output, StringComparison.Ordinal);
        Assert.Equal(1, lag.GetProperty("sequences").GetInt32());
    }

    [Fact]
    public async Task A_database_is_restored_whole_under_another_name_and_from_another_directory()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("branch", "create", "shop", "topic");
        await ShareAsync("put", "shop", "apple", "4", "--branch", "topic");
        await ShareAsync("snapshot", "take", "shop");

        CliResult copy = await ShareAsync(
            "snapshot", "restore", "shop", "--all", "--into-database", "copy", "--option", "MemtableBytes=1048576");
        CliResult wrong = await RunSharedAsync(
            "snapshot", "restore", "shop", "--into-branch", "x", "--option", "Memtable=1");
        CliResult elsewhere = await SucceedAsync(
            "snapshot", "restore", "shop", "topic", "--from", Shared, "--into-database", "alone");

        Assert.Contains("restored 2 stores into database copy", copy.Output, StringComparison.Ordinal);
        Assert.Equal("4", (await ShareAsync("get", "copy", "apple", "--branch", "topic")).Output.Trim());
        Assert.Equal(ExitCode.Usage, wrong.ExitCode);
        Assert.Contains("MemtableBytes", wrong.Error, StringComparison.Ordinal);
        Assert.Contains("restored 1 store into database alone", elsewhere.Output, StringComparison.Ordinal);
        Assert.Equal("4", (await SucceedAsync("get", "alone", "apple")).Output.Trim());
    }

    [Theory]
    [InlineData("databases")]
    [InlineData("branch list shop")]
    [InlineData("cluster nodes")]
    public async Task Without_shared_storage_every_listing_says_that_nothing_survives_the_node(string line)
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(line.Split(' '));
        CliResult quiet = await SucceedAsync([.. line.Split(' '), "--quiet"]);

        Assert.Contains(SnapshotText.NothingSurvives, result.Error, StringComparison.Ordinal);
        Assert.Contains("--shared-storage", result.Error, StringComparison.Ordinal);
        Assert.Empty(quiet.Error);
    }

    [Theory]
    [InlineData("snapshot list shop")]
    [InlineData("snapshot take shop")]
    [InlineData("schedule show shop")]
    [InlineData("gc shop --dry-run")]
    public async Task Without_shared_storage_what_needs_it_says_what_to_set(string line)
    {
        await SucceedAsync("create", "shop");

        CliResult result = await RunAsync(line.Split(' '));

        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains($"branching {line}", result.Error, StringComparison.Ordinal);
        Assert.Contains("--shared-storage DIR", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_variable_of_the_environment_stands_for_the_option()
    {
        CliResult created = await Cli.RunAsync(
            [],
            ["create", "shop", "--data", Data],
            variable: name => name == GlobalOptions.SharedStorageVariable ? Shared : null);

        Assert.Equal(0, created.ExitCode);
        Assert.True(Directory.Exists(Path.Combine(Shared, "databases", "shop")));
    }

    [Fact]
    public async Task A_dry_run_of_a_restore_tells_the_plan_and_changes_nothing()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");
        await ShareAsync("put", "shop", "apple", "4");

        JsonElement plan = (await ShareAsync(
            "snapshot", "restore", "shop", "main", "--replace", "--dry-run", "--json")).Json;
        CliResult before = await ShareAsync("get", "shop", "apple");
        CliResult refused = await RunSharedAsync("snapshot", "restore", "shop", "main", "--replace");
        CliResult replaced = await ShareAsync("snapshot", "restore", "shop", "main", "--replace", "--yes");
        CliResult after = await ShareAsync("get", "shop", "apple");

        Assert.True(plan.GetProperty("dryRun").GetBoolean());
        Assert.NotEqual(0, plan.GetProperty("steps").GetArrayLength());
        Assert.Equal("4", before.Output.Trim());
        Assert.Equal(ExitCode.Refused, refused.ExitCode);
        Assert.Contains("quarantine", replaced.Output, StringComparison.Ordinal);
        Assert.Equal("3", after.Output.Trim());
    }

    [Fact]
    public async Task An_unknown_snapshot_is_answered_with_those_that_are_near()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("snapshot", "take", "shop", "--force");
        string id = (await ShareAsync("snapshot", "list", "shop", "--json")).Json[0].GetProperty("id").GetString()!;

        CliResult mistyped = await RunSharedAsync("snapshot", "show", "shop", id[..^1] + "77");
        CliResult abbreviated = await ShareAsync("snapshot", "show", "shop", id[..10], "--json");

        Assert.Equal(ExitCode.NotFound, mistyped.ExitCode);
        Assert.Contains($"near ones: {id} (main", mistyped.Error, StringComparison.Ordinal);
        Assert.Equal(id, abbreviated.Json.GetProperty("id").GetString());
    }

    [Theory]
    [InlineData("--every 15", "is not a duration")]
    [InlineData("--every-bytes 4XB", "is not a size")]
    [InlineData("", "nothing to change")]
    public async Task A_schedule_that_cannot_be_read_is_a_usage_error(string options, string message)
    {
        await ShareAsync("create", "shop");

        CliResult result = await RunSharedAsync(
            ["schedule", "set", "shop", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_schedule_keeps_what_is_not_named_and_travels_with_the_database()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("snapshot", "take", "shop", "--force");
        await ShareAsync("schedule", "set", "shop", "--every", "90m", "--every-bytes", "off");
        await ShareAsync("schedule", "set", "shop", "--keep-last", "3");

        Directory.Delete(Data, recursive: true);
        Directory.CreateDirectory(Data);
        JsonElement policy = (await ShareAsync("schedule", "show", "shop", "--json")).Json.GetProperty("policy");

        Assert.Equal(90 * 60 * 1000, policy.GetProperty("everyMs").GetDouble());
        Assert.Equal(JsonValueKind.Null, policy.GetProperty("everyBytes").ValueKind);
        Assert.Equal(3, policy.GetProperty("keepLast").GetInt32());
    }

    [Theory]
    [InlineData("ms", 250)]
    [InlineData("s", 90)]
    [InlineData("m", 15)]
    [InlineData("h", 6)]
    [InlineData("d", 1)]
    [InlineData("w", 2)]
    public void A_duration_is_shown_as_it_is_written(string unit, int number)
    {
        string text = $"{number}{unit}";

        Assert.Equal(text, QuantityText.Show(QuantityText.Duration(text, "--every")));
    }

    [Fact]
    public void The_distance_of_words_counts_edits()
    {
        Assert.Equal(0, SnapshotReference.Distance("main", "main"));
        Assert.Equal(1, SnapshotReference.Distance("main", "mains"));
        Assert.Equal(3, SnapshotReference.Distance("kitten", "sitting"));
    }

    private Task<CliResult> ShareAsync(params string[] arguments)
        => SucceedAsync([.. arguments, "--shared-storage", Shared]);

    private Task<CliResult> RunSharedAsync(params string[] arguments)
        => RunAsync([.. arguments, "--shared-storage", Shared]);
}
