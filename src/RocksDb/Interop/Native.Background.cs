using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <content>The log, background work, and rarer read options.</content>
internal static unsafe partial class Native
{
    // Log

    [LibraryImport(Library)]
    internal static partial WalIteratorHandle rocksdb_get_updates_since(
        DatabaseHandle db, ulong sequence, nint options, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial void rocksdb_wal_iter_next(WalIteratorHandle iterator);

    [LibraryImport(Library)]
    internal static partial byte rocksdb_wal_iter_valid(WalIteratorHandle iterator);

    [LibraryImport(Library)]
    internal static partial void rocksdb_wal_iter_status(WalIteratorHandle iterator, ref nint errptr);

    [LibraryImport(Library)]
    internal static partial WriteBatchHandle rocksdb_wal_iter_get_batch(WalIteratorHandle iterator, out ulong sequence);

    [LibraryImport(Library)]
    internal static partial void rocksdb_wal_iter_destroy(nint iterator);

    // Background work

    [LibraryImport(Library)]
    internal static partial void rocksdb_disable_manual_compaction(DatabaseHandle db);

    [LibraryImport(Library)]
    internal static partial void rocksdb_enable_manual_compaction(DatabaseHandle db);

    [LibraryImport(Library)]
    internal static partial EnvironmentHandle rocksdb_create_default_env();

    [LibraryImport(Library)]
    internal static partial int rocksdb_env_get_low_priority_background_threads(EnvironmentHandle environment);

    [LibraryImport(Library)]
    internal static partial void rocksdb_env_set_low_priority_background_threads(
        EnvironmentHandle environment, int value);

    [LibraryImport(Library)]
    internal static partial int rocksdb_env_get_high_priority_background_threads(EnvironmentHandle environment);

    [LibraryImport(Library)]
    internal static partial void rocksdb_env_set_high_priority_background_threads(
        EnvironmentHandle environment, int value);

    // Read options

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_max_skippable_internal_keys(
        ReadOptionsHandle options, ulong value);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_deadline(ReadOptionsHandle options, ulong microseconds);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_io_timeout(ReadOptionsHandle options, ulong microseconds);

    [LibraryImport(Library)]
    internal static partial void rocksdb_readoptions_set_background_purge_on_iterator_cleanup(
        ReadOptionsHandle options, byte value);
}
