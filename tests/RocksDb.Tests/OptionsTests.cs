using System.Buffers;
using System.Buffers.Binary;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class OptionsTests
{
    [Fact]
    public void Every_database_option_reaches_the_library()
    {
        DatabaseOptions options = Creating();
        options.MaxOpenFiles = 123;
        options.MaxFileOpeningThreads = 2;
        options.MaxBackgroundJobs = 3;
        options.MaxTotalWalBytes = 12_345_678;
        options.AvoidFlushDuringRecovery = true;
        options.AvoidFlushDuringShutdown = true;
        options.ManualWalFlush = true;
        options.WalRecoveryMode = WalRecoveryMode.AbsoluteConsistency;
        options.RecycleLogFileNum = 0;
        options.UseFsync = true;
        options.KeepLogFileNum = 7;
        options.MaxLogFileBytes = 54_321;
        options.InfoLogLevel = InfoLogLevel.Warn;
        options.WalBytesPerSync = 1111;
        options.BytesPerSync = 2222;
        options.ParanoidChecks = false;
        options.SkipStatsUpdateOnOpen = true;
        options.DbWriteBufferBytes = 33_333_333;
        options.AtomicFlush = true;
        options.MaxManifestFileBytes = 44_444_444;
        options.StatsDumpPeriodSeconds = 55;
        options.AllowIngestBehind = true;
        options.WalTimeToLive = TimeSpan.FromSeconds(77);
        options.WalSizeLimitBytes = 5 << 20;
        options.MaxBackgroundErrorResumeCount = 6;
        options.BackgroundErrorResumeInterval = TimeSpan.FromMilliseconds(2);
        options.MaxSubcompactions = 4;

        using TestStore store = new(options);

        AssertIn(
            store,
            "max_open_files=123",
            "max_background_jobs=3",
            "max_total_wal_size=12345678",
            "avoid_flush_during_recovery=true",
            "avoid_flush_during_shutdown=true",
            "manual_wal_flush=true",
            "wal_recovery_mode=kAbsoluteConsistency",
            "recycle_log_file_num=0",
            "use_fsync=true",
            "keep_log_file_num=7",
            "max_log_file_size=54321",
            "info_log_level=WARN_LEVEL",
            "wal_bytes_per_sync=1111",
            "bytes_per_sync=2222",
            "paranoid_checks=false",
            "skip_stats_update_on_db_open=true",
            "db_write_buffer_size=33333333",
            "atomic_flush=true",
            "max_manifest_file_size=44444444",
            "stats_dump_period_sec=55",
            "allow_ingest_behind=true",
            "WAL_ttl_seconds=77",
            "WAL_size_limit_MB=5",
            "max_bgerror_resume_count=6",
            "bgerror_resume_retry_interval=2000",
            "max_subcompactions=4");
    }

    [Fact]
    public void Every_family_option_reaches_the_library()
    {
        DatabaseOptions options = Creating();
        options.DefaultColumnFamily = new ColumnFamilyOptions
        {
            WriteBufferBytes = 1 << 20,
            ArenaBlockBytes = 32 << 10,
            MaxWriteBufferNumber = 5,
            Compression = Compression.None,
            BlockBytes = 8192,
            BloomBitsPerKey = 12,
            CacheIndexAndFilterBlocks = true,
            Level0FileNumCompactionTrigger = 6,
            Level0SlowdownWritesTrigger = 26,
            Level0StopWritesTrigger = 46,
            TargetFileBytes = 7_777_777,
            MaxBytesForLevelBase = 88_888_888,
            LevelCompactionDynamicLevelBytes = false,
            DisableAutoCompactions = true,
            EnableBlobFiles = true,
            MinBlobBytes = 999,
            BlobFileBytes = 9_999_999,
            BlobGarbageCollection = false,
        };

        using TestStore store = new(options);

        AssertIn(
            store,
            "write_buffer_size=1048576",
            "arena_block_size=32768",
            "max_write_buffer_number=5",
            "compression=kNoCompression",
            "block_size=8192",
            "cache_index_and_filter_blocks=true",
            "pin_l0_filter_and_index_blocks_in_cache=true",
            "level0_file_num_compaction_trigger=6",
            "level0_slowdown_writes_trigger=26",
            "level0_stop_writes_trigger=46",
            "target_file_size_base=7777777",
            "max_bytes_for_level_base=88888888",
            "level_compaction_dynamic_level_bytes=false",
            "disable_auto_compactions=true",
            "enable_blob_files=true",
            "min_blob_size=999",
            "blob_file_size=9999999",
            "enable_blob_garbage_collection=false");
        Assert.Contains(
            "filter_policy=bloomfilter", MaintenanceTests.OptionsFile(store.Directory), StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_refused_by_name_before_anything_is_made()
    {
        using TestStore store = new(open: false);

        Refused("MaxOpenFiles", options => options.MaxOpenFiles = 0);
        Refused("MaxOpenFiles", options => options.MaxOpenFiles = -2);
        Refused("MaxFileOpeningThreads", options => options.MaxFileOpeningThreads = 0);
        Refused("MaxBackgroundJobs", options => options.MaxBackgroundJobs = 0);
        Refused("MaxTotalWalBytes", options => options.MaxTotalWalBytes = -1);
        Refused("RecycleLogFileNum", options => options.RecycleLogFileNum = -1);
        Refused("KeepLogFileNum", options => options.KeepLogFileNum = 0);
        Refused("MaxLogFileBytes", options => options.MaxLogFileBytes = -1);
        Refused("StatsDumpPeriodSeconds", options => options.StatsDumpPeriodSeconds = -1);
        Refused("WalBytesPerSync", options => options.WalBytesPerSync = -1);
        Refused("BytesPerSync", options => options.BytesPerSync = -1);
        Refused("DbWriteBufferBytes", options => options.DbWriteBufferBytes = -1);
        Refused("MaxManifestFileBytes", options => options.MaxManifestFileBytes = 0);
        Refused("WalTimeToLive", options => options.WalTimeToLive = -Deadline);
        Refused("WalSizeLimitBytes", options => options.WalSizeLimitBytes = -1);
        Refused("MaxBackgroundErrorResumeCount", options => options.MaxBackgroundErrorResumeCount = -1);
        Refused("BackgroundErrorResumeInterval", options => options.BackgroundErrorResumeInterval = TimeSpan.Zero);
        Refused("MaxSubcompactions", options => options.MaxSubcompactions = 0);
        Refused("WriteBufferBytes", options => options.DefaultColumnFamily.WriteBufferBytes = (64 << 10) - 1);
        Refused("ArenaBlockBytes", options => options.DefaultColumnFamily.ArenaBlockBytes = 4095);
        Refused("ArenaBlockBytes", options => options.DefaultColumnFamily.ArenaBlockBytes = -1);
        Refused("MaxWriteBufferNumber", options => options.DefaultColumnFamily.MaxWriteBufferNumber = 1);
        Refused("BlockBytes", options => options.DefaultColumnFamily.BlockBytes = 511);
        Refused("BloomBitsPerKey", options => options.DefaultColumnFamily.BloomBitsPerKey = -1);
        Refused("BloomBitsPerKey", options => options.DefaultColumnFamily.BloomBitsPerKey = double.NaN);
        Refused("Level0FileNum", options => options.DefaultColumnFamily.Level0FileNumCompactionTrigger = 0);
        Refused("TargetFileBytes", options => options.DefaultColumnFamily.TargetFileBytes = 0);
        Refused("MaxBytesForLevelBase", options => options.DefaultColumnFamily.MaxBytesForLevelBase = 0);
        Refused("MinBlobBytes", options => options.DefaultColumnFamily.MinBlobBytes = -1);
        Refused("BlobFileBytes", options => options.DefaultColumnFamily.BlobFileBytes = 0);
        Assert.Throws<ArgumentNullException>(() => new DatabaseOptions().DefaultColumnFamily = null!);
        Assert.False(Directory.Exists(store.Directory));

        void Refused(string option, Action<DatabaseOptions> set)
        {
            DatabaseOptions options = Creating();
            set(options);
            ArgumentOutOfRangeException failure = Assert.Throws<ArgumentOutOfRangeException>(
                () => RocksDatabase.Open(store.Directory, options));
            Assert.Contains(option, failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Statistics_are_off_unless_asked_for()
    {
        using TestStore silent = new();
        DatabaseOptions counting = Creating();
        counting.StatisticsEnabled = true;
        using TestStore store = new(counting);
        store.Put("k", "v");

        Assert.Null(silent.Database.GetStatistics());
        Assert.Contains(
            "rocksdb.number.keys.written COUNT : 1", store.Database.GetStatistics(), StringComparison.Ordinal);
    }

    [Fact]
    public void One_block_cache_serves_two_databases()
    {
        using BlockCache cache = new(8 << 20);
        using TestStore one = new(new DatabaseOptions { CreateIfMissing = true, BlockCache = cache });
        using TestStore two = new(new DatabaseOptions { CreateIfMissing = true, BlockCache = cache });
        long empty = cache.UsageBytes;

        long first = ReadOne(one);
        long both = ReadOne(two);

        Assert.True(first > empty);
        Assert.True(both > first);
        Assert.Equal(8 << 20, cache.CapacityBytes);
        cache.CapacityBytes = 0;
        Assert.Equal(cache.PinnedUsageBytes, cache.UsageBytes);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.CapacityBytes = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockCache(-1));

        long ReadOne(TestStore store)
        {
            store.Put("k", new string('x', 1000));
            store.Database.Flush();
            Assert.NotNull(store.Get("k"));
            return cache.UsageBytes;
        }
    }

    [Fact]
    public void A_small_cache_keeps_the_filter_and_the_index_of_a_large_table()
    {
        const int Keys = 500_000; // With 10 bits each the filter has 610 KiB.
        using BlockCache cache = new(8 << 20);
        DatabaseOptions options = new() { CreateIfMissing = true, BlockCache = cache, StatisticsEnabled = true };
        options.DefaultColumnFamily.BloomBitsPerKey = 10;
        options.DefaultColumnFamily.CacheIndexAndFilterBlocks = true;
        using TestStore store = new(options);
        using WriteBatch batch = new();
        Span<byte> key = stackalloc byte[sizeof(int)];
        for (int i = 0; i < Keys; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(key, i);
            batch.Put(store.Family, key, []);
        }

        store.Database.Write(batch, WriteOptions.Buffered);
        store.Database.Flush();
        store.Database.CompactRange(store.Family); // RocksDB pins the filters of the newest level.
        store.Open(options);
        ArrayBufferWriter<byte> value = new();
        for (int i = 0; i < 100; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(key, i * (Keys / 100));
            Assert.True(store.Database.TryGet(store.Family, key, value));
        }

        IReadOnlyDictionary<string, ulong> tickers = store.Database.GetStatisticsSnapshot()!.Tickers;
        Assert.InRange(tickers["rocksdb.block.cache.filter.hit"], 98ul, 100ul);
        Assert.InRange(tickers["rocksdb.block.cache.index.hit"], 98ul, 100ul);
    }

    [Fact]
    public void A_cache_disposed_first_serves_its_database_and_new_families_until_the_end()
    {
        BlockCache cache = new(8 << 20);
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, BlockCache = cache });
        cache.Dispose();

        ColumnFamily family = store.Database.CreateColumnFamily("later");
        store.Database.Set(family, "k", "v");
        store.Database.Flush();

        Assert.Equal("v", store.Database.Text(family, "k"));
    }

    [Theory]
    [InlineData(Compression.None)]
    [InlineData(Compression.Snappy)]
    [InlineData(Compression.Zlib)]
    [InlineData(Compression.Bzip2)]
    [InlineData(Compression.Lz4)]
    [InlineData(Compression.Lz4Hc)]
    [InlineData(Compression.Zstd)]
    public void A_compression_that_is_built_in_shrinks_tables_and_another_fails_the_open(Compression compression)
    {
        DatabaseOptions options = Creating();
        options.DefaultColumnFamily.Compression = compression;
        using TestStore store = new(open: false);
        if (!RocksDbLibrary.IsCompressionSupported(compression))
        {
            RocksDbException failure = Assert.Throws<RocksDbException>(() => store.Open(options));
            Assert.Equal(RocksDbStatus.InvalidArgument, failure.Status);
            return;
        }

        store.Open(options);
        for (int i = 0; i < 1000; i++)
        {
            store.Put($"k{i:D4}", new string('x', 100));
        }

        store.Database.Flush();

        long bytes = Assert.Single(store.Database.GetLiveFiles()).Bytes;
        Assert.Equal(compression, store.Family.Compression);
        Assert.Equal(compression != Compression.None, bytes < 60_000);
        Assert.Equal(new string('x', 100), store.Get("k0500"));
    }

    [Fact]
    public void The_default_compression_is_one_the_library_has()
    {
        using TestStore store = new();

        Assert.True(RocksDbLibrary.IsCompressionSupported(store.Family.Compression));
        Assert.False(RocksDbLibrary.IsCompressionSupported((Compression)6)); // Xpress exists on Windows alone.
    }

    [Fact]
    public void Blob_files_hold_large_values()
    {
        DatabaseOptions options = Creating();
        options.DefaultColumnFamily = new ColumnFamilyOptions { EnableBlobFiles = true, MinBlobBytes = 100 };
        using TestStore store = new(options);
        store.Put("small", "v");
        store.Put("large", new string('x', 10_000));

        store.Database.Flush();

        Assert.Single(Directory.GetFiles(store.Directory, "*.blob"));
        Assert.Equal(10_000, store.Get("large")!.Length);
        Assert.Equal("v", store.Get("small"));
    }

    [Fact]
    public void A_family_may_have_options_of_its_own()
    {
        using TestStore store = new();

        ColumnFamily plain = store.Database.CreateColumnFamily(
            "plain", new ColumnFamilyOptions { Compression = Compression.None, WriteBufferBytes = 1 << 20 });

        Assert.Equal(Compression.None, plain.Compression);
        Assert.NotEqual(Compression.None, store.Family.Compression);
        AssertIn(store, "write_buffer_size=1048576", "write_buffer_size=67108864");
    }

    [Fact]
    public void Without_a_flush_during_recovery_the_log_is_kept()
    {
        using TestStore store = new();
        store.Put("k", "v");

        store.Open(new DatabaseOptions { AvoidFlushDuringRecovery = true });
        int kept = store.Database.GetLiveFiles().Count;
        store.Open(new DatabaseOptions());
        int flushed = store.Database.GetLiveFiles().Count;

        Assert.Equal(0, kept);
        Assert.Equal(1, flushed);
        Assert.Equal("v", store.Get("k"));
    }

    private static void AssertIn(TestStore store, params string[] settings)
    {
        string file = MaintenanceTests.OptionsFile(store.Directory);
        string[] lines = [.. file.Split('\n').Select(line => line.Trim())];
        string[] missing = [.. settings.Where(setting => !lines.Contains(setting, StringComparer.Ordinal))];
        Assert.Empty(missing);
    }
}
