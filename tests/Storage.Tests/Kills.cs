using System.Collections.Concurrent;

namespace Branching.Storage.Tests;

/// <summary>
/// Runs a scenario of the child once to its end and then once for each chosen event, each time in a new scene, and
/// looks at every scene after the kill. By default all these runs share one process: each stands at its event, and
/// SIGKILL then ends all of them. With BRANCHING_CRASH_STEPS=all every event is chosen and each run has a process,
/// which dies in the event itself.
/// </summary>
internal sealed class Kills<TScene>
    where TScene : IDisposable
{
    // More than any scenario has with every file step: reaching it means that it does not end.
    private const int MostEvents = 1000;

    // Runs mostly wait: for the disk, and for leases.
    private static readonly ParallelOptions _several = new() { MaxDegreeOfParallelism = 2 };

    /// <summary>For messages.</summary>
    public required string Scenario { get; init; }

    /// <summary>Makes a scene to be killed in.</summary>
    public required Func<TScene> Make { get; init; }

    /// <summary>Arguments of the child for a scene and the number of the event that ends it (0: none).</summary>
    public required Func<TScene, int, string[]> Arguments { get; init; }

    /// <summary>The numbers of the events to kill at by default, from 1, of all that happen.</summary>
    public Func<IReadOnlyList<string>, IEnumerable<int>> Choose { get; init; } = Kills.All;

    /// <summary>Asserts what must be true of a scene afterwards; the last argument says where it was killed.</summary>
    public required Func<TScene, Ended, string, Task> Look { get; init; }

    /// <summary>Where the events are collected that runs were killed at, for the tests to miss none.</summary>
    public required ConcurrentBag<string> KilledAt { get; init; }

    /// <returns>How many runs were killed.</returns>
    public Task<int> RunAsync() => Kills.AtEveryStep ? RunAloneAsync() : RunTogetherAsync();

    private async Task<int> RunTogetherAsync()
    {
        ConcurrentQueue<(TScene Scene, Ended Ended)> runs = new();
        await using (ServingChild child = ServingChild.Start())
        {
            TScene scene = Make();
            Ended whole = await child.RunAsync(Arguments(scene, 0));
            runs.Enqueue((scene, whole));
            await Parallel.ForEachAsync(Chosen(whole), _several, async (n, _) =>
            {
                TScene scene = Make();
                Ended ended = await child.RunAsync(Arguments(scene, n));
                Assert.True(ended.Exit == Ended.Killed, $"{Scenario} did not come to its event {n} again: {ended}");
                runs.Enqueue((scene, ended));
            });
            await child.KillAsync();
        }

        await Parallel.ForEachAsync(runs, _several, async (run, _) => await LookAsync(run.Scene, run.Ended));
        return runs.Count(run => run.Ended.Exit == Ended.Killed);
    }

    private async Task<int> RunAloneAsync()
    {
        // Not the events of one run: a slow one has more of them, such as the renewals of a lease.
        for (int n = 1; n < MostEvents; n++)
        {
            TScene scene = Make();
            Ended ended = await ChildProcess.RunAsync(ChildProcess.Child(Arguments(scene, n)));
            await LookAsync(scene, ended);
            if (ended.Exit == 0)
            {
                return n - 1;
            }
        }

        throw new InvalidOperationException($"{Scenario} did not end after {MostEvents} events.");
    }

    private int[] Chosen(Ended whole)
    {
        Assert.True(whole.Exit == 0, $"{Scenario}: {whole}");
        Assert.InRange(whole.Events.Count, 1, MostEvents);
        return [.. Choose(whole.Events)];
    }

    private async Task LookAsync(TScene scene, Ended ended)
    {
        using (scene)
        {
            string where = ended.Exit == 0 ? $"{Scenario} to its end" : $"{Scenario} killed at '{ended.At}'";
            Assert.True(ended.Exit is 0 or Ended.Killed, $"{where}: {ended}");
            // Alone, a number is not the same event in each run, for leases are renewed by the clock: what was passed
            // counts.
            string[] stopped = ended.Exit == Ended.Killed ? [ended.At] : [];
            foreach (string at in Kills.AtEveryStep ? ended.Events : stopped)
            {
                KilledAt.Add(at);
            }

            await Look(scene, ended, where);
        }
    }
}

/// <summary>What all scenarios that are killed have in common.</summary>
internal static class Kills
{
    public static bool AtEveryStep { get; } = Environment.GetEnvironmentVariable("BRANCHING_CRASH_STEPS") == "all";

    /// <summary>Which events the child counts.</summary>
    public static string Kinds => AtEveryStep ? "all" : "points";

    public static IEnumerable<int> All(IReadOnlyList<string> events) => Enumerable.Range(1, events.Count);

    /// <summary>The first of each name: a step that comes again (a file, a branch, a change) is looked at once.
    /// </summary>
    public static IEnumerable<int> FirstOfEach(IReadOnlyList<string> events) =>
        events.Index().DistinctBy(e => e.Item, StringComparer.Ordinal).Select(e => e.Index + 1);

    /// <summary>Asserts that each of the named steps is there, of some scenario.</summary>
    public static void AssertAtEvery<TStep>(string kind, IEnumerable<string> killedAt)
        where TStep : struct, Enum
    {
        HashSet<string> there = new(killedAt, StringComparer.Ordinal);
        string[] missed = [.. Enum.GetNames<TStep>().Where(name => !there.Contains($"{kind} {name}"))];
        Assert.Empty(missed);
    }
}
