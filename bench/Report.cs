using System.Diagnostics;
using System.Globalization;

namespace Branching.Bench;

/// <summary>Prints rows as they are measured, and all of them as one table at the end.</summary>
internal sealed class Report(BenchOptions options)
{
    private readonly List<string> _table = [];
    private readonly string _date =
        TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private readonly string _commit = Commit();

    public void Print(Row row)
    {
        Console.WriteLine();
        Console.WriteLine($"{row.Layer}: {row.Name}");
        Line("question", row.Question);
        Line("command", options.Command);
        Line("data", row.Data);
        Line("warm-up", row.WarmUp);
        Line("runs", row.Runs);
        Line("result", row.Result);
        foreach (string detail in row.Details)
        {
            Line("", detail);
        }

        Line("peer", row.Peer);
        if (row.Ratio is not null)
        {
            Line("ratio", row.Ratio + row.RatioOf);
        }

        Line("taken", $"{_date}, commit {_commit}");
        _table.Add($"| {row.Layer} | {row.Name} | {row.Result} | {row.Peer} | {row.Ratio ?? "-"} |");
    }

    public void PrintTable()
    {
        Console.WriteLine();
        Console.WriteLine("| layer | what | ours, median | peer, median | ours / peer |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (string line in _table)
        {
            Console.WriteLine(line);
        }

        Console.WriteLine();
        Console.WriteLine($"{options.Command}, {_date}, commit {_commit}, {Environment.ProcessorCount} cores");
    }

    private static void Line(string name, string text) => Console.WriteLine($"  {name,-10}{text}");

    private static string Commit()
    {
        string head = Git("rev-parse", "--short", "HEAD");
        string changed = Git("status", "--porcelain", "src").Length == 0 ? "" : " (changed)";
        return head.Length == 0 ? "unknown" : head + changed;
    }

    private static string Git(params string[] arguments)
    {
        try
        {
            ProcessStartInfo start = new("git", arguments)
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? text.Trim() : "";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return ""; // Without git the rows say that the commit is unknown.
        }
    }
}

/// <summary>One answer of the benchmark with everything needed to repeat it.</summary>
internal sealed record Row(string Layer, string Name, string Question)
{
    public string Data { get; init; } = "";

    public string WarmUp { get; init; } = "none";

    public string Runs { get; init; } = "1";

    public required string Result { get; init; }

    public IReadOnlyList<string> Details { get; init; } = [];

    public string Peer { get; init; } = "none";

    public string? Ratio { get; init; }

    /// <summary>What is printed behind the ratio; empty where the ratio names its peers itself.</summary>
    public string RatioOf { get; init; } = " of the peer";
}
