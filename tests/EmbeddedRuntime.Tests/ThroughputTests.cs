using System.Diagnostics;
using Xunit.Abstractions;

namespace Branching.EmbeddedRuntime.Tests;

public sealed class ThroughputTests(ITestOutputHelper output)
{
    // Enough that a leak per call or a lost wake-up shows; how fast it is, is told and not asserted.
    private const int Calls = 200_000;

    [Fact]
    public async Task A_long_run_of_calls_completes()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IProbeGrain grain = probe.Grain("a");
        await RunAsync(grain, Calls / 10); // Warm-up.

        long start = Stopwatch.GetTimestamp();
        await RunAsync(grain, Calls);
        output.WriteLine($"one after the other: {PerCall(start)} ns a call");

        start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => RunAsync(probe.Grain($"g{i}"), Calls / 32)));
        output.WriteLine($"32 grains, 32 callers: {PerCall(start)} ns a call");

        long before = GC.GetTotalMemory(forceFullCollection: true);
        await RunAsync(grain, Calls);
        long kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.InRange(kept, long.MinValue, 8L * Calls); // Under a pointer a call: nothing is kept for each.
    }

    private static string PerCall(long start) => $"{Stopwatch.GetElapsedTime(start).TotalNanoseconds / Calls:F0}";

    // On the thread pool, so that the calls are measured and not the test framework's way of awaiting.
    private static Task RunAsync(IProbeGrain grain, int calls) => Task.Run(async () =>
    {
        for (int i = 0; i < calls; i++)
        {
            await grain.GetAsync();
        }
    });
}
