using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>How one column family is stored. Read when a database or a family is opened; later changes do
/// nothing.</summary>
public sealed class ColumnFamilyOptions
{
    private Compression? _compression;

    /// <summary>Size of one memtable, in bytes; 64 KiB or more. Default: 64 MiB.</summary>
    public long WriteBufferBytes { get; set; } = 64L << 20;

    /// <summary>
    /// Memory is allocated for a memtable in pieces of this size, in bytes, so a memtable with one entry takes that
    /// much; 4 KiB or more, or 0: an eighth of <see cref="WriteBufferBytes"/>, at most 1 MiB. Default: 0.
    /// </summary>
    public long ArenaBlockBytes { get; set; }

    /// <summary>Memtables in memory before writers wait for a flush; 2 or more. Default: 2.</summary>
    public int MaxWriteBufferNumber { get; set; } = 2;

    /// <summary>
    /// Compression of table blocks. Default: <see cref="Compression.Lz4"/> when the library was built with it,
    /// otherwise none; <see cref="ColumnFamily.Compression"/> tells which it became. Set explicitly, a compression the
    /// library lacks fails the open.
    /// </summary>
    public Compression Compression
    {
        get => _compression ?? Compression.Lz4;
        set => _compression = value;
    }

    /// <summary>Size of an uncompressed table block, in bytes; 512 or more. Default: 4096.</summary>
    public int BlockBytes { get; set; } = 4096;

    /// <summary>Bits per key of the Bloom filter; zero for none. Default: 10 (about 1 % false positives).</summary>
    public double BloomBitsPerKey { get; set; } = 10;

    /// <summary>Whether index and filter blocks live in the block cache instead of beside it. Default: no.</summary>
    public bool CacheIndexAndFilterBlocks { get; set; }

    /// <summary>Files in level 0 that start a compaction; 1 or more. Default: 4.</summary>
    public int Level0FileNumCompactionTrigger { get; set; } = 4;

    /// <summary>Files in level 0 that slow writers down. Default: 20.</summary>
    public int Level0SlowdownWritesTrigger { get; set; } = 20;

    /// <summary>Files in level 0 that stop writers. Default: 36.</summary>
    public int Level0StopWritesTrigger { get; set; } = 36;

    /// <summary>Size of a table file in level 1, in bytes; more than zero. Default: 64 MiB.</summary>
    public long TargetFileBytes { get; set; } = 64L << 20;

    /// <summary>Size of level 1, in bytes; more than zero. Default: 256 MiB.</summary>
    public long MaxBytesForLevelBase { get; set; } = 256L << 20;

    /// <summary>Whether the sizes of levels follow the size of the last one. Default: yes.</summary>
    public bool LevelCompactionDynamicLevelBytes { get; set; } = true;

    /// <summary>Whether only <see cref="RocksDatabase.CompactRange(ColumnFamily)"/> compacts. Default: no.</summary>
    public bool DisableAutoCompactions { get; set; }

    /// <summary>Whether large values go to blob files. Default: no.</summary>
    public bool EnableBlobFiles { get; set; }

    /// <summary>Smallest value that goes to a blob file, in bytes. Default: 4096.</summary>
    public long MinBlobBytes { get; set; } = 4096;

    /// <summary>Size of a blob file, in bytes; more than zero. Default: 256 MiB.</summary>
    public long BlobFileBytes { get; set; } = 256L << 20;

    /// <summary>Whether compaction rewrites old blob files that are mostly garbage. Default: yes.</summary>
    public bool BlobGarbageCollection { get; set; } = true;

    /// <summary>Joins the operands of <see cref="RocksDatabase.Merge"/>; none by default.</summary>
    /// <remarks>
    /// A family that was opened with an operator is opened with the same one again (by name), or its operands could not
    /// be read; see <see cref="DatabaseOptions.AllowOtherMergeOperator"/>. A family without may be given one at any
    /// time.
    /// </remarks>
    public MergeOperator? MergeOperator { get; set; }

    /// <summary>Removes or changes values while they are compacted; none by default.</summary>
    public CompactionFilter? CompactionFilter { get; set; }

    internal ColumnFamilyOptions Copy() => (ColumnFamilyOptions)MemberwiseClone();

