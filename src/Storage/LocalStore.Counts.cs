using System.Globalization;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>How much there is: exactly, by reading it, and about, by what RocksDB keeps account of.</content>
public sealed partial class LocalStore
{
    /// <summary>Counts the keys of a range by reading them all. Exact for one view. Blocking.</summary>
    /// <exception cref="OperationCanceledException">Cancelled meanwhile.</exception>
    public long Count(string? columnFamily, KeyRange range, CancellationToken cancellationToken) =>
        Walk(columnFamily, range, long.MaxValue, cancellationToken).Keys;

    /// <summary>About how many bytes a range takes: its share of table files, and what is not flushed yet.</summary>
    /// <remarks>
    /// Of tables compressed, as it is stored, and with data of deleted keys until a compaction has removed them. What
    /// is not flushed counts beside tables from RocksDB 9.5 on. An older library cannot tell: it counts only where
    /// no table has anything of the range, as the lengths of its keys and values, of which ten thousand are read at
    /// most and more are supposed to be alike.
    /// </remarks>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public long MeasureRange(string? columnFamily, KeyRange range)
    {
        CheckRange(range);
        return Answered("Measuring a range", () =>
        {
            ColumnFamily family = Family(columnFamily);
            ScanBounds bounds = ScanBounds.Of(range);
            if (bounds.IsEmpty)
            {
                return 0;
            }

            bool withMemory = RocksDatabase.SizesIncludeMemtables;
            long bytes = SizeOf(family, bounds.Lower ?? [], bounds.Upper ?? BehindAll(family), withMemory);
            if (bytes > 0 || withMemory)
            {
                return bytes;
            }

            RangeSample read = Walk(columnFamily, range, ExactKeys, CancellationToken.None, measured: true);
            return read.IsWhole
                ? read.Bytes
                : (long)((double)read.Bytes / read.Keys * EstimateCount(columnFamily, range).Keys);
        });
    }

    /// <summary>What RocksDB counts in a family, over all versions of a key. No key is read; the properties of tables
    /// that are not open are read from the disk.</summary>
    internal EntryCounts CountEntries(string? columnFamily) => Answered("Count", () =>
    {
        // Not rocksdb.estimate-num-keys: it adds up what was counted since the store was opened, and a store is opened
        // without reading its tables' properties, so that opening takes no longer the more tables there are.
        ColumnFamily family = Family(columnFamily);
        string tables = _database.GetProperty(family, "rocksdb.aggregated-table-properties") ?? "";
        return new EntryCounts(
            Number(family, "rocksdb.num-entries-active-mem-table")
                + Number(family, "rocksdb.num-entries-imm-mem-tables"),
            Number(family, "rocksdb.num-deletes-active-mem-table")
                + Number(family, "rocksdb.num-deletes-imm-mem-tables"),
            Counted(tables, "# entries="),
            Counted(tables, "# deletions="));
    });

    /// <summary>The bytes of two bounds as RocksDB knows them; it wants both.</summary>
    private long SizeOf(ColumnFamily family, byte[] from, byte[] to, bool withMemory) =>
        from.AsSpan().SequenceCompareTo(to) >= 0
            ? 0
            : _database.ApproximateSizes(family, [(from, to)], withMemory)[0];

    private long Number(ColumnFamily family, string property)
        => _database.TryGetIntProperty(family, property, out ulong value) ? (long)Math.Min(value, long.MaxValue) : 0;

    /// <summary>Reads a count from RocksDB's text of the form <c># data blocks=1; # entries=42; …</c>.</summary>
    private static long Counted(string properties, string name)
    {
        int at = properties.IndexOf(name, StringComparison.Ordinal);
        if (at < 0)
        {
            return 0;
        }

        ReadOnlySpan<char> rest = properties.AsSpan(at + name.Length);
        int end = rest.IndexOfAnyExceptInRange('0', '9');
        return long.TryParse(
            end < 0 ? rest : rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out long count) ? count : 0;
    }

    private byte[] BehindAll(ColumnFamily family) => LastKey(family, KeyRange.All) is { } last ? [.. last, 0] : [0];

    private byte[]? LastKey(ColumnFamily family, KeyRange range)
    {
        ScanBounds bounds = ScanBounds.Of(range);
        using ReadOptions options = new() { LowerBound = bounds.Lower, UpperBound = bounds.Upper };
        using Iterator last = _database.NewIterator(family, options);
        last.SeekToLast();
        return last.IsValid ? last.Key.ToArray() : null;
    }

    /// <summary>Reads the keys of a range from its beginning.</summary>
    private RangeSample Walk(
        string? columnFamily, KeyRange range, long most, CancellationToken cancellationToken, bool measured = false)
    {
        return Answered("Count", () =>
        {
            // A full count must not push what point reads need out of the cache.
            RangeOptions options = new() { ColumnFamily = columnFamily, Range = range, FillCache = false };
            CheckRange(range);
            using RangeWalk walk = OpenWalk(options);
            long keys = 0, bytes = 0;
            byte[] first = [], last = [];
            for (walk.Begin(cancellationToken); walk.IsValid && keys < most; walk.Next(cancellationToken))
            {
                first = keys == 0 ? walk.Key.ToArray() : first;
                bytes += measured ? walk.Key.Length + walk.Value.Length : 0;
                if (++keys % RangeWalk.AskInterval == 0)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    ThrowIfClosing();
                }

                if (keys == most)
                {
                    last = walk.Key.ToArray();
                }
            }

            return new RangeSample(keys, bytes, IsWhole: !walk.IsValid, first, last);
        });
    }

    /// <summary>The beginning of a range, as it was read.</summary>
    /// <param name="Keys">How many there were.</param>
    /// <param name="Bytes">Of keys and values, if they were measured.</param>
    /// <param name="IsWhole">Whether the range has no more.</param>
    /// <param name="First">The first key, if there is one.</param>
    /// <param name="Last">The last key that was read, if there may be more.</param>
    private readonly record struct RangeSample(long Keys, long Bytes, bool IsWhole, byte[] First, byte[] Last);

    /// <summary>Entries of a family: puts, merges and deletes, each version for itself.</summary>
    /// <param name="Unflushed">In memory, deletes among them.</param>
    /// <param name="UnflushedDeletes">Deletes of single keys in memory.</param>
    /// <param name="InTables">In table files, deletes among them.</param>
    /// <param name="TableDeletes">Deletes in table files.</param>
    internal readonly record struct EntryCounts(
        long Unflushed, long UnflushedDeletes, long InTables, long TableDeletes)
    {
        /// <summary>More keys than this there are not: a delete is no key, and a key may have more entries.</summary>
        public long MostKeys => Math.Max(0, Unflushed + InTables - UnflushedDeletes - TableDeletes);

        /// <summary>The keys there are if each delete met one: it is an entry itself and takes one away.</summary>
        public long LikelyKeys => Math.Max(0, MostKeys - UnflushedDeletes - TableDeletes);
    }
}

/// <summary>About how many keys there are.</summary>
/// <param name="Keys">The number.</param>
/// <param name="IsExact">Whether it is exactly right, because the range is so small that it was counted.</param>
public readonly record struct CountEstimate(long Keys, bool IsExact);
