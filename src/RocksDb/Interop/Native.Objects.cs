using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <content>Iterators, write batches and live files.</content>
internal static unsafe partial class Native
{
    // Iterator

    // The three that describe where an iterator stands take a pointer: all of them are asked after each move, under
    // one reference on the handle. With one each, a scan takes about half as long again (docs/benchmarks.md).

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_destroy(nint iterator);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial byte rocksdb_iter_valid(nint iterator);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_seek_to_first(IteratorHandle iterator);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_seek_to_last(IteratorHandle iterator);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_seek(IteratorHandle iterator, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_seek_for_prev(IteratorHandle iterator, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_next(IteratorHandle iterator);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_prev(IteratorHandle iterator);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial byte* rocksdb_iter_key(nint iterator, nuint* length);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial byte* rocksdb_iter_value(nint iterator, nuint* length);

    [LibraryImport(Library)]
    internal static partial void rocksdb_iter_get_error(IteratorHandle iterator, ref nint errptr);

    // Write batch

    [LibraryImport(Library)]
    internal static partial WriteBatchHandle rocksdb_writebatch_create();

    [LibraryImport(Library)]
    internal static partial WriteBatchHandle rocksdb_writebatch_create_from(byte* data, nuint length);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_destroy(nint batch);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_clear(WriteBatchHandle batch);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int rocksdb_writebatch_count(WriteBatchHandle batch);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_put_cf(
        WriteBatchHandle batch, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte* value, nuint valueLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_delete_cf(
        WriteBatchHandle batch, ColumnFamilyHandle family, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_delete_range_cf(
        WriteBatchHandle batch, ColumnFamilyHandle family,
        byte* start, nuint startLength, byte* end, nuint endLength);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_put_log_data(WriteBatchHandle batch, byte* blob, nuint length);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial byte* rocksdb_writebatch_data(WriteBatchHandle batch, nuint* length);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_set_save_point(WriteBatchHandle batch);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_rollback_to_save_point(WriteBatchHandle batch, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_pop_save_point(WriteBatchHandle batch, ref nint errptr);

    // Live files

    [LibraryImport(Library)]
    internal static partial int rocksdb_livefiles_count(LiveFilesHandle files);

    [LibraryImport(Library)]
    internal static partial byte* rocksdb_livefiles_column_family_name(LiveFilesHandle files, int index);

    [LibraryImport(Library)]
    internal static partial byte* rocksdb_livefiles_name(LiveFilesHandle files, int index);

    [LibraryImport(Library)]
    internal static partial int rocksdb_livefiles_level(LiveFilesHandle files, int index);

    [LibraryImport(Library)]
    internal static partial nuint rocksdb_livefiles_size(LiveFilesHandle files, int index);

    [LibraryImport(Library)]
    internal static partial byte* rocksdb_livefiles_smallestkey(LiveFilesHandle files, int index, out nuint length);

    [LibraryImport(Library)]
    internal static partial byte* rocksdb_livefiles_largestkey(LiveFilesHandle files, int index, out nuint length);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_livefiles_entries(LiveFilesHandle files, int index);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_livefiles_deletions(LiveFilesHandle files, int index);

    [LibraryImport(Library)]
    internal static partial void rocksdb_livefiles_destroy(nint files);
}
