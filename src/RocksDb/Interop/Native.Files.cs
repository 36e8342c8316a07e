using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <content>Table files from outside, and memory.</content>
internal static unsafe partial class Native
{
    // Table file writer

    [LibraryImport(Library)]
    internal static partial EnvironmentOptionsHandle rocksdb_envoptions_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_envoptions_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial SstFileWriterHandle rocksdb_sstfilewriter_create(
        EnvironmentOptionsHandle environment, OptionsHandle options);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rocksdb_sstfilewriter_open(SstFileWriterHandle writer, string name, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_put(
        SstFileWriterHandle writer, byte* key, nuint keyLength, byte* value, nuint valueLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_merge(
        SstFileWriterHandle writer, byte* key, nuint keyLength, byte* value, nuint valueLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_delete(
        SstFileWriterHandle writer, byte* key, nuint keyLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_delete_range(
        SstFileWriterHandle writer, byte* start, nuint startLength, byte* end, nuint endLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_finish(SstFileWriterHandle writer, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_file_size(SstFileWriterHandle writer, out ulong bytes);

    [LibraryImport(Library)]
    internal static partial void rocksdb_sstfilewriter_destroy(nint writer);

    // Ingestion

    [LibraryImport(Library)]
    internal static partial IngestOptionsHandle rocksdb_ingestexternalfileoptions_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingestexternalfileoptions_destroy(nint options);

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingestexternalfileoptions_set_move_files(
        IngestOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingestexternalfileoptions_set_snapshot_consistency(
        IngestOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingestexternalfileoptions_set_allow_global_seqno(
        IngestOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(
        IngestOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingestexternalfileoptions_set_ingest_behind(
        IngestOptionsHandle options, byte value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_ingest_external_file_cf(
        DatabaseHandle db, ColumnFamilyHandle family, byte** files, nuint count, IngestOptionsHandle options,
        ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_allow_ingest_behind(OptionsHandle options, byte value);

    // Memory

    [LibraryImport(Library)]
    internal static partial MemoryConsumersHandle rocksdb_memory_consumers_create();

    [LibraryImport(Library)]
    internal static partial void rocksdb_memory_consumers_destroy(nint consumers);

    [LibraryImport(Library)]
    internal static partial void rocksdb_memory_consumers_add_db(MemoryConsumersHandle consumers, DatabaseHandle db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_memory_consumers_add_cache(
        MemoryConsumersHandle consumers, BlockCacheHandle cache);

    [LibraryImport(Library)]
    internal static partial MemoryUsageHandle rocksdb_approximate_memory_usage_create(
        MemoryConsumersHandle consumers, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_approximate_memory_usage_destroy(nint usage);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_approximate_memory_usage_get_mem_table_total(MemoryUsageHandle usage);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_approximate_memory_usage_get_mem_table_unflushed(MemoryUsageHandle usage);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_approximate_memory_usage_get_mem_table_readers_total(
        MemoryUsageHandle usage);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_approximate_memory_usage_get_cache_total(MemoryUsageHandle usage);
}
