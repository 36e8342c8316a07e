using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <content>Merge operators and compaction filters.</content>
/// <remarks>Callbacks are <c>Cdecl</c> function pointers; their signatures stand where they are made.</remarks>
internal static unsafe partial class Native
{
    [LibraryImport(Library)]
    internal static partial void rocksdb_merge_cf(
        DatabaseHandle db, WriteOptionsHandle options, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte* value, nuint valueLength, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_writebatch_merge_cf(
        WriteBatchHandle batch, ColumnFamilyHandle family,
        byte* key, nuint keyLength, byte* value, nuint valueLength);

    /// <remarks>Owned by the options it is set on, with its state.</remarks>
    [LibraryImport(Library)]
    internal static partial nint rocksdb_mergeoperator_create(
        nint state, nint destructor, nint fullMerge, nint partialMerge, nint deleteValue, nint name);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_merge_operator(OptionsHandle options, nint mergeOperator);

    /// <remarks>Owned by the compaction its factory makes it for.</remarks>
    [LibraryImport(Library)]
    internal static partial nint rocksdb_compactionfilter_create(
        nint state, nint destructor, nint filter, nint name);

    /// <remarks>Owned by the options it is set on, with its state.</remarks>
    [LibraryImport(Library)]
    internal static partial nint rocksdb_compactionfilterfactory_create(
        nint state, nint destructor, nint createFilter, nint name);

    [LibraryImport(Library)]
    internal static partial void rocksdb_options_set_compaction_filter_factory(OptionsHandle options, nint factory);
}
