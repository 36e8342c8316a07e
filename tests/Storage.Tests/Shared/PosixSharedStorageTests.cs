using System.Diagnostics;
using Branching.Storage.Shared;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Shared;

/// <summary>The contract on a directory, and what only a directory can do.</summary>
public sealed class PosixSharedStorageTests(ITestOutputHelper output) : SharedStorageContractTests
{
    private readonly string _parent = Directory.CreateTempSubdirectory("branching-shared-").FullName;
    private bool _mounted;

    private string Place => Path.Combine(_parent, "shared");

    public override void Dispose()
    {
        if (_mounted)
        {
            Run("umount", _parent);
        }

        Directory.Delete(_parent, recursive: true);
        base.Dispose();
    }

    internal override async Task<ISharedStorage> OpenAsync() => await PosixSharedStorage.OpenAsync(Place);

    [Fact]
    public async Task Two_processes_that_share_the_directory_race_for_names_and_exactly_one_wins_each()
    {
        // Two storages of their own: nothing is shared but the directory, as between processes.
        ISharedStorage one = await OpenAsync();
        ISharedStorage two = await OpenAsync();
        int both = 0;
        for (int i = 0; i < 50; i++)
        {
            string name = $"epochs/{i}";
            bool[] won = await Task.WhenAll(
                Task.Run(() => one.PutIfAbsentAsync(name, Bytes("one"), default)),
                Task.Run(() => two.PutIfAbsentAsync(name, Bytes("two"), default)));
            Assert.Single(won, w => w);
            Assert.Equal(won[0] ? "one" : "two", Text(await two.TryReadAsync(name, default)));
            both += won[0] ? 1 : 0;
        }

        output.WriteLine($"The first won {both} of 50.");
    }

