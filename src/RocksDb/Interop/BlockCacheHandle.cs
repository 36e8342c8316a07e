using System.Numerics;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_cache_t*</c>.</summary>
internal sealed class BlockCacheHandle : SafeHandle
{
    // RocksDB's own choice is shards of 512 KiB, up to 64 of them. An index or filter block that is larger than a shard
    // is read anew for every lookup, and a table of 64 MiB has some of a megabyte and more.
    private const long LeastShardBytes = 8L << 20;
    private const int MostShardBits = 6;

    public BlockCacheHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public static BlockCacheHandle Create(long capacityBytes)
    {
        int bits = Math.Min(MostShardBits, BitOperations.Log2((ulong)Math.Max(1, capacityBytes / LeastShardBytes)));
        using CacheOptionsHandle options = Native.rocksdb_lru_cache_options_create();
        Native.rocksdb_lru_cache_options_set_capacity(options, (nuint)capacityBytes);
        Native.rocksdb_lru_cache_options_set_num_shard_bits(options, bits);
        return Native.rocksdb_cache_create_lru_opts(options);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_cache_destroy(handle);
        return true;
    }
}
