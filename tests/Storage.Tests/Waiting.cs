using System.Diagnostics;

namespace Branching.Storage.Tests;

/// <summary>Waits that end: with the condition, or with a failure that names it.</summary>
internal static class Waiting
{
    // Reaching it is a failure, so it is longer than anything takes on a busy machine.
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline)
            {
                throw new TimeoutException($"Not seen in {Deadline.TotalSeconds} s: {what}.");
            }

            await Task.Yield();
        }
    }

    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline)
            {
                throw new TimeoutException($"Not seen in {Deadline.TotalSeconds} s: {what}.");
            }

            await Task.Yield();
        }
    }
}
