namespace Branching.ClientApp.Tests.Documents;

public sealed class ShownTextTests
{
    [Theory]
    [InlineData("a\nb", "a\nb\n", true)]
    [InlineData("a", "a\nb\n", false)]
    [InlineData("a\nb", "a\n", false)]
    [InlineData("in <time>, done", "in 3.1 ms, done\n", true)]
    [InlineData("in <time>, done", "in , done\n", false)]
    [InlineData("in <time>", "in 1\n2\n", false)]
    [InlineData("a\n...\nz", "a\nb\nc\nz\n", true)]
    [InlineData("a\n...\nz", "a\nb\n", false)]
    [InlineData("(a|b)", "a\n", false)]
    [InlineData("done", "taking a snapshot, sending b (2 of 2): 97 %, 1 KiB of 2 KiB, 38 B/s\ndone\n", true)]
    [InlineData("done", "imported 5 records (7 records/s)\ndone\n", false)]
    public void Placeholders_stand_for_anything_on_their_line_and_all_else_for_itself(
        string shown, string actual, bool matches)
    {
        Assert.Equal(matches, ShownText.Matches(shown.Split('\n'), actual));
    }

    [Fact]
    public void The_shell_of_the_documents_knows_quotes_comments_and_exit_codes()
    {
        ShellLine line = DocumentShell.Parse("branching put shop 'a b' \"\"   # exit 4");

        Assert.Equal(4, line.ExitCode);
        Assert.Equal(["branching", "put", "shop", "a b", ""], DocumentShell.Words(line.Text));
    }
}
