using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Branching.ClientApp.Tests;

public sealed class BulkImportTests : CliTest
{
    [Fact]
    public async Task A_bulk_import_loads_what_a_plain_one_does_and_later_lines_win()
    {
        await SucceedAsync("create", "plain");
        await SucceedAsync("create", "bulk");
        await SucceedAsync("put", "bulk", "42", "older");
        StringBuilder text = new();
        for (int i = 0; i < 60_000; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{i * 7919 % 50_000}\t{i} padded to make several parts\n");
        }

        string file = WriteFile("in.tsv", text.ToString());
        await SucceedAsync("import", "plain", file);
        JsonElement answer = (await SucceedAsync("import", "bulk", file, "--bulk", "--json")).Json;
        await SucceedAsync("put", "bulk", "later", "1");
        await SucceedAsync("delete", "bulk", "later");

        Assert.Equal(60_000, answer.GetProperty("records").GetInt32());
        Assert.True(answer.GetProperty("bulk").GetBoolean());
        Assert.Equal((await SucceedAsync("scan", "plain")).Output,
            (await SucceedAsync("scan", "bulk")).Output);
    }

    [Fact]
    public async Task A_bulk_import_goes_into_a_branch_and_a_column_family_and_no_other_branch_sees_it()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("branch", "create", "shop", "topic");
        string file = WriteFile("in.tsv", "b\t2\na\t1\n");

        await SucceedAsync("import", "shop", file, "--bulk", "-b", "topic", "--column-family", "users", "--create");
        await SucceedAsync("branch", "create", "shop", "child", "--from", "topic");

        Assert.Equal("a\t1\nb\t2\n",
            (await SucceedAsync("scan", "shop", "-b", "child", "--column-family", "users")).Output);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop", "-b", "topic")).Output);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Fact]
    public async Task A_bulk_import_of_a_malformed_file_or_of_nothing_changes_nothing()
    {
        await SucceedAsync("create", "shop");

        CliResult malformed = await RunAsync("import", "shop", WriteFile("bad.ndjson", "{\"id\":1}\n{\"id\":\n"),
            "--key", "id", "--bulk");
        CliResult empty = await SucceedAsync("import", "shop", WriteFile("empty.tsv", ""), "--bulk");

        Assert.Equal(ExitCode.Malformed, malformed.ExitCode);
        Assert.Contains("nothing was imported", malformed.Error, StringComparison.Ordinal);
        Assert.StartsWith("imported 0 records", empty.Output, StringComparison.Ordinal);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Fact]
    public async Task A_branch_with_a_change_log_refuses_a_bulk_import_with_what_to_do()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("changes", "enable", "shop");
        string file = WriteFile("in.tsv", "a\t1\n");

        CliResult refused = await RunAsync("import", "shop", file, "--bulk");

        Assert.Equal(ExitCode.Precondition, refused.ExitCode);
        Assert.Contains("keeps a change log", refused.Error, StringComparison.Ordinal);
        Assert.Contains("hint: import without --bulk", refused.Error, StringComparison.Ordinal);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
        await SucceedAsync("import", "shop", file);
        Assert.Equal("1\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Fact]
    public async Task An_interrupted_bulk_import_leaves_nothing_and_can_be_repeated()
    {
        await SucceedAsync("create", "shop");
        string value = new('v', 10_000);
        string file = WriteFile(
            "in.tsv", string.Concat(Enumerable.Range(0, 2000).Select(i => $"key{i:D4}\t{value}\n")));
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
            ["import", "shop", file, "--bulk", "--data", Data], host, interruption.Token);

        Assert.Equal(ExitCode.Interrupted, exitCode);
        Assert.EndsWith(
            "error: interrupted; nothing was imported\nhint: running the same import again is safe\n",
            error.ToString(), StringComparison.Ordinal);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
        await SucceedAsync("import", "shop", file, "--bulk");
        Assert.Equal("2000\n", (await SucceedAsync("count", "shop")).Output);
    }

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
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref _ticks, 10 * TimeSpan.TicksPerSecond);
    }
}
