namespace Branching.ClientApp.Tests.Documents;

/// <summary>
/// Tests that change the directory of the process, so that commands are run to the letter: none runs beside another.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WorkingDirectoryTests
{
    public const string Name = "working directory";
}

/// <summary>A temporary directory, the one of this process until it is disposed.</summary>
internal sealed class WorkingDirectory : IDisposable
{
    private readonly string _before = Directory.GetCurrentDirectory();

    public WorkingDirectory() => Directory.SetCurrentDirectory(FullPath);

    public string FullPath { get; } = Directory.CreateTempSubdirectory("branching-doc-").FullName;

    public void Dispose()
    {
        Directory.SetCurrentDirectory(_before);
        Directory.Delete(FullPath, recursive: true);
    }
}
