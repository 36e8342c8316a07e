using System.Text.RegularExpressions;

namespace Branching.Architecture.Tests;

/// <summary>Rules of the source that no analyzer checks (docs/testing.md).</summary>
public sealed partial class SourceStyleTests
{
    private const int MaxLineLength = 120;
    private const int MaxSourceLines = 500;
    private const int MaxTestLines = 800;

    [Fact]
    public void Files_stay_below_their_wall()
    {
        string[] offenders = [.. Repository.SourceFiles("src", "tests", "bench")
            .Select(file => (Name: Repository.Relative(file), Lines: File.ReadLines(file).Count()))
            .Where(file => file.Lines > WallOf(file.Name))
            .Select(file => $"{file.Name}: {file.Lines} lines")];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Lines_stay_within_120_columns()
    {
        string[] offenders = [.. Repository.SourceFiles("src", "tests", "bench")
            .SelectMany(file => File.ReadLines(file)
                .Select((line, index) => (Where: $"{Repository.Relative(file)}:{index + 1}", line.Length))
                .Where(line => line.Length > MaxLineLength))
            .Select(line => $"{line.Where}: {line.Length} columns")];

        Assert.Empty(offenders);
    }

    [Fact]
    public void A_catch_has_a_body_or_says_why_silence_is_right()
    {
        string[] offenders = [.. Repository.SourceFiles("src")
            .Where(file => EmptyCatch().IsMatch(File.ReadAllText(file)))
            .Select(Repository.Relative)];

        Assert.Empty(offenders);
    }

    [Fact]
    public void There_is_no_async_void_no_region_and_no_folder_named_after_a_kind()
    {
        string[] offenders = [.. Repository.SourceFiles("src", "bench")
            .Where(file => Forbidden().IsMatch(File.ReadAllText(file))
                || ForbiddenFolder().IsMatch(Repository.Relative(file)))
            .Select(Repository.Relative)];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Grains_keep_their_turn_and_the_storage_side_leaves_the_caller_s_context()
    {
        string[] offenders = [.. Repository.SourceFiles("src/Grains")
            .Where(file => File.ReadAllText(file).Contains("ConfigureAwait(", StringComparison.Ordinal))
            .Select(Repository.Relative)];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Usings_are_in_order()
    {
        string[] offenders = [.. Repository.SourceFiles("src", "tests", "bench")
            .Where(file => Directives().Split(File.ReadAllText(file))
                .Any(part => !AreInOrder(Usings().Matches(part))))
            .Select(Repository.Relative)];

        Assert.Empty(offenders);
    }

    /// <summary>
    /// Between two directives of the preprocessor: namespaces, types, aliases; in each group those of System first.
    /// </summary>
    private static bool AreInOrder(IReadOnlyList<Match> usings)
    {
        (int Group, bool Other, string Name)[] keys = [.. usings.Select(match =>
        {
            string name = match.Groups["name"].Value;
            int group = match.Groups["alias"].Success ? 2 : match.Groups["static"].Success ? 1 : 0;
            return (group, !$"{name}.".StartsWith("System.", StringComparison.Ordinal), name);
        })];
        return keys.SequenceEqual(keys
            .OrderBy(key => key.Group).ThenBy(key => key.Other)
            .ThenBy(key => key.Name, StringComparer.OrdinalIgnoreCase));
    }

    private static int WallOf(string file)
        => file.StartsWith("tests/", StringComparison.Ordinal) ? MaxTestLines : MaxSourceLines;

    [GeneratedRegex(
        @"catch(\s*\([^)]*\))?(\s+when\s*\(.*\))?\s*\{\s*\}",
        RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex EmptyCatch();

    [GeneratedRegex(
        @"^using\s+(?<static>static\s+)?(?<alias>\w+\s*=\s*)?(?<name>[\w.]+)\s*;",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Usings();

    [GeneratedRegex("^#.*$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Directives();

    [GeneratedRegex(@"\basync\s+void\b|^\s*#region\b", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Forbidden();

    [GeneratedRegex(@"/(Models|Helpers|Utils|Services|Managers)/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ForbiddenFolder();
}
