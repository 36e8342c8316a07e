using System.Text;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class IngestTests
{
    [Fact]
    public void A_file_of_a_writer_is_ingested_and_says_what_is_in_it()
    {
        using TestStore store = new();
        store.Put("b", "old");
        using SstFileWriter writer = new(store.Below("a.sst"));
        writer.Put(Bytes("a"), Bytes("1"));
        writer.Put(Bytes("bb"), Bytes("2"));
        writer.Delete(Bytes("c"));
        SstFileInfo info = writer.Finish();

        store.Database.IngestFiles(store.Family, [info.Path]);

        Assert.Equal("1", store.Get("a"));
        Assert.Equal("old", store.Get("b"));
        Assert.Equal("2", store.Get("bb"));
        Assert.Equal(3, info.Entries);
        Assert.Equal(Bytes("a"), info.SmallestKey.ToArray());
        Assert.Equal(Bytes("c"), info.LargestKey.ToArray());
        Assert.Equal(new FileInfo(info.Path).Length, info.Bytes);
        store.Open();
        Assert.Equal("2", store.Get("bb"));
    }

    [Fact]
    public void Moved_files_are_gone_and_copied_ones_stay()
    {
        using TestStore store = new();
        string moved = Written(store, "moved", ("m", "1"));
        string copied = Written(store, "copied", ("n", "2"));

        store.Database.IngestFiles(store.Family, [moved], new IngestOptions { MoveFiles = true });
        store.Database.IngestFiles(store.Family, [copied]);

        Assert.False(File.Exists(moved));
        Assert.True(File.Exists(copied));
        Assert.Equal("1", store.Get("m"));
        Assert.Equal("2", store.Get("n"));
    }

    [Fact]
    public void What_a_file_overlaps_is_older_and_a_snapshot_does_not_see_it()
    {
        using TestStore store = new();
        store.Put("k", "old");
        using ReadSnapshot before = store.Database.NewSnapshot();
        using ReadOptions atSnapshot = new() { Snapshot = before };

        store.Database.IngestFiles(store.Family, [Written(store, "f", ("k", "new"))]);

        Assert.Equal("new", store.Get("k"));
        Assert.Equal("old", store.Database.Text("k", atSnapshot));
    }

    [Fact]
    public void An_overlap_that_the_options_forbid_is_refused_and_nothing_is_ingested()
    {
        using TestStore store = new();
        string file = Written(store, "f", ("a", "1"), ("k", "new"));
        store.Put("k", "in the memtable");

        RocksDbException flush = Assert.Throws<RocksDbException>(() => store.Database.IngestFiles(
            store.Family, [file], new IngestOptions { AllowBlockingFlush = false }));
        store.Database.Flush();
        RocksDbException sequence = Assert.Throws<RocksDbException>(() => store.Database.IngestFiles(
            store.Family, [file], new IngestOptions { AllowGlobalSequence = false }));

        Assert.Equal(RocksDbStatus.InvalidArgument, flush.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, sequence.Status);
        Assert.Null(store.Get("a"));
        Assert.True(File.Exists(file));
    }

    [Fact]
    public void Of_files_that_overlap_each_other_the_later_one_is_newer()
    {
        using TestStore store = new();

        store.Database.IngestFiles(
            store.Family,
            [Written(store, "f", ("a", "1"), ("k", "first")), Written(store, "g", ("b", "2"), ("k", "second"))]);

        Assert.Equal("1", store.Get("a"));
        Assert.Equal("2", store.Get("b"));
        Assert.Equal("second", store.Get("k"));
    }

    [Fact]
    public void Behind_what_is_there_goes_only_what_is_missing()
    {
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, AllowIngestBehind = true });
        store.Put("k", "kept");
        string file = Written(store, "f", ("j", "filled"), ("k", "ignored"));

        store.Database.IngestFiles(store.Family, [file], new IngestOptions { IngestBehind = true });

        Assert.Equal("kept", store.Get("k"));
        Assert.Equal("filled", store.Get("j"));
        using TestStore without = new();
        RocksDbException refused = Assert.Throws<RocksDbException>(() => without.Database.IngestFiles(
            without.Family, [file], new IngestOptions { IngestBehind = true }));
        Assert.Equal(RocksDbStatus.InvalidArgument, refused.Status);
    }

    [Fact]
    public void Keys_out_of_order_and_keys_twice_are_refused_and_the_file_goes_on()
    {
        using TestStore store = new();
        using SstFileWriter writer = new(store.Below("f"));
        writer.Put(Bytes("m"), Bytes("1"));

        RocksDbException less = Assert.Throws<RocksDbException>(() => writer.Put(Bytes("a"), default));
        RocksDbException same = Assert.Throws<RocksDbException>(() => writer.Delete(Bytes("m")));
        writer.Put(Bytes("n"), Bytes("2"));
        SstFileInfo info = writer.Finish();

        Assert.Equal(RocksDbStatus.InvalidArgument, less.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, same.Status);
        Assert.Equal(2, info.Entries);
        store.Database.IngestFiles(store.Family, [info.Path]);
        Assert.Equal("2", store.Get("n"));
    }

    [Fact]
    public void A_range_deletion_in_a_file_covers_the_database()
    {
        using TestStore store = new();
        store.Put("a", "1");
        store.Put("b", "2");
        using SstFileWriter writer = new(store.Below("f"));
        writer.DeleteRange(Bytes("a"), Bytes("b"));
        SstFileInfo info = writer.Finish();

        store.Database.IngestFiles(store.Family, [info.Path]);

        Assert.Null(store.Get("a"));
        Assert.Equal("2", store.Get("b"));
        Assert.Equal(1, info.Entries);
        Assert.True(info.SmallestKey.IsEmpty);
        using SstFileWriter backwards = new(store.Below("g"));
        Assert.Throws<ArgumentException>(() => backwards.DeleteRange(Bytes("b"), Bytes("a")));
    }

    [Fact]
    public void Operands_in_a_file_are_merged_with_what_is_there()
    {
        DatabaseOptions options = MergeTests.With(MergeOperator.Append(Bytes(",")));
        using TestStore store = new(options);
        store.Put("k", "a");
        using SstFileWriter writer = new(store.Below("f"), options.DefaultColumnFamily);
        writer.Merge(Bytes("k"), Bytes("b"));

        store.Database.IngestFiles(store.Family, [writer.Finish().Path]);

        Assert.Equal("a,b", store.Get("k"));
        using SstFileWriter without = new(store.Below("g"));
        Assert.Throws<InvalidOperationException>(() => without.Merge(Bytes("k"), Bytes("b")));
    }

    [Fact]
    public void Files_that_are_absent_or_no_tables_and_lists_of_none_are_refused()
    {
        using TestStore store = new();
        File.WriteAllText(store.Below("text"), new string('x', 1000));

        RocksDbException absent = Assert.Throws<RocksDbException>(() =>
            store.Database.IngestFiles(store.Family, [store.Below("absent")]));
        RocksDbException text = Assert.Throws<RocksDbException>(() =>
            store.Database.IngestFiles(store.Family, [store.Below("text")]));
        RocksDbException none = Assert.Throws<RocksDbException>(() => store.Database.IngestFiles(store.Family, []));

        Assert.Equal(RocksDbStatus.PathNotFound, absent.Status);
        Assert.Equal(RocksDbStatus.Corruption, text.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, none.Status);
        store.Put("k", "v"); // None of that harms the database.
        Assert.False(store.Database.IsKeptOpen);
    }

    [Fact]
    public void A_file_with_nothing_in_it_is_refused_and_removed()
    {
        using TestStore store = new();
        using SstFileWriter writer = new(store.Below("f"));

        RocksDbException empty = Assert.Throws<RocksDbException>(() => writer.Finish());

        Assert.Equal(RocksDbStatus.InvalidArgument, empty.Status);
        Assert.False(File.Exists(writer.Path));
    }

    [Fact]
    public void A_writer_disposed_before_the_end_leaves_no_file_and_never_overwrites_one()
    {
        using TestStore store = new();
        SstFileWriter writer = new(store.Below("f"));
        writer.Put(Bytes("a"), Bytes("1"));
        RocksDbException twice = Assert.Throws<RocksDbException>(() => new SstFileWriter(store.Below("f")));
        writer.Dispose();
        writer.Dispose();
        RocksDbException nowhere = Assert.Throws<RocksDbException>(() =>
            new SstFileWriter(Path.Combine(store.Below("absent"), "f")));

        Assert.False(File.Exists(store.Below("f")));
        Assert.Equal(RocksDbStatus.InvalidArgument, twice.Status);
        Assert.Equal(RocksDbStatus.PathNotFound, nowhere.Status);
        Assert.All(UsesOf(writer), static use => Assert.Throws<ObjectDisposedException>(use));
    }

    [Fact]
    public void A_finished_writer_takes_nothing_more()
    {
        using TestStore store = new();
        using SstFileWriter writer = new(store.Below("f"));
        writer.Put(Bytes("a"), Bytes("1"));
        writer.Finish();

        Assert.All(UsesOf(writer)[..^1], static use => Assert.Throws<InvalidOperationException>(use));
        Assert.True(writer.FileBytes > 0);
        Assert.True(File.Exists(writer.Path));
    }

    [Fact]
    public void A_put_into_a_file_allocates_nothing()
    {
        using TestStore store = new();
        using SstFileWriter writer = new(store.Below("f"));
        byte[] key = Bytes("key-00000");
        byte[] value = Bytes("value");
        Write(0, 10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Write(10, 100);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Write(int from, int to)
        {
            for (int i = from; i < to; i++)
            {
                Assert.True(i.TryFormat(key.AsSpan(4), out _, "D5"));
                writer.Put(key, value);
            }
        }
    }

    [Fact]
    public void Approximate_sizes_of_ranges_are_those_of_their_files()
    {
        using TestStore store = new();
        byte[] value = new byte[1000];
        Random random = new(7);
        for (int i = 0; i < 1000; i++)
        {
            random.NextBytes(value);
            store.Database.Put(store.Family, Bytes($"k{i:D4}"), value, WriteOptions.Buffered);
        }

        store.Database.Flush();
        IReadOnlyList<long> sizes = store.Database.ApproximateSizes(
            store.Family,
            [(Bytes("k0000"), Bytes("k0500")), (Bytes("k0000"), Bytes("k9")), (Bytes("x"), Bytes("y"))]);

        Assert.InRange(sizes[0], 400_000, 600_000);
        Assert.InRange(sizes[1], 900_000, 1_200_000);
        Assert.InRange(sizes[2], 0, 10_000);
        Assert.Empty(store.Database.ApproximateSizes(store.Family, []));
        Assert.Throws<ArgumentException>(() =>
            store.Database.ApproximateSizes(store.Family, [(Bytes("b"), Bytes("a"))]));
    }

    [Fact]
    public void Sizes_of_memtables_come_with_newer_libraries()
    {
        using TestStore store = new();
        store.Put("k", "v");
        (ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)[] all = [(Bytes("a"), Bytes("z"))];

        if (RocksDbLibrary.NativeVersion >= new Version(9, 5))
        {
            Assert.Single(store.Database.ApproximateSizes(store.Family, all, includeMemtables: true));
            return;
        }

        RocksDbException failure = Assert.Throws<RocksDbException>(() =>
            store.Database.ApproximateSizes(store.Family, all, includeMemtables: true));
        Assert.Equal(RocksDbStatus.NotSupported, failure.Status);
        Assert.Contains("RocksDB 9.5", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_of_databases_and_caches_adds_up()
    {
        using BlockCache cache = new(8 << 20);
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, BlockCache = cache });
        using TestStore other = new();
        store.Put("k", new string('x', 100_000));
        store.Database.Flush();
        Assert.NotNull(store.Get("k"));
        store.Put("l", new string('x', 100_000));

        MemoryUsage one = MemoryUsage.Of([store.Database], [cache, cache]);
        MemoryUsage both = MemoryUsage.Of([store.Database, other.Database], []);

        Assert.True(one.UnflushedMemtableBytes >= 100_000);
        Assert.True(one.MemtableBytes >= one.UnflushedMemtableBytes);
        Assert.Equal(cache.UsageBytes, one.CacheBytes);
        Assert.True(both.MemtableBytes > one.MemtableBytes);
        Assert.Equal(0, both.CacheBytes);
        other.Database.Dispose();
        Assert.Throws<ObjectDisposedException>(() => MemoryUsage.Of([other.Database], []));
    }

    private static string Written(TestStore store, string name, params (string Key, string Value)[] entries)
    {
        using SstFileWriter writer = new(store.Below(name));
        foreach ((string key, string value) in entries)
        {
            writer.Put(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));
        }

        return writer.Finish().Path;
    }

    private static Action[] UsesOf(SstFileWriter writer) =>
    [
        () => writer.Put(default, default), () => writer.Merge(default, default), () => writer.Delete(default),
        () => writer.DeleteRange(default, default), () => writer.Finish(), () => _ = writer.FileBytes,
    ];
}
