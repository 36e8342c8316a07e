using System.Text.Json;

namespace Branching.ClientApp.Tests;

public sealed class ChangesCommandTests : CliTest
{
    [Fact]
    public async Task Changes_are_shown_one_operation_a_line_and_as_json_with_their_position()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("changes", "enable", "shop");
        await SucceedAsync("put", "shop", "apple", "3");
        await SucceedAsync("put", "shop", "tab", "a\tb");
        await SucceedAsync("delete", "shop", "apple");

        string[] lines = (await SucceedAsync("changes", "shop")).Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        IReadOnlyList<JsonElement> json = (await SucceedAsync("changes", "shop", "--json")).JsonLines;
        string position = json[1].GetProperty("position").GetString()!;
        CliResult rest = await SucceedAsync("changes", "shop", "--from", position);
        CliResult limited = await SucceedAsync("changes", "shop", "--follow", "--limit", "1");

        Assert.Equal(["put\tdefault\tapple\t3", "put\tdefault\ttab\ta\\tb", "delete\tdefault\tapple"],
            lines.Select(line => line.Split('\t', 3)[2]));
        Assert.Equal("apple", json[0].GetProperty("operations")[0].GetProperty("key").GetString());
        Assert.Equal(2, json[1].GetProperty("last").GetInt32());
        Assert.StartsWith("3\t", rest.Output, StringComparison.Ordinal);
        Assert.StartsWith("1\t", limited.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_time_to_live_is_shown_beside_the_value_and_not_in_it()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("column", "create", "shop", "sessions", "--expires");
        await SucceedAsync("changes", "enable", "shop");
        await SucceedAsync("put", "shop", "k", "v", "--column-family", "sessions", "--ttl", "1h");
        DateTime latest = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1).AddSeconds(1);

        string line = (await SucceedAsync("changes", "shop")).Output.Trim();
        JsonElement operation = (await SucceedAsync("changes", "shop", "--json")).JsonLines[0]
            .GetProperty("operations")[0];

        Assert.Equal("v", operation.GetProperty("value").GetString());
        DateTime expires = operation.GetProperty("expiresAt").GetDateTimeOffset().UtcDateTime;
        Assert.InRange(expires, latest.AddMinutes(-5), latest);
        Assert.EndsWith($"\tput\tsessions\tk\tv\texpires {expires:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}", line);
    }

    [Fact]
    public async Task Consumers_statistics_purge_and_validation_answer_in_both_forms()
    {
        await SucceedAsync("create", "shop");
        JsonElement on = (await SucceedAsync("changes", "enable", "shop", "--keep-files", "5", "--json")).Json;
        await SucceedAsync("put", "shop", "apple", "3");
        await SucceedAsync("changes", "consumers", "shop", "--create", "indexer");
        string position = (await SucceedAsync("changes", "shop", "--json")).JsonLines[0]
            .GetProperty("position").GetString()!;
        JsonElement consumers = (await SucceedAsync(
            "changes", "consumers", "shop", "--acknowledge", "indexer", "--position", position, "--json")).Json;
        CliResult stats = await SucceedAsync("changes", "stats", "shop");
        CliResult refused = await RunAsync("changes", "purge", "shop", "--older-than", "1d");
        JsonElement purged = (await SucceedAsync(
            "changes", "purge", "shop", "--older-than", "1d", "--yes", "--json")).Json;
        JsonElement off = (await SucceedAsync("changes", "disable", "shop", "--json")).Json;

        Assert.Equal(5, on.GetProperty("policy").GetProperty("keepFiles").GetInt32());
        Assert.Equal(1, consumers[0].GetProperty("acknowledged").GetInt32());
        Assert.Contains("1 to 1", stats.Output, StringComparison.Ordinal);
        Assert.Contains("indexer", stats.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, refused.ExitCode);
        Assert.Equal(0, purged.GetProperty("files").GetInt32());
        Assert.False(off.GetProperty("isOn").GetBoolean());
    }

    [Fact]
    public async Task A_damaged_log_is_told_with_its_place_and_read_across_only_on_request()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("changes", "enable", "shop");
        foreach (string key in (string[])["a", "b", "c"])
        {
            await SucceedAsync("put", "shop", key, new string('x', 100));
        }

        string file = Directory.GetFiles(
            Path.Combine(Data, "databases", "shop", "changes"), "*.log", SearchOption.AllDirectories).Single();
        byte[] bytes = await File.ReadAllBytesAsync(file);
        int second = bytes.AsSpan().IndexOf("bdxxxx"u8); // The key, its value's length (100), and the value.
        bytes[second + 3] ^= 1;
        await File.WriteAllBytesAsync(file, bytes);

        CliResult validated = await RunAsync("changes", "validate", "shop");
        CliResult read = await RunAsync("changes", "shop");
        CliResult across = await SucceedAsync("changes", "shop", "--across-damage");

        Assert.Equal(ExitCode.Failed, validated.ExitCode);
        Assert.Contains("changes 2 to 2 are lost", validated.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, read.ExitCode);
        Assert.Contains("sequences 2 to 2 cannot be read", read.Error, StringComparison.Ordinal);
        Assert.Contains("2-2\t", across.Output, StringComparison.Ordinal);
        Assert.Contains("gap\tdamaged", across.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("changes shop --from 1 --since 1h")]
    [InlineData("changes shop --from nothing")]
    [InlineData("changes shop --since yesterday")]
    [InlineData("changes consumers shop --create a --remove b")]
    [InlineData("changes consumers shop --acknowledge a")]
    [InlineData("changes enable shop --rotate-size off")]
    [InlineData("changes enable shop --keep-files 0")]
    public async Task What_is_asked_for_wrongly_is_refused_as_usage(string line)
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("changes", "enable", "shop");

        CliResult result = await RunAsync(line.Split(' '));

        Assert.Equal(ExitCode.Usage, result.ExitCode);
    }
}
