using System.Text.RegularExpressions;

namespace Branching.Storage.Tests;

/// <summary>
/// docs/testing.md says which test holds which case, docs/parity.md which one holds which feature of other systems:
/// what they name must exist.
/// </summary>
public sealed partial class TestingPageTests
{
    [Fact]
    public void Every_test_and_script_that_the_page_names_exists()
    {
        string page = Page("testing.md");
        string directory = Path.Combine(Repository(), "tests", "Storage.Tests", "testdata");
        HashSet<string> scripts = [.. Directory.GetFiles(directory)
            .Select(file => Path.GetFileNameWithoutExtension(file))];

        string[] named = [.. ScriptNames().Matches(page)
            .SelectMany(match => match.Groups["name"].Captures).Select(capture => capture.Value).Distinct()];

        AssertTestsExist(page, atLeast: 50);
        Assert.Equal(scripts.Order(StringComparer.Ordinal), named.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_feature_of_the_page_on_parity_has_one_row_and_every_test_that_it_names_exists()
    {
        string page = Page("parity.md");
        (char Section, int Rows)[] sections = [('A', 21), ('B', 6), ('C', 10), ('D', 8), ('E', 3), ('F', 5)];

        AssertTestsExist(page, atLeast: 50);
        Assert.Equal(
            sections.SelectMany(section => Enumerable.Range(1, section.Rows).Select(row => $"{section.Section}{row}")),
            ParityRow().Matches(page).Select(match => match.Groups["id"].Value));
        Assert.All(
            ParityRow().Matches(page),
            row => Assert.True(
                TestName().IsMatch(row.Value) || NotHere().IsMatch(row.Value),
                $"{row.Groups["id"].Value} names no test and does not say why it is not here."));
    }

    private static string Page(string name) => File.ReadAllText(Path.Combine(Repository(), "docs", name));

    private static void AssertTestsExist(string page, int atLeast)
    {
        string sources = string.Join('\n', Directory.EnumerateFiles(
            Path.Combine(Repository(), "tests"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        string[] tests = [.. TestName().Matches(page).Select(match => match.Groups["name"].Value)
            .Where(name => name.Any(char.IsLower)).Distinct()]; // Variables of the environment are upper case.

        Assert.InRange(tests.Length, atLeast, 1000);
        Assert.DoesNotContain(tests, name => !sources.Contains($" {name}(", StringComparison.Ordinal));
    }

    public static string Repository()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(Path.Combine(directory, "Branching.sln")))
        {
            directory = Path.GetDirectoryName(directory);
        }

        return directory ?? throw new DirectoryNotFoundException("Branching.sln is not above the tests.");
    }

    [GeneratedRegex("`(?<name>[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+){2,})`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TestName();

    [GeneratedRegex(@"^\| (?<id>[A-Z][0-9]+) \|.*$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ParityRow();

    [GeneratedRegex(@"\| not( yet)?\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NotHere();

    [GeneratedRegex("scripts? `(?<name>[a-z-]+)`(, `(?<name>[a-z-]+)`)*", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ScriptNames();
}
