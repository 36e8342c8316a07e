using Branching.RocksDb.Files;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

public sealed class FileKnowledgeTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-digests-").FullName;

    [Fact]
    public void Digests_survive_a_restart_and_forget_what_was_not_used_when_there_are_too_many()
    {
        DigestCache first = DigestCache.Load(_directory, NullLogger.Instance);
        FileIdentity[] files = [.. Enumerable.Range(1, 10).Select(i => new FileIdentity(1, (ulong)i, i * 10, i * 100))];
        foreach (FileIdentity file in files)
        {
            first.Add(file, new string('a', 64));
        }

        first.Save(most: 100);
        DigestCache second = DigestCache.Load(_directory, NullLogger.Instance);
        string? found = second.Find(files[3]);
        second.Add(new FileIdentity(2, 1, 1, 1), new string('b', 64));
        second.Save(most: 5);
        DigestCache third = DigestCache.Load(_directory, NullLogger.Instance);

        Assert.Equal(new string('a', 64), found);
        Assert.Equal(2, third.Count);
        Assert.NotNull(third.Find(files[3]));
        Assert.Null(third.Find(files[4]));
    }

    [Fact]
    public void A_damaged_line_is_forgotten_and_the_others_are_kept()
    {
        DigestCache cache = DigestCache.Load(_directory, NullLogger.Instance);
        cache.Add(new FileIdentity(1, 1, 1, 1), new string('a', 64));
        cache.Add(new FileIdentity(1, 2, 1, 1), new string('b', 64));
        cache.Save(most: 100);
        string path = Path.Combine(_directory, DigestCache.FileName);
        File.WriteAllText(path, File.ReadAllText(path).Replace("aaaa", "aaab", StringComparison.Ordinal) + "torn 1 2");

        DigestCache again = DigestCache.Load(_directory, NullLogger.Instance);

        Assert.Null(again.Find(new FileIdentity(1, 1, 1, 1)));
        Assert.NotNull(again.Find(new FileIdentity(1, 2, 1, 1)));
    }

    [Fact]
    public void A_link_has_the_identity_of_its_file_and_new_content_another()
    {
        string file = Path.Combine(_directory, "file");
        File.WriteAllText(file, "one");
        FileIdentity before = FileIdentity.Of(LocalFiles.GetStatus(file));
        Assert.True(LocalFiles.TryCreateHardLink(file, file + ".link", out _));

        FileIdentity link = FileIdentity.Of(LocalFiles.GetStatus(file + ".link"));
        FileIdentity original = FileIdentity.Of(LocalFiles.GetStatus(file));
        File.SetLastWriteTimeUtc(file, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        FileIdentity changed = FileIdentity.Of(LocalFiles.GetStatus(file));

        Assert.Equal(before, link);
        Assert.Equal(before, original);
        Assert.NotEqual(before, changed);
    }

    [Fact]
    public async Task A_digest_is_that_of_the_file()
    {
        string file = Path.Combine(_directory, "file");
        await File.WriteAllBytesAsync(file, [.. Enumerable.Range(0, 3_000_000).Select(i => (byte)(i * 7))]);
        using FileDigester digester = new();

        string[] digests = await Task.WhenAll(
            digester.DigestAsync(file, null, default), digester.DigestAsync(file, null, default));

        string expected = Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(file)));
        Assert.Equal([expected, expected], digests);
        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => digester.DigestAsync(file + ".none", null, default));
        Assert.Equal(FailureKind.Io, failure.Kind);
    }

    [Theory]
    [InlineData("000012.sst", SnapshotFileRole.Table)]
    [InlineData("000012.blob", SnapshotFileRole.Blob)]
    [InlineData("000012.log", SnapshotFileRole.Log)]
    [InlineData("MANIFEST-000005", SnapshotFileRole.Manifest)]
    [InlineData("OPTIONS-000007", SnapshotFileRole.Options)]
    [InlineData("CURRENT", SnapshotFileRole.Current)]
    [InlineData("IDENTITY", SnapshotFileRole.Identity)]
    [InlineData("branch.json", SnapshotFileRole.Mark)]
    [InlineData("LOG", null)]
    [InlineData("LOG.old.123", null)]
    [InlineData("LOCK", null)]
    [InlineData("OPTIONS-000007.dbtmp", null)]
    [InlineData("../000012.sst", null)]
    [InlineData(".sst", null)]
    public void A_file_s_role_follows_from_its_name(string name, SnapshotFileRole? role) =>
        Assert.Equal(role, StoreFileNames.RoleOf(name));

    [Fact]
    public void Comparators_and_merge_operators_are_read_from_the_options_file()
    {
        StoreOptionsFile options = StoreOptionsFile.Parse("""
            [Version]
              rocksdb_version=9.0.0
            [DBOptions]
              comparator=not this one
            [CFOptions "default"]
              comparator=leveldb.BytewiseComparator
              merge_operator=nullptr
            [TableOptions/BlockBasedTable "default"]
              comparator=nor this
            [CFOptions "counts"]
              comparator={id=Backwards;x=1;}
              merge_operator={id=UInt64AddOperator;}
            """);

        Assert.Equal("leveldb.BytewiseComparator", options.Comparators["default"]);
        Assert.Equal("Backwards", options.Comparators["counts"]);
        Assert.Equal("UInt64AddOperator", Assert.Single(options.MergeOperators).Value);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
