using System.CommandLine;
using Branching.ClientApp.Shell;
using Branching.ClientApp.Shell.Editing;
using Branching.Grains;

namespace Branching.ClientApp.Tests.Shell;

public sealed class ShellCompleterTests : IDisposable
{
    private readonly CommandHost _host = new()
    {
        Input = Stream.Null,
        Output = Stream.Null,
        Error = TextWriter.Null,
    };

    private readonly ShellState _state = new(
        null!, null!, new ShellOptions([], ReadOnly: false, Yes: false, ContinueOnError: false));

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("ge", "get")]
    [InlineData("comm", "commit")]
    [InlineData("bra", "branch branches")]
    [InlineData("get a; cou", "count")]
    [InlineData("get a;", "use")]
    [InlineData("branch ", "create delete list main show topic topic/deep tree")]
    [InlineData("branch t", "topic topic/deep tree")]
    [InlineData("branch show to", "topic topic/deep")]
    [InlineData("branch delete ", "main topic topic/deep")]
    [InlineData("scan --branch ", "main topic topic/deep")]
    [InlineData("scan -b top", "topic topic/deep")]
    [InlineData("branch create x --from m", "main")]
    [InlineData("scan --from m", "")]
    [InlineData("changes --from t", "")]
    [InlineData("clear --yes --from m", "")]
    [InlineData("get k --column-family ", "default users")]
    [InlineData("column clear us", "users")]
    [InlineData("column d", "drop")]
    [InlineData("scan --pre", "--prefix")]
    [InlineData("use s", "shop stock")]
    [InlineData("use stock/", "stock/main stock/topic stock/topic/deep")]
    [InlineData("help sca", "scan")]
    [InlineData("drop st", "stock")]
    [InlineData("get app", "")]
    [InlineData("serv", "")]
    [InlineData("nonsense --x", "")]
    public async Task Tab_offers_what_can_stand_there(string line, string expected)
    {
        _state.GoTo("shop", "main");

        Completion found = await CompleteAsync(line);

        if (line == "get a;")
        {
            Assert.Contains(expected, found.Candidates);
            return;
        }

        Assert.Equal(expected, string.Join(' ', found.Candidates));
    }

    [Fact]
    public async Task A_candidate_takes_the_place_of_the_word_that_the_cursor_is_in()
    {
        _state.GoTo("shop", "main");

        Completion found = await CompleteAsync("branch show top");

        Assert.Equal((12, 3), (found.Start, found.Length));
    }

    [Fact]
    public async Task Without_a_database_in_use_nothing_of_one_is_offered()
    {
        Assert.Empty((await CompleteAsync("scan --branch ")).Candidates);
        Assert.Equal(["shop", "stock"], (await CompleteAsync("use ")).Candidates);
    }

    [Fact]
    public async Task Names_that_cannot_be_had_are_left_out()
    {
        _state.GoTo("gone", "main");

        Assert.Empty((await CompleteAsync("scan --branch ")).Candidates);
    }

    private Task<Completion> CompleteAsync(string line)
    {
        RootCommand root = CommandLine.CreateRoot(_host);
        return new ShellCompleter(_state, root, new Names()).CompleteAsync(
            line, line.Length, CancellationToken.None);
    }

    private sealed class Names : IShellNames
    {
        public Task<IReadOnlyList<string>> DatabasesAsync(CancellationToken cancellationToken)
            => Task.FromResult<IReadOnlyList<string>>(["stock", "shop"]);

        public Task<IReadOnlyList<string>> BranchesAsync(string database, CancellationToken cancellationToken)
            => database == "gone"
                ? throw new BranchingException(FailureKind.DatabaseNotFound, "There is no such database.")
                : Task.FromResult<IReadOnlyList<string>>(["main", "topic", "topic/deep"]);

        public Task<IReadOnlyList<string>> ColumnFamiliesAsync(CancellationToken cancellationToken)
            => Task.FromResult<IReadOnlyList<string>>(["default", "users"]);
    }
}
