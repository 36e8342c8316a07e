using System.Globalization;

namespace Branching.Grains;

/// <summary>What the schedule knows of the past.</summary>
/// <param name="SinceAt">When the schedule began: when this node came to own the database, or the policy was
/// set.</param>
/// <param name="LastSuccessAt">When the last good run began.</param>
/// <param name="LastTryAt">When the last run of any outcome ended.</param>
/// <param name="ConsecutiveFailures">Runs that failed since then.</param>
/// <param name="LastVerifiedAt">When a snapshot was last verified.</param>
/// <param name="LastCollectedAt">When garbage was last collected.</param>
/// <param name="BytesSinceSnapshot">Bytes written since the last good run began.</param>
/// <param name="OldestNewBranchAt">When the oldest durable branch without a snapshot was made, if there is
/// one.</param>
internal readonly record struct ScheduleState(
    DateTimeOffset SinceAt,
    DateTimeOffset? LastSuccessAt,
    DateTimeOffset? LastTryAt,
    int ConsecutiveFailures,
    DateTimeOffset? LastVerifiedAt,
    DateTimeOffset? LastCollectedAt,
    long BytesSinceSnapshot,
    DateTimeOffset? OldestNewBranchAt = null);

/// <summary>What is due.</summary>
/// <param name="Kind">What to run.</param>
/// <param name="Trigger">Why.</param>
internal readonly record struct DueRun(OperationKind Kind, string Trigger);

/// <summary>
/// Says when runs are due. Decides from times alone, so that a missed tick is made up for once, not once for each.
/// </summary>
/// <param name="database">The database's name; it decides the jitter.</param>
/// <param name="policy">What is wanted.</param>
/// <param name="firstAfter">How long a new branch may wait for its first snapshot.</param>
internal sealed class SnapshotSchedule(string database, SnapshotPolicy policy, TimeSpan firstAfter)
{
    /// <summary>A run is overdue when it has not succeeded for so many intervals.</summary>
    public const int OverdueAfterIntervals = 2;

    private static readonly TimeSpan _firstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _longestRetry = TimeSpan.FromMinutes(5);

    /// <summary>A part of the interval, up to a tenth, that differs between databases and never for one: databases with
    /// the same policy do not all begin in the same second.</summary>
    public TimeSpan Jitter { get; } = policy.Every is { } every
        ? every * (0.1 * (StableHash(database) % 1000) / 1000)
        : TimeSpan.Zero;

    /// <summary>When the next snapshot is due by time; null: never.</summary>
    public DateTimeOffset? NextDueAt(in ScheduleState state) =>
        policy.Every is { } every ? (state.LastSuccessAt ?? state.SinceAt) + every + Jitter : null;

    /// <summary>When to try again after a failure: doubling from 1 s to 5 min; null: the last run did not
    /// fail.</summary>
    public static DateTimeOffset? RetryAt(in ScheduleState state) =>
        state.ConsecutiveFailures == 0 || state.LastTryAt is not { } last
            ? null
            : last + TimeSpan.FromTicks(Math.Min(
                _longestRetry.Ticks, _firstRetry.Ticks << Math.Min(state.ConsecutiveFailures - 1, 20)));

    /// <summary>What is due now, if anything: a snapshot before a verification before a collection.</summary>
    public DueRun? Due(in ScheduleState state, DateTimeOffset now)
    {
        if (state.ConsecutiveFailures > 0 && RetryAt(state) is { } retry)
        {
            return now >= retry ? new DueRun(OperationKind.Take, "retry") : null;
        }

        if (NextDueAt(state) is { } due && now >= due)
        {
            return new DueRun(OperationKind.Take, "schedule");
        }

        if (policy.EveryBytes is { } bytes && state.BytesSinceSnapshot >= bytes)
        {
            return new DueRun(OperationKind.Take, "bytes");
        }

        bool wanted = policy.Every is not null || policy.EveryBytes is not null;
        if (wanted && state.OldestNewBranchAt is { } made && now >= made + firstAfter)
        {
            return new DueRun(OperationKind.Take, "new-branch");
        }

        if (state.LastSuccessAt is null)
        {
            return null;
        }

        if (policy.VerifyEvery is { } verify && now >= (state.LastVerifiedAt ?? state.SinceAt) + verify)
        {
            return new DueRun(OperationKind.Verify, "schedule");
        }

        return policy.CollectEvery is { } collect && now >= (state.LastCollectedAt ?? state.SinceAt) + collect
            ? new DueRun(OperationKind.Collect, "schedule")
            : null;
    }

    /// <summary>What is not as the policy wants it, each a sentence with what to do.</summary>
    public IEnumerable<string> Problems(ScheduleState state, DateTimeOffset now, string? lastFailure)
    {
        bool wanted = policy.Every is not null || policy.EveryBytes is not null;
        if (state.LastSuccessAt is null)
        {
            yield return wanted
                ? "No snapshot was ever taken: nothing of this database survives its node yet."
                : "No snapshot was ever taken and no schedule is set: nothing of this database survives its node. " +
                    "Take one, or set a schedule.";
        }

        if (policy.Every is { } every
            && now - (state.LastSuccessAt ?? state.SinceAt) > every * OverdueAfterIntervals + Jitter)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"Snapshots are overdue: one is wanted every {every}, the last good one began " +
                $"{(state.LastSuccessAt is { } at ? $"at {at.UtcDateTime:u}" : "never")}.");
        }

        if (state.ConsecutiveFailures > 0)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"The last {state.ConsecutiveFailures} runs failed; the next try is at " +
                $"{RetryAt(state)?.UtcDateTime:u}. The last failure: {lastFailure}");
        }
    }

    // Not string.GetHashCode: that differs from process to process.
    private static uint StableHash(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 16777619;
        }

        return hash;
    }
}
