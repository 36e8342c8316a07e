using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class MaintenanceTests
{
    [Fact]
    public void Flush_writes_the_memtable_of_one_family_or_of_all()
    {
        using TestStore store = new();
        ColumnFamily other = store.Database.CreateColumnFamily("other");
        store.Put("k", "v");
        store.Database.Set(other, "k", "v");

        store.Database.Flush(store.Family);
        string[] one = Owners();
        store.Database.Flush();
        string[] all = Owners();

        Assert.Equal(["default"], one);
        Assert.Equal(["default", "other"], all);

        string[] Owners() =>
            [.. store.Database.GetLiveFiles().Select(file => file.ColumnFamily).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void Live_files_tell_level_size_range_and_entries()
    {
        using TestStore store = new();
        store.Put("a", "1");
        store.Put("b", "2");
        store.Database.Delete(store.Family, Bytes("c"), WriteOptions.Buffered);
        store.Database.Flush();

        LiveFile file = Assert.Single(store.Database.GetLiveFiles());

        Assert.Equal(new FileInfo(store.Directory + file.Name).Length, file.Bytes);
        Assert.Equal("default", file.ColumnFamily);
        Assert.Equal(0, file.Level);
        Assert.Equal(Bytes("a"), file.SmallestKey.ToArray());
        Assert.Equal(Bytes("c"), file.LargestKey.ToArray());
        Assert.Equal(3, file.Entries);
        Assert.Equal(1, file.Deletions);
    }

    [Fact]
    public void A_log_in_memory_reaches_the_file_when_flushed()
    {
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, ManualWalFlush = true });
        store.Put("k", "v");
        long before = LogBytes(store);

        store.Database.FlushWal(sync: false);
        long after = LogBytes(store);
        store.Database.FlushWal(sync: true);

        Assert.Equal(0, before);
        Assert.True(after > 0);
    }

    [Fact]
    public void Compaction_removes_what_was_deleted()
    {
        using TestStore store = new();
        FillTables(store, 4);
        Assert.Equal(4, store.Database.GetLiveFiles().Count);

        store.Database.DeleteRange(store.Family, default, Bytes("z"), WriteOptions.Buffered);
        store.Database.Flush();
        store.Database.CompactRange(store.Family);

        Assert.Empty(store.Database.GetLiveFiles());
    }

    [Fact]
    public void Compaction_of_a_range_leaves_the_rest()
    {
        using TestStore store = new();
        FillTables(store, 4);

        store.Database.CompactRange(store.Family, Bytes("k0"), hasFrom: true, Bytes("k1"), hasTo: true);

        ILookup<bool, LiveFile> compacted = store.Database.GetLiveFiles().ToLookup(file => file.Level > 0);
        Assert.NotEmpty(compacted[true]);
        Assert.Contains(compacted[false], file => file.SmallestKey.Span.SequenceEqual(Bytes("k3")));
    }

    [Fact]
    public void An_empty_upper_bound_compacts_nothing_and_an_absent_one_everything()
    {
        using TestStore store = new();
        FillTables(store, 2);

        store.Database.CompactRange(store.Family, default, hasFrom: true, default, hasTo: true);
        int levelZero = store.Database.GetLiveFiles().Count(file => file.Level == 0);
        store.Database.CompactRange(store.Family, default, hasFrom: true, default, hasTo: false);

        Assert.Equal(2, levelZero);
        Assert.All(store.Database.GetLiveFiles(), file => Assert.True(file.Level > 0));
    }

    [Fact]
    public void Properties_are_text_or_numbers_and_unknown_ones_are_absent()
    {
        using TestStore store = new();
        ColumnFamily other = store.Database.CreateColumnFamily("other");
        store.Put("k", "v");
        store.Database.Set(other, "a", "1");
        store.Database.Set(other, "b", "2");

        Assert.Contains("Compaction Stats", store.Database.GetProperty("rocksdb.stats"), StringComparison.Ordinal);
        Assert.Equal("2", store.Database.GetProperty(other, "rocksdb.num-entries-active-mem-table"));
        Assert.True(store.Database.TryGetIntProperty("rocksdb.estimate-num-keys", out ulong keys));
        Assert.Equal(1UL, keys);
        Assert.True(store.Database.TryGetIntProperty(other, "rocksdb.estimate-num-keys", out ulong others));
        Assert.Equal(2UL, others);
        Assert.Null(store.Database.GetProperty("rocksdb.no-such-property"));
        Assert.Null(store.Database.GetProperty(other, "rocksdb.no-such-property"));
        Assert.False(store.Database.TryGetIntProperty("rocksdb.no-such-property", out _));
        Assert.False(store.Database.TryGetIntProperty(other, "rocksdb.no-such-property", out _));
    }

    [Fact]
    public void The_approximate_size_follows_the_data()
    {
        using TestStore store = new(Uncompressed());
        for (int i = 0; i < 1000; i++)
        {
            store.Put($"a{i:D4}", new string('x', 1000));
        }

        store.Database.Flush();

        Assert.InRange(store.Database.ApproximateSize(store.Family, Bytes("a"), Bytes("b")), 900_000UL, 1_200_000UL);
        Assert.InRange(store.Database.ApproximateSize(store.Family, Bytes("a"), Bytes("a05")), 400_000UL, 600_000UL);
        Assert.Equal(0UL, store.Database.ApproximateSize(store.Family, Bytes("b"), Bytes("c")));
    }

    [Fact]
    public void Obsolete_files_stay_while_deletions_are_disabled()
    {
        using TestStore store = new();
        FillOverlappingTables(store);
        string[] tables = [.. store.Database.GetLiveFiles().Select(file => store.Directory + file.Name)];

        store.Database.DisableFileDeletions();
        store.Database.CompactRange(store.Family);
        bool[] kept = [.. tables.Select(File.Exists)];
        store.Database.EnableFileDeletions();
        bool[] left = [.. tables.Select(File.Exists)];

        Assert.All(kept, Assert.True);
        Assert.All(left, Assert.False);
    }

    [Fact]
    public void Disabling_deletions_nests_and_force_undoes_all()
    {
        using TestStore store = new();
        FillOverlappingTables(store);
        string table = store.Directory + store.Database.GetLiveFiles()[0].Name;
        store.Database.DisableFileDeletions();
        store.Database.DisableFileDeletions();
        store.Database.CompactRange(store.Family);

        store.Database.EnableFileDeletions();
        bool kept = File.Exists(table);
        store.Database.EnableFileDeletions(force: true);

        Assert.True(kept);
        Assert.False(File.Exists(table));
    }

    [Fact]
    public void Options_change_while_open_and_wrong_ones_are_invalid()
    {
        using TestStore store = new();

        store.Database.SetOptions(
            store.Family,
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["write_buffer_size"] = "1048576",
                ["disable_auto_compactions"] = "true",
            });
        store.Database.SetOptions(store.Family, new Dictionary<string, string>(StringComparer.Ordinal));
        RocksDbException unknown = Assert.Throws<RocksDbException>(() => Set("no_such_option", "1"));
        RocksDbException frozen = Assert.Throws<RocksDbException>(() => Set("num_levels", "3"));

        string options = OptionsFile(store.Directory);
        Assert.Contains("write_buffer_size=1048576", options, StringComparison.Ordinal);
        Assert.Contains("disable_auto_compactions=true", options, StringComparison.Ordinal);
        Assert.Equal(RocksDbStatus.InvalidArgument, unknown.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, frozen.Status);

        void Set(string name, string value) => store.Database.SetOptions(
            store.Family, new Dictionary<string, string>(StringComparer.Ordinal) { [name] = value });
    }

    [Fact]
    public void After_background_work_is_cancelled_a_flush_is_refused_and_reads_go_on()
    {
        using TestStore store = new();
        store.Put("k", "v");

        store.Database.CancelBackgroundWork(wait: true);
        RocksDbException failure = Assert.Throws<RocksDbException>(() => store.Database.Flush());

        Assert.Equal(RocksDbStatus.ShutdownInProgress, failure.Status);
        Assert.Equal("v", store.Get("k"));
    }

    [Fact]
    public void A_full_write_buffer_flushes_in_the_background_and_all_is_readable()
    {
        DatabaseOptions options = Creating();
        options.DefaultColumnFamily.WriteBufferBytes = 64 << 10;
        using TestStore store = new(options);

        for (int i = 0; i < 2000; i++)
        {
            store.Put($"k{i:D4}", new string((char)('a' + (i % 26)), 200));
        }

        for (int i = 0; i < 2000; i++)
        {
            Assert.Equal(new string((char)('a' + (i % 26)), 200), store.Get($"k{i:D4}"));
        }

        Assert.NotEmpty(store.Database.GetLiveFiles());
    }

    [Fact]
    public void Ranges_that_end_before_they_begin_are_refused()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Flush();

        Assert.Throws<ArgumentException>(() => store.Database.ApproximateSize(store.Family, Bytes("z"), Bytes("a")));
        Assert.Throws<ArgumentException>(
            () => store.Database.CompactRange(store.Family, Bytes("z"), hasFrom: true, Bytes("a"), hasTo: true));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_open_for_reading_only_changes_nothing(bool secondary)
    {
        using TestStore store = new();
        store.Database.CreateColumnFamily("f");
        store.Put("k", "v");
        using RocksDatabase reader = secondary
            ? RocksDatabase.OpenSecondary(store.Directory, store.Below("own"), new DatabaseOptions())
            : RocksDatabase.OpenReadOnly(store.Directory, new DatabaseOptions());
        ColumnFamily family = reader.ColumnFamilies[1];
        Dictionary<string, string> change = new(StringComparer.Ordinal) { ["write_buffer_size"] = "100000" };
        using WriteBatch batch = new();
        batch.Put(family, Bytes("k"), Bytes("v"));
        Action[] changes =
        [
            () => reader.Set("k", "w"),
            () => reader.Delete(family, Bytes("k"), WriteOptions.Buffered),
            () => reader.DeleteRange(family, Bytes("a"), Bytes("z"), WriteOptions.Buffered),
            () => reader.Write(batch, WriteOptions.Buffered),
            () => reader.CreateColumnFamily("g"),
            () => reader.DropColumnFamily(family),
            () => reader.Flush(),
            () => reader.FlushWal(sync: true),
            () => reader.CompactRange(family),
            () => reader.SetOptions(family, change),
            () => reader.CreateCheckpoint(store.Below("checkpoint"), CheckpointFlush.Never),
            reader.DisableFileDeletions,
            () => reader.EnableFileDeletions(),
        ];

        Assert.All(changes, each => Assert.Equal(
            RocksDbStatus.NotSupported, Assert.Throws<RocksDbException>(each).Status));
        Assert.Equal("v", reader.Text("k"));
        Assert.Equal(["default", "f"], RocksDatabase.ListColumnFamilies(store.Directory));
    }

    internal static string OptionsFile(string directory) =>
        File.ReadAllText(Directory.EnumerateFiles(directory, "OPTIONS-*").Max(StringComparer.Ordinal)!);

    private static DatabaseOptions Uncompressed()
    {
        DatabaseOptions options = Creating();
        options.DefaultColumnFamily.Compression = Compression.None;
        return options;
    }

    private static long LogBytes(TestStore store) =>
        Directory.EnumerateFiles(store.Directory, "*.log").Sum(file => new FileInfo(file).Length);

    // Tables that do not overlap would be moved down by a compaction, not rewritten.
    private static void FillOverlappingTables(TestStore store)
    {
        FillTables(store, 2);
        store.Put("k0", "w");
        store.Put("k1", "w");
        store.Database.Flush();
    }

    private static void FillTables(TestStore store, int tables)
    {
        store.Database.SetOptions(
            store.Family,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["disable_auto_compactions"] = "true" });
        for (int table = 0; table < tables; table++)
        {
            store.Put($"k{table}", "v");
            store.Database.Flush();
        }
    }
}
