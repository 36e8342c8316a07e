using System.Globalization;

namespace Branching.Bench;

/// <summary>One row of the engine: our operation and what it is compared with.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Data">The data it is asked of.</param>
/// <param name="Ours">Measures ours once.</param>
internal sealed record EngineRow(string Name, string Question, string Data, Func<Task<Measured>> Ours)
{
    public string WarmUp { get; init; } = "each write elsewhere";

    /// <summary>Measures it on Node once; <see langword="null"/>: <see cref="NodeLacks"/> says why not.</summary>
    public Func<NodePeer, Task<double>>? Node { get; init; }

    public string NodeLacks { get; init; } = "";

    /// <summary>Measures db_bench once; <see langword="null"/>: <see cref="DbBenchLacks"/> says why not.</summary>
    public Func<DbBench, double>? DbBench { get; init; }

    /// <summary>What db_bench calls it.</summary>
    public string DbBenchName { get; init; } = "";

    public string DbBenchLacks { get; init; } = "it measures nothing like it";

    /// <summary>Whether a time is shown, not a rate. Ratios are of rates either way: more is faster.</summary>
    public bool InMilliseconds { get; init; }

    /// <summary>More about our runs, asked after the last one.</summary>
    public Func<IEnumerable<string>> Details { get; init; } = static () => [];
}

/// <summary>Measures rows of the engine: ours, the package on Node and db_bench in turn.</summary>
internal sealed class EngineComparison(
    BenchOptions options, Report report, DbBench? dbBench, NodePeer? node, string nodeMissing)
{
    public async Task RunAsync(EngineRow row)
    {
        if (!row.Name.Contains(options.Only, StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        Samples ours = new();
        Samples allocated = new();
        Samples onNode = new();
        Samples onDbBench = new();
        string? nodeFailed = null;
        for (int run = 0; run < options.Runs; run++)
        {
            if (dbBench is not null && row.DbBench is { } measure)
            {
                onDbBench.Add(measure(dbBench));
            }

            nodeFailed ??= await TryAddAsync(row, onNode);
            Measured measured = await row.Ours();
            ours.Add(measured.PerSecond);
            allocated.Add(measured.BytesPerOperation);
        }

        report.Print(new Row("engine", row.Name, row.Question)
        {
            Data = row.Data,
            WarmUp = row.WarmUp,
            Runs = $"{options.Runs}, in turn with the peers",
            Result = Show(ours, row),
            Details = [Measured.Allocations(allocated), .. row.Details()],
            Peer = $"{OnNode(row, onNode, nodeFailed)}; {OnDbBench(row, onDbBench)}",
            Ratio = Ratios(ours, onNode, onDbBench, nodeFailed),
            RatioOf = "",
        });
    }

    private async Task<string?> TryAddAsync(EngineRow row, Samples rates)
    {
        if (node is null || row.Node is null)
        {
            return null;
        }

        try
        {
            rates.Add(await row.Node(node));
            return null;
        }
        catch (InvalidOperationException e)
        {
            // The row keeps our numbers and says what the peer said.
            return e.Message.ReplaceLineEndings(" ");
        }
    }

    private string OnNode(EngineRow row, Samples rates, string? failed)
    {
        string name = node is null ? "rocksdb-js" : $"rocksdb-js {node.Version}";
        string what = row.Node is null ? $"none: {row.NodeLacks}"
            : node is null ? nodeMissing
            : failed is not null ? $"failed: {failed}"
            : Show(rates, row);
        return $"{name} {what}";
    }

    private string OnDbBench(EngineRow row, Samples rates)
        => row.DbBench is null ? $"db_bench none: {row.DbBenchLacks}"
            : dbBench is null ? $"db_bench {DbBench.Missing}"
            : $"db_bench {dbBench.Version} {row.DbBenchName} {Show(rates, row)}";

    private static string? Ratios(Samples ours, Samples onNode, Samples onDbBench, string? nodeFailed)
    {
        List<string> ratios = [];
        if (onNode.Count > 0 && nodeFailed is null)
        {
            ratios.Add($"{ours.DividedBy(onNode).Ratio()} of rocksdb-js");
        }

        if (onDbBench.Count > 0)
        {
            ratios.Add($"{ours.DividedBy(onDbBench).Ratio()} of db_bench");
        }

        return ratios.Count == 0 ? null : string.Join(", ", ratios);
    }

    private static string Show(Samples rates, EngineRow row)
        => row.InMilliseconds
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{1000 / rates.Median:N2} ms (spread {1000 / rates.Most:N2} to {1000 / rates.Least:N2})")
            : rates.Rate();
}
