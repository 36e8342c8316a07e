using System.Globalization;

namespace Branching.Grains.Tests;

public sealed class SnapshotScheduleTests
{
    private static readonly DateTimeOffset _start = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan _minute = TimeSpan.FromMinutes(1);
    private static readonly SnapshotPolicy _everyMinute = new(_minute);

    private static ScheduleState After(DateTimeOffset? success = null) =>
        new(_start, success, success, 0, null, null, 0);

    private static SnapshotSchedule Schedule(SnapshotPolicy policy, string database = "d") =>
        new(database, policy, TimeSpan.FromSeconds(5));

    [Fact]
    public void A_snapshot_is_due_one_interval_and_the_jitter_after_the_last()
    {
        SnapshotSchedule schedule = Schedule(_everyMinute);
        DateTimeOffset due = _start + _minute + schedule.Jitter;

        Assert.Null(schedule.Due(After(_start), due - TimeSpan.FromTicks(1)));
        Assert.Equal(new DueRun(OperationKind.Take, "schedule"), schedule.Due(After(_start), due));
        Assert.Equal(due, schedule.NextDueAt(After(_start)));
    }

    [Fact]
    public void The_jitter_is_at_most_a_tenth_and_differs_between_databases_but_not_between_times()
    {
        TimeSpan[] jitters = [.. Enumerable.Range(0, 100).Select(i =>
            Schedule(_everyMinute, string.Create(CultureInfo.InvariantCulture, $"d{i}")).Jitter)];

        Assert.All(jitters, jitter => Assert.InRange(jitter, TimeSpan.Zero, _minute / 10));
        Assert.True(jitters.Distinct().Count() > 50);
        Assert.Equal(Schedule(_everyMinute, "d7").Jitter, Schedule(_everyMinute, "d7").Jitter);
    }

    [Fact]
    public void Missed_ticks_are_made_up_for_once()
    {
        SnapshotSchedule schedule = Schedule(_everyMinute);
        DateTimeOffset late = _start + _minute * 10;

        Assert.NotNull(schedule.Due(After(_start), late));
        Assert.Null(schedule.Due(After(late), late + TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void A_snapshot_is_due_after_enough_bytes_and_soon_after_a_branch()
    {
        SnapshotSchedule schedule = Schedule(new SnapshotPolicy(_minute * 60, EveryBytes: 100));

        Assert.Null(schedule.Due(After(_start) with { BytesSinceSnapshot = 99 }, _start));
        Assert.Equal("bytes", schedule.Due(After(_start) with { BytesSinceSnapshot = 100 }, _start)?.Trigger);
        ScheduleState branched = After(_start) with { OldestNewBranchAt = _start };
        Assert.Null(schedule.Due(branched, _start + TimeSpan.FromSeconds(4)));
        Assert.Equal("new-branch", schedule.Due(branched, _start + TimeSpan.FromSeconds(5))?.Trigger);
    }

    [Fact]
    public void Nothing_is_due_by_itself_when_nothing_is_wanted()
    {
        ScheduleState state = After(_start) with { BytesSinceSnapshot = long.MaxValue, OldestNewBranchAt = _start };

        Assert.Null(Schedule(new SnapshotPolicy()).Due(state, _start + TimeSpan.FromDays(1000)));
    }

    [Fact]
    public void Failures_back_off_from_a_second_to_five_minutes_and_a_success_ends_that()
    {
        SnapshotSchedule schedule = Schedule(_everyMinute);
        ScheduleState failed = After(_start) with { LastTryAt = _start };

        Assert.Equal(
            [1, 2, 4, 8, 256, 300, 300],
            new[] { 1, 2, 3, 4, 9, 10, 1000 }.Select(failures =>
                (SnapshotSchedule.RetryAt(failed with { ConsecutiveFailures = failures })!.Value - _start)
                    .TotalSeconds));
        Assert.Null(schedule.Due(failed with { ConsecutiveFailures = 10 }, _start + _minute * 2));
        Assert.Equal(
            "retry", schedule.Due(failed with { ConsecutiveFailures = 1 }, _start + _minute * 2)?.Trigger);
        Assert.Null(SnapshotSchedule.RetryAt(failed));
    }

    [Fact]
    public void Verification_and_collection_wait_for_the_first_snapshot_and_then_have_their_own_times()
    {
        SnapshotSchedule schedule = Schedule(
            new SnapshotPolicy(VerifyEvery: _minute, CollectEvery: _minute * 2));

        Assert.Null(schedule.Due(After(), _start + _minute * 5));
        Assert.Equal(OperationKind.Verify, schedule.Due(After(_start), _start + _minute)?.Kind);
        ScheduleState verified = After(_start) with { LastVerifiedAt = _start + _minute * 2 };
        Assert.Equal(OperationKind.Collect, schedule.Due(verified, _start + _minute * 2)?.Kind);
        Assert.Null(schedule.Due(verified with { LastCollectedAt = _start + _minute * 2 }, _start + _minute * 2));
    }

    [Fact]
    public void Never_taken_overdue_and_failing_are_problems_and_a_kept_schedule_is_not()
    {
        SnapshotSchedule schedule = Schedule(_everyMinute);

        Assert.Empty(schedule.Problems(After(_start), _start + _minute, null));
        Assert.Contains(
            "ever taken", Assert.Single(schedule.Problems(After(), _start, null)), StringComparison.Ordinal);
        Assert.Contains(
            "overdue", Assert.Single(schedule.Problems(After(_start), _start + _minute * 3, null)),
            StringComparison.Ordinal);
        Assert.Contains(
            "disk on fire",
            Assert.Single(schedule.Problems(
                After(_start) with { ConsecutiveFailures = 2, LastTryAt = _start }, _start, "disk on fire")),
            StringComparison.Ordinal);
    }
}
