using Branching.ClientApp.Shell.Editing;

namespace Branching.ClientApp.Tests.Shell;

public sealed class LineEditorTests
{
    private readonly ShellHistory _history = new();

    [Fact]
    public async Task A_typed_line_is_shown_and_answered()
    {
        var console = new FakeConsole();

        (LineEnd end, string line) = await ReadAsync(console.Type("get apple").Press(ConsoleKey.Enter));

        Assert.Equal((LineEnd.Entered, "get apple"), (end, line));
        Assert.Equal("> get apple", console.Rows[0]);
        Assert.Equal(1, console.Cursor.Row);
    }

    [Fact]
    public async Task Cursor_keys_move_and_signs_go_in_where_the_cursor_is()
    {
        FakeConsole console = new FakeConsole().Type("gt")
            .Press(ConsoleKey.LeftArrow).Type("e")
            .Press(ConsoleKey.Home).Type("(")
            .Press(ConsoleKey.End).Type(")")
            .Press(ConsoleKey.LeftArrow, ConsoleKey.LeftArrow, ConsoleKey.Backspace, ConsoleKey.Delete)
            .Press(ConsoleKey.Enter);

        Assert.Equal("(g)", (await ReadAsync(console)).Line);
        Assert.Equal("> (g)", console.Rows[0]);
    }

    [Fact]
    public async Task Words_are_jumped_over_cut_and_put_back()
    {
        FakeConsole console = new FakeConsole().Type("put apple 3")
            .Control(ConsoleKey.LeftArrow).Control(ConsoleKey.LeftArrow).Type("big-")
            .Control(ConsoleKey.E).Control(ConsoleKey.W)
            .Control(ConsoleKey.A).Control(ConsoleKey.Y).Type(" ")
            .Control(ConsoleKey.K)
            .Press(ConsoleKey.Enter);

        Assert.Equal("3 ", (await ReadAsync(console)).Line);
    }

    [Fact]
    public async Task A_line_longer_than_the_terminal_goes_over_rows_and_shrinks_again()
    {
        var console = new FakeConsole(width: 10);
        console.Type("0123456789abcdef");
        for (int i = 0; i < 12; i++)
        {
            console.Press(ConsoleKey.LeftArrow);
        }

        console.Type("X").Control(ConsoleKey.K).Press(ConsoleKey.Enter);

        Assert.Equal("0123X", (await ReadAsync(console)).Line);
        Assert.Equal("> 0123X", console.Rows[0]);
        Assert.All(console.Rows.Skip(1), row => Assert.Equal("", row));
    }

    [Fact]
    public async Task A_line_that_fills_the_row_to_its_end_keeps_the_cursor_on_the_next()
    {
        var console = new FakeConsole(width: 10);

        await ReadAsync(console.Type("01234567").Press(ConsoleKey.Enter));

        Assert.Equal("> 01234567", console.Rows[0]);
        Assert.Equal((2, 0), console.Cursor);
    }

    [Fact]
    public async Task A_sign_of_several_characters_is_one_sign()
    {
        FakeConsole console = new FakeConsole().Type("a").Type("e\u0301").Type("\U0001F600")
            .Press(ConsoleKey.LeftArrow, ConsoleKey.Backspace, ConsoleKey.Enter);

        Assert.Equal("a\U0001F600", (await ReadAsync(console)).Line);
    }

    [Fact]
    public async Task Former_lines_come_back_and_the_own_line_is_kept()
    {
        _history.Add("first");
        _history.Add("second");
        FakeConsole console = new FakeConsole().Type("own")
            .Press(ConsoleKey.UpArrow, ConsoleKey.UpArrow, ConsoleKey.UpArrow).Type("!")
            .Press(ConsoleKey.Enter);
        FakeConsole back = new FakeConsole().Type("own")
            .Press(ConsoleKey.UpArrow, ConsoleKey.DownArrow, ConsoleKey.DownArrow, ConsoleKey.Enter);

        Assert.Equal("first!", (await ReadAsync(console)).Line);
        Assert.Equal("own", (await ReadAsync(back)).Line);
    }

    [Fact]
    public async Task Ctrl_C_gives_the_line_up_and_Ctrl_D_ends_only_an_empty_one()
    {
        Assert.Equal(LineEnd.GivenUp, (await ReadAsync(new FakeConsole().Type("x").Control(ConsoleKey.C))).End);
        Assert.Equal(LineEnd.Closed, (await ReadAsync(new FakeConsole().Control(ConsoleKey.D))).End);
        Assert.Equal("b", (await ReadAsync(new FakeConsole().Type("ab").Press(ConsoleKey.Home)
            .Control(ConsoleKey.D).Press(ConsoleKey.Enter))).Line);
    }

    [Fact]
    public async Task Tab_puts_the_only_candidate_in_with_a_blank()
    {
        FakeConsole console = new FakeConsole().Type("ba")
            .Press(ConsoleKey.Tab).Type("x").Press(ConsoleKey.Enter);

        Assert.Equal("banana x", (await ReadAsync(console, "apple", "banana")).Line);
    }

    [Fact]
    public async Task Tab_extends_to_what_candidates_share_and_then_lists_them()
    {
        FakeConsole console = new FakeConsole().Type("br")
            .Press(ConsoleKey.Tab, ConsoleKey.Tab).Type("e").Press(ConsoleKey.Enter);

        Assert.Equal("branche", (await ReadAsync(console, "branch", "branches", "begin")).Line);
        Assert.Equal(["> branch", "branch    branches", "> branche"], console.Rows.Take(3));
    }

    [Fact]
    public async Task Tab_without_a_candidate_changes_nothing()
    {
        FakeConsole console = new FakeConsole().Type("q").Press(ConsoleKey.Tab, ConsoleKey.Enter);

        Assert.Equal("q", (await ReadAsync(console, "apple")).Line);
    }

    private Task<(LineEnd End, string Line)> ReadAsync(FakeConsole console, params string[] words)
        => new LineEditor(console, _history, (line, cursor, _) =>
        {
            int start = line.LastIndexOf(' ', Math.Max(0, cursor - 1)) + 1;
            string typed = line[start..cursor];
            return Task.FromResult(new Completion(start, cursor - start,
                [.. words.Where(word => word.StartsWith(typed, StringComparison.Ordinal))]));
        }).ReadAsync("> ", CancellationToken.None);
}
