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

    /// <summary>The text without blanks at line ends (drawings pad with them) and without empty lines at its
    /// end.</summary>
    private static string Trimmed(string text)
    {
        string lines = string.Join('\n', text.Split('\n').Select(line => line.TrimEnd())).TrimEnd('\n');
        return lines.Length == 0 ? "" : lines + "\n";
    }

    [GeneratedRegex("<[a-z][a-z0-9 ]*>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Placeholder();
}
