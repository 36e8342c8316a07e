using Branching.RocksDb.Files;

namespace Branching.RocksDb.Tests;

/// <summary>The file primitives that .NET lacks, on the real file system.</summary>
public sealed class FilesTests : IDisposable
{
    private const int Einval = 22;
    private const int Eexist = 17;
    private const int Enoent = 2;
    private const int Eisdir = 21;
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-files-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_directory_whose_file_system_does_not_know_fsync_is_tolerated_and_a_file_is_not()
    {
        // procfs answers EINVAL to both.
        LocalFiles.FlushDirectory("/proc/self");

        LocalFileException failure = Assert.Throws<LocalFileException>(() => LocalFiles.FlushFile("/proc/self/status"));
        Assert.Equal((Einval, "fsync", "/proc/self/status"), (failure.Errno, failure.Operation, failure.Path));
    }

    [Fact]
    public void Flushing_what_is_not_there_names_it()
    {
        string absent = In("absent");

        Assert.Equal(Enoent, Assert.Throws<LocalFileException>(() => LocalFiles.FlushFile(absent)).Errno);
        Assert.Contains(
            absent, Assert.Throws<LocalFileException>(() => LocalFiles.FlushDirectory(absent)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_is_flushed_with_the_files_that_have_no_other_name()
    {
        string directory = Directory.CreateDirectory(In("made")).FullName;
        Directory.CreateDirectory(Path.Combine(directory, "below"));
        File.WriteAllText(In("shared"), "elsewhere");
        Assert.True(LocalFiles.TryCreateHardLink(In("shared"), Path.Combine(directory, "shared"), out _));
        File.WriteAllText(Path.Combine(directory, "own"), "here");

        LocalFiles.FlushDirectoryWithFiles(directory);

        Assert.Throws<DirectoryNotFoundException>(() => LocalFiles.FlushDirectoryWithFiles(In("absent")));

        // procfs: one name each, and no fsync, so the first file of it is what fails.
        LocalFileException failure = Assert.Throws<LocalFileException>(
            () => LocalFiles.FlushDirectoryWithFiles("/proc/sys/kernel/random"));
        Assert.Equal((Einval, "fsync", "/proc/sys/kernel/random"),
            (failure.Errno, failure.Operation, Path.GetDirectoryName(failure.Path)));
    }

    [Fact]
    public void A_rename_never_replaces()
    {
        File.WriteAllText(In("from"), "new");
        File.WriteAllText(In("to"), "old");

        LocalFileException failure = Assert.Throws<LocalFileException>(() => LocalFiles.Rename(In("from"), In("to")));

        Assert.Equal(Eexist, failure.Errno);
        Assert.Equal(("new", "old"), (File.ReadAllText(In("from")), File.ReadAllText(In("to"))));
        LocalFiles.Rename(In("from"), In("elsewhere"));
        Assert.Equal("new", File.ReadAllText(In("elsewhere")));
    }

    [Fact]
    public void A_second_name_is_counted_and_an_existing_one_is_refused()
    {
        File.WriteAllText(In("file"), "text");

        Assert.True(LocalFiles.TryCreateHardLink(In("file"), In("link"), out int errno));
        Assert.Equal(0, errno);
        Assert.False(LocalFiles.TryCreateHardLink(In("file"), In("link"), out errno));

        Assert.Equal(Eexist, errno);
        FileStatus one = LocalFiles.GetStatus(In("file")), other = LocalFiles.GetStatus(In("link"));
        Assert.Equal((2u, 4L), (one.LinkCount, one.Bytes));
        Assert.Equal((one.Device, one.Inode), (other.Device, other.Inode));
    }

    [Fact]
    public void A_lock_is_held_once_names_its_holder_and_is_free_after_release()
    {
        using (DirectoryLock? held = DirectoryLock.TryAcquire(In("LOCK"), out _))
        {
            Assert.NotNull(held);
            Assert.Null(DirectoryLock.TryAcquire(In("LOCK"), out int? holder));
            Assert.Equal(Environment.ProcessId, holder);
        }

        using DirectoryLock? again = DirectoryLock.TryAcquire(In("LOCK"), out _);
        Assert.NotNull(again);
    }

    [Fact]
    public void A_lock_left_by_a_killed_process_does_not_block()
    {
        File.WriteAllText(In("LOCK"), "4194304\n");

        DirectoryLock? held = DirectoryLock.TryAcquire(In("LOCK"), out _);

        Assert.NotNull(held);
        held.Dispose();
        Assert.Equal($"{Environment.ProcessId}\n", File.ReadAllText(In("LOCK")));
    }

    [Fact]
    public void A_lock_that_cannot_be_opened_says_why()
    {
        LocalFileException failure = Assert.Throws<LocalFileException>(
            () => DirectoryLock.TryAcquire(_directory, out _));

        Assert.Equal((Eisdir, "open"), (failure.Errno, failure.Operation));
    }

    private string In(string name) => Path.Combine(_directory, name);
}
