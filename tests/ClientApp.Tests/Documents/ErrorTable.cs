using System.Globalization;
using System.Text.RegularExpressions;
using Branching.Architecture.Tests;
using Branching.Grains;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>One row of docs/errors.md.</summary>
/// <param name="Kind">The kind of failure.</param>
/// <param name="Number">The number beside it.</param>
/// <param name="Case">When it happens, in words.</param>
/// <param name="Command">The command that shows it; null where no single command can.</param>
/// <param name="Message">What follows <c>error: </c>; null where the process has no word left.</param>
/// <param name="Hint">What follows <c>hint: </c>; null where advice is given in prose.</param>
/// <param name="ExitCode">The exit code; null without a message.</param>
/// <param name="Test">The name of the test that shows it.</param>
internal sealed partial record ErrorRow(
    string Kind, int? Number, string Case, string? Command, string? Message, string? Hint, int? ExitCode, string Test)
{
    /// <summary>The rows of the table.</summary>
    public static IReadOnlyList<ErrorRow> ReadAll()
        => [.. File.ReadLines(Repository.PathOf("docs", "errors.md"))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && KindCell().IsMatch(line))
            .Select(Parse)];

    /// <summary>What a terminal shows.</summary>
    public IEnumerable<string> Shown => Hint is null ? [$"error: {Message}"] : [$"error: {Message}", $"hint: {Hint}"];

    private static ErrorRow Parse(string line)
    {
        string[] cells = [.. line.Trim().Trim('|').Split(" | ").Select(cell => cell.Trim().Replace("\\|", "|"))];
        Assert.True(cells.Length == 6, $"errors.md: {cells.Length} cells, not 6: {line}");
        Match kind = KindCell().Match(line);
        Match command = CommandInWhen().Match(cells[1]);
        return new ErrorRow(
            kind.Groups["kind"].Value,
            kind.Groups["number"] is { Success: true } number
                ? int.Parse(number.Value, CultureInfo.InvariantCulture)
                : null,
            command.Success ? cells[1][..command.Index] : cells[1],
            command.Success ? command.Groups["command"].Value : null,
            Marked(cells[2], "error: "),
            Marked(cells[3], "hint: "),
            int.TryParse(cells[4], CultureInfo.InvariantCulture, out int exitCode) ? exitCode : null,
            cells[5].Trim('`'));
    }

    private static string? Marked(string cell, string mark)
        => cell.StartsWith("`" + mark, StringComparison.Ordinal) ? cell.Trim('`')[mark.Length..] : null;

    [GeneratedRegex("^\\| ((?<number>[0-9]+) )?`(?<kind>[A-Za-z]+)` \\|", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex KindCell();

    [GeneratedRegex(": `(?<command>branching [^`]*)`$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CommandInWhen();
}

/// <summary>The words that a <see cref="FailureKind"/> does not have: failures of the command line alone.</summary>
internal static class CommandLineKinds
{
    public static IReadOnlyList<string> All { get; } =
    [
        "Usage", "NotConfirmed", "KeyNotFound", "DataRootNotFound", "FileNotFound", "QuarantineNotFound",
        "PreconditionFailed", "Interrupted",
        "Killed", "ReadOnlyShell", "ReadsChanged", "TransactionOpen", "PropertyNotFound",
    ];
}
