using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>A least-recently-used cache of uncompressed blocks that any number of databases share.
/// Thread-safe.</summary>
/// <remarks>
/// RocksDB counts its users: disposing it releases the memory when the last database that was opened with it is
/// closed, in any order. It is divided into at most 64 shards of 8 MiB or more, each with a lock of its own, as one
/// block is kept only if a shard has room for it.
/// </remarks>
public sealed class BlockCache : IDisposable
{
    /// <summary>Makes an empty cache.</summary>
    /// <param name="capacityBytes">Most bytes it keeps; zero or more.</param>
    public BlockCache(long capacityBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacityBytes);
        RocksDbLibrary.EnsureLoaded();
        Handle = BlockCacheHandle.Create(capacityBytes);
    }

    /// <summary>Most bytes the cache keeps; zero or more. Shrinking evicts at once what nobody reads.</summary>
    public long CapacityBytes
    {
        get => checked((long)Native.rocksdb_cache_get_capacity(Open()));
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            Native.rocksdb_cache_set_capacity(Open(), (nuint)value);
        }
    }

    /// <summary>Bytes in the cache now.</summary>
    public long UsageBytes => checked((long)Native.rocksdb_cache_get_usage(Open()));

    /// <summary>Bytes that readers hold now and that cannot be evicted.</summary>
    public long PinnedUsageBytes => checked((long)Native.rocksdb_cache_get_pinned_usage(Open()));

    internal BlockCacheHandle Handle { get; }

    /// <summary>Gives up this reference on the cache.</summary>
    public void Dispose() => Handle.Dispose();

    internal BlockCacheHandle Open()
    {
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        return Handle;
    }
}
