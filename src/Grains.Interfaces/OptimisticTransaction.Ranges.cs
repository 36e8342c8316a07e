namespace Branching.Grains;

/// <content>Ranges: pages of the store under the transaction's own writes, and what the commit asks of them.</content>
/// <remarks>
/// A page comes with the sequence of the view that it was read from. What was looked at, from the beginning of the page
/// to its last key or to the end of the range, goes into the read set as a range with that sequence. So the commit is
/// refused by a write to a key that was shown, and as well by a key that appeared between them. Pages that adjoin
/// become one range, with the oldest of their sequences.
/// </remarks>
public sealed partial class OptimisticTransaction
{
    /// <summary>Ranges that one transaction may read: adjoining pages count as one, and a range within one that was
    /// read before not at all.</summary>
    public const int MaxRanges = 256;

    private const byte ContinuationFormat = (byte)'t'; // Another than the store's, so that neither takes the other's.
    private const int CountPage = 10_000;

    private readonly List<RangeSeen> _ranges = [];

    /// <summary>Ranges read from the store.</summary>
    public int RangeCount => _ranges.Count;

    /// <summary>
    /// Reads one page of a range as the transaction sees it: what the store holds now, under the transaction's own
    /// writes. The commit is refused if anything in the part of the range that was looked at is written meanwhile: a
    /// key that was shown, and also one that appears.
    /// </summary>
    /// <remarks>
    /// Each page is of its own moment, and what a page shows is not remembered: a key read again, by itself or by
    /// another scan, is asked for again. When the two differ, the commit is refused. How long the store remembers what
    /// was written is limited as for keys, but by far fewer writes, since it has to keep the keys whole.
    /// </remarks>
    /// <param name="request">
    /// As for <see cref="IStoreGrain.ScanAsync"/>; the limit counts what is shown. The continuation is one that this
    /// transaction answered for the same range, direction and column family; the transaction may have written
    /// meanwhile.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The entries in the order of the scan. The continuation is empty at the end of the range; with one there
    /// is at least one entry, and as many as asked for unless a page of the store reached its size limit.</returns>
    /// <exception cref="BranchingException">
    /// <see cref="FailureKind.TransactionConflict"/>: the store was opened again since the first read, the transaction
    /// has ended. <see cref="FailureKind.RequestTooLarge"/>: it has read <see cref="MaxRanges"/> ranges.
    /// <see cref="FailureKind.InvalidContinuation"/>; others as for <see cref="IStoreGrain.ScanAsync"/>.
    /// </exception>
    public async Task<ScanResponse> ScanAsync(ScanRequest request, CancellationToken cancellationToken = default)
    {
        ThrowIfEnded();
        ArgumentNullException.ThrowIfNull(request);
        if (request.Offset < 0)
        {
            throw new BranchingException(
                FailureKind.InvalidArgument,
                $"A scan in a transaction asks for an offset of {request.Offset}; it is at least 0. Nothing was read.");
        }

        Span span = SpanOf(request);
        WriteOperation[] own = OwnIn(span, request.Reverse);
        bool resumes = !request.Continuation.IsEmpty;

        // The store does not know of the transaction's writes, so among those it cannot count.
        ScanRequest part = request with
        {
            Range = span.ToRange(),
            Continuation = default,
            Offset = own.Length == 0 && !resumes ? request.Offset : 0,
            ForTransaction = true,
        };
        Merging merging = new(request, own, own.Length == 0 || resumes ? 0 : request.Offset);
        ulong? sequence = null;
        while (true)
        {
            ScanResponse page = await _store.ScanAsync(part, cancellationToken);
            Require(page);
            Adopt(page.Token);
            sequence ??= page.Sequence;
            bool more = !page.Continuation.IsEmpty;
            bool isOver = merging.Add(page.Entries, more);

            // A page that has not as many entries as were asked for ended by its size, and so does this one.
            bool isLarge = merging.Entries.Count > 0 && page.Entries.Count < request.Limit;
            if (isOver || isLarge || merging.Entries.Count == request.Limit)
            {
                ReadOnlyMemory<byte> last = isOver ? default : merging.Last;
                Depend(isOver ? span : span.UpTo(last, request.Reverse), request.Reverse, sequence.Value);
                return new ScanResponse(merging.Entries, isOver ? default : ToContinuation(last))
                {
                    Sequence = sequence.Value,
                };
            }

            part = part with { Continuation = page.Continuation };
        }
    }