    /// <summary>The compression the library can do: the default falls back, an explicit one does not.</summary>
    internal Compression EffectiveCompression()
    {
        if (_compression is { } chosen)
        {
            return chosen;
        }

        return CompressionSupport.IsBuiltIn(Compression.Lz4) ? Compression.Lz4 : Compression.None;
    }

    internal void ApplyTo(OptionsHandle options)
    {
        Validate();
        int compression = (int)EffectiveCompression();
        Native.rocksdb_options_set_write_buffer_size(options, (nuint)WriteBufferBytes);
        Native.rocksdb_options_set_arena_block_size(options, (nuint)ArenaBlockBytes);
        Native.rocksdb_options_set_max_write_buffer_number(options, MaxWriteBufferNumber);
        Native.rocksdb_options_set_compression(options, compression);
        Native.rocksdb_options_set_level0_file_num_compaction_trigger(options, Level0FileNumCompactionTrigger);
        Native.rocksdb_options_set_level0_slowdown_writes_trigger(options, Level0SlowdownWritesTrigger);
        Native.rocksdb_options_set_level0_stop_writes_trigger(options, Level0StopWritesTrigger);
        Native.rocksdb_options_set_target_file_size_base(options, (ulong)TargetFileBytes);
        Native.rocksdb_options_set_max_bytes_for_level_base(options, (ulong)MaxBytesForLevelBase);
        Native.rocksdb_options_set_level_compaction_dynamic_level_bytes(
            options, Flag.Of(LevelCompactionDynamicLevelBytes));
        Native.rocksdb_options_set_disable_auto_compactions(options, DisableAutoCompactions ? 1 : 0);
        Native.rocksdb_options_set_enable_blob_files(options, Flag.Of(EnableBlobFiles));
        Native.rocksdb_options_set_min_blob_size(options, (ulong)MinBlobBytes);
        Native.rocksdb_options_set_blob_file_size(options, (ulong)BlobFileBytes);
        Native.rocksdb_options_set_blob_compression_type(options, compression);
        Native.rocksdb_options_set_enable_blob_gc(options, Flag.Of(BlobGarbageCollection));
        if (MergeOperator is { } mergeOperator)
        {
            MergeCallbacks.Apply(mergeOperator, options);
        }

        if (CompactionFilter is { } filter)
        {
            FilterCallbacks.Apply(filter, options);
        }
    }

    internal void ApplyTo(TableOptionsHandle table)
    {
        Native.rocksdb_block_based_options_set_block_size(table, (nuint)BlockBytes);
        Native.rocksdb_block_based_options_set_cache_index_and_filter_blocks(
            table, Flag.Of(CacheIndexAndFilterBlocks));
        Native.rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(
            table, Flag.Of(CacheIndexAndFilterBlocks));

        // The table options take over the policy, also in place of an earlier one.
        nint policy = BloomBitsPerKey > 0 ? Native.rocksdb_filterpolicy_create_bloom_full(BloomBitsPerKey) : 0;
        Native.rocksdb_block_based_options_set_filter_policy(table, policy);
    }

    private void Validate()
    {
        OptionRange.AtLeast(64L << 10, WriteBufferBytes);
        OptionRange.AtLeast(ArenaBlockBytes == 0 ? 0 : 4L << 10, ArenaBlockBytes);
        OptionRange.AtLeast(2, MaxWriteBufferNumber);
        OptionRange.AtLeast(512, BlockBytes);
        OptionRange.AtLeast(0, BloomBitsPerKey);
        OptionRange.AtLeast(1, Level0FileNumCompactionTrigger);
        OptionRange.AtLeast(1, TargetFileBytes);
        OptionRange.AtLeast(1, MaxBytesForLevelBase);
        OptionRange.AtLeast(0, MinBlobBytes);
        OptionRange.AtLeast(1, BlobFileBytes);
    }
}

/// <summary>A column family by name, to be opened or made.</summary>
/// <param name="Name">Its name; <c>default</c> always exists.</param>
/// <param name="Options">How it is stored; the database's default when absent.</param>
public readonly record struct ColumnFamilyDescriptor(string Name, ColumnFamilyOptions? Options = null);
