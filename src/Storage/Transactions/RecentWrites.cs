namespace Branching.Storage.Transactions;

/// <summary>
/// The keys that were written last, whole and in order of the writes: how a transaction that removes a range, or
/// depends on one, learns what others wrote into it, which a <see cref="WriteWindow"/> of hashes cannot say.
/// </summary>
/// <remarks>
/// A store has one from the first transaction on that removes or reads a range. It is bounded by bytes; what it forgot
/// makes it answer <see cref="WindowAnswer.Forgotten"/> for moments before. Looking costs a comparison for each key it
/// holds, and nothing when nothing was written since. Thread-safe.
/// </remarks>
internal sealed class RecentWrites
{
    // What an entry takes beside its bytes: two array headers, its place in the queue.
    private const int EntryBytes = 96;

    private readonly Lock _lock = new();
    private readonly Queue<Entry> _entries = new();
    private readonly long _capacity;
    private long _bytes;
    private ulong _floor;
    private ulong _newest;

    /// <summary>Nothing, and nothing is known of writes up to <paramref name="floor"/>.</summary>
    /// <param name="bytes">How much it holds, about.</param>
    /// <param name="floor">The sequence of the store now.</param>
    public RecentWrites(long bytes, ulong floor)
    {
        _capacity = bytes;
        _floor = floor;
    }

    /// <summary>A key was written by the group that ended at this sequence.</summary>
    public void Mark(uint family, ReadOnlySpan<byte> key, ulong sequence) =>
        Add(new Entry(family, key.ToArray(), null, sequence));

    /// <summary>A range was removed by the group that ended at this sequence.</summary>
    public void MarkRange(uint family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive, ulong sequence) =>
        Add(new Entry(family, from.ToArray(), toExclusive.ToArray(), sequence));

    /// <summary>Anything may have been written up to this sequence, beside the writer.</summary>
    public void Forget(ulong sequence)
    {
        lock (_lock)
        {
            _floor = Math.Max(_floor, sequence);
        }
    }

    /// <summary>Whether anything in a range was written after it was seen.</summary>
    /// <param name="family">The family's number.</param>
    /// <param name="range">The range, with the sequence at which it was seen.</param>
    /// <param name="key">A key that was written, when one was.</param>
    /// <param name="written">The sequence of that write, or up to which writes are forgotten.</param>
    public WindowAnswer Check(uint family, OwnRange range, out ReadOnlyMemory<byte> key, out ulong written)
    {
        lock (_lock)
        {
            key = default;
            written = _floor;
            if (range.Since < _floor)
            {
                return WindowAnswer.Forgotten;
            }

            if (range.Since >= _newest)
            {
                return WindowAnswer.Unchanged; // Nothing at all was written since.
            }

            foreach (Entry entry in _entries)
            {
                if (entry.Sequence > range.Since && entry.Family == family && entry.Meets(range))
                {
                    key = entry.Key;
                    written = entry.Sequence;
                    return WindowAnswer.Written;
                }
            }

            return WindowAnswer.Unchanged;
        }
    }

    private void Add(Entry entry)
    {
        lock (_lock)
        {
            _entries.Enqueue(entry);
            _newest = Math.Max(_newest, entry.Sequence);
            _bytes += entry.Bytes;
            while (_bytes > _capacity)
            {
                Entry oldest = _entries.Dequeue();
                _bytes -= oldest.Bytes;
                _floor = Math.Max(_floor, oldest.Sequence);
            }
        }
    }

    private readonly record struct Entry(uint Family, byte[] Key, byte[]? To, ulong Sequence)
    {
        public long Bytes => EntryBytes + Key.Length + (To?.Length ?? 0);

        public bool Meets(OwnRange range) => To is null
            ? range.Covers(Key)
            : range.EndsBehind(Key) && range.From.Span.SequenceCompareTo(To) < 0;
    }
}
