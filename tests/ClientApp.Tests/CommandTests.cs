using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Branching.ClientApp.Tests;

public sealed partial class CommandTests : CliTest
{
    [Fact]
    public async Task Databases_are_created_listed_and_dropped()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("create", "users");

        JsonElement listed = (await SucceedAsync("databases", "--json")).Json;
        CliResult dropped = await SucceedAsync("drop", "shop", "--yes");
        CliResult after = await SucceedAsync("databases");

        Assert.Equal(["shop", "users"], listed.EnumerateArray().Select(d => d.GetProperty("name").GetString()!));
        Assert.Equal("dropped database shop\n", dropped.Output);
        Assert.DoesNotContain("shop", after.Output, StringComparison.Ordinal);
        Assert.Contains("users", after.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Listing_databases_of_an_absent_directory_creates_nothing()
    {
        CliResult result = await SucceedAsync("databases", "--json");

        Assert.Equal(0, result.Json.GetArrayLength());
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task A_value_is_put_read_and_deleted_in_every_notation()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "three\nfour");
        await SucceedAsync("put", "shop", "--hex", "00ff", "cafe");

        CliResult text = await SucceedAsync("get", "shop", "apple");
        CliResult raw = await SucceedAsync("get", "shop", "AP8=", "--base64", "--raw");
        CliResult hex = await SucceedAsync("get", "shop", "--hex", "00ff");
        CliResult json = await SucceedAsync("get", "shop", "--base64", "AP8=", "--json");
        CliResult scan = await SucceedAsync("scan", "shop");
        await SucceedAsync("delete", "shop", "apple");
        CliResult absent = await RunAsync("get", "shop", "apple", "--json");

        Assert.Equal("three\nfour\n", text.Output);
        Assert.Equal([0xCA, 0xFE], raw.OutputBytes);
        Assert.Equal("cafe\n", hex.Output);
        Assert.Equal("yv4=", json.Json.GetProperty("value64").GetString());
        Assert.Equal("\\0\\xff\t\\xca\\xfe\napple\tthree\\nfour\n", scan.Output);
        Assert.Equal(ExitCode.NotFound, absent.ExitCode);
        Assert.False(absent.Json.GetProperty("found").GetBoolean());
    }

    [Fact]
    public async Task A_value_is_taken_from_a_file_or_from_standard_input()
    {
        await SucceedAsync("create", "shop");
        string file = WriteFile("value", "from a file");
        await SucceedAsync("put", "shop", "a", "--file", file);
        await RunWithInputAsync([1, 2, 3], "put", "shop", "b", "--file", "-");

        Assert.Equal("from a file\n", (await SucceedAsync("get", "shop", "a")).Output);
        Assert.Equal([1, 2, 3], (await SucceedAsync("get", "shop", "b", "--raw")).OutputBytes);
    }

    [Fact]
    public async Task A_write_with_a_condition_that_does_not_hold_changes_nothing_and_exits_with_4()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");

        CliResult absent = await RunAsync("put", "shop", "apple", "9", "--if-absent");
        CliResult other = await RunAsync("put", "shop", "apple", "9", "--if-value", "4");
        CliResult missing = await RunAsync("put", "shop", "pear", "9", "--if-present");
        CliResult deleted = await RunAsync("delete", "shop", "pear", "--if-present");
        await SucceedAsync("put", "shop", "apple", "5", "--if-value", "3");

