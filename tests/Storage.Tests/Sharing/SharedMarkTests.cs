using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>A node knows its shared storage again, and what is none.</summary>
public sealed class SharedMarkTests : IDisposable
{
    private readonly string _place = Directory.CreateTempSubdirectory("branching-mark-").FullName;
    private readonly TemporaryRoot _files = new();

    private string Shared => Path.Combine(_place, "shared");

    public void Dispose()
    {
        _files.Dispose();
        Directory.Delete(_place, recursive: true);
    }

    [Fact]
    public async Task A_path_that_is_a_file_is_refused_as_what_it_is()
    {
        await File.WriteAllTextAsync(Shared, "not a directory");

        foreach (string path in (string[])[Shared, Path.Combine(Shared, "below")])
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => PosixSharedStorage.OpenAsync(path));

            Assert.Equal(FailureKind.InvalidArgument, refused.Kind);
            Assert.Contains($"'{Shared}' is a file, not a directory", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal("not a directory", await File.ReadAllTextAsync(Shared));
    }

    [Fact]
    public async Task The_empty_mount_point_of_a_storage_that_was_used_before_is_refused_and_stays_empty()
    {
        await UseAsync();
        Directory.Move(Shared, Shared + "-unmounted");
        Directory.CreateDirectory(Shared);

        await using (DataRoot root = await OpenAsync())
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => root.CreateDatabaseAsync(DatabaseName.Parse("other"), "tests", default));
            Assert.Equal(FailureKind.SharedStorageUnavailable, refused.Kind);
            Assert.Contains("probably not mounted", refused.Message, StringComparison.Ordinal);
            Assert.Equal([".tmp"], Directory.GetFileSystemEntries(Shared).Select(Path.GetFileName));
            Directory.Delete(Shared, recursive: true);
            Directory.Move(Shared + "-unmounted", Shared);

            Assert.Equal("a=1", await ReadAsync(root));
        }
    }

    [Fact]
    public async Task Another_shared_storage_is_refused_until_it_is_accepted()
    {
        await UseAsync();
        Directory.Move(Shared, Shared + "-old");
        using (TemporaryRoot others = new())
        {
            await using DataRoot other = await OpenAsync(files: others);
            await other.CreateDatabaseAsync(DatabaseName.Parse("theirs"), "tests", default);
        }

        await using (DataRoot root = await OpenAsync())
        {
            Assert.Equal(FailureKind.Refused, await KindOfAsync(() => ReadAsync(root)));
        }

        await using (DataRoot accepting = await OpenAsync(new SharedStorageOptions { AcceptOther = true }))
        {
            await accepting.OwnDatabaseAsync(TemporaryRoot.Shop, new OwnRequest(AcceptUnknown: true), null, default);
        }

        await using DataRoot again = await OpenAsync();
        Assert.Equal("a=1", await ReadAsync(again));
    }

    [Fact]
    public async Task A_fresh_node_that_asks_for_the_mark_finds_an_empty_mount_point_out()
    {
        Directory.CreateDirectory(Shared);
        SharedStorageOptions careful = new() { RequireMark = true };

        await using (DataRoot early = await OpenAsync(careful))
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => early.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default));
            Assert.Equal(FailureKind.SharedStorageUnavailable, refused.Kind);
            Assert.Contains("RequireMark", refused.Message, StringComparison.Ordinal);
        }

        using (TemporaryRoot first = new())
        {
            await using DataRoot other = await OpenAsync(files: first);
            await other.CreateDatabaseAsync(DatabaseName.Parse("theirs"), "tests", default);
        }

        await using DataRoot root = await OpenAsync(careful);
        await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
    }

    [Fact]
    public async Task A_changed_byte_of_the_mark_is_damage_and_nothing_is_put_there()
    {
        await UseAsync();
        string mark = Path.Combine(Shared, SharedMark.Name);
        byte[] bytes = await File.ReadAllBytesAsync(mark);
        bytes[20] ^= 1;
        await File.WriteAllBytesAsync(mark, bytes);

        await using DataRoot root = await OpenAsync();

        Assert.Equal(FailureKind.Corruption, await KindOfAsync(() => ReadAsync(root)));
    }

    private async Task UseAsync()
    {
        await using DataRoot root = await OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
    }

    private Task<DataRoot> OpenAsync(SharedStorageOptions? options = null, TemporaryRoot? files = null)
    {
        options ??= new SharedStorageOptions();
        options.Directory = Shared;
        return DataRoot.OpenAsync(
            (files ?? _files).Options, new DataRootSharing(options, new OwnershipOptions(), new SnapshotOptions()));
    }

    private static async Task<string> ReadAsync(DataRoot root) => await (await root.OwnDatabaseAsync(
        TemporaryRoot.Shop, new OwnRequest(), null, default)).ReadAllAsync("main");
}
