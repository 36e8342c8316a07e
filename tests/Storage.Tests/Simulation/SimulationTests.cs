using System.Globalization;
using Branching.Storage.Ownership;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Simulation;

/// <summary>
/// The whole protocol of ownership, snapshots, garbage and catalog, under thousands of schedules of delays, failures,
/// pauses and crashes. A failing seed is run again with <c>BRANCHING_SEED</c>; more schedules with
/// <c>BRANCHING_SIMULATION_ROUNDS</c>.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private const int DefaultRounds = 100;
    private const int FirstSeed = 1;

    [Fact]
    public void No_schedule_breaks_what_must_always_be_true()
    {
        string? only = Environment.GetEnvironmentVariable("BRANCHING_SEED");
        int first = only is null ? FirstSeed : int.Parse(only, CultureInfo.InvariantCulture);
        int rounds = only is null ? Rounds(DefaultRounds) : 1;
        SimulationCounts counts = new();

        string? broken = OnAThreadOfItsOwn(() => FindBroken(first, rounds, ProtocolRules.All, counts));

        output.WriteLine($"{rounds} schedules from seed {first}: {counts}.");
        Assert.True(broken is null, broken);
        Assert.True(only is not null || (counts.Fenced > 0 && counts.Deletions > 0 && counts.Retirements > 0
            && counts.Kept > 0 && counts.FailedRestores > 0));
    }

    [Fact]
    public void Without_fencing_the_simulation_finds_what_breaks() =>
        AssertFinds(ProtocolRules.All with { Fence = false }, rounds: 300);

    [Fact]
    public void Without_waiting_for_the_lease_the_simulation_finds_what_breaks() =>
        AssertFinds(ProtocolRules.All with { AwaitLease = false }, rounds: 300);

    [Fact]
    public void With_copies_judged_before_the_claim_the_simulation_finds_what_breaks() =>
        AssertFinds(ProtocolRules.All with { LookAtEntriesAfterClaim = false }, rounds: 1000);

    [Fact]
    public void With_names_of_objects_given_twice_the_simulation_finds_what_breaks() =>
        AssertFinds(ProtocolRules.All with { NameObjectsAfresh = false }, rounds: 1000, lateDeletions: 0.5);

    private void AssertFinds(ProtocolRules rules, int rounds, double lateDeletions = 0.05)
    {
        string? broken = OnAThreadOfItsOwn(
            () => FindBroken(FirstSeed, rounds, rules, new SimulationCounts(), lateDeletions));

        output.WriteLine(broken ?? $"Nothing broke in {rounds} schedules.");
        Assert.NotNull(broken);
    }

    private static string? FindBroken(
        int first, int rounds, ProtocolRules rules, SimulationCounts counts, double lateDeletions = 0.05)
    {
        for (int seed = first; seed < first + rounds; seed++)
        {
            SimulatedCluster cluster = new(seed, rules, lateDeletions);
            try
            {
                cluster.Run();
            }
            catch (Exception e) when (e is InvariantBrokenException or StorageException)
            {
                return $"Seed {seed}: {e.Message} {(e is StorageException ? e.StackTrace : "")}";
            }
            catch (InvalidOperationException e) when (e.InnerException is AggregateException inner)
            {
                return $"Seed {seed}: {inner.InnerException}";
            }

            counts.Add(cluster.Counts);
        }

        return null;
    }

    /// <summary>A thread without a synchronization context: every continuation runs where its event happens.</summary>
    private static string? OnAThreadOfItsOwn(Func<string?> search)
    {
        string? result = null;
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                result = search();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return failure is null ? result : throw new InvalidOperationException("The search failed.", failure);
    }

    private static int Rounds(int fallback) => int.TryParse(
        Environment.GetEnvironmentVariable("BRANCHING_SIMULATION_ROUNDS"), CultureInfo.InvariantCulture, out int rounds)
        ? rounds
        : fallback;
}
