using System.Buffers;

namespace Branching.RocksDb;

/// <summary>Looks at the values a compaction comes by and removes or changes some of them.</summary>
/// <remarks>
/// Called from several threads at once, so it must be thread-safe; it must be quick and must not use the database it
/// serves. It sees the newest value of a key among the files of a compaction, not every version, and neither merge
/// operands nor what they are merged to in that compaction; nobody knows when, and a value that is never compacted is
/// never seen: readers must not depend on it having run. What it removes
/// vanishes from snapshots too. When it throws, the value is kept as it is and <see cref="LastFailure"/> tells.
/// Source: <c>rocksdb/compaction_filter.h</c>.
/// </remarks>
public abstract class CompactionFilter
{
    private volatile Exception? _lastFailure;

    /// <summary>A name for RocksDB's log: 1 to 100 letters, digits, points, dashes and underscores.</summary>
    public abstract string Name { get; }

    /// <summary>The newest exception <see cref="Decide"/> threw; for diagnosis.</summary>
    public Exception? LastFailure => _lastFailure;

    /// <summary>What becomes of a value.</summary>
    /// <param name="level">The level the compaction writes to.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">Its value.</param>
    /// <param name="replacement">Receives the new value for <see cref="CompactionDecision.Change"/>.</param>
    public abstract CompactionDecision Decide(
        int level, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, IBufferWriter<byte> replacement);

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    internal void Remember(Exception failure) => _lastFailure = failure;
}

/// <summary>What a <see cref="CompactionFilter"/> wants done with a value. The numbers are stable.</summary>
public enum CompactionDecision
{
    /// <summary>It stays as it is.</summary>
    Keep = 0,

    /// <summary>The key is deleted.</summary>
    Remove = 1,

    /// <summary>The key gets the value that was written to the replacement.</summary>
    Change = 2,
}
