using System.Text.Json;

namespace Branching.ClientApp.Tests.Processes;

/// <summary>What the table of members on shared storage says, read as an operator would (docs/formats.md).</summary>
internal static class MemberStates
{
    /// <summary>The state of each node; of several lives of one node, that of the last.</summary>
    public static IReadOnlyDictionary<string, string> Read(string shared)
    {
        string directory = Path.Combine(shared, "clusters", "branching", "membership");
        string newest = Directory.GetFiles(directory, "*.json").Max(StringComparer.Ordinal)!;
        using JsonDocument table = JsonDocument.Parse(File.ReadAllText(newest));
        return table.RootElement.GetProperty("members").EnumerateArray()
            .GroupBy(row => row.GetProperty("siloName").GetString()!, StringComparer.Ordinal)
            .ToDictionary(rows => rows.Key, StateOfLast, StringComparer.Ordinal);
    }

    private static string StateOfLast(IEnumerable<JsonElement> rows)
        => rows.MaxBy(row => row.GetProperty("startedAt").GetDateTimeOffset()).GetProperty("status").GetString()!;
}
