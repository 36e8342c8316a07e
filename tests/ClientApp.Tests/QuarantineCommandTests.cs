using System.Text.Json;

namespace Branching.ClientApp.Tests;

/// <summary>What was set aside, and what a start put in order, as the person at the command line sees it.</summary>
public sealed class QuarantineCommandTests : CliTest
{
    private string Shared => Path.Combine(Scratch, "shared");

    private string Shop => Path.Combine(Data, "databases", "shop");

    [Fact]
    public async Task What_was_set_aside_is_listed_with_its_reason_and_size_and_deleted_by_its_id()
    {
        await ReplaceMainAsync();
        await DamageAndRestoreAsync();

        JsonElement[] listed = [.. (await ShareAsync("quarantine", "list", "--json")).Json.EnumerateArray()];
        CliResult table = await ShareAsync("quarantine", "list");
        JsonElement whole = listed[0], store = listed[1];
        string id = store.GetProperty("id").GetString()!;
        string path = store.GetProperty("path").GetString()!;
        CliResult asked = await RunSharedAsync("quarantine", "delete", id);
        CliResult deleted = await ShareAsync("quarantine", "delete", id, "--yes");
        JsonElement left = Assert.Single((await ShareAsync("quarantine", "list", "--json")).Json.EnumerateArray());
        CliResult again = await RunSharedAsync("quarantine", "delete", id, "--yes");

        Assert.Equal(2, listed.Length);
        Assert.All(listed, one =>
        {
            Assert.Equal("shop", one.GetProperty("database").GetString());
            Assert.InRange(one.GetProperty("freedBytes").GetInt64(), 1, long.MaxValue);
            Assert.InRange(one.GetProperty("bytes").GetInt64(), 1, 64 << 20);
            Assert.True(one.GetProperty("at").GetDateTimeOffset() > DateTimeOffset.UnixEpoch);
            Assert.Contains(one.GetProperty("id").GetString()!, table.Output, StringComparison.Ordinal);
            Assert.Contains(one.GetProperty("reason").GetString()!, table.Output, StringComparison.Ordinal);
        });
        Assert.Equal("databases/shop", whole.GetProperty("from").GetString());
        Assert.Contains("it was damaged", whole.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("stores/", store.GetProperty("from").GetString(), StringComparison.Ordinal);
        Assert.Contains("was replaced by snapshot", store.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("branching quarantine delete", table.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, asked.ExitCode);
        Assert.Contains("--yes", asked.Error, StringComparison.Ordinal);
        Assert.Contains($"deleted {id}: store ", deleted.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(path));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Data, "trash")));
        Assert.Equal(whole.GetProperty("id").GetString(), left.GetProperty("id").GetString());
        Assert.True(Directory.Exists(left.GetProperty("path").GetString()));
        Assert.Equal(ExitCode.NotFound, again.ExitCode);
        Assert.Equal("3", (await ShareAsync("get", "shop", "apple")).Output.Trim());
    }

    [Fact]
    public async Task Nothing_in_quarantine_is_said_and_nothing_else_can_be_named()
    {
        await SucceedAsync("create", "shop");

        CliResult none = await SucceedAsync("quarantine", "list");
        CliResult outside = await RunAsync("quarantine", "delete", "../databases/shop", "--yes");
        CliResult empty = await RunAsync("quarantine", "delete", "", "--yes");

        Assert.Contains("nothing is in quarantine", none.Error, StringComparison.Ordinal);
        Assert.Equal("[]", (await SucceedAsync("quarantine", "list", "--json")).Output.Trim());
        Assert.NotEqual(ExitCode.Ok, outside.ExitCode);
        Assert.NotEqual(ExitCode.Ok, empty.ExitCode);
        Assert.True(Directory.Exists(Shop));
    }

    [Fact]
    public async Task What_a_killed_command_left_is_put_in_order_by_the_next_which_says_so_once()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");
        await LeaveUnfinishedAsync("topic");

        CliResult first = await SucceedAsync("get", "shop", "apple");
        CliResult second = await SucceedAsync("get", "shop", "apple");
        await LeaveUnfinishedAsync("topic");
        CliResult quiet = await SucceedAsync("get", "shop", "apple", "--quiet");
        await LeaveUnfinishedAsync("topic");
        CliResult json = await SucceedAsync("get", "shop", "apple", "--json");

        Assert.Equal("3", first.Output.Trim());
        string note = Assert.Single(first.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("note: ", note, StringComparison.Ordinal);
        Assert.Contains(
            "Removed the unfinished branch 'topic' of database 'shop', whose creation was never answered", note,
            StringComparison.Ordinal);
        Assert.Equal(("", "", ""), (second.Error, quiet.Error, json.Error));
    }

    [Fact]
    public async Task What_a_start_sets_aside_is_said_with_its_place()
    {
        await SucceedAsync("create", "shop");
        string foreign = Directory.CreateDirectory(Path.Combine(Shop, "building", "mine")).FullName;
        await File.WriteAllTextAsync(Path.Combine(foreign, "notes"), "precious");

        CliResult first = await SucceedAsync("count", "shop");
        JsonElement aside = Assert.Single((await SucceedAsync("quarantine", "list", "--json")).Json.EnumerateArray());

        Assert.Contains($"'{foreign}' was set aside in ", first.Error, StringComparison.Ordinal);
        Assert.Contains(aside.GetProperty("path").GetString()!, first.Error, StringComparison.Ordinal);
        Assert.Equal(
            ("shop", "building/mine"),
            (aside.GetProperty("database").GetString(), aside.GetProperty("from").GetString()));
    }

    /// <summary>A branch as a process leaves it that is killed before it publishes it.</summary>
    private async Task LeaveUnfinishedAsync(string name)
    {
        string main = Directory.GetDirectories(Path.Combine(Shop, "stores")).Single();
        string id = Guid.CreateVersion7().ToString("N");
        string building = Directory.CreateDirectory(Path.Combine(Shop, "building", id)).FullName;
        string mark = await File.ReadAllTextAsync(Path.Combine(main, "branch.json"));
        await File.WriteAllTextAsync(
            Path.Combine(building, "branch.json"),
            mark.Replace(Path.GetFileName(main), id, StringComparison.Ordinal)
                .Replace("\"main\"", $"\"{name}\"", StringComparison.Ordinal));
    }

    private async Task ReplaceMainAsync()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");
        await ShareAsync("snapshot", "restore", "shop", "main", "--replace", "--yes");
        await ShareAsync("snapshot", "take", "shop");
    }

    /// <summary>The whole database goes to quarantine, with all that it has set aside itself.</summary>
    private async Task DamageAndRestoreAsync()
    {
        string kept = Directory.GetDirectories(Path.Combine(Shop, "quarantine")).Single();
        string main = Directory.GetDirectories(Path.Combine(Shop, "stores")).Single();
        File.Delete(Path.Combine(main, "CURRENT"));
        CliResult restored = await ShareAsync("get", "shop", "apple", "--dirty-store", "restore-snapshot");
        string aside = Directory.GetDirectories(Path.Combine(Data, "quarantine")).Single();
        Assert.Contains($"Database shop was set aside in {aside}", restored.Error, StringComparison.Ordinal);
        Directory.Move(
            Path.Combine(aside, "shop", "quarantine", Path.GetFileName(kept)),
            Path.Combine(Shop, "quarantine", Path.GetFileName(kept)));
    }

    private Task<CliResult> RunSharedAsync(params string[] arguments) =>
        RunAsync([.. arguments, "--shared-storage", Shared]);

    private Task<CliResult> ShareAsync(params string[] arguments) =>
        SucceedAsync([.. arguments, "--shared-storage", Shared]);
}
