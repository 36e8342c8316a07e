using System.Globalization;

namespace Branching.Grains;

/// <summary>A snapshot as retention sees it.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Store">The store it was taken of: each store is judged by itself.</param>
/// <param name="Order">Its place among the snapshots of its store; a later one is greater.</param>
/// <param name="TakenAt">UTC.</param>
/// <param name="IsPinned">Something protects it.</param>
/// <param name="IsVerifiedGood">Its last verification found it good.</param>
internal readonly record struct RetentionCandidate(
    string Id, string Store, ulong Order, DateTimeOffset TakenAt, bool IsPinned, bool IsVerifiedGood);

/// <summary>What retention decides for one snapshot.</summary>
/// <param name="Id">The snapshot.</param>
/// <param name="KeptBecause">Why it stays; null: it goes.</param>
internal readonly record struct RetentionDecision(string Id, string? KeptBecause)
{
    public bool IsKept => KeptBecause is not null;
}

/// <summary>
/// Decides which snapshots stay: first by count, then the newest of each hour, day and week, and always what is pinned,
/// the newest of its store, and the last one of its store that was verified.
/// </summary>
/// <remarks>The same snapshots and policy give the same decision at any time: buckets come from when a snapshot was
/// taken, not from now, so a database at rest loses nothing by waiting.</remarks>
internal static class RetentionRule
{
    public static IReadOnlyList<RetentionDecision> Decide(
        SnapshotPolicy policy, IEnumerable<RetentionCandidate> candidates)
    {
        List<RetentionDecision> decisions = [];
        foreach (IGrouping<string, RetentionCandidate> store in
            candidates.GroupBy(one => one.Store, StringComparer.Ordinal))
        {
            RetentionCandidate[] newestFirst =
                [.. store.OrderByDescending(one => one.Order).ThenByDescending(one => one.TakenAt)];
            decisions.AddRange(DecideForStore(policy, newestFirst));
        }

        return decisions;
    }

    private static IEnumerable<RetentionDecision> DecideForStore(
        SnapshotPolicy policy, RetentionCandidate[] newestFirst)
    {
        Dictionary<string, string> kept = new(StringComparer.Ordinal);
        for (int i = 0; i < newestFirst.Length && i < Math.Max(1, policy.KeepLast); i++)
        {
            kept.TryAdd(newestFirst[i].Id, i == 0 ? "it is the newest" : $"it is one of the last {policy.KeepLast}");
        }

        KeepNewestOfEach(newestFirst, policy.KeepHourly, "hour", kept, static at => at.Ticks / TimeSpan.TicksPerHour);
        KeepNewestOfEach(newestFirst, policy.KeepDaily, "day", kept, static at => at.Ticks / TimeSpan.TicksPerDay);
        // Day 0 of the calendar, 0001-01-01, was a Monday, so whole weeks since then begin on Mondays.
        KeepNewestOfEach(
            newestFirst, policy.KeepWeekly, "week", kept, static at => at.Ticks / (7 * TimeSpan.TicksPerDay));
        foreach (RetentionCandidate one in newestFirst.Where(one => one.IsPinned))
        {
            kept.TryAdd(one.Id, "it is pinned");
        }

        int verified = Array.FindIndex(newestFirst, one => one.IsVerifiedGood);
        if (verified >= 0)
        {
            kept.TryAdd(newestFirst[verified].Id, "it is the last that was verified");
        }

        return newestFirst.Select(one => new RetentionDecision(one.Id, kept.GetValueOrDefault(one.Id)));
    }

    private static void KeepNewestOfEach(
        RetentionCandidate[] newestFirst,
        int count,
        string unit,
        Dictionary<string, string> kept,
        Func<DateTime, long> bucketOf)
    {
        HashSet<long> seen = [];
        foreach (RetentionCandidate one in newestFirst)
        {
            if (seen.Count >= count)
            {
                return;
            }

            if (seen.Add(bucketOf(one.TakenAt.UtcDateTime)))
            {
                kept.TryAdd(one.Id, string.Create(
                    CultureInfo.InvariantCulture,
                    $"it is the newest of its {unit} ({one.TakenAt.UtcDateTime:yyyy-MM-dd HH:mm})"));
            }
        }
    }
}
