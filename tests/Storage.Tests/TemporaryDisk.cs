namespace Branching.Storage.Tests;

/// <summary>
/// A file system of its own and of a size, in memory; for tests that are a <see cref="MountingFactAttribute"/>.
/// </summary>
internal sealed class TemporaryDisk : IDisposable
{
    /// <param name="size">As tmpfs takes it: <c>24m</c>.</param>
    public TemporaryDisk(string size)
    {
        Path = Directory.CreateTempSubdirectory("branching-disk-").FullName;
        bool mounted = ChildProcess.Succeeds(
            out string answer, "mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", Path);
        Assert.True(mounted, answer);
    }

    public string Path { get; }

    /// <summary>Makes a file that takes all room there is.</summary>
    public static void Fill(string path)
    {
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            // Full: what the test needs.
        }
    }

    public void Dispose()
    {
        Assert.True(ChildProcess.Succeeds(out string answer, "umount", Path), answer);
        Directory.Delete(Path);
    }
}
