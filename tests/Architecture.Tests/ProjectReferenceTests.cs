using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Branching.Architecture.Tests;

/// <summary>Who may know whom (docs/architecture.md), read from the project files.</summary>
public sealed partial class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> _allowed = new(StringComparer.Ordinal)
    {
        ["RocksDb"] = [],
        ["Storage"] = ["RocksDb"],
        ["Grains.Interfaces"] = [],
        ["EmbeddedRuntime"] = [],
        ["Grains"] = ["Grains.Interfaces", "Storage"],
        ["Silo"] = ["Grains", "Storage"],
        ["ClientApp"] = ["Grains.Interfaces", "Silo"],
    };

    private static readonly string[] _mayNameOrleans =
        ["Grains.Interfaces", "Grains", "Silo", "ClientApp", "EmbeddedRuntime"];

    public static TheoryData<string> Projects => [.. _allowed.Keys];

    [Fact]
    public void Every_project_under_src_is_listed_here()
    {
        IEnumerable<string> projects = Directory
            .EnumerateFiles(Repository.PathOf("src"), "*.csproj", SearchOption.AllDirectories)
            .Select(file => Path.GetFileNameWithoutExtension(file));

        Assert.Equal(_allowed.Keys.Order(StringComparer.Ordinal), projects.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_exactly_what_the_design_allows(string project)
    {
        XDocument file = XDocument.Load(Repository.PathOf("src", project, project + ".csproj"));

        IEnumerable<string> references = file.Descendants("ProjectReference")
            .Select(reference => (string?)reference.Attribute("Include") ?? "")
            .Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')));

        Assert.Equal(_allowed[project].Order(StringComparer.Ordinal), references.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Only_the_grain_side_gets_the_grain_runtime(string project)
    {
        XDocument file = XDocument.Load(Repository.PathOf("src", project, project + ".csproj"));

        bool getsRuntime = file.Descendants("GrainRuntimeRole").Any()
            || file.Descendants("PackageReference")
                .Select(reference => (string?)reference.Attribute("Include") ?? "")
                .Any(package => package.StartsWith("Microsoft.Orleans", StringComparison.Ordinal));

        Assert.Equal(_mayNameOrleans.Contains(project) && project != "EmbeddedRuntime", getsRuntime);
    }

    [Theory]
    [InlineData("RocksDb")]
    [InlineData("Storage")]
    public void The_storage_side_never_names_Orleans(string project)
    {
        string[] offenders = [.. Repository.SourceFiles(Path.Combine("src", project))
            .Where(file => NamesOrleans().IsMatch(File.ReadAllText(file)))
            .Select(Repository.Relative)];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Native_calls_and_unsafe_code_live_in_the_binding_alone()
    {
        string[] offenders = [.. Repository.SourceFiles("src")
            .Where(file => !Repository.Relative(file).StartsWith("src/RocksDb/", StringComparison.Ordinal))
            .Where(file => NativeCode().IsMatch(File.ReadAllText(file)))
            .Select(Repository.Relative)];

        Assert.Empty(offenders);
    }

    [GeneratedRegex(
        @"^\s*(using|namespace)\s+Orleans|[^\w.]Orleans\.\w",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex NamesOrleans();

    [GeneratedRegex(
        @"\[(LibraryImport|DllImport)\b|^\s*(public|internal|private|protected)?[\w\s]*\bunsafe\s",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex NativeCode();
}
