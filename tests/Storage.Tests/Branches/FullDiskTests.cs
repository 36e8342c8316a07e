namespace Branching.Storage.Tests.Branches;

/// <summary>
/// A file system that is really full, where this user may mount one.
/// </summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly string _mount = Directory.CreateTempSubdirectory("branching-full-").FullName;

    public void Dispose()
    {
        Assert.True(ChildProcess.Succeeds(out string answer, "umount", _mount), answer);
        Directory.Delete(_mount, recursive: true);
    }

    [MountingFact]
    public async Task A_branch_refused_by_a_full_disk_leaves_nothing_and_succeeds_once_there_is_room()
    {
        Mount("24m");
        await using DataRoot root = await DataRoot.OpenAsync(TemporaryRoot.OptionsFor(Path.Combine(_mount, "root")));
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        string filler = Path.Combine(_mount, "filler");
        Fill(filler);

        FailureKind kind = await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("b"));

        Assert.Equal(FailureKind.DiskFull, kind);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_mount, "root", "databases", "shop", "building")));
        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        File.Delete(filler);
        await shop.BranchAsync("b");
        Assert.Equal("a=1", await shop.ReadAllAsync("b"));
    }

    private static void Fill(string path)
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

    private void Mount(string size) => Assert.True(
        ChildProcess.Succeeds(out string answer, "mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", _mount),
        answer);
}
