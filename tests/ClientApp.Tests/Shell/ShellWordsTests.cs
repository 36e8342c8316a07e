using System.Globalization;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Shell;

namespace Branching.ClientApp.Tests.Shell;

public sealed class ShellWordsTests
{
    [Theory]
    [InlineData("get apple", "get|apple")]
    [InlineData("  get   apple  ", "get|apple")]
    [InlineData("put 'two words' \"and more\"", "put|two words|and more")]
    [InlineData("put a''b ''", "put|ab|")]
    [InlineData("put 'a\\n' \"a\\n\" a\\tb", "put|a\\n|a\n|a\tb")]
    [InlineData("put \\ \\; \\# \\\" \\' \\\\", "put| ;|#|\"|'|\\")]
    [InlineData("put a#b # a comment; get x", "put|a#b")]
    [InlineData("get a; get b;; get c", "get|a||get|b||get|c")]
    [InlineData("get a\nget b # more\nget c", "get|a||get|b||get|c")]
    [InlineData("put ';' \"#\"", "put|;|#")]
    [InlineData("", "")]
    [InlineData(" ; ;", "")]
    public void A_line_is_split_at_blanks_and_semicolons_outside_of_quotes(string line, string expected)
    {
        ShellText text = ShellWords.Parse(line);

        Assert.Null(text.Problem);
        Assert.Equal(
            expected,
            string.Join("||", text.Commands.Select(words => string.Join('|', words.Select(word => word.Text)))));
    }

    [Theory]
    [InlineData("get 'apple", 5, "a quote is not closed")]
    [InlineData("get \"a\\q\"", 7, "'\\q' is no escape")]
    [InlineData("get \\xg1", 5, "'\\x' is no escape")]
    [InlineData("get a\\", 6, "nothing follows the backslash")]
    public void What_cannot_be_read_is_told_with_its_column(string line, int column, string message)
    {
        ShellText text = ShellWords.Parse(line);

        Assert.Equal(new ShellProblem(message, column), text.Problem);
    }

    [Fact]
    public void Escapes_stand_for_any_bytes()
    {
        string word = Assert.Single(ShellWords.Parse("\\0\\xff\"\\xC3\\xA9é\\x41\"").Commands)[0].Text;

        Assert.Equal([0x00, 0xFF, 0xC3, 0xA9, 0xC3, 0xA9, 0x41], RawText.ToBytes(word));
    }

    [Fact]
    public void Signs_beyond_the_basic_plane_are_no_escaped_bytes()
    {
        const string Word = "a\U0001F600\U0001FCFFz";

        Assert.Equal(System.Text.Encoding.UTF8.GetBytes(Word), RawText.ToBytes(Word));
    }

    [Fact]
    public void A_quoted_word_is_read_back_as_it_was()
    {
        string? seed = Environment.GetEnvironmentVariable("BRANCHING_SEED");
        var random = new Random(seed is null ? 4711 : int.Parse(seed, CultureInfo.InvariantCulture));
        const string Signs = "ab \t\n\r\0\"'\\;#-é\u0007";
        for (int round = 0; round < 2000; round++)
        {
            string word = string.Concat(Enumerable.Range(0, random.Next(0, 12)).Select(_ => random.Next(8) == 0
                ? (char)(0xDC80 + random.Next(128))
                : Signs[random.Next(Signs.Length)]));

            ShellText text = ShellWords.Parse(ShellWords.Quote(word));

            Assert.True(text.Problem is null, $"{ShellWords.Quote(word)}: {text.Problem}");
            Assert.Equal(word, Assert.Single(Assert.Single(text.Commands)).Text);
        }
    }

    [Fact]
    public void A_text_is_unfinished_only_while_a_quote_is_open()
    {
        Assert.True(ShellWords.IsUnfinished("put a 'b"));
        Assert.True(ShellWords.IsUnfinished("put a \"b\\\""));
        Assert.False(ShellWords.IsUnfinished("put a 'b'"));
        Assert.False(ShellWords.IsUnfinished("put a \\q"));
    }
}
