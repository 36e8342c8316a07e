using System.CommandLine;
using System.Text;
using System.Text.Json;
using Branching.ClientApp.Shell;
using Branching.Grains;
using Branching.Silo;

namespace Branching.ClientApp.Tests.Shell;

public sealed class ShellTests : CliTest
{
    [Fact]
    public async Task Commands_act_on_the_database_and_branch_in_use()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c",
            "put apple 3; branch create topic; branch topic; put apple 4; get apple; use shop; get apple; count");

        Assert.Contains("created branch topic from main at sequence 1", result.Output, StringComparison.Ordinal);
        Assert.EndsWith("4\n3\n1\n", result.Output, StringComparison.Ordinal);
        Assert.Equal("4\n", (await SucceedAsync("get", "shop", "apple", "--branch", "topic")).Output);
    }

    [Fact]
    public async Task A_branch_created_inside_a_branch_begins_there()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c",
            "branch create topic; branch topic; put apple 4; branch create deep; use shop/deep; get apple");

        Assert.Contains("created branch deep from topic", result.Output, StringComparison.Ordinal);
        Assert.EndsWith("4\n", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_are_typed_as_scan_shows_them()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c", "put '\"\\' \"a b\\n\"; put \\0\\xff \"\\xca\\xfe\"; get \\0\\xff; scan");

        Assert.Equal("\\xca\\xfe\n\\0\\xff\t\\xca\\xfe\n\"\\\\\ta b\\n\n", result.Output);
    }

    [Fact]
    public async Task Keys_with_an_at_sign_are_keys()
    {
        await SucceedAsync("create", "shop");

        Assert.Equal("1\n", (await SucceedAsync("shell", "shop", "-c", "put @a 1; get @a")).Output);
        Assert.Equal("1\n", (await SucceedAsync("get", "shop", "@a")).Output);
    }

    [Fact]
    public async Task A_script_runs_without_prompts_and_ends_as_its_first_failure()
    {
        await SucceedAsync("create", "shop");
        byte[] script = Encoding.UTF8.GetBytes(
            "use shop\n# a comment\nput apple 3; put pear 'two\nlines'\nget pear\nget plum\nput plum 1\n");

        CliResult stopped = await RunWithInputAsync(script, "shell");
        CliResult through = await RunWithInputAsync(script, "shell", "--continue-on-error");

        Assert.Equal(ExitCode.NotFound, stopped.ExitCode);
        Assert.Equal("two\nlines\n", stopped.Output);
        Assert.DoesNotContain("\x1b", stopped.Output + stopped.Error, StringComparison.Ordinal);
        Assert.Contains("no key 'plum'", stopped.Error, StringComparison.Ordinal);
        Assert.Contains("hint: scan --limit 10\n", stopped.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.NotFound, through.ExitCode);
        Assert.Equal("1\n", (await SucceedAsync("get", "shop", "plum")).Output);
    }

    [Fact]
    public async Task A_line_that_cannot_be_read_is_told_with_its_place_and_not_run()
    {
        await SucceedAsync("create", "shop");

        CliResult script = await RunWithInputAsync(Encoding.UTF8.GetBytes("use shop\n\nput a \\q\n"), "shell");
        CliResult given = await RunAsync("shell", "shop", "-c", "put a 1; put b 'x");

        Assert.Equal(ExitCode.Usage, script.ExitCode);
        Assert.Contains("line 3, column 7: '\\q' is no escape", script.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, given.ExitCode);
        Assert.Contains("column 16: a quote is not closed", given.Error, StringComparison.Ordinal);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Fact]
    public async Task A_read_only_shell_refuses_whatever_may_change_something()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");
        string[] changing =
        [
            "put apple 4", "delete apple", "remove apple", "branch create topic", "clear --yes", "begin", "compact",
            "drop shop --yes", "column create x", "import x.tsv", "create other", "column drop x --yes",
            "put evil --dry-run", "put evil -- --dry-run", "delete --dry-run", "column create --dry-run",
            "take -- --dry-run", "changes consumers --create --dry-run", "changes consumers --create x",
            "changes consumers --remove=x", "gc", "gc --dry-run=false", "gc -- --dry-run",
            "backup restore --to elsewhere",
        ];

        foreach (string command in changing)
        {
            CliResult refused = await RunAsync("shell", "shop", "--read-only", "-c", command);

            Assert.True(refused.ExitCode == ExitCode.Refused, $"{command}: {refused.ExitCode} {refused.Error}");
            Assert.Contains("this shell is read-only", refused.Error, StringComparison.Ordinal);
        }

        CliResult reading = await SucceedAsync(
            "shell", "shop", "--read-only", "-c", "get apple; count; query; branches --json; help put; stats");
        Assert.StartsWith("3\n1\napple\t3\n", reading.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_read_only_shell_knows_every_command_that_it_lets_through()
    {
        using var host = new CommandHost { Input = Stream.Null, Output = Stream.Null, Error = TextWriter.Null };
        RootCommand root = CommandLine.CreateRoot(host);
        string[] asking = [.. Leaves(root, "")
            .Where(leaf => leaf.Command.Options.Any(option => option.Name == "--yes")).Select(leaf => leaf.Path)];

        Assert.Contains("branch delete", asking);
        Assert.All(asking, path => Assert.False(
            ShellCatalog.OnlyReads(path, CommandLine.Parse(root, path.Split(' '))), $"{path} destroys something"));
    }

    [Fact]
    public async Task What_destroys_is_refused_without_a_terminal_unless_told_so()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");

        CliResult refused = await RunAsync("shell", "shop", "-c", "clear");
        CliResult cleared = await SucceedAsync("shell", "shop", "-c", "clear --yes; count");
        CliResult dropped = await SucceedAsync("shell", "shop", "--yes", "-c", "drop shop");

        Assert.Equal(ExitCode.Refused, refused.ExitCode);
        Assert.Contains("hint: clear --yes\n", refused.Error, StringComparison.Ordinal);
        Assert.Equal("removed 1 key\n0\n", cleared.Output);
        Assert.Equal("dropped database shop\n", dropped.Output);
    }

    [Fact]
    public async Task Column_families_are_made_listed_emptied_and_dropped()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "--yes", "-c",
            "column create prices; put a 1 --column-family prices; put b 2 --column-family prices; columns; "
            + "clear --column-family prices; count --column-family prices; column drop prices; columns --json");
        CliResult absent = await RunAsync("shell", "shop", "-c", "column clear nowhere --yes");

        Assert.Matches("created column family prices\nNAME +KEYS, ESTIMATED\ndefault +0\nprices +2\n", result.Output);
        Assert.Contains("removed 2 keys\n0\n", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\"prices\"", result.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.NotFound, absent.ExitCode);
    }

    [Fact]
    public async Task A_transaction_sees_its_own_writes_and_nobody_else_does_before_it_is_committed()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c",
            "begin; get apple; put apple 4; put pear 1 --if-absent; put pear 0 --append; delete plum; get apple; "
            + "commit; get apple; get pear");
        CliResult rolledBack = await SucceedAsync(
            "shell", "shop", "-c", "begin; put apple 9; rollback; get apple");

        Assert.Equal("3\n4\n4\n10\n", result.Output);
        Assert.Contains("committed 3 writes", result.Error, StringComparison.Ordinal);
        Assert.Equal("4\n", rolledBack.Output);
    }

    [Fact]
    public async Task A_condition_inside_a_transaction_holds_for_what_the_transaction_sees()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await RunAsync(
            "shell", "shop", "-c", "begin; put apple 1 --if-absent; put apple 2 --if-absent");

        Assert.Equal(ExitCode.Precondition, result.ExitCode);
        Assert.Contains("key 'apple' has a value already", result.Error, StringComparison.Ordinal);
        Assert.Contains("was not committed", result.Error, StringComparison.Ordinal);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Fact]
    public async Task A_transaction_whose_reads_have_changed_applies_nothing()
    {
        CliResult result = await RunBesideAsync(
            ["get apple", "put pear 1"],
            shop => shop.PutAsync("apple"u8.ToArray(), "4"u8.ToArray()).AsTask());

        Assert.Contains(
            "error: nothing was changed: key 'apple' was written after the transaction read it",
            result.Error, StringComparison.Ordinal);
        Assert.Contains("hint: begin it again", result.Error, StringComparison.Ordinal);
        Assert.Equal("apple\t4\n", (await SucceedAsync("scan", "shop")).Output);
    }

    [Fact]
    public async Task A_read_value_that_was_changed_and_changed_back_is_a_conflict()
    {
        CliResult result = await RunBesideAsync(
            ["get apple", "put pear 1"],
            async shop =>
            {
                await shop.PutAsync("apple"u8.ToArray(), "4"u8.ToArray());
                await shop.PutAsync("apple"u8.ToArray(), "3"u8.ToArray());
            });

        Assert.Contains(
            "key 'apple' was written after the transaction read it", result.Error, StringComparison.Ordinal);
        Assert.Equal("apple\t3\n", (await SucceedAsync("scan", "shop")).Output);
    }

    [Fact]
    public async Task A_condition_that_held_inside_a_transaction_must_hold_at_its_commit()
    {
        CliResult result = await RunBesideAsync(
            ["put pear 1 --if-absent"],
            async shop =>
            {
                await shop.PutAsync("pear"u8.ToArray(), "9"u8.ToArray());
                await shop.DeleteAsync("pear"u8.ToArray());
            });

        Assert.Contains(
            "key 'pear' was written after the transaction read it", result.Error, StringComparison.Ordinal);
        Assert.Equal("apple\t3\n", (await SucceedAsync("scan", "shop")).Output);
    }

    [Fact]
    public async Task Ranges_in_a_transaction_show_its_own_writes()
    {
        await SucceedAsync("create", "shop");
        foreach (string fruit in (string[])["apple", "melon", "pear"])
        {
            await SucceedAsync("put", "shop", fruit, "1");
        }

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c",
            "begin; put banana 2; delete melon; put pear + --append; scan; scan --reverse --limit 2 --keys-only; "
            + "query --prefix a; count; count --estimate --from b; scan --offset 1 --limit 1; rollback; count");
        CliResult some = await RunAsync("shell", "shop", "-c", "begin; delete melon; exists apple melon pear");

        Assert.Equal(
            "apple\t1\nbanana\t2\npear\t1+\npear\nbanana\napple\t1\n3\n2\nbanana\t2\n3\n", result.Output);
        Assert.Equal("apple\t1\nmelon\t-\npear\t1\n", some.Output);
    }

    [Theory]
    [InlineData("scan", "apple", "apple")]
    [InlineData("count --prefix b", "banana", "banana")]
    [InlineData("scan --limit 1", "aaa", "aaa")]
    [InlineData("exists kiwi", "kiwi", null)]
    [InlineData("scan --to b", "banana", "")]
    [InlineData("count --prefix b", "cherry", "")]
    public async Task A_key_written_into_a_range_that_a_transaction_read_is_a_conflict(
        string reading, string key, string? inRange)
    {
        CliResult result = await RunBesideAsync(
            [reading, "put pear 1"],
            shop => shop.PutAsync(System.Text.Encoding.UTF8.GetBytes(key), "4"u8.ToArray()).AsTask());

        string what = inRange is null ? "it" : "the range that it is in";
        string refusal = $"key '{key}' was written after the transaction read {what}";
        Assert.Equal(inRange?.Length != 0, result.Error.Contains(refusal, StringComparison.Ordinal));
        string all = (await SucceedAsync("scan", "shop")).Output;
        Assert.Equal(inRange?.Length == 0, all.Contains("pear\t1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Writes_to_keys_that_a_transaction_did_not_read_are_no_conflict()
    {
        CliResult result = await RunBesideAsync(
            ["get apple", "put pear 1", "delete kiwi"],
            async shop =>
            {
                await shop.PutAsync("pear"u8.ToArray(), "9"u8.ToArray());
                await shop.PutAsync("plum"u8.ToArray(), "2"u8.ToArray());
            });

        Assert.Contains("committed 2 writes", result.Error, StringComparison.Ordinal);
        Assert.Equal("apple\t3\npear\t1\nplum\t2\n", (await SucceedAsync("scan", "shop")).Output);
    }

    [Fact]
    public async Task A_transaction_whose_store_was_opened_again_ends_with_its_next_read_and_the_shell_goes_on()
    {
        CliResult result = await RunBesideAsync(
            ["get apple", "put pear 1"],
            async shop =>
            {
                await shop.DropAsync();
                await shop.CreateAsync(new CreateDatabaseRequest("test"));
                await shop.PutAsync("plum"u8.ToArray(), "7"u8.ToArray());
            },
            ["get plum", "get plum"]);

        Assert.Contains("The store was opened again", result.Error, StringComparison.Ordinal);
        Assert.Contains("7\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("no transaction", result.Error, StringComparison.Ordinal);
        Assert.Equal("plum\t7\n", (await SucceedAsync("scan", "shop")).Output);
    }

    [Fact]
    public async Task A_key_put_in_a_transaction_lives_as_long_as_it_was_given()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c",
            "column create sessions --expires; begin; put s1 Ada --column-family sessions --ttl 20m; "
            + "get s1 --column-family sessions; commit; get s1 --column-family sessions --ttl");

        Assert.EndsWith("Ada\nAda\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("expires in ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_that_is_left_open_is_rolled_back_and_said_so()
    {
        await SucceedAsync("create", "shop");

        CliResult open = await RunAsync("shell", "shop", "-c", "begin; put apple 1");
        CliResult other = await RunAsync("shell", "shop", "-c", "begin; take apple");
        CliResult size = await RunAsync("shell", "shop", "-c", "begin; size");
        CliResult life = await RunAsync("shell", "shop", "-c", "begin; get apple --ttl");
        CliResult none = await RunAsync("shell", "shop", "-c", "commit");

        Assert.Equal(ExitCode.Precondition, open.ExitCode);
        Assert.Contains("1 write was not committed", open.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, other.ExitCode);
        Assert.Contains("take does not belong to a transaction", other.Error, StringComparison.Ordinal);
        Assert.Contains("no rollback would take it back", other.Error, StringComparison.Ordinal);
        Assert.Contains("inside of it there are get, exists, scan, count", other.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, size.ExitCode);
        Assert.Contains("could not check what that shows", size.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, life.ExitCode);
        Assert.Contains("not known inside a transaction", life.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, none.ExitCode);
        Assert.Equal("0\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Fact]
    public async Task With_json_every_command_and_failure_answers_in_json()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await RunAsync("shell", "shop", "--json", "-c", "put a 1; begin; put b 2; commit; nonsense");

        JsonElement error = JsonDocument.Parse(result.Error).RootElement.GetProperty("error");
        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains("there is no command 'nonsense'", error.GetProperty("message").GetString());
        Assert.Contains("\"writes\": 1", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_done_inside_is_told_with_what_to_do()
    {
        await SucceedAsync("create", "shop");

        CliResult serve = await RunAsync("shell", "-c", "serve");
        CliResult moved = await RunAsync("shell", "-c", "databases --data /elsewhere");
        CliResult nothing = await RunAsync("shell", "-c", "get apple");
        CliResult absent = await RunAsync("shell", "-c", "use nowhere");
        CliResult near = await RunAsync("shell", "shop", "-c", "scann");
        CliResult input = await RunWithInputAsync("put a --file -\n"u8.ToArray(), "shell", "shop");

        Assert.Contains("'serve' does not run inside the shell", serve.Error, StringComparison.Ordinal);
        Assert.Contains("--data cannot change inside the shell", moved.Error, StringComparison.Ordinal);
        Assert.Contains("no database is in use", nothing.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.NotFound, absent.ExitCode);
        Assert.Contains("hint: databases\n", absent.Error, StringComparison.Ordinal);
        Assert.Contains("did you mean scan?", near.Error, StringComparison.Ordinal);
        Assert.Contains("standard input is the script itself", input.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_lists_the_commands_and_explains_each()
    {
        await SucceedAsync("create", "shop");

        CliResult all = await SucceedAsync("shell", "-c", "help");
        CliResult begin = await SucceedAsync("shell", "-c", "help begin");
        CliResult scan = await SucceedAsync("shell", "-c", "help query");
        CliResult version = await SucceedAsync("shell", "-c", "version");

        Assert.All(
            new[] { "use [DATABASE[/BRANCH]]", "commit", "scan", "column list|create|drop|clear", "remove" },
            word => Assert.Contains(word, all.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("serve", all.Output, StringComparison.Ordinal);
        Assert.StartsWith("begin\n", begin.Output, StringComparison.Ordinal);
        Assert.Contains("--prefix", scan.Output, StringComparison.Ordinal);
        Assert.StartsWith("branching ", version.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Somebody_at_a_terminal_gets_a_prompt_history_and_pages()
    {
        await SucceedAsync("create", "shop");
        FakeConsole console = new FakeConsole(width: 80, height: 4)
            .Type("put a 1; put b 2; put c 3; put d 4").Press(ConsoleKey.Enter)
            .Type("sca").Press(ConsoleKey.Tab, ConsoleKey.Enter).Type("q")
            .Type("begin").Press(ConsoleKey.Enter)
            .Type("get x").Control(ConsoleKey.C)
            .Type("nonsense").Press(ConsoleKey.Enter)
            .Control(ConsoleKey.D);

        CliResult result = await RunAtAsync(console, Sessions.ConnectAsync, "shell", "shop");

        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Equal("a\t1\nb\t2\nc\t3\n", result.Output);
        Assert.Contains("shop/main> scan", console.Show(), StringComparison.Ordinal);
        Assert.Contains("shop/main*> get x", console.Show(), StringComparison.Ordinal);
        Assert.Contains("there is no command 'nonsense'", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("interrupted", result.Error, StringComparison.Ordinal);
        Assert.Equal(
            ["put a 1; put b 2; put c 3; put d 4", "scan", "begin", "nonsense"],
            await File.ReadAllLinesAsync(Path.Combine(Scratch, "config", "branching", "history")));
    }

    private async Task<CliResult> RunAtAsync(
        FakeConsole console,
        Func<SessionTarget, CancellationToken, Task<ISession>> connect,
        params string[] arguments)
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter();
        using var host = new CommandHost
        {
            Input = Stream.Null,
            Output = output,
            Error = error,
            Terminal = console,
            Connect = connect,
            Variable = name => name == "XDG_CONFIG_HOME" ? Path.Combine(Scratch, "config") : null,
        };
        int exitCode = await CommandLine.RunAsync([.. arguments, "--data", Data], host);
        return new CliResult(exitCode, output.ToArray(), error.ToString());
    }

    private static IEnumerable<(Command Command, string Path)> Leaves(Command command, string path)
        => command.Subcommands.SelectMany(child => child.Subcommands.Count > 0
            ? Leaves(child, $"{path}{child.Name} ")
            : [(child, path + child.Name)]);

    private sealed class NodeSession(EmbeddedNode node) : ISession
    {
        public IGrainFactory Grains => node.Grains;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>A transaction of a shell on a database with one apple, while somebody else writes before its
    /// commit.</summary>
    private async Task<CliResult> RunBesideAsync(
        string[] inside, Func<IDatabaseGrain, Task> beside, params string[] after)
    {
        await SucceedAsync("create", "shop");
        await using EmbeddedNode node = await EmbeddedNode.StartAsync(Data);
        IDatabaseGrain shop = node.Grains.GetDatabase("shop");
        await shop.PutAsync("apple"u8.ToArray(), "3"u8.ToArray());
        FakeConsole console = new FakeConsole(width: 80).Type("begin").Press(ConsoleKey.Enter);
        foreach (string line in inside)
        {
            console.Type(line).Press(ConsoleKey.Enter);
        }

        console.Then(() => beside(shop));
        foreach (string line in after)
        {
            console.Type(line).Press(ConsoleKey.Enter);
        }

        console.Type("commit").Press(ConsoleKey.Enter).Control(ConsoleKey.D);
        return await RunAtAsync(
            console, (_, _) => Task.FromResult<ISession>(new NodeSession(node)), "shell", "shop");
    }
}
