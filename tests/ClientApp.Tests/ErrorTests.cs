using System.CommandLine;
using System.Text.Json;
using Branching.ClientApp.Commands;
using Branching.Grains;

namespace Branching.ClientApp.Tests;

public sealed class ErrorTests : CliTest
{
    public static TheoryData<string, int, string, string> Cases => new()
    {
        { "get shop", ExitCode.Usage, "Required argument missing", "branching get --help" },
        { "frobnicate", ExitCode.Usage, "frobnicate", "branching --help" },
        { "scan shop --limit 0", ExitCode.Usage, "--limit must be 1 or more", "branching scan --help" },
        { "scan shop --limit x", ExitCode.Usage, "--limit takes a whole number, not 'x'", "branching scan --help" },
        { "scan shop --offset 1.5", ExitCode.Usage, "--offset takes a whole number, not '1.5'", "scan --help" },
        { "changes shop --limit x", ExitCode.Usage, "--limit takes a whole number, not 'x'", "changes --help" },
        { "changes purge shop --through -1", ExitCode.Usage, "a whole number from 0 to", "changes purge --help" },
        { "schedule set shop --keep-last 9999999999", ExitCode.Usage, "from -2147483648 to", "schedule set --help" },
        { "schedule set shop --verify-kind x", ExitCode.Usage, "one of checksums, opened, not 'x'", "set --help" },
        { "export shop --format 1", ExitCode.Usage, "--format takes one of tsv, ndjson, csv, not '1'", "--help" },
        { "backup verify shop one", ExitCode.Usage, "BACKUP takes a whole number, not 'one'", "verify --help" },
        { "backup purge shop --keep all", ExitCode.Usage, "--keep takes a whole number", "backup purge --help" },
        { "databases --shared-storage ", ExitCode.Usage, "--shared-storage takes the name", "databases --help" },
        { "get shop k --cluster ", ExitCode.Usage, "--cluster takes", "branching get --help" },
        { "export shop ", ExitCode.Usage, "FILE takes the name of a file", "branching export --help" },
        { "put shop k --file ", ExitCode.Usage, "--file takes the name of a file", "branching put --help" },
        { "scan shop --prefix a --from b", ExitCode.Usage, "--prefix excludes", "prefix" },
        { "create Shop!", ExitCode.Usage, "Shop!", "my-shop.2" },
        { "create shop", ExitCode.Precondition, "shop", "branching stats shop" },
        { "get nowhere k", ExitCode.NotFound, "nowhere", "branching databases" },
        { "get shop k --branch nowhere", ExitCode.NotFound, "nowhere", "branching branch list shop" },
        { "get shop nokey", ExitCode.NotFound, "has no key 'nokey'", "branching scan shop" },
        { "get shop k --column-family nope", ExitCode.NotFound, "nope", "branching column list shop" },
        { "branch create shop x --from nowhere", ExitCode.NotFound, "nowhere", "branching branch list shop" },
        { "branch create shop ../x", ExitCode.Usage, "../x", "feature/search" },
        { "branch create shop taken", ExitCode.Precondition, "taken", "branching branch list shop" },
        { "branch create shop y --label z", ExitCode.Usage, "not NAME=VALUE", "--label owner=ada" },
        { "branch delete shop taken", ExitCode.Refused, "Nobody can be", "branching branch delete shop taken --yes" },
        { "drop shop", ExitCode.Refused, "Nobody can be asked", "branching drop shop --yes" },
        { "put shop k", ExitCode.Usage, "no value was given", "branching put --help" },
        { "put shop k v --file x", ExitCode.Usage, "given twice", "branching put --help" },
        { "put shop k --if-absnt", ExitCode.Usage, "'--if-absnt' is no option of put", "-- --if-absnt" },
        { "get shop --hx", ExitCode.Usage, "'--hx' is no option of get", "branching get --help" },
        { "merge shop k --if-presnt", ExitCode.Usage, "'--if-presnt' is no option", "-- --if-presnt" },
        { "exists shop k --hx", ExitCode.Usage, "'--hx' is no option of exists", "-- --hx" },
        { "branch create shop --lable", ExitCode.Usage, "'--lable' is no option of create", "-- --lable" },
        { "put shop k v --if-value --x", ExitCode.Usage, "--if-value needs a value", "--if-value=--x" },
        { "get shop k --column-family --branch x", ExitCode.Usage, "'--branch' looks like an option", "=--branch" },
        { "put shop --hex xyz 00", ExitCode.Usage, "not hexadecimal", "6b6579" },
        { "put shop --hex --base64 00 00", ExitCode.Usage, "exclude each other", "leave one" },
        { "import shop nofile.tsv", ExitCode.NotFound, "no file 'nofile.tsv'", "check the path" },
        { "import shop nofile", ExitCode.Usage, "does not tell its format", "--format" },
        { "import shop -", ExitCode.Usage, "does not tell its format", "--format" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_mistake_is_answered_in_one_line_with_a_hint_and_its_exit_code(
        string line, int exitCode, string message, string hint)
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("branch", "create", "shop", "taken");

        CliResult result = await RunAsync(line.Split(' '));
        CliResult json = await RunAsync([.. line.Split(' '), "--json"]);

        Assert.Equal(exitCode, result.ExitCode);
        string[] lines = result.Error.TrimEnd().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.StartsWith("error: ", lines[0], StringComparison.Ordinal);
        Assert.Contains(message, lines[0], StringComparison.Ordinal);
        Assert.StartsWith("hint: ", lines[1], StringComparison.Ordinal);
        Assert.Contains(hint, lines[1], StringComparison.Ordinal);
        Assert.Empty(result.OutputBytes);
        if (!line.StartsWith("get shop nokey", StringComparison.Ordinal))
        {
            JsonElement error = JsonDocument.Parse(json.Error).RootElement.GetProperty("error");
            Assert.Equal(exitCode, error.GetProperty("exitCode").GetInt32());
        }
    }

    [Fact]
    public async Task A_data_directory_that_does_not_exist_is_not_created_by_reading()
    {
        CliResult result = await RunAsync("get", "shop", "k");

        Assert.Equal(ExitCode.NotFound, result.ExitCode);
        Assert.Contains("no data directory", result.Error, StringComparison.Ordinal);
        Assert.Contains($"hint: branching create shop --data {Data}", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task A_value_that_looks_like_an_option_is_given_behind_a_separator_or_an_equals_sign()
    {
        await SucceedAsync("create", "shop");

        await SucceedAsync("put", "--data", Data, "shop", "--", "--key", "--text");
        await SucceedAsync("put", "--data", Data, "--if-value=--text", "shop", "--", "--key", "-5");
        await SucceedAsync("put", "shop", "number", "-5");
        await RunWithInputAsync("piped"u8.ToArray(), "put", "shop", "file", "--file", "-");
        CliResult refused = await RunAsync("put", "--data", Data, "shop", "--if-absent", "--", "--key", "1");

        Assert.Equal("--key\t-5\nfile\tpiped\nnumber\t-5\n", (await SucceedAsync("scan", "shop")).Output);
        Assert.Contains(
            $"hint: branching get shop --branch main --data {Data} -- --key\n",
            refused.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_in_a_change_log_is_told_with_the_option_that_reads_across_it()
    {
        using var host = new CommandHost { Input = Stream.Null, Output = Stream.Null, Error = TextWriter.Null };
        RootCommand root = CommandLine.CreateRoot(host);
        var changes = new Invocation(host, CommandLine.Parse(root, ["changes", "shop"]));
        var damaged = new BranchingException(
            FailureKind.Corruption, "Nothing was passed over; ask to read across damage to go on behind it.");
        var other = new BranchingException(FailureKind.Corruption, "The catalog is damaged.");

        Assert.Equal(
            "to go on behind the damage: branching changes shop --across-damage",
            Failures.Describe(damaged, changes)!.Hint);
        Assert.Null(Failures.Describe(other, changes)!.Hint);
    }

    [Fact]
    public async Task A_data_directory_in_use_is_told_as_busy()
    {
        await SucceedAsync("create", "shop");
        await using ISession holder = await Sessions.ConnectAsync(
            new SessionTarget(Data, null), CancellationToken.None);

        CliResult result = await RunAsync("get", "shop", "k");

        Assert.Equal(ExitCode.Busy, result.ExitCode);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_failure_has_an_exit_code()
    {
        int[] known =
        [
            ExitCode.Failed, ExitCode.Usage, ExitCode.NotFound, ExitCode.Precondition, ExitCode.Busy,
            ExitCode.Malformed,
        ];

        Assert.All(Enum.GetValues<FailureKind>(), kind => Assert.Contains(Failures.ExitCodeOf(kind), known));
        Assert.Equal(ExitCode.NotFound, Failures.ExitCodeOf(FailureKind.BranchNotFound));
        Assert.Equal(ExitCode.Precondition, Failures.ExitCodeOf(FailureKind.BranchExists));
        Assert.Equal(ExitCode.Failed, Failures.ExitCodeOf(FailureKind.Corruption));
    }

    [Fact]
    public async Task The_help_of_every_command_ends_in_examples_that_parse()
    {
        using var host = new CommandHost { Input = Stream.Null, Output = Stream.Null, Error = TextWriter.Null };
        RootCommand root = CommandLine.CreateRoot(host);
        List<Command> commands = [];
        Collect(root, commands);

        Assert.True(commands.Count >= 49, $"{commands.Count} commands");
        foreach (Command command in commands)
        {
            CliResult help = await SucceedAsync([.. PathOf(command), "--help"]);
            Assert.Contains("Examples:\n  ", help.Output, StringComparison.Ordinal);
            foreach (string example in ((ExampledCommand)command).Examples)
            {
                string[] words = example.Split('|').Last(part => part.Contains("branching ", StringComparison.Ordinal))
                    .Split('>')[0].Split('\'')
                    .SelectMany((part, i) => i % 2 == 1 // What stands in quotes is one word.
                        ? [part]
                        : part.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                    .ToArray();
                ParseResult parsed = root.Parse(words[1..]);
                Assert.True(parsed.Errors.Count == 0, $"{example}: {string.Join("; ", parsed.Errors)}");
                Assert.StartsWith(
                    string.Join(' ', PathOf(command)),
                    string.Join(' ', words[1..]),
                    StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task The_list_of_commands_shows_no_argument_as_required_that_is_not()
    {
        CliResult all = await SucceedAsync("--help");
        CliResult one = await SucceedAsync("export", "--help");

        Assert.Contains("  put <DATABASE> <KEY>  ", all.Output, StringComparison.Ordinal);
        Assert.Contains("  import <DATABASE> <FILE>  ", all.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("export <DATABASE> <FILE>", all.Output, StringComparison.Ordinal);
        Assert.Contains("<FILE>", one.Output, StringComparison.Ordinal);
    }

    private static void Collect(Command command, List<Command> commands)
    {
        foreach (Command child in command.Subcommands.Where(child => !child.Hidden))
        {
            commands.Add(child);
            Collect(child, commands);
        }
    }

    private static string[] PathOf(Command command)
        => command is RootCommand
            ? []
            : [.. PathOf(command.Parents.OfType<Command>().Single()), command.Name];
}
