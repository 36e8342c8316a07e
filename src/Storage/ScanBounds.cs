namespace Branching.Storage;

/// <summary>A range in the only shape RocksDB knows: inclusive lower bound, exclusive upper bound.</summary>
internal readonly struct ScanBounds
{
    private ScanBounds(byte[]? lower, byte[]? upper)
    {
        Lower = lower;
        Upper = upper;
    }

    /// <summary>First key in range; <see langword="null"/> means unbounded.</summary>
    public byte[]? Lower { get; }

    /// <summary>First key out of range; <see langword="null"/> means unbounded.</summary>
    public byte[]? Upper { get; }

    /// <summary>Whether no key can lie between the bounds.</summary>
    public bool IsEmpty => Lower is not null && Upper is not null && Lower.AsSpan().SequenceCompareTo(Upper) >= 0;

    public static ScanBounds Of(KeyRange range)
    {
        byte[]? lower = range.From.IsEmpty ? null : Bound(range.From.Span, after: range.FromExclusive);
        byte[]? upper = range.To.IsEmpty ? null : Bound(range.To.Span, after: range.ToInclusive);
        return new ScanBounds(lower, upper);
    }

    public static ScanBounds Of(ScanRequest request)
    {
        ScanBounds whole = Of(request.Range);
        if (!request.HasResume)
        {
            return whole;
        }

        ReadOnlySpan<byte> resume = request.ResumeAfter.Span;
        if (request.Reverse)
        {
            bool tightens = whole.Upper is null || resume.SequenceCompareTo(whole.Upper) < 0;
            return tightens ? new ScanBounds(whole.Lower, resume.ToArray()) : whole;
        }

        byte[] after = Bound(resume, after: true);
        bool raises = whole.Lower is null || after.AsSpan().SequenceCompareTo(whole.Lower) > 0;
        return raises ? new ScanBounds(after, whole.Upper) : whole;
    }

    // The smallest key greater than a key is that key followed by a zero byte.
    private static byte[] Bound(ReadOnlySpan<byte> key, bool after)
    {
        byte[] bound = new byte[after ? key.Length + 1 : key.Length];
        key.CopyTo(bound);
        return bound;
    }
}
