using System.Globalization;

namespace Branching.Grains.Tests;

public sealed class RetentionRuleTests
{
    private static readonly DateTimeOffset _monday = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static RetentionCandidate[] Every(TimeSpan step, int count, string store = "s") =>
        [.. Enumerable.Range(0, count).Select(i => new RetentionCandidate(
            string.Create(CultureInfo.InvariantCulture, $"{store}{i}"), store, (ulong)i, _monday + step * i, false,
            false))];

    private static string[] Kept(SnapshotPolicy policy, IEnumerable<RetentionCandidate> candidates) =>
        [.. RetentionRule.Decide(policy, candidates).Where(one => one.IsKept).Select(one => one.Id)
            .Order(StringComparer.Ordinal)];

    [Fact]
    public void Only_the_last_ones_stay_when_only_a_count_is_given()
        => Assert.Equal(["s7", "s8", "s9"], Kept(new SnapshotPolicy(KeepLast: 3), Every(TimeSpan.FromHours(1), 10)));

    [Fact]
    public void The_newest_stays_even_when_nothing_should_be_kept()
        => Assert.Equal(["s9"], Kept(new SnapshotPolicy(KeepLast: 0), Every(TimeSpan.FromHours(1), 10)));

    [Fact]
    public void Of_each_hour_day_and_week_the_newest_stays()
    {
        // Three weeks, one every six hours: the last is on a Sunday at 18:00.
        RetentionCandidate[] all = Every(TimeSpan.FromHours(6), 3 * 7 * 4);

        Assert.Equal(["s82", "s83"], Kept(new SnapshotPolicy(KeepLast: 1, KeepHourly: 2), all));
        Assert.Equal(["s75", "s79", "s83"], Kept(new SnapshotPolicy(KeepLast: 1, KeepDaily: 3), all));
        Assert.Equal(["s27", "s55", "s83"], Kept(new SnapshotPolicy(KeepLast: 1, KeepWeekly: 9), all));
    }

    [Fact]
    public void An_hour_without_a_snapshot_takes_no_place()
        => Assert.Equal(
            ["s0", "s1", "s2"], Kept(new SnapshotPolicy(KeepLast: 1, KeepHourly: 3), Every(TimeSpan.FromDays(40), 3)));

    [Fact]
    public void A_pinned_one_and_the_last_verified_one_stay()
    {
        RetentionCandidate[] all = Every(TimeSpan.FromHours(1), 10);
        all[2] = all[2] with { IsPinned = true };
        all[3] = all[3] with { IsVerifiedGood = true };
        all[5] = all[5] with { IsVerifiedGood = true };

        Assert.Equal(["s2", "s5", "s9"], Kept(new SnapshotPolicy(KeepLast: 1), all));
    }

    [Fact]
    public void Each_store_is_judged_by_itself()
        => Assert.Equal(
            ["a3", "b1"],
            Kept(
                new SnapshotPolicy(KeepLast: 1),
                [.. Every(TimeSpan.FromHours(1), 4, "a"), .. Every(TimeSpan.FromHours(1), 2, "b")]));

    [Fact]
    public void A_decision_repeated_on_what_it_left_changes_nothing_and_order_does_not_matter()
    {
        int seed = Environment.GetEnvironmentVariable("BRANCHING_SEED") is { } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : 20_240_101;
        Random random = new(seed);
        for (int round = 0; round < 200; round++)
        {
            RetentionCandidate[] all = Every(TimeSpan.FromMinutes(random.Next(1, 3000)), random.Next(1, 60));
            for (int i = 0; i < all.Length; i++)
            {
                all[i] = all[i] with { IsPinned = random.Next(10) == 0, IsVerifiedGood = random.Next(6) == 0 };
            }

            SnapshotPolicy policy = new(
                KeepLast: random.Next(1, 5), KeepHourly: random.Next(5), KeepDaily: random.Next(5),
                KeepWeekly: random.Next(5));
            string[] first = Kept(policy, all);
            RetentionCandidate[] left = [.. all.Where(one => first.Contains(one.Id))];
            random.Shuffle(left);

            Assert.True(first.SequenceEqual(Kept(policy, left)), $"seed {seed}, round {round}: {policy}");
            Assert.All(
                all.Where(one => one.IsPinned), one => Assert.True(first.Contains(one.Id), $"seed {seed}: {one}"));
        }
    }
}