        Assert.All([absent, other, missing, deleted], result => Assert.Equal(ExitCode.Precondition, result.ExitCode));
        Assert.Contains("key 'apple' has a value already", absent.Error, StringComparison.Ordinal);
        Assert.Equal("5\n", (await SucceedAsync("get", "shop", "apple")).Output);
    }

    [Fact]
    public async Task Scan_and_count_take_prefix_range_limit_and_direction()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("import", "shop", WriteFile("in.tsv", "a1\t1\na2\t2\nb1\t3\nb2\t4\n"));

        Assert.Equal("b1\t3\nb2\t4\n", (await SucceedAsync("scan", "shop", "--prefix", "b")).Output);
        Assert.Equal("b1\na2\n", (await SucceedAsync(
            "scan", "shop", "--from", "a2", "--to", "b2", "--reverse", "--keys-only")).Output);
        Assert.Equal("b2\t4\n", (await SucceedAsync("scan", "shop", "--limit", "1", "--reverse")).Output);
        Assert.Equal(["a1", "a2"], (await SucceedAsync("scan", "shop", "--limit", "2", "--json"))
            .JsonLines.Select(line => line.GetProperty("key").GetString()!));
        Assert.Equal("2\n", (await SucceedAsync("count", "shop", "--prefix", "a")).Output);
        Assert.Equal(4, (await SucceedAsync("count", "shop", "--json")).Json.GetProperty("count").GetInt64());
    }

    [Fact]
    public async Task Branches_are_isolated_listed_drawn_and_deleted()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");
        JsonElement created = (await SucceedAsync(
            "branch", "create", "shop", "topic", "--label", "owner=ada", "--json")).Json;
        await SucceedAsync("branch", "create", "shop", "topic/deep", "--from", "topic");
        await SucceedAsync("put", "shop", "apple", "4", "--branch", "topic");

        JsonElement tree = (await SucceedAsync("branch", "tree", "shop", "--json")).Json;
        JsonElement shown = (await SucceedAsync("branch", "show", "shop", "topic", "--json")).Json;
        CliResult drawn = await SucceedAsync("branch", "tree", "shop");
        await SucceedAsync("branch", "delete", "shop", "topic", "--yes");
        CliResult listed = await SucceedAsync("branch", "list", "shop");

        Assert.Equal("ada", created.GetProperty("labels").GetProperty("owner").GetString());
        Assert.Equal("main", created.GetProperty("parent").GetString());
        JsonElement topic = Assert.Single(tree.GetProperty("children").EnumerateArray());
        Assert.Equal("topic/deep", topic.GetProperty("children")[0].GetProperty("name").GetString());
        Assert.Equal("topic/deep", shown.GetProperty("children")[0].GetString());
        Assert.True(shown.GetProperty("size").GetProperty("files").GetInt32() > 0);
        Assert.Matches(
            @"main\n`-- topic at .* owner=ada\n    `-- topic/deep at ",
            drawn.Output.Replace(" \n", "\n", StringComparison.Ordinal));
        Assert.Equal("3\n", (await SucceedAsync("get", "shop", "apple", "--branch", "topic/deep")).Output);
        Assert.DoesNotContain(listed.Output.Split('\n'), line => line.StartsWith("topic ", StringComparison.Ordinal));
        Assert.Equal("3\n", (await SucceedAsync("get", "shop", "apple")).Output);
    }

    [Fact]
    public async Task Stats_show_a_store_and_the_nodes()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");

        JsonElement store = (await SucceedAsync("stats", "shop", "--json")).Json;
        JsonElement nodes = (await SucceedAsync("stats", "--json")).Json;
        CliResult people = await SucceedAsync("stats", "shop");

        Assert.Equal(1UL, store.GetProperty("figures").GetProperty("sequence").GetUInt64());
        Assert.Equal("default", store.GetProperty("columnFamilies")[0].GetString());
        Assert.Equal("shop", nodes[0].GetProperty("databases")[0].GetString());
        Assert.Contains("sequence", people.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_reopening_properties_and_what_is_open_are_shown()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");

        CliResult health = await SucceedAsync("health", "shop");
        JsonElement reopened = (await SucceedAsync("reopen", "shop", "--json")).Json;
        CliResult property = await SucceedAsync("property", "shop", "rocksdb.num-snapshots");
        CliResult open = await SucceedAsync("shell", "shop", "-c", "get apple; open");
        JsonElement figures = (await SucceedAsync("stats", "shop", "--json")).Json.GetProperty("figures");

        Assert.Equal("branch  main\nstate   healthy\n", health.Output);
        Assert.Equal("healthy", reopened.GetProperty("state").GetString());
        Assert.Equal(0, reopened.GetProperty("causes").GetArrayLength());
        Assert.Equal("0\n", property.Output);
        Assert.Matches("branch 'main' of database 'shop' .* healthy +0 ", open.Output);
        Assert.Equal(0, figures.GetProperty("snapshots").GetInt32());
        Assert.False(figures.GetProperty("writesStopped").GetBoolean());
    }

    [Theory]
    [InlineData("tsv")]
    [InlineData("ndjson")]
    [InlineData("csv")]
    public async Task An_export_imported_again_is_the_same(string format)
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "--hex", "00ff0a", "efbbbf0d0a2c22");
        await SucceedAsync("put", "shop", "plain", "text, \"quoted\"");
        string file = Path.Combine(Scratch, "out." + format);

        await SucceedAsync("export", "shop", file);
        await SucceedAsync("import", "copy", file, "--create");
        CliResult first = await SucceedAsync("export", "shop", "--format", format);
        CliResult second = await SucceedAsync("export", "copy", "--format", format);

        Assert.Equal(File.ReadAllBytes(file), first.OutputBytes);
        Assert.Equal(first.OutputBytes, second.OutputBytes);
        Assert.Equal("2\n", (await SucceedAsync("count", "copy")).Output);
        Assert.Equal(ExitCode.Precondition, (await RunAsync("export", "shop", file)).ExitCode);
        await SucceedAsync("export", "shop", file, "--force");
    }

    [Fact]
    public async Task A_malformed_import_changes_nothing_and_skip_bad_reports_what_it_skipped()
    {
        await SucceedAsync("create", "shop");
        string file = WriteFile("in.csv", "sku,name,price\na,Apple,3\nb,\"Pear,4\nc,Plum,5\nd,Fig\n");

        CliResult refused = await RunAsync("import", "shop", file, "--key", "sku");
        CliResult before = await SucceedAsync("count", "shop");
        JsonElement skipped = (await SucceedAsync("import", "shop", file, "--key", "sku", "--skip-bad", "--json")).Json;

        Assert.Equal(ExitCode.Malformed, refused.ExitCode);
        Assert.Contains("line 3, column 3", refused.Error, StringComparison.Ordinal);
        Assert.Contains("nothing was imported", refused.Error, StringComparison.Ordinal);
        Assert.Equal("0\n", before.Output);
        Assert.Equal(2, skipped.GetProperty("records").GetInt32());
        Assert.Equal(2, skipped.GetProperty("skipped").GetInt32());
        Assert.Equal(5, skipped.GetProperty("malformed")[1].GetProperty("line").GetInt32());
        Assert.Equal("{\"name\":\"Plum\",\"price\":\"5\"}\n", (await SucceedAsync("get", "shop", "c")).Output);
    }

    [Fact]
    public async Task Import_reads_standard_input_into_a_branch_and_a_column_family()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("branch", "create", "shop", "topic");
        byte[] input = Encoding.UTF8.GetBytes("{\"id\":1,\"n\":\"x\"}\n{\"id\":2,\"n\":\"y\"}\n");

        CliResult absent = await RunWithInputAsync(
            input, "import", "shop", "-", "-f", "ndjson", "-k", "id", "-b", "topic", "--column-family", "users");
        CliResult done = await RunWithInputAsync(
            input,
            "import", "shop", "-", "-f", "ndjson", "-k", "id", "-b", "topic", "--column-family", "users", "--create");

        Assert.Equal(ExitCode.NotFound, absent.ExitCode);
        Assert.True(done.ExitCode == 0, done.Error);
        Assert.Equal("{\"id\":2,\"n\":\"y\"}\n", (await SucceedAsync(
            "get", "shop", "2", "-b", "topic", "--column-family", "users")).Output);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop", "-b", "topic")).Output);
    }

    [Fact]
    public async Task A_later_line_wins_however_many_batches_lie_between()
    {
        await SucceedAsync("create", "shop");
        var text = new StringBuilder();
        for (int i = 0; i < 60_000; i++)
        {
            text.Append(i % 100).Append('\t').Append(i).Append(" padded to make several batches").Append('\n');
        }

        await SucceedAsync("import", "shop", WriteFile("in.tsv", text.ToString()));

        Assert.Equal("100\n", (await SucceedAsync("count", "shop")).Output);
        Assert.StartsWith("59942 ", (await SucceedAsync("get", "shop", "42")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_import_says_what_is_on_the_disk()
    {
        await SucceedAsync("create", "shop");
        string value = new('v', 10_000);
        string file = WriteFile(
            "in.tsv", string.Concat(Enumerable.Range(0, 4000).Select(i => $"key{i:D4}\t{value}\n")));
        using var interruption = new CancellationTokenSource();
        await using var error = new InterruptingWriter("importing", interruption);
        using var host = new CommandHost
        {
            Input = Stream.Null,
            Output = Stream.Null,
            Error = error,
            Variable = _ => null,
            Time = new HastyTime(),
        };

        int exitCode = await CommandLine.RunAsync(
            ["import", "shop", file, "--data", Data], host, interruption.Token);

        Assert.Equal(ExitCode.Interrupted, exitCode);
        Match told = Interruption().Match(error.ToString());
        Assert.True(told.Success, error.ToString());
        string records = told.Groups["records"].Value.Replace(",", "", StringComparison.Ordinal);
        Assert.Equal(records + "\n", (await SucceedAsync("count", "shop")).Output);
        await SucceedAsync("import", "shop", file);
        Assert.Equal("4000\n", (await SucceedAsync("count", "shop")).Output);
    }

    [GeneratedRegex(
        "error: interrupted; (?<records>[0-9,]+) records were written and are on the disk\n"
        + "hint: running the same import again completes it\n$",
        RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex Interruption();

    /// <summary>Ctrl-C at the first line that begins with a word.</summary>
    private sealed class InterruptingWriter(string word, CancellationTokenSource interruption) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.StartsWith(word, StringComparison.Ordinal) == true)
            {
                interruption.Cancel();
            }
        }
    }

    /// <summary>Ten seconds pass between two looks, so that all progress is told.</summary>
    private sealed class HastyTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref _now, 10 * TimeSpan.TicksPerSecond);
    }
}
