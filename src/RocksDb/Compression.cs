namespace Branching.RocksDb;

/// <summary>How table blocks are compressed. The numbers are RocksDB's (<c>rocksdb/c.h</c>).</summary>
public enum Compression
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>Snappy.</summary>
    Snappy = 1,

    /// <summary>Zlib.</summary>
    Zlib = 2,

    /// <summary>Bzip2.</summary>
    Bzip2 = 3,

    /// <summary>LZ4.</summary>
    Lz4 = 4,

    /// <summary>LZ4, slower to write and smaller.</summary>
    Lz4Hc = 5,

    /// <summary>Zstandard.</summary>
    Zstd = 7,
}

/// <summary>What recovery does with a damaged write-ahead log. The numbers are RocksDB's.</summary>
public enum WalRecoveryMode
{
    /// <summary>An incomplete last record is dropped; anything else damaged fails the open.</summary>
    TolerateCorruptedTailRecords = 0,

    /// <summary>Any damage fails the open.</summary>
    AbsoluteConsistency = 1,

    /// <summary>Recovers up to the first damage: a consistent point in time. RocksDB's default.</summary>
    PointInTime = 2,

    /// <summary>Salvages what is readable, with holes. For disasters only.</summary>
    SkipAnyCorruptedRecords = 3,
}

/// <summary>How much RocksDB writes to the file <c>LOG</c> in the database directory. The numbers are
/// RocksDB's.</summary>
public enum InfoLogLevel
{
    /// <summary>Everything.</summary>
    Debug = 0,

    /// <summary>State changes; RocksDB's default.</summary>
    Info = 1,

    /// <summary>Unexpected, but it went on.</summary>
    Warn = 2,

    /// <summary>Failures.</summary>
    Error = 3,

    /// <summary>Failures it cannot go on after.</summary>
    Fatal = 4,

    /// <summary>The header of options and versions only.</summary>
    Header = 5,
}

/// <summary>Whether a checkpoint writes the memtables to table files first.</summary>
public enum CheckpointFlush
{
    /// <summary>Nothing is flushed: the checkpoint carries the write-ahead log and replays it when opened.</summary>
    Never = 0,

    /// <summary>All memtables are flushed; the checkpoint needs no replay.</summary>
    Always = 1,
}
