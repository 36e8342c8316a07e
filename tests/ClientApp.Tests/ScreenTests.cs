using System.Text;
using System.Text.RegularExpressions;
using Branching.ClientApp.Terminal;

namespace Branching.ClientApp.Tests;

public sealed partial class ScreenTests
{
    private const string LongName = "review/2026/prices-of-the-autumn-collection";

    private static readonly string[] _columns = ["NAME", ">AT SEQUENCE", "CREATED", "LABELS"];

    private static readonly string[][] _rows =
        [["main", "", "2026-11-21 15:25:01Z", ""], [LongName, "1,000,000", "2026-11-21 15:25:28Z", "owner=ada"]];

    [Fact]
    public void A_table_that_fits_the_terminal_is_drawn_with_borders()
    {
        string[] lines = Draw(terminalWidth: 100);

        Assert.StartsWith("╭", lines[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.Contains(LongName, StringComparison.Ordinal));
        Assert.All(lines, line => Assert.True(line.Length <= 100, line));
    }

    [Fact]
    public void On_a_narrow_terminal_a_row_stands_below_its_name_and_nothing_is_cut()
    {
        string[] lines = Draw(terminalWidth: 60);

        Assert.Equal(
            [
                "main", "  created      2026-11-21 15:25:01Z",
                LongName, "  at sequence  1,000,000", "  created      2026-11-21 15:25:28Z",
                "  labels       owner=ada",
            ],
            lines);
    }

    [Fact]
    public void Without_a_terminal_a_table_is_plain_aligned_text_of_any_width()
    {
        string[] lines = Draw(terminalWidth: null);

        Assert.Equal($"{"NAME".PadRight(LongName.Length)}  AT SEQUENCE  CREATED               LABELS", lines[0]);
        Assert.Equal(3, lines.Length);
    }

    private static string[] Draw(int? terminalWidth)
    {
        using var output = new MemoryStream();
        using (var host = new CommandHost
        {
            Input = Stream.Null,
            Output = output,
            Error = TextWriter.Null,
            OutputIsTerminal = terminalWidth is not null,
            TerminalWidth = terminalWidth,
        })
        {
            new Screen(host).Table(_columns, _rows);
        }

        string text = Styles().Replace(Encoding.UTF8.GetString(output.ToArray()), "");
        return [.. text.TrimEnd().Split('\n').Select(line => line.TrimEnd())];
    }

    [GeneratedRegex("\x1b\\[[0-9;]*m", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Styles();
}