    [Fact]
    public async Task Temporary_files_are_not_listed_and_stale_ones_are_swept_when_it_is_opened()
    {
        await OpenAsync();
        string stale = Path.Combine(Place, ".tmp", "stale");
        string young = Path.Combine(Place, ".tmp", "young");
        File.WriteAllText(stale, "x");
        File.WriteAllText(young, "x");
        File.SetLastWriteTimeUtc(stale, File.GetLastWriteTimeUtc(young) - TimeSpan.FromDays(2));

        ISharedStorage shared = await OpenAsync();

        Assert.Empty(await shared.ListAsync("", default));
        Assert.Equal(["young"], Directory.GetFiles(Path.Combine(Place, ".tmp")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task An_interrupted_upload_is_continued_and_a_spoilt_part_is_sent_again()
    {
        ISharedStorage shared = await OpenAsync();
        (string path, byte[] content, string sha256) = LocalFile(100_000);
        string part = Path.Combine(Place, ".tmp", sha256 + ".part");
        FileToSend file = new(path, content.Length, sha256);

        await File.WriteAllBytesAsync(part, content[..60_000]);
        Assert.True(await shared.PutFileIfAbsentAsync("o/1", file, default));
        await File.WriteAllBytesAsync(part, new byte[60_000]);
        Assert.True(await shared.PutFileIfAbsentAsync("o/2", file, default));

        Assert.Equal(content, await shared.TryReadAsync("o/1", default));
        Assert.Equal(content, await shared.TryReadAsync("o/2", default));
        Assert.Empty(Directory.GetFiles(Path.Combine(Place, ".tmp")));
    }

    [Fact]
    public async Task A_part_that_has_become_an_object_is_never_written_to_again()
    {
        ISharedStorage shared = await OpenAsync();
        (string path, byte[] content, string sha256) = LocalFile(50_000);
        FileToSend file = new(path, content.Length, sha256);
        await shared.PutFileIfAbsentAsync("o/1", file, default);
        string part = Path.Combine(Place, ".tmp", sha256 + ".part");
        Assert.True(RocksDb.Files.LocalFiles.TryCreateHardLink(Path.Combine(Place, "o", "1"), part, out _));

        Assert.True(await shared.PutFileIfAbsentAsync("o/2", file, default));

        Assert.Equal(content, await shared.TryReadAsync("o/1", default));
        Assert.Equal(1u, RocksDb.Files.LocalFiles.GetStatus(Path.Combine(Place, "o", "1")).LinkCount);
    }

    [Theory]
    [InlineData("link")]
    [InlineData("endless")]
    [InlineData("pipe")]
    public async Task A_link_a_pipe_and_a_device_are_refused_and_not_read(string what)
    {
        ISharedStorage shared = await OpenAsync();
        (string path, _, _) = LocalFile(1000);
        string name = Path.Combine(Directory.CreateDirectory(Path.Combine(Place, "o")).FullName, "1");
        string[] made = what switch
        {
            "link" => ["ln", "-s", path, name],
            "endless" => ["ln", "-s", "/dev/zero", name],
            _ => ["mkfifo", name],
        };
        Assert.Equal(0, Run(made[0], made[1..]));
        string target = Path.Combine(_parent, "fetched");

        StorageException read = await Assert.ThrowsAsync<StorageException>(() => shared.TryReadAsync("o/1", default));
        StorageException fetched = await Assert.ThrowsAsync<StorageException>(
            () => shared.FetchFileAsync("o/1", new FileToFetch(target), default));

        Assert.All([read, fetched], failure =>
        {
            Assert.Equal(FailureKind.Corruption, failure.Kind);
            Assert.Contains($"'{name}' is no file but a link", failure.Message, StringComparison.Ordinal);
        });
        Assert.False(File.Exists(target));
        Assert.Equal([null], await shared.FindAsync(["o/1"], default));
        Assert.False(await shared.PutIfAbsentAsync("o/1", Bytes("1"), default));
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("the first half")]
    [InlineData("all of it")]
    [InlineData("another first half")]
    [InlineData("a torn end")]
    [InlineData("more than all of it")]
    [InlineData("an object")]
    public async Task A_new_file_whose_sending_was_cut_is_continued_from_what_is_the_same_there(string left)
    {
        const int Size = (3 << 20) + 5;
        ISharedStorage shared = await OpenAsync();
        (string path, byte[] content, string sha256) = LocalFile(Size);
        RocksDb.Files.FileStatus status = RocksDb.Files.LocalFiles.GetStatus(path);
        string part = Path.Combine(
            Place, ".tmp", $"{status.Device:x}-{status.Inode:x}-{status.Bytes:x}-{status.ModifiedNs:x}.part");
        byte[] torn = [.. content[..(2 << 20)], .. new byte[1 << 19]];
        await File.WriteAllBytesAsync(part, left switch
        {
            "nothing" => [],
            "the first half" => content[..(3 << 19)],
            "another first half" => new byte[3 << 19],
            "a torn end" => torn,
            "more than all of it" => [.. content, 1, 2, 3],
            _ => content,
        });
        string former = Path.Combine(Place, "former");
        Assert.True(left != "an object" || RocksDb.Files.LocalFiles.TryCreateHardLink(part, former, out _));

        SentFile sent = await shared.PutNewFileAsync(
            digest => "o/" + digest, new FileToSend(path, Size, ""), default);

        Assert.Equal(new SentFile(sha256, IsNew: true), sent);
        Assert.Equal(content, await shared.TryReadAsync("o/" + sha256, default));
        Assert.Empty(Directory.GetFiles(Path.Combine(Place, ".tmp")));
        Assert.True(left != "an object" || RocksDb.Files.LocalFiles.GetStatus(former).LinkCount == 1);
    }

    [Fact]
    public async Task A_directory_that_was_unmounted_is_unavailable_and_nothing_begins_afresh_in_its_place()
    {
        ISharedStorage shared = await OpenAsync();
        Directory.Move(Place, Place + ".away");
        Directory.CreateDirectory(Place);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => shared.PutIfAbsentAsync("a", Bytes("1"), default));

        Assert.Equal(FailureKind.SharedStorageUnavailable, failure.Kind);
        Assert.Empty(Directory.GetFileSystemEntries(Place));
    }

    [Fact]
    public async Task An_unreadable_directory_is_a_failure_and_not_empty()
    {
        ISharedStorage shared = await OpenAsync();
        await shared.PutIfAbsentAsync("d/a", Bytes("1"), default);
        string directory = Path.Combine(Place, "d");
        Assert.Equal(0, Run("chmod", "000", directory));
        try
        {
            if (CanRead(directory))
            {
                output.WriteLine("Skipped: this user reads everything.");
                return;
            }

            StorageException failure = await Assert.ThrowsAsync<StorageException>(
                () => shared.ListAsync("d", default));
            Assert.Equal(FailureKind.PermissionDenied, failure.Kind);
        }
        finally
        {
            Run("chmod", "700", directory);
        }
    }

    [Fact]
    public async Task A_full_file_system_is_said_to_be_full_and_keeps_what_it_had()
    {
        if (Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", _parent) != 0)
        {
            output.WriteLine("Skipped: this user may not mount a tmpfs.");
            return;
        }

        _mounted = true;
        ISharedStorage shared = await OpenAsync();
        await shared.PutIfAbsentAsync("a", Bytes("kept"), default);
        (string path, byte[] content, string sha256) = LocalFile(2_000_000);

        StorageException small = await Assert.ThrowsAsync<StorageException>(
            () => shared.PutIfAbsentAsync("b", new byte[2_000_000], default));
        StorageException large = await Assert.ThrowsAsync<StorageException>(() => shared.PutFileIfAbsentAsync(
            "c", new FileToSend(path, content.Length, sha256), default));

        Assert.Equal((FailureKind.DiskFull, FailureKind.DiskFull), (small.Kind, large.Kind));
        Assert.Contains(shared.Location, small.Message, StringComparison.Ordinal);
        Assert.Equal(["a"], (await shared.ListAsync("", default)).Select(e => e.Name));
        Assert.Equal("kept", Text(await shared.TryReadAsync("a", default)));
    }

    [Fact]
    public async Task A_rate_limit_makes_a_transfer_wait()
    {
        ISharedStorage shared = await OpenAsync();
        LocalStores.ManualTime time = new();
        RateLimit rate = new(1_000_000, time);
        (string path, byte[] content, string sha256) = LocalFile(2_000_000);

        Task<bool> sending = shared.PutFileIfAbsentAsync(
            "o", new FileToSend(path, content.Length, sha256, rate), default);
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(30));
        TimeSpan waited = TimeSpan.Zero;
        while (!sending.IsCompleted)
        {
            deadline.Token.ThrowIfCancellationRequested();
            if (time.Waiting > 0)
            {
                time.Advance(TimeSpan.FromMilliseconds(50));
                waited += TimeSpan.FromMilliseconds(50);
            }

            await Task.Yield();
        }

        Assert.True(await sending);
        Assert.InRange(waited, TimeSpan.FromSeconds(1.7), TimeSpan.FromSeconds(3));
    }

    private static bool CanRead(string directory)
    {
        try
        {
            _ = Directory.GetFileSystemEntries(directory);
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
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
