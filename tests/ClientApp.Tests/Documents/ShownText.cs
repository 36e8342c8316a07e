using System.Text.RegularExpressions;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>
/// Output as a document shows it: <c>&lt;words&gt;</c> stand for anything on the line, a line <c>...</c> for any lines.
/// </summary>
internal static partial class ShownText
{
    /// <summary>Compares what a document shows with what there was.</summary>
    public static bool Matches(IEnumerable<string> shown, string actual)
        => Regex.IsMatch(Trimmed(actual), PatternOf(shown), RegexOptions.None, TimeSpan.FromSeconds(5));

    /// <summary>The pieces of a line between its placeholders.</summary>
    public static string[] Literals(string line) => Placeholder().Split(line);

    private static string PatternOf(IEnumerable<string> shown)
    {
        IEnumerable<string> lines = shown.Select(line => line.TrimEnd() == "..."
            ? "(?:.*\n)*"
            : string.Join("[^\n]+?", Literals(line.TrimEnd()).Select(Regex.Escape)) + "\n");
        return "^" + string.Concat(lines) + "$";
    }

    /// <summary>The text without blanks at line ends (drawings pad with them), without empty lines at its end, and
    /// without the lines of progress that only slow work prints.</summary>
    private static string Trimmed(string text)
    {
        IEnumerable<string> kept = text.Split('\n')
            .Select(line => line.TrimEnd()).Where(line => !Progress().IsMatch(line));
        string lines = string.Join('\n', kept).TrimEnd('\n');
        return lines.Length == 0 ? "" : lines + "\n";
    }

    // What ProgressDisplay prints without a terminal: a title, a share and a rate.
    [GeneratedRegex(@"^[a-z][^:]*: ([0-9]+ %, )?[^:]*/s$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Progress();

    [GeneratedRegex("<[a-z][a-z0-9 ]*>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Placeholder();
}
