using System.Reflection;

namespace Branching.Architecture.Tests;

/// <summary>
/// The embedded runtime has no public name of its own: each exists in Orleans with the same namespace and
/// signature, or grain sources would stop being the same under both.
/// </summary>
/// <remarks>
/// What this reads are the assemblies of two packages that every registry at hand carries; they are downloaded
/// without their dependencies and never executed. What lives in other assemblies is in
/// <c>runtime-allow-list.txt</c>, a line for each with the page that documents it.
/// </remarks>
public sealed class RuntimeParityTests
{
    private static readonly string _allowListPath =
        Repository.PathOf("tests", "Architecture.Tests", "runtime-allow-list.txt");

    [Fact]
    public void Every_public_name_of_the_embedded_runtime_is_one_of_Orleans()
    {
        SortedSet<string> ours = OurShape();
        HashSet<string> theirs = TheirShape();
        HashSet<string> allowed = [.. AllowList().Select(line => line.Name)];

        string[] unknown = [.. ours.Where(line => !theirs.Contains(line) && !allowed.Contains(line))];

        Assert.True(
            unknown.Length == 0,
            $"Neither in Orleans {Metadata("OrleansShapeVersion")} nor in the allow-list:\n"
            + string.Join('\n', unknown));
    }

    [Fact]
    public void The_allow_list_has_no_stale_line()
    {
        SortedSet<string> ours = OurShape();
        HashSet<string> theirs = TheirShape();

        string[] stale = [.. AllowList().Select(line => line.Name)
            .Where(name => !ours.Contains(name) || theirs.Contains(name))];

        Assert.True(
            stale.Length == 0,
            $"No longer public in the embedded runtime, or proven by metadata anyway:\n{string.Join('\n', stale)}");
    }

    [Fact]
    public void The_allow_list_names_a_documentation_page_on_every_line()
    {
        Assert.All(AllowList(), line => Assert.StartsWith(
            "https://learn.microsoft.com/dotnet/api/", line.Page, StringComparison.Ordinal));
    }

    [Fact]
    public void The_comparison_notices_a_changed_signature_a_new_member_and_a_lost_constraint()
    {
        HashSet<string> theirs = TheirShape();

        Assert.Contains("interface Orleans.IGrainFactory", theirs);
        Assert.Contains(theirs, l => l.StartsWith("Orleans.Grain.OnActivateAsync(", StringComparison.Ordinal));
        Assert.Contains(theirs, l => l.EndsWith(
            "where TGrainInterface : Orleans.IGrainWithStringKey", StringComparison.Ordinal));
        Assert.DoesNotContain(
            "Orleans.Grain.OnActivateAsync() : System.Threading.Tasks.Task", theirs);
    }

    private static SortedSet<string> OurShape()
        => PublicShape.Read(Path.Combine(AppContext.BaseDirectory, "Branching.EmbeddedRuntime.dll"));

    private static HashSet<string> TheirShape()
        => [.. PublicShape.Read(Assembly("Microsoft.Orleans.Core.Abstractions", "Orleans.Core.Abstractions.dll")),
            .. PublicShape.Read(Assembly("Microsoft.Orleans.TestingHost", "Orleans.TestingHost.dll"))];

    private static string Assembly(string package, string file)
    {
        string path = Path.Combine(
            Metadata("NuGetPackageRoot"),
            package.ToLowerInvariant(),
            Metadata("OrleansShapeVersion"),
            "lib",
            "net10.0",
            file);
        Assert.True(File.Exists(path), $"{path} is missing; restore this project, which downloads {package}.");
        return path;
    }

    private static string Metadata(string key)
        => typeof(RuntimeParityTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(a => a.Key == key).Value!;

    private static List<(string Name, string Page)> AllowList()
        => [.. File.ReadLines(_allowListPath)
            .Where(line => line.Length > 0 && !line.StartsWith('#'))
            .Select(line => line.Split(" | ", 2))
            .Select(parts => (parts[0], parts.Length > 1 ? parts[1] : ""))];
}
