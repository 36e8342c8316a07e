using System.Runtime.CompilerServices;

namespace Branching.Architecture.Tests;

/// <summary>The checkout that the tests look at.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Every C# file under the folders, build output left out.</summary>
    public static IEnumerable<string> SourceFiles(params string[] folders)
        => folders
            .SelectMany(folder => Directory.EnumerateFiles(PathOf(folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !IsBuildOutput(file))
            .Order(StringComparer.Ordinal);

    public static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    private static bool IsBuildOutput(string file)
        => Relative(file).Split('/').Any(part => part is "bin" or "obj" or "artifacts");

    private static string FindRoot([CallerFilePath] string thisFile = "")
    {
        DirectoryInfo? directory = new FileInfo(thisFile).Directory;
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Branching.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException($"No Branching.sln above {thisFile}.");
    }
}
