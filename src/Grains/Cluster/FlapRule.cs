namespace Branching.Grains;

/// <summary>Decides how often a failover is tried, and when a person must look first.</summary>
internal static class FlapRule
{
    /// <summary>Why a database that lost its node again is held; null: it is opened.</summary>
    /// <param name="options">The limits.</param>
    /// <param name="earlier">When it failed over before.</param>
    /// <param name="now">UTC.</param>
    public static string? HeldBecause(
        FailoverOptions options, IEnumerable<DateTimeOffset> earlier, DateTimeOffset now)
    {
        int recent = earlier.Count(at => at > now - options.FlapWindow);
        return recent < options.MaxFailovers
            ? null
            : $"It failed over {recent} times within {options.FlapWindow}, so it may be what takes its nodes down. " +
                $"Look at the nodes' logs, then move it to a node or use it: either opens it.";
    }

    /// <summary>The wait after so many failed tries: doubling from the first to the longest.</summary>
    public static TimeSpan Delay(FailoverOptions options, int failedTries)
    {
        double factor = Math.Pow(2, Math.Clamp(failedTries - 1, 0, 30));
        return TimeSpan.FromTicks((long)Math.Min(options.LongestRetry.Ticks, options.FirstRetry.Ticks * factor));
    }
}
