using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>The calls of <c>rocksdb/c.h</c> that the binding makes, with their C names, grouped as there.</summary>
/// <remarks>
/// Every function here exists since RocksDB 7.8. Newer ones are looked up by name in <see cref="OptionalNative"/>.
/// A call may block on disk, on a lock or on background work unless it carries
/// <see cref="SuppressGCTransitionAttribute"/>; those read a field of an object in memory and do nothing else.
/// </remarks>
internal static unsafe partial class Native
{
    internal const string Library = "rocksdb";

    static Native() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, static (name, _, _) =>
        name == Library ? RocksDbLibrary.Load() : 0);

    // DB operations

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DatabaseHandle rocksdb_open(OptionsHandle options, string name, ref nint errptr);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DatabaseHandle rocksdb_open_column_families(
        OptionsHandle options, string name, int count, byte** names, nint* familyOptions, nint* families,
        ref nint errptr);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DatabaseHandle rocksdb_open_for_read_only_column_families(
        OptionsHandle options, string name, int count, byte** names, nint* familyOptions, nint* families,
        byte errorIfWalFileExists, ref nint errptr);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DatabaseHandle rocksdb_open_as_secondary_column_families(
        OptionsHandle options, string name, string secondaryPath, int count, byte** names, nint* familyOptions,
        nint* families, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_try_catch_up_with_primary(DatabaseHandle db, ref nint errptr);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte** rocksdb_list_column_families(
        OptionsHandle options, string name, out nuint count, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_list_column_families_destroy(byte** list, nuint count);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint rocksdb_create_column_family(
        DatabaseHandle db, OptionsHandle options, string name, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_drop_column_family(
        DatabaseHandle db, ColumnFamilyHandle family, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_column_family_handle_destroy(nint family);

    [LibraryImport(Library)]
    internal static partial uint rocksdb_column_family_handle_get_id(ColumnFamilyHandle family);

    [LibraryImport(Library)]
    internal static partial void rocksdb_close(nint db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_put_cf(
        DatabaseHandle db, WriteOptionsHandle options, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte* value, nuint valueLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_delete_cf(
        DatabaseHandle db, WriteOptionsHandle options, ColumnFamilyHandle family,
        byte* key, nuint keyLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_delete_range_cf(
        DatabaseHandle db, WriteOptionsHandle options, ColumnFamilyHandle family,
        byte* start, nuint startLength, byte* end, nuint endLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_write(
        DatabaseHandle db, WriteOptionsHandle options, WriteBatchHandle batch, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_batched_multi_get_cf(
        DatabaseHandle db, ReadOptionsHandle options, ColumnFamilyHandle family, nuint count,
        byte** keys, nuint* keyLengths, nint* values, nint* errs, byte sortedInput);

    [LibraryImport(Library)]
    internal static partial IteratorHandle rocksdb_create_iterator_cf(
        DatabaseHandle db, ReadOptionsHandle options, ColumnFamilyHandle family);

    [LibraryImport(Library)]
    internal static partial SnapshotHandle rocksdb_create_snapshot(DatabaseHandle db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_release_snapshot(nint db, nint snapshot);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint rocksdb_property_value(DatabaseHandle db, string name);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rocksdb_property_int(DatabaseHandle db, string name, out ulong value);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rocksdb_property_int_cf(
        DatabaseHandle db, ColumnFamilyHandle family, string name, out ulong value);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint rocksdb_property_value_cf(DatabaseHandle db, ColumnFamilyHandle family, string name);

    [LibraryImport(Library)]
    internal static partial void rocksdb_approximate_sizes_cf(
        DatabaseHandle db, ColumnFamilyHandle family, int count, byte** starts, nuint* startLengths,
        byte** limits, nuint* limitLengths, ulong* sizes, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_compact_range_cf(
        DatabaseHandle db, ColumnFamilyHandle family, byte* start, nuint startLength, byte* limit, nuint limitLength);

    [LibraryImport(Library)]
    internal static partial LiveFilesHandle rocksdb_livefiles(DatabaseHandle db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_flush_cf(
        DatabaseHandle db, FlushOptionsHandle options, ColumnFamilyHandle family, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_flush_wal(DatabaseHandle db, byte sync, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_disable_file_deletions(DatabaseHandle db, ref nint errptr);

    /// <remarks>With three arguments until RocksDB 8.x; see <see cref="OptionalNative"/> for 9.0 and newer.</remarks>
    [LibraryImport(Library)]
    internal static partial void rocksdb_enable_file_deletions(DatabaseHandle db, byte force, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial ulong rocksdb_get_latest_sequence_number(DatabaseHandle db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_cancel_all_background_work(DatabaseHandle db, byte wait);

    [LibraryImport(Library)]
    internal static partial void rocksdb_set_options_cf(
        DatabaseHandle db, ColumnFamilyHandle family, int count, byte** keys, byte** values, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_set_perf_level(int level);

    // Checkpoint

    [LibraryImport(Library)]
    internal static partial CheckpointHandle rocksdb_checkpoint_object_create(DatabaseHandle db, ref nint errptr);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rocksdb_checkpoint_create(
        CheckpointHandle checkpoint, string directory, ulong logSizeForFlush, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_checkpoint_object_destroy(nint checkpoint);

    // Management operations

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rocksdb_destroy_db(OptionsHandle options, string name, ref nint errptr);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rocksdb_repair_db(OptionsHandle options, string name, ref nint errptr);

    // Pinned values

    /// <remarks>
    /// The pointer is owned by the caller. It is not a handle here because a point read must not allocate;
    /// the caller releases it in a <see langword="finally"/>.
    /// </remarks>
    [LibraryImport(Library)]
    internal static partial nint rocksdb_get_pinned_cf(
        DatabaseHandle db, ReadOptionsHandle options, ColumnFamilyHandle family,
        byte* key, nuint keyLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_pinnableslice_destroy(nint slice);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial byte* rocksdb_pinnableslice_value(nint slice, nuint* length);

    [LibraryImport(Library)]
    internal static partial void rocksdb_free(nint pointer);
}
