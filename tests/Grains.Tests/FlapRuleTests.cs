namespace Branching.Grains.Tests;

public sealed class FlapRuleTests
{
    private static readonly DateTimeOffset _now = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly FailoverOptions _options = new()
    {
        MaxFailovers = 2,
        FlapWindow = TimeSpan.FromMinutes(10),
        FirstRetry = TimeSpan.FromSeconds(1),
        LongestRetry = TimeSpan.FromSeconds(10),
    };

    [Fact]
    public void A_database_is_held_after_too_many_failovers_within_the_window_and_not_after_old_ones()
    {
        DateTimeOffset recent = _now - TimeSpan.FromMinutes(9);
        DateTimeOffset old = _now - TimeSpan.FromMinutes(11);

        Assert.Null(FlapRule.HeldBecause(_options, [], _now));
        Assert.Null(FlapRule.HeldBecause(_options, [recent, old, old, old], _now));
        Assert.Contains(
            "2 times", FlapRule.HeldBecause(_options, [recent, recent, old], _now), StringComparison.Ordinal);
    }

    [Fact]
    public void The_wait_between_tries_doubles_up_to_the_longest()
        => Assert.Equal(
            [1, 2, 4, 8, 10, 10],
            new[] { 1, 2, 3, 4, 5, 500 }.Select(tries => FlapRule.Delay(_options, tries).TotalSeconds));

    [Fact]
    public void Options_whose_first_wait_is_longer_than_the_longest_are_refused()
        => Assert.True(new FailoverOptionsRules().Validate(null, new FailoverOptions
        {
            FirstRetry = TimeSpan.FromMinutes(2),
        }).Failed);
}
