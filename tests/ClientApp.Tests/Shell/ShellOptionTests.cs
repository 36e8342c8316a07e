namespace Branching.ClientApp.Tests.Shell;

/// <summary>Options inside the shell: those that it passes on, puts in, and tells of.</summary>
public sealed class ShellOptionTests : CliTest
{
    [Fact]
    public async Task A_shell_passes_its_directory_of_backups_to_its_commands()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "--backups", Path.Combine(Scratch, "backups"), "-c", "backup create; backups --json");
        CliResult other = await RunAsync("shell", "shop", "-c", "backups --backups=elsewhere");

        Assert.Contains("made backup 1 of", result.Output, StringComparison.Ordinal);
        Assert.Contains("\"backup\": 1", result.Output, StringComparison.Ordinal);
        Assert.Contains("--backups cannot change inside the shell", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_only_shell_lets_through_what_only_reads_because_of_its_options()
    {
        await SucceedAsync("create", "shop");
        await SucceedAsync("changes", "enable", "shop");
        string[] directories =
            ["--backups", Path.Combine(Scratch, "backups"), "--shared-storage", Path.Combine(Scratch, "shared")];
        string restored = Path.Combine(Scratch, "restored");
        await SucceedAsync(
            ["shell", "shop", .. directories, "-c", $"snapshot take; backup create; backup restore --to {restored}"]);

        CliResult result = await SucceedAsync(
        [
            "shell", "shop", "--read-only", .. directories, "-c",
            $"changes consumers; gc --dry-run; backup restore --to {restored} --verify-only; "
            + $"backup export --output {Path.Combine(Scratch, "shop.tar")}",
        ]);

        Assert.Contains("would delete 0 snapshots and 0 files", result.Output, StringComparison.Ordinal);
        Assert.Contains("0 differences; nothing was changed", result.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Scratch, "shop.tar")));
    }

    [Fact]
    public async Task A_mistyped_option_is_never_stored_as_a_value()
    {
        await SucceedAsync("create", "shop");

        CliResult typo = await RunAsync("shell", "shop", "-c", "put typo --if-absnt");
        CliResult meant = await SucceedAsync(
            "shell", "shop", "-c", "put text -- --text; put number -5; get text; get number");

        Assert.Equal(ExitCode.Usage, typo.ExitCode);
        Assert.Contains("'--if-absnt' is no option of put", typo.Error, StringComparison.Ordinal);
        Assert.Contains("help put lists the options", typo.Error, StringComparison.Ordinal);
        Assert.Equal("--text\n-5\n", meant.Output);
        Assert.Equal("2\n", (await SucceedAsync("count", "shop")).Output);
    }

    [Theory]
    [InlineData("-btopic2")]
    [InlineData("-b topic2")]
    [InlineData("-qb topic2")]
    [InlineData("--branch=topic2")]
    [InlineData("--branch:topic2")]
    public async Task A_branch_is_named_in_any_way_that_options_are_written(string written)
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c", $"put a 1; branch create topic2; put a 2 {written}; get a; get a {written}");

        Assert.EndsWith("1\n2\n", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shell_leaves_what_was_deleted_wherever_the_options_stand()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await SucceedAsync(
            "shell", "shop", "-c", "branch create topic; branch topic; branch delete --yes topic; put a 1; get a");
        CliResult dropped = await RunAsync("shell", "shop", "-c", "drop --yes shop; branch");

        Assert.EndsWith("1\n", result.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, dropped.ExitCode);
        Assert.Contains("no database is in use", dropped.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("schedule show", "open another shell with --shared-storage DIR")]
    [InlineData("snapshot take", "open another shell with --shared-storage DIR")]
    [InlineData("backup list", "open another shell with --backups DIR")]
    [InlineData("put a", "help put")]
    [InlineData("branch create", "help branch create")]
    [InlineData("get b --column-family sessions", "scan --column-family sessions --limit 10")]
    [InlineData("take b --column-family sessions", "scan --column-family sessions --limit 10")]
    [InlineData("put -- --a 2 --if-absent", "help put")]
    [InlineData("put --if-absent -- --a 2", "get -- --a")]
    [InlineData("get a --column-family none", "column create makes one; those that are there: column list")]
    [InlineData("column clear -- sessions", "column clear --yes -- sessions")]
    public async Task Advice_inside_the_shell_is_what_can_be_typed_there(string command, string hint)
    {
        await SucceedAsync("create", "shop");

        CliResult result = await RunAsync(
            "shell", "shop", "-c", $"column create sessions; put -- --a 1; {command}");

        Assert.NotEqual(ExitCode.Ok, result.ExitCode);
        Assert.EndsWith($"{hint}\n", result.Error, StringComparison.Ordinal);
    }
}
