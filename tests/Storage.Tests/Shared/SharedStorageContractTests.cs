using System.Security.Cryptography;
using System.Text;
using Branching.Storage.Shared;

namespace Branching.Storage.Tests.Shared;

/// <summary>What every shared storage promises, on each of ours.</summary>
public abstract class SharedStorageContractTests : IDisposable
{
    private readonly string _local = Directory.CreateTempSubdirectory("branching-local-").FullName;

    internal abstract Task<ISharedStorage> OpenAsync();

    public virtual void Dispose()
    {
        Directory.Delete(_local, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_was_put_is_read_back_and_a_second_put_changes_nothing()
    {
        ISharedStorage shared = await OpenAsync();

        Assert.True(await shared.PutIfAbsentAsync("a/b/c.json", Bytes("one"), default));
        Assert.False(await shared.PutIfAbsentAsync("a/b/c.json", Bytes("two"), default));

        Assert.Equal("one", Text(await shared.TryReadAsync("a/b/c.json", default)));
    }

    [Fact]
    public async Task A_replacement_creates_and_replaces()
    {
        ISharedStorage shared = await OpenAsync();

        await shared.ReplaceAsync("x/lease", Bytes("1"), default);
        await shared.ReplaceAsync("x/lease", Bytes("22"), default);

        Assert.Equal("22", Text(await shared.TryReadAsync("x/lease", default)));
    }

    [Fact]
    public async Task What_is_absent_reads_as_null_lists_as_empty_and_deletes_as_false()
    {
        ISharedStorage shared = await OpenAsync();

        Assert.Null(await shared.TryReadAsync("no/such", default));
        Assert.Empty(await shared.ListAsync("no/such", default));
        Assert.False(await shared.DeleteAsync("no/such", default));
    }

    [Fact]
    public async Task A_listing_shows_children_in_order_with_their_lengths_and_nothing_else()
    {
        ISharedStorage shared = await OpenAsync();
        foreach (string name in (string[])["d/b", "d/a", "d/sub/x", "d/sub/y", "dd/z"])
        {
            await shared.PutIfAbsentAsync(name, Bytes(name), default);
        }

        IReadOnlyList<SharedEntry> entries = await shared.ListAsync("d", default);

        Assert.Equal(["a", "b", "sub"], entries.Select(e => e.Name));
        Assert.Equal([3L, 3L, 0L], entries.Select(e => e.Bytes));
        Assert.Equal([false, false, true], entries.Select(e => e.IsDirectory));
        Assert.Equal(["d", "dd"], (await shared.ListAsync("", default)).Select(e => e.Name));
    }

    [Fact]
    public async Task Objects_are_found_by_name_with_their_lengths_in_the_order_asked()
    {
        ISharedStorage shared = await OpenAsync();
        foreach (string name in (string[])["d/b", "d/sub/xyz", "top"])
        {
            await shared.PutIfAbsentAsync(name, Bytes(name), default);
        }

        Assert.Equal(
            [3L, null, 3L, null, null, 9L, null],
            await shared.FindAsync(["top", "d/none", "d/b", "no/such", "d/sub", "d/sub/xyz", "d"], default));
        Assert.Empty(await shared.FindAsync([], default));
        await Assert.ThrowsAsync<StorageException>(() => shared.FindAsync(["../x"], default));
    }

    [Fact]
    public async Task An_object_listed_as_a_directory_is_a_failure_and_not_empty()
    {
        ISharedStorage shared = await OpenAsync();
        await shared.PutIfAbsentAsync("d/file", Bytes("1"), default);

        await Assert.ThrowsAsync<StorageException>(() => shared.ListAsync("d/file", default));
    }

    [Fact]
    public async Task A_deleted_object_is_gone()
    {
        ISharedStorage shared = await OpenAsync();
        await shared.PutIfAbsentAsync("d/a", Bytes("1"), default);

        Assert.True(await shared.DeleteAsync("d/a", default));

        Assert.Null(await shared.TryReadAsync("d/a", default));
        Assert.True(await shared.PutIfAbsentAsync("d/a", Bytes("2"), default));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/../b")]
    [InlineData(".hidden")]
    [InlineData("a/.tmp")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\0b")]
    public async Task An_illegal_name_is_refused(string name)
    {
        ISharedStorage shared = await OpenAsync();

        Func<Task>[] steps =
        [
            () => shared.PutIfAbsentAsync(name, default, default),
            () => shared.ReplaceAsync(name, default, default),
            () => shared.TryReadAsync(name, default),
            () => shared.DeleteAsync(name, default),
        ];

        foreach (Func<Task> step in steps)
        {
            Assert.Equal(FailureKind.InvalidArgument, (await Assert.ThrowsAsync<StorageException>(step)).Kind);
        }
    }

    [Fact]
    public async Task Of_many_that_race_for_a_name_exactly_one_wins()
    {
        ISharedStorage shared = await OpenAsync();
        for (int round = 0; round < 20; round++)
        {
            string name = $"race/{round}";
            bool[] won = await Task.WhenAll(Enumerable.Range(0, 4).Select(
                i => Task.Run(() => shared.PutIfAbsentAsync(name, Bytes($"{i}"), default))));

            int winner = Assert.Single(Enumerable.Range(0, 4), i => won[i]);
            Assert.Equal($"{winner}", Text(await shared.TryReadAsync(name, default)));
        }
    }

    [Fact]
    public async Task A_file_is_sent_and_fetched_with_its_digest_and_progress()
    {
        ISharedStorage shared = await OpenAsync();
        (string path, byte[] content, string sha256) = LocalFile(3_000_000);
        Sum sent = new();
        Sum fetched = new();
        string target = Path.Combine(_local, "fetched");

        Assert.True(await shared.PutFileIfAbsentAsync(
            "o/1", new FileToSend(path, content.Length, sha256, null, sent), default));
        Assert.False(await shared.PutFileIfAbsentAsync(
            "o/1", new FileToSend(path, content.Length, sha256), default));
        FetchedFile file = await shared.FetchFileAsync("o/1", new FileToFetch(target, null, fetched), default);

        Assert.Equal(new FetchedFile(content.Length, sha256), file);
        Assert.Equal(content, await File.ReadAllBytesAsync(target));
        Assert.Equal((content.Length, content.Length), (sent.Total, fetched.Total));
    }

    [Fact]
    public async Task A_file_that_is_not_what_its_digest_says_is_refused_and_leaves_nothing()
    {
        ISharedStorage shared = await OpenAsync();
        (string path, byte[] content, string sha256) = LocalFile(1000);
        FileToSend file = new(path, content.Length, new string('0', 63) + sha256[0]);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => shared.PutFileIfAbsentAsync("o/1", file, default));

        Assert.Equal(FailureKind.Corruption, failure.Kind);
        Assert.Null(await shared.TryReadAsync("o/1", default));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(1 << 20)]
    [InlineData((5 << 20) + 7)]
    public async Task A_new_file_is_named_by_the_digest_that_is_found_while_it_is_sent(int bytes)
    {
        ISharedStorage shared = await OpenAsync();
        (string path, byte[] content, string sha256) = LocalFile(bytes);
        Sum progress = new();
        FileToSend file = new(path, bytes, "");

        SentFile sent = await shared.PutNewFileAsync(
            digest => "o/" + digest, file with { Progress = progress }, default);
        SentFile again = await shared.PutNewFileAsync(digest => "o/" + digest, file, default);
        StorageException longer = await Assert.ThrowsAsync<StorageException>(
            () => shared.PutNewFileAsync(_ => "o/longer", file with { Bytes = bytes + 1 }, default));
        File.AppendAllText(path, "more");
        StorageException shorter = await Assert.ThrowsAsync<StorageException>(
            () => shared.PutNewFileAsync(_ => "o/shorter", file, default));

        Assert.Equal((new SentFile(sha256, true), new SentFile(sha256, false)), (sent, again));
        Assert.Equal(content, await shared.TryReadAsync("o/" + sha256, default));
        Assert.Equal(bytes, progress.Total);
        Assert.Equal((FailureKind.Corruption, FailureKind.Corruption), (longer.Kind, shorter.Kind));
        Assert.Equal([sha256], (await shared.ListAsync("o", default)).Select(entry => entry.Name));
    }

    [Fact]
    public async Task Fetching_an_object_that_is_not_there_says_so()
    {
        ISharedStorage shared = await OpenAsync();

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => shared.FetchFileAsync("o/none", new FileToFetch(Path.Combine(_local, "x")), default));

        Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        Assert.Contains("o/none", failure.Message, StringComparison.Ordinal);
    }

    protected (string Path, byte[] Content, string Sha256) LocalFile(int bytes)
    {
        byte[] content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        string path = Path.Combine(_local, $"file-{bytes}");
        File.WriteAllBytes(path, content);
        return (path, content, Convert.ToHexStringLower(SHA256.HashData(content)));
    }

    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);

    private sealed class Sum : IProgress<long>
    {
        public long Total { get; private set; }

        public void Report(long value) => Total += value;
    }
}

/// <summary>The contract on the storage of the simulation.</summary>
public sealed class MemorySharedStorageTests : SharedStorageContractTests
{
    private readonly MemorySharedStorage _memory = new();

