namespace Branching.Grains.Interfaces.Tests;

public sealed class KeyTests
{
    [Theory]
    [InlineData("61", "61", "62")]
    [InlineData("61FF", "61FF", "62")]
    [InlineData("61FFFF", "61FFFF", "62")]
    [InlineData("00", "00", "01")]
    [InlineData("FF", "FF", "")]
    [InlineData("FFFF", "FFFF", "")]
    [InlineData("", "", "")]
    public void A_prefix_ends_before_the_first_key_that_does_not_begin_with_it(string prefix, string from, string to)
    {
        KeyRange range = KeyRange.Prefix(Convert.FromHexString(prefix));

        Assert.Equal(from, Convert.ToHexString(range.From.Span));
        Assert.Equal(to, Convert.ToHexString(range.To.Span));
        Assert.False(range.FromExclusive || range.ToInclusive);
    }

    [Fact]
    public void A_prefix_does_not_change_the_bytes_it_was_made_from()
    {
        byte[] prefix = [1, 2];

        _ = KeyRange.Prefix(prefix);

        Assert.Equal([1, 2], prefix);
    }

    [Theory]
    [InlineData("db/branch", "db", "branch")]
    [InlineData("db/a/b/c", "db", "a/b/c")]
    [InlineData("/branch", "", "branch")]
    [InlineData("db/", "db", "")]
    public void A_branch_key_splits_at_its_first_slash_and_joins_again(string key, string database, string branch)
    {
        Assert.True(BranchKey.TryParse(key, out BranchKey parsed));

        Assert.Equal(new BranchKey(database, branch), parsed);
        Assert.Equal(key, parsed.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("db")]
    public void A_text_without_a_slash_is_no_branch_key(string? key) => Assert.False(BranchKey.TryParse(key, out _));
}
