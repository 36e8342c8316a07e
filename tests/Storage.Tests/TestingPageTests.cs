using System.Text.RegularExpressions;

namespace Branching.Storage.Tests;

/// <summary>docs/testing.md says which test holds which case: what it names must exist.</summary>
public sealed partial class TestingPageTests
{
    [Fact]
    public void Every_test_and_script_that_the_page_names_exists()
    {
        string root = Repository();
        string page = File.ReadAllText(Path.Combine(root, "docs", "testing.md"));
        string sources = string.Join('\n', Directory.EnumerateFiles(
            Path.Combine(root, "tests"), "*Tests.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        HashSet<string> scripts = [.. Directory.GetFiles(Path.Combine(root, "tests", "Storage.Tests", "testdata"))
            .Select(file => Path.GetFileNameWithoutExtension(file))];

        string[] tests = [.. TestName().Matches(page).Select(match => match.Groups["name"].Value)
            .Where(name => name.Any(char.IsLower)).Distinct()]; // Variables of the environment are upper case.
        string[] named = [.. ScriptNames().Matches(page)
            .SelectMany(match => match.Groups["name"].Captures).Select(capture => capture.Value).Distinct()];

        Assert.InRange(tests.Length, 50, 1000);
        Assert.DoesNotContain(tests, name => !sources.Contains($" {name}(", StringComparison.Ordinal));
        Assert.Equal(scripts.Order(StringComparer.Ordinal), named.Order(StringComparer.Ordinal));
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

    [GeneratedRegex("scripts? `(?<name>[a-z-]+)`(, `(?<name>[a-z-]+)`)*", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ScriptNames();
}
