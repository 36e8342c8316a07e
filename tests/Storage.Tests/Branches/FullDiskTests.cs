using System.Diagnostics;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Branches;

/// <summary>
/// A file system that is really full, where this user may mount one; else it says why it did nothing.
/// </summary>
public sealed class FullDiskTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _mount = Directory.CreateTempSubdirectory("branching-full-").FullName;

    public void Dispose()
    {
        Run("umount", _mount);
        Directory.Delete(_mount, recursive: true);
    }

    [Fact]
    public async Task A_branch_refused_by_a_full_disk_leaves_nothing_and_succeeds_once_there_is_room()
    {
        if (Run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", _mount) != 0)
        {
            output.WriteLine("Skipped: this user may not mount a tmpfs.");
            return;
        }

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

    private static int Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program) { RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            using Process process = Process.Start(start)!;
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1; // The program is not installed: the test says that it was skipped.
        }
    }
}
