namespace Branching.Storage.Transactions;

/// <summary>What a <see cref="WriteWindow"/> knows about a key.</summary>
internal enum WindowAnswer
{
    /// <summary>The key was not written after the moment asked about.</summary>
    Unchanged = 0,

    /// <summary>It was written after that moment.</summary>
    Written = 1,

    /// <summary>The moment is so long ago that the window has forgotten writes made since.</summary>
    Forgotten = 2,
}

/// <summary>
/// Which keys of a store were written lately, and at which sequence: how transactions find conflicts without a read.
/// </summary>
/// <remarks>
/// <para>
/// A table of fixed size. The 64-bit hash of a key chooses a bucket, which holds the hashes of a few keys, each with
/// the sequence of its last write. A full bucket forgets its oldest entry and remembers up to where it forgot (its
/// floor). So a write is never missed: a key that is not there was not written after the floor, and a question about
/// an earlier moment is answered with <see cref="WindowAnswer.Forgotten"/>. Two keys of one hash can only report a
/// conflict that is none.
/// </para>
/// <para>
/// Removed ranges are kept apart, the last few of them; forgetting one raises the floor of the whole window.
/// Thread-safe.
/// </para>
/// </remarks>
internal sealed class WriteWindow
{
    // A bucket is two cache lines: its floor, the hashes of its entries, their sequences, and one word unused.
    private const int Entries = 7;
    private const int BucketWords = 16;
    private const int MaxRanges = 32;

    private readonly Lock _lock = new();
    private readonly ulong[] _words;
    private readonly ulong _bucketMask;
    private readonly Queue<RemovedRange> _ranges = new();
    private ulong _floor;

    /// <summary>An empty window that knows of no write up to <paramref name="floor"/>.</summary>
    /// <param name="bytes">Its size; rounded down to a power of two.</param>
    /// <param name="floor">The sequence of the store now.</param>
    public WriteWindow(long bytes, ulong floor)
    {
        long buckets = Math.Max(1, bytes / (BucketWords * sizeof(ulong)));
        int rounded = 1 << Math.Min(24, System.Numerics.BitOperations.Log2((ulong)buckets));
        _words = new ulong[rounded * BucketWords];
        _bucketMask = (ulong)rounded - 1;
        _floor = floor;
    }

    /// <summary>A key was written by the group that ended at this sequence.</summary>
    public void Mark(uint family, ReadOnlySpan<byte> key, ulong sequence)
    {
        ulong hash = KeyHash.Of(family, key);
        lock (_lock)
        {
            Span<ulong> bucket = BucketOf(hash);
            int oldest = 1;
            for (int i = 1; i <= Entries; i++)
            {
                // An unused entry has the sequence zero, which no write has.
                if (bucket[i] == hash || bucket[i + Entries] == 0)
                {
                    oldest = i;
                    break;
                }

                oldest = bucket[i + Entries] < bucket[oldest + Entries] ? i : oldest;
            }

            if (bucket[oldest] != hash)
            {
                bucket[0] = Math.Max(bucket[0], bucket[oldest + Entries]);
            }

            bucket[oldest] = hash;
            bucket[oldest + Entries] = sequence;
        }
    }

    /// <summary>A range was removed by the group that ended at this sequence.</summary>
    public void MarkRange(uint family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive, ulong sequence)
    {
        RemovedRange range = new(family, from.ToArray(), toExclusive.ToArray(), sequence);
        lock (_lock)
        {
            if (_ranges.Count == MaxRanges)
            {
                _floor = Math.Max(_floor, _ranges.Dequeue().Sequence);
            }

            _ranges.Enqueue(range);
        }
    }

    /// <summary>Anything may have been written up to this sequence, beside the writer.</summary>
    public void Forget(ulong sequence)
    {
        lock (_lock)
        {
            _floor = Math.Max(_floor, sequence);
        }
    }

    /// <summary>Whether a key was written after <paramref name="since"/>.</summary>
    /// <param name="family">The family's number.</param>
    /// <param name="key">The key.</param>
    /// <param name="since">A sequence at which the key was read.</param>
    /// <param name="written">The sequence of the write, or up to which the window has forgotten.</param>
    public WindowAnswer Check(uint family, ReadOnlySpan<byte> key, ulong since, out ulong written)
    {
        ulong hash = KeyHash.Of(family, key);
        lock (_lock)
        {
            written = _floor;
            if (since < _floor)
            {
                return WindowAnswer.Forgotten;
            }

            foreach (RemovedRange range in _ranges)
            {
                if (range.Sequence > since && range.Covers(family, key))
                {
                    written = range.Sequence;
                    return WindowAnswer.Written;
                }
            }

            ReadOnlySpan<ulong> bucket = BucketOf(hash);
            int found = bucket.Slice(1, Entries).IndexOf(hash);
            if (found >= 0 && bucket[found + 1 + Entries] != 0)
            {
                written = bucket[found + 1 + Entries];
                return written > since ? WindowAnswer.Written : WindowAnswer.Unchanged;
            }

            written = bucket[0];
            return since < written ? WindowAnswer.Forgotten : WindowAnswer.Unchanged;
        }
    }

    private Span<ulong> BucketOf(ulong hash) =>
        _words.AsSpan((int)(hash >> 7 & _bucketMask) * BucketWords, BucketWords);

    private readonly record struct RemovedRange(uint Family, byte[] From, byte[] To, ulong Sequence)
    {
        public bool Covers(uint family, ReadOnlySpan<byte> key) =>
            Family == family && key.SequenceCompareTo(From) >= 0 && key.SequenceCompareTo(To) < 0;
    }
}
