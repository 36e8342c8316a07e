using System.Text;
using Branching.ClientApp.Shell;

namespace Branching.ClientApp.Tests.Shell;

public sealed class PagedOutputTests : IDisposable
{
    private readonly MemoryStream _output = new();
    private bool _stopped;

    public void Dispose() => _output.Dispose();

    [Fact]
    public void A_short_result_asks_nothing()
    {
        Write(new FakeConsole(height: 5), "1\n2\n3\n");

        Assert.Equal("1\n2\n3\n", Shown);
    }

    [Fact]
    public void After_a_screenful_a_blank_shows_the_next_and_Enter_one_line()
    {
        FakeConsole console = new FakeConsole(height: 3).Type(" ").Press(ConsoleKey.Enter).Type("q");

        Write(console, "1\n2\n3\n4\n5\n6\n7\n");

        Assert.Equal("1\n2\n3\n4\n5\n", Shown);
        Assert.Equal(0, console.KeysLeft);
        Assert.True(_stopped);
    }

    [Fact]
    public void Asked_for_all_it_asks_no_more()
    {
        Write(new FakeConsole(height: 2).Type("a"), "1\n2\n3\n4\n5\n");

        Assert.Equal("1\n2\n3\n4\n5\n", Shown);
        Assert.False(_stopped);
    }

    [Fact]
    public void A_line_wider_than_the_terminal_counts_as_the_rows_it_takes()
    {
        FakeConsole console = new FakeConsole(width: 4, height: 4).Type("q");

        Write(console, "0123456789\nnext\n");

        Assert.Equal("0123456789\n", Shown);
        Assert.Equal(0, console.KeysLeft);
    }

    [Fact]
    public void Ctrl_C_at_the_question_stops()
    {
        Write(new FakeConsole(height: 2).Control(ConsoleKey.C), "1\n2\n");

        Assert.Equal("1\n", Shown);
        Assert.True(_stopped);
    }

    private string Shown => Encoding.UTF8.GetString(_output.ToArray());

    private void Write(FakeConsole console, string text)
    {
        using var paged = new PagedOutput(_output, console, () => _stopped = true, CancellationToken.None);
        paged.Write(Encoding.UTF8.GetBytes(text));
    }
}
