using System.Diagnostics;
using System.Globalization;

namespace Branching.Bench;

/// <summary>Measures one of our operations and its peer in turn, so that noise of the machine meets both.</summary>
internal sealed class Comparison(BenchOptions options, Report report, DbBench? peer, string layer)
{
    public async Task RunAsync(
        string name, string question, string data, string warmUp, string peerName,
        Func<Task<double>> ours, Func<DbBench, double> theirs)
    {
        if (!name.Contains(options.Only, StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        Samples mine = new();
        Samples others = new();
        for (int run = 0; run < options.Runs; run++)
        {
            if (peer is not null)
            {
                others.Add(theirs(peer));
            }

            mine.Add(await ours());
        }

        report.Print(new Row(layer, name, question)
        {
            Data = data,
            WarmUp = warmUp,
            Runs = $"{options.Runs}, in turn with the peer",
            Result = mine.Rate(),
            Peer = peer is null ? DbBench.Missing : $"db_bench {peer.Version} {peerName}: {others.Rate()}",
            Ratio = peer is null ? null : mine.DividedBy(others).Ratio(),
        });
    }

    public static double PerSecond(long operations, long startedAt)
        => operations / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;

    public static string Describe(long records)
        => string.Create(CultureInfo.InvariantCulture, $"{records:N0} records of ")
            + $"{BenchOptions.KeyBytes}-byte keys and {BenchOptions.ValueBytes}-byte values, no compression, "
            + $"{DbBench.CacheBytes >> 20} MiB block cache, "
            + $"{DbBench.WriteBufferBytes >> 20} MiB memtables, 10 Bloom bits";
}
