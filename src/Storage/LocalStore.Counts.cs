using System.Globalization;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>How much there is: exactly, by reading it, and about, without.</content>
public sealed partial class LocalStore
{
    // An estimate of a range reads so many keys at first: a range that has no more is known exactly.
    private const int SampledKeys = 1000;

    /// <summary>Counts the keys of a range by reading them all. Exact for one view. Blocking.</summary>
    /// <exception cref="OperationCanceledException">Cancelled meanwhile.</exception>
    public long Count(string? columnFamily, KeyRange range, CancellationToken cancellationToken) =>
        Count(columnFamily, range, long.MaxValue, cancellationToken).Count;

    /// <summary>About how many keys a column family holds. No key is read.</summary>
    /// <remarks>
    /// Overwrites that are not compacted yet count twice; a delete counts minus one even where it deleted nothing. The
    /// properties of table files that are not open are read from the disk.
    /// </remarks>
    public long EstimateCount(string? columnFamily) => Answered("Count", () =>
    {
        // Not rocksdb.estimate-num-keys: it adds up what was counted since the store was opened, and a store is opened
        // without reading its tables' properties, so that opening takes no longer the more tables there are.
        ColumnFamily family = Family(columnFamily);
        long entries = Number(family, "rocksdb.num-entries-active-mem-table")
            + Number(family, "rocksdb.num-entries-imm-mem-tables");
        long deletes = Number(family, "rocksdb.num-deletes-active-mem-table")
            + Number(family, "rocksdb.num-deletes-imm-mem-tables");
        string tables = _database.GetProperty(family, "rocksdb.aggregated-table-properties") ?? "";
        entries += Counted(tables, "# entries=");
        deletes += Counted(tables, "# deletions=");

        // A delete is an entry itself and takes one away.
        return Math.Max(0, entries - (2 * deletes));
    });

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

    /// <summary>About how many keys a range holds. Reads a thousand of them at most. Blocking.</summary>
    /// <remarks>
    /// A range with fewer is counted exactly. Of a larger one the share of the family's bytes is taken for its share of
    /// the keys, so it is wrong by as much as values differ in length from one part of the family to another.
    /// </remarks>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public CountEstimate EstimateCount(
        string? columnFamily, KeyRange range, CancellationToken cancellationToken = default)
    {
        CheckRange(range);
        if (range.From.IsEmpty && range.To.IsEmpty)
        {
            return new CountEstimate(EstimateCount(columnFamily), IsExact: false);
        }

        (long counted, bool whole) = Count(columnFamily, range, SampledKeys, cancellationToken);
        if (whole)
        {
            return new CountEstimate(counted, IsExact: true);
        }

        long all = EstimateCount(columnFamily);
        double bytes = MeasureRange(columnFamily, KeyRange.All);
        double share = bytes > 0 ? Math.Min(1, MeasureRange(columnFamily, range) / bytes) : 1;
        return new CountEstimate(Math.Max(counted, (long)(all * share)), IsExact: false);
    }

    /// <summary>About how many bytes a range takes, on the disk and in memory that is not flushed yet.</summary>
    /// <remarks>Compressed, as it is stored. Data of deleted keys count until a compaction has removed them.</remarks>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public long MeasureRange(string? columnFamily, KeyRange range)
    {
        CheckRange(range);
        ScanBounds bounds = ScanBounds.Of(range);
        return Answered("Measuring a range", () =>
        {
            ColumnFamily family = Family(columnFamily);
            if (bounds.IsEmpty)
            {
                return 0;
            }

            // RocksDB wants both ends.
            byte[] from = bounds.Lower ?? [];
            byte[] to = bounds.Upper ?? BehindAll(family);
            return from.AsSpan().SequenceCompareTo(to) >= 0
                ? 0
                : checked((long)_database.ApproximateSize(family, from, to));
        });
    }

    private byte[] BehindAll(ColumnFamily family)
    {
        using Iterator last = _database.NewIterator(family);
        last.SeekToLast();
        return last.IsValid ? [.. last.Key, 0] : [0];
    }

    private (long Count, bool Whole) Count(
        string? columnFamily, KeyRange range, long most, CancellationToken cancellationToken) => Answered("Count", () =>
        {
            // A full count must not push what point reads need out of the cache.
            RangeOptions options = new() { ColumnFamily = columnFamily, Range = range, FillCache = false };
            CheckRange(range);
            using RangeWalk walk = OpenWalk(options);
            long count = 0;
            for (walk.Begin(cancellationToken); walk.IsValid && count < most; walk.Next(cancellationToken))
            {
                if (++count % RangeWalk.AskInterval == 0)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    ThrowIfClosing();
                }
            }

            return (count, !walk.IsValid);
        });
}

/// <summary>About how many keys there are.</summary>
/// <param name="Keys">The number.</param>
/// <param name="IsExact">Whether it is exactly right, because the range is so small that it was counted.</param>
public readonly record struct CountEstimate(long Keys, bool IsExact);