    /// <summary>Counts the keys of a range as the transaction sees it, by reading them without their values.</summary>
    /// <inheritdoc cref="ScanAsync" path="/exception"/>
    public async Task<long> CountAsync(
        KeyRange range, string? columnFamily = null, CancellationToken cancellationToken = default)
    {
        ScanRequest request = new(range, CountPage, KeysOnly: true, ColumnFamily: columnFamily);
        long count = 0;
        while (true)
        {
            ScanResponse page = await ScanAsync(request, cancellationToken);
            count += page.Entries.Count;
            if (page.Continuation.IsEmpty)
            {
                return count;
            }

            request = request with { Continuation = page.Continuation };
        }
    }

    /// <summary>The part of the range that is left to read.</summary>
    private static Span SpanOf(ScanRequest request)
    {
        KeyRange range = request.Range;
        ReadOnlyMemory<byte> from = range.FromExclusive ? After(range.From) : range.From;
        ReadOnlyMemory<byte> to = range.ToInclusive ? After(range.To) : range.To;
        string? family = request.ColumnFamily;
        if (request.Continuation.IsEmpty)
        {
            return new Span(family, from.ToArray(), to.ToArray());
        }

        if (request.Continuation.Span[0] != ContinuationFormat)
        {
            throw new BranchingException(
                FailureKind.InvalidContinuation,
                "The continuation of a scan in a transaction cannot be used: no transaction answered it. Begin the " +
                "scan again without a continuation.");
        }

        ReadOnlyMemory<byte> last = request.Continuation[1..];
        return request.Reverse
            ? new Span(family, from.ToArray(), last.ToArray())
            : new Span(family, After(last), to.ToArray());
    }

    private static byte[] ToContinuation(ReadOnlyMemory<byte> last) => [ContinuationFormat, .. last.Span];

    /// <summary>The first key behind one; no bound stays none.</summary>
    private static ReadOnlyMemory<byte> After(ReadOnlyMemory<byte> key) =>
        key.IsEmpty ? key : (byte[])[.. key.Span, 0];

    /// <summary>The transaction's own writes in a range, in the order of the scan.</summary>
    private WriteOperation[] OwnIn(Span span, bool reverse)
    {
        WriteOperation[] own = [.. _writes.Values.Where(
            write => StoreKeyComparer.IsSameFamily(write.ColumnFamily, span.ColumnFamily)
                && span.Contains(write.Key.Span))];
        Array.Sort(own, (x, y) => reverse
            ? y.Key.Span.SequenceCompareTo(x.Key.Span)
            : x.Key.Span.SequenceCompareTo(y.Key.Span));
        return own;
    }

    private static void Require(ScanResponse page)
    {
        if (page.Token.IsEmpty)
        {
            throw new BranchingException(
                FailureKind.NotSupported,
                "The node that serves the store is older and does not read ranges for transactions. Nothing was " +
                "read; update the node, or scan outside of the transaction.");
        }
    }

    /// <summary>The commit depends on a range as it was then.</summary>
    private void Depend(Span span, bool reverse, ulong sequence)
    {
        if (span.IsEmpty || _ranges.Exists(seen => seen.Span.Covers(span)))
        {
            return; // What was seen before is what counts.
        }

        int adjoining = _ranges.FindIndex(
            seen => reverse ? span.EndsWhere(seen.Span) : seen.Span.EndsWhere(span));
        if (adjoining >= 0)
        {
            RangeSeen seen = _ranges[adjoining];
            _ranges[adjoining] = new RangeSeen(
                reverse ? seen.Span with { From = span.From } : seen.Span with { To = span.To },
                Math.Min(seen.Sequence, sequence));
            return;
        }

        if (_ranges.Count == MaxRanges)
        {
            throw new BranchingException(
                FailureKind.RequestTooLarge,
                $"The transaction has read {MaxRanges} ranges that do not adjoin, and one commit checks no more. " +
                "What it read and wrote before stands; commit it, or read fewer and larger ranges.");
        }

        _ranges.Add(new RangeSeen(span, sequence));
    }

