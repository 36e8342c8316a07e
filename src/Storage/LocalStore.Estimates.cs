using System.Buffers.Binary;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>
/// About how many keys there are. RocksDB's own numbers know nothing of removed ranges and of what is in memory, so a
/// range is read from its beginning, and only what lies beyond ten thousand keys is inferred: from samples all over the
/// range, by the bytes of tables that each stands for.
/// </content>
public sealed partial class LocalStore
{
    // A few milliseconds of reading.
    private const int ExactKeys = 10_000;

    // Half a second at most, and only where most of it is in memory.
    private const int ExactKeysInMemory = 1_000_000;

    private const int Samples = 8;
    private const int SampledKeys = 1250;

    /// <summary>About how many keys a column family holds, as the other one. Reads twenty thousand at most.</summary>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public long EstimateCount(string? columnFamily) =>
        Estimate(columnFamily, KeyRange.All, mostInMemory: 0, CancellationToken.None).Keys;

    /// <summary>About how many keys a range holds. Blocking.</summary>
    /// <remarks>
    /// <para>
    /// A range of up to ten thousand keys is counted, and so is one that is not flushed yet, up to a million: these are
    /// exact, whatever was removed before. Of a larger one ten thousand more keys are read at eight places, and how
    /// many lie between follows from the bytes of tables there.
    /// </para>
    /// <para>
    /// That is wrong where values differ in length, or removed and overwritten keys lie closer, between the places than
    /// at them, by as much as they do; and by what is not flushed of a range that is mostly in tables. Of more than a
    /// million keys in memory the entries of the family are the answer, which is too many for a part of it. It is never
    /// more than the family has entries.
    /// </para>
    /// </remarks>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public CountEstimate EstimateCount(
        string? columnFamily, KeyRange range, CancellationToken cancellationToken = default) =>
        Estimate(columnFamily, range, ExactKeysInMemory, cancellationToken);

    private CountEstimate Estimate(
        string? columnFamily, KeyRange range, int mostInMemory, CancellationToken cancellationToken)
    {
        RangeSample front = Walk(columnFamily, range, ExactKeys, cancellationToken);
        if (front.IsWhole)
        {
            return new CountEstimate(front.Keys, IsExact: true);
        }

        EntryCounts entries = CountEntries(columnFamily);
        KeyRange rest = range with { From = front.Last, FromExclusive = true };
        if (entries.Unflushed < entries.InTables && SizeInTables(columnFamily, rest) > 0)
        {
            long inferred = Infer(columnFamily, rest, front, cancellationToken);
            return new CountEstimate(Math.Min(inferred, Math.Max(front.Keys, entries.MostKeys)), IsExact: false);
        }

        RangeSample more = mostInMemory > 0 ? Walk(columnFamily, rest, mostInMemory, cancellationToken) : default;
        long counted = front.Keys + more.Keys;
        return more.IsWhole
            ? new CountEstimate(counted, IsExact: true)
            : new CountEstimate(Math.Max(counted, entries.LikelyKeys), IsExact: false);
    }

    /// <summary>Counts what lies behind the front by samples and the bytes between them.</summary>
    private long Infer(string? columnFamily, KeyRange rest, RangeSample front, CancellationToken cancellationToken)
        => Answered("Count", () =>
        {
            ColumnFamily family = Family(columnFamily);
            long keys = front.Keys;
            long sampledKeys = front.Keys;
            long sampledBytes = SizeOf(family, front.First, front.Last, withMemory: false);
            long otherBytes = 0;
            foreach (KeyRange part in Divide(rest, LastKey(family, rest)))
            {
                RangeSample sample = Walk(columnFamily, part, SampledKeys, cancellationToken);
                keys += sample.Keys;
                if (!sample.IsWhole)
                {
                    // What lies before the sample's first key is known to have none, however many bytes it takes.
                    sampledKeys += sample.Keys;
                    sampledBytes += SizeOf(family, sample.First, sample.Last, withMemory: false);
                    otherBytes += SizeInTables(columnFamily, part with { From = sample.Last, FromExclusive = true });
                }
            }

            double perByte = (double)sampledKeys / Math.Max(1, sampledBytes);
            return keys + (long)(otherBytes * perByte);
        });

    private long SizeInTables(string? columnFamily, KeyRange range) => Answered("Count", () =>
    {
        ColumnFamily family = Family(columnFamily);
        ScanBounds bounds = ScanBounds.Of(range);
        return bounds.IsEmpty
            ? 0
            : SizeOf(family, bounds.Lower ?? [], bounds.Upper ?? BehindAll(family), withMemory: false);
    });

    /// <summary>Divides a range into parts of about as many possible keys.</summary>
    private static List<KeyRange> Divide(KeyRange range, byte[]? last)
    {
        if (last is null)
        {
            return [];
        }

        int common = range.From.Span.CommonPrefixLength(last);
        ulong low = Digits(range.From.Span, common), high = Digits(last, common);
        ulong step = high > low ? (high - low) / Samples : 0;
        if (step == 0)
        {
            return [range];
        }

        List<KeyRange> parts = new(Samples);
        KeyRange rest = range;
        for (uint i = 1; i < Samples; i++)
        {
            byte[] border = new byte[common + sizeof(ulong)];
            last.AsSpan(0, common).CopyTo(border);
            BinaryPrimitives.WriteUInt64BigEndian(border.AsSpan(common), low + (i * step));
            parts.Add(rest with { To = border, ToInclusive = false });
            rest = rest with { From = border, FromExclusive = false };
        }

        parts.Add(rest);
        return parts;
    }

    /// <summary>The eight bytes behind a prefix as a number that orders as keys do.</summary>
    private static ulong Digits(ReadOnlySpan<byte> key, int prefix)
    {
        Span<byte> digits = stackalloc byte[sizeof(ulong)];
        digits.Clear();
        ReadOnlySpan<byte> rest = key[Math.Min(prefix, key.Length)..];
        rest[..Math.Min(rest.Length, digits.Length)].CopyTo(digits);
        return BinaryPrimitives.ReadUInt64BigEndian(digits);
    }
}
