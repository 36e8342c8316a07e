using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <content>Options, caches and environments.</content>
internal static partial class Native
{
    // Block based table options

    [LibraryImport(Library)]
    internal static partial TableOptionsHandle rocksdb_block_based_options_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_block_size(TableOptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_filter_policy(TableOptionsHandle options, nint policy);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_no_block_cache(TableOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_block_cache(
        TableOptionsHandle options, BlockCacheHandle cache);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_format_version(TableOptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_cache_index_and_filter_blocks(
        TableOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(
        TableOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial nint rocksdb_filterpolicy_create_bloom_full(double bitsPerKey);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_block_based_table_factory(
        OptionsHandle options, TableOptionsHandle table);

    // Options

    [LibraryImport(Library)]
    internal static partial OptionsHandle rocksdb_options_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_destroy(nint options);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rocksdb_get_options_from_string(
        OptionsHandle baseOptions, string text, OptionsHandle newOptions, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_create_if_missing(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_create_missing_column_families(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_error_if_exists(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_paranoid_checks(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_env(OptionsHandle options, EnvironmentHandle environment);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_info_log_level(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_write_buffer_size(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_arena_block_size(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_db_write_buffer_size(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_open_files(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_total_wal_size(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_level0_file_num_compaction_trigger(
        OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_level0_slowdown_writes_trigger(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_level0_stop_writes_trigger(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_target_file_size_base(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_bytes_for_level_base(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_level_compaction_dynamic_level_bytes(
        OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_file_opening_threads(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_skip_stats_update_on_db_open(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_enable_blob_files(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_min_blob_size(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_blob_file_size(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_blob_compression_type(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_enable_blob_gc(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_write_buffer_number(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_background_jobs(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_subcompactions(OptionsHandle options, uint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_log_file_size(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_keep_log_file_num(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_recycle_log_file_num(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_use_fsync(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_bytes_per_sync(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_wal_bytes_per_sync(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_disable_auto_compactions(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_manual_wal_flush(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_wal_recovery_mode(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_compression(OptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_stats_dump_period_sec(OptionsHandle options, uint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_atomic_flush(OptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_WAL_ttl_seconds(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_WAL_size_limit_MB(OptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_max_manifest_file_size(OptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_enable_statistics(OptionsHandle options);

    [LibraryImport(Library)]
    internal static partial nint rocksdb_options_statistics_get_string(OptionsHandle options);

    // Read options

    [LibraryImport(Library)]
    internal static partial ReadOptionsHandle rocksdb_readoptions_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_verify_checksums(ReadOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_fill_cache(ReadOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_snapshot(ReadOptionsHandle options, SnapshotHandle snapshot);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_iterate_upper_bound(
        ReadOptionsHandle options, nint key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_iterate_lower_bound(
        ReadOptionsHandle options, nint key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_read_tier(ReadOptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_tailing(ReadOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_readahead_size(ReadOptionsHandle options, nuint value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_total_order_seek(ReadOptionsHandle options, byte value);

    // Write options

    [LibraryImport(Library)]
    internal static partial WriteOptionsHandle rocksdb_writeoptions_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_writeoptions_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writeoptions_set_sync(WriteOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writeoptions_disable_WAL(WriteOptionsHandle options, int value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writeoptions_set_no_slowdown(WriteOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writeoptions_set_low_pri(WriteOptionsHandle options, byte value);

    // Flush options

    [LibraryImport(Library)]
    internal static partial FlushOptionsHandle rocksdb_flushoptions_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_flushoptions_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_flushoptions_set_wait(FlushOptionsHandle options, byte value);

    // Cache

    [LibraryImport(Library)]
    internal static partial CacheOptionsHandle rocksdb_lru_cache_options_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_lru_cache_options_set_capacity(CacheOptionsHandle options, nuint capacity);

    [LibraryImport(Library)]
    internal static partial void rocksdb_lru_cache_options_set_num_shard_bits(CacheOptionsHandle options, int bits);

    [LibraryImport(Library)]
    internal static partial void rocksdb_lru_cache_options_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial BlockCacheHandle rocksdb_cache_create_lru_opts(CacheOptionsHandle options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_cache_destroy(nint cache);

    [LibraryImport(Library)]
    internal static partial void rocksdb_cache_set_capacity(BlockCacheHandle cache, nuint capacity);

    [LibraryImport(Library)]
    internal static partial nuint rocksdb_cache_get_capacity(BlockCacheHandle cache);

    [LibraryImport(Library)]
    internal static partial nuint rocksdb_cache_get_usage(BlockCacheHandle cache);

    [LibraryImport(Library)]
    internal static partial nuint rocksdb_cache_get_pinned_usage(BlockCacheHandle cache);

    // Environment

    [LibraryImport(Library)]
    internal static partial EnvironmentHandle rocksdb_create_mem_env();

    [LibraryImport(Library)]
    internal static partial void rocksdb_env_destroy(nint environment);
}