    private TransactionRange[] RangesRead() =>
    [
        .. _ranges.Select(seen => new TransactionRange(
            seen.Span.From, seen.Span.To, seen.Sequence, seen.Span.ColumnFamily)),
    ];

    /// <summary>A part of a column family that was read, and when.</summary>
    private readonly record struct RangeSeen(Span Span, ulong Sequence);

    /// <summary>The keys from one up to, not including, another; an empty bound is none.</summary>
    private readonly record struct Span(string? ColumnFamily, ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> To)
    {
        public bool IsEmpty => !To.IsEmpty && From.Span.SequenceCompareTo(To.Span) >= 0;

        public bool Contains(ReadOnlySpan<byte> key) =>
            key.SequenceCompareTo(From.Span) >= 0 && (To.IsEmpty || key.SequenceCompareTo(To.Span) < 0);

        public bool Covers(Span other) => StoreKeyComparer.IsSameFamily(ColumnFamily, other.ColumnFamily)
            && other.From.Span.SequenceCompareTo(From.Span) >= 0
            && (To.IsEmpty || (!other.To.IsEmpty && other.To.Span.SequenceCompareTo(To.Span) <= 0));

        /// <summary>Whether the other one begins with the first key behind this one.</summary>
        public bool EndsWhere(Span other) => StoreKeyComparer.IsSameFamily(ColumnFamily, other.ColumnFamily)
            && !To.IsEmpty && To.Span.SequenceEqual(other.From.Span);

        /// <summary>As far as a scan has come with its last key.</summary>
        public Span UpTo(ReadOnlyMemory<byte> last, bool reverse) =>
            reverse ? this with { From = last.ToArray() } : this with { To = After(last) };

        // A bound behind a key has one byte more than a key may have, which the store does not take.
        public KeyRange ToRange()
        {
            bool fromExclusive = From.Span is [.., 0] && From.Length > 1;
            bool toInclusive = To.Span is [.., 0] && To.Length > 1;
            return new KeyRange(
                fromExclusive ? From[..^1] : From, toInclusive ? To[..^1] : To, fromExclusive, toInclusive);
        }
    }

    /// <summary>One page: what the store holds and the transaction wrote, merged in the order of the scan.</summary>
    private sealed class Merging(ScanRequest request, WriteOperation[] own, long skip)
    {
        private long _skip = skip;
        private int _next;

        public List<Entry> Entries { get; } = [];

        /// <summary>The last key that was looked at.</summary>
        public ReadOnlyMemory<byte> Last { get; private set; }

        /// <summary>Adds what the store answered, as far as the page has room.</summary>
        /// <param name="stored">In the order of the scan.</param>
        /// <param name="more">Whether the store has more; then own writes behind the last key wait for that.</param>
        /// <returns>Whether the range has ended.</returns>
        public bool Add(IReadOnlyList<Entry> stored, bool more)
        {
            int i = 0;
            while (Entries.Count < request.Limit)
            {
                bool hasStored = i < stored.Count;
                bool hasOwn = _next < own.Length && (hasStored || !more);
                if (!hasStored && !hasOwn)
                {
                    return !more;
                }

                int order = !hasOwn ? -1 : !hasStored ? 1 : Compare(stored[i].Key.Span, own[_next].Key.Span);
                Entry? before = order <= 0 ? stored[i++] : null;
                WriteOperation? write = order >= 0 ? own[_next++] : null;
                Last = before?.Key ?? write!.Value.Key;
                if (Seen(before, write) is not { } seen)
                {
                    continue;
                }

                if (_skip > 0)
                {
                    _skip--;
                }
                else
                {
                    Entries.Add(seen);
                }
            }

            return !more && i == stored.Count && _next == own.Length;
        }

        private int Compare(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y) =>
            request.Reverse ? y.SequenceCompareTo(x) : x.SequenceCompareTo(y);

        private Entry? Seen(Entry? stored, WriteOperation? write)
        {
            if (write is not { } own)
            {
                return stored;
            }

            ReadOnlyMemory<byte> value = request.KeysOnly ? default
                : own.Kind == WriteOperationKind.Append && stored is { } before ? Join(before.Value, own.Value)
                : own.Value;
            return own.Kind == WriteOperationKind.Delete ? null : new Entry(own.Key, value);
        }
    }
}
