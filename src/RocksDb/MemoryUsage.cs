using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>About how many bytes databases and caches take in memory.</summary>
/// <param name="MemtableBytes">All memtables, those that readers still hold included.</param>
/// <param name="UnflushedMemtableBytes">Memtables that are not in a table file yet.</param>
/// <param name="TableReaderBytes">Indexes and filters outside the block cache.</param>
/// <param name="CacheBytes">The caches.</param>
public readonly record struct MemoryUsage(
    long MemtableBytes, long UnflushedMemtableBytes, long TableReaderBytes, long CacheBytes)
{
    /// <summary>Asks RocksDB.</summary>
    /// <param name="databases">Databases to add up.</param>
    /// <param name="caches">Caches to add up; one named twice counts once. A database's cache is not counted
    /// unless it is named here.</param>
    public static MemoryUsage Of(IReadOnlyList<RocksDatabase> databases, IReadOnlyList<BlockCache> caches)
    {
        ArgumentNullException.ThrowIfNull(databases);
        ArgumentNullException.ThrowIfNull(caches);
        RocksDbLibrary.EnsureLoaded();
        List<ParentReference> held = [];
        try
        {
            using MemoryConsumersHandle consumers = Native.rocksdb_memory_consumers_create();
            foreach (RocksDatabase database in databases)
            {
                DatabaseHandle handle = database.OpenHandle();
                held.Add(ParentReference.Take(handle)); // The consumers have bare pointers.
                Native.rocksdb_memory_consumers_add_db(consumers, handle);
            }

            foreach (BlockCache cache in caches)
            {
                BlockCacheHandle handle = cache.Open();
                held.Add(ParentReference.Take(handle));
                Native.rocksdb_memory_consumers_add_cache(consumers, handle);
            }

            nint error = 0;
            using MemoryUsageHandle usage = Native.rocksdb_approximate_memory_usage_create(consumers, ref error);
            NativeError.ThrowIfSet(error, "memory usage", $"{databases.Count} databases");
            return new MemoryUsage(
                checked((long)Native.rocksdb_approximate_memory_usage_get_mem_table_total(usage)),
                checked((long)Native.rocksdb_approximate_memory_usage_get_mem_table_unflushed(usage)),
                checked((long)Native.rocksdb_approximate_memory_usage_get_mem_table_readers_total(usage)),
                checked((long)Native.rocksdb_approximate_memory_usage_get_cache_total(usage)));
        }
        finally
        {
            foreach (ParentReference reference in held)
            {
                reference.Release();
            }
        }
    }
}