    internal override Task<ISharedStorage> OpenAsync() => Task.FromResult<ISharedStorage>(_memory);

    [Fact]
    public async Task A_change_that_was_not_answered_is_lost_with_the_power_and_an_answered_one_is_not()
    {
        await _memory.PutIfAbsentAsync("a", Bytes("kept"), default);
        _memory.AfterEffect = _ => throw new IOException("no answer");
        await Assert.ThrowsAsync<IOException>(() => _memory.PutIfAbsentAsync("b", Bytes("lost"), default));
        await Assert.ThrowsAsync<IOException>(() => _memory.DeleteAsync("a", default));
        _memory.AfterEffect = null;
        Assert.Equal(["b"], _memory.Names);

        _memory.LosePower();

        Assert.Equal(["a"], _memory.Names);
    }

    [Fact]
    public async Task A_name_that_is_answered_as_taken_is_durable()
    {
        _memory.AfterEffect = _ => throw new IOException("no answer");
        await Assert.ThrowsAsync<IOException>(() => _memory.PutIfAbsentAsync("a", Bytes("1"), default));
        _memory.AfterEffect = null;

        Assert.False(await _memory.PutIfAbsentAsync("a", Bytes("2"), default));
        _memory.LosePower();

        Assert.Equal(["a"], _memory.Names);
    }

    [Fact]
    public async Task Each_fault_is_the_failure_that_the_real_one_would_be()
    {
        _memory.IsFull = true;
        Assert.Equal(FailureKind.DiskFull, await KindOfAsync());
        _memory.IsReadOnly = true;
        Assert.Equal(FailureKind.PermissionDenied, await KindOfAsync());
        _memory.IsGone = true;
        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync());
    }

    private async Task<FailureKind> KindOfAsync() => (await Assert.ThrowsAsync<StorageException>(
        () => _memory.PutIfAbsentAsync("x", Bytes("1"), default))).Kind;
}
