namespace Branching.Storage;

/// <summary>A range of keys in byte order.</summary>
/// <param name="From">First key of the range; empty means from the start.</param>
/// <param name="To">Where the range ends; empty means to the end.</param>
/// <param name="FromExclusive">Whether <paramref name="From"/> itself is left out. Default: it is in.</param>
/// <param name="ToInclusive">Whether <paramref name="To"/> itself is in. Default: it is left out.</param>
public readonly record struct KeyRange(
    ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> To, bool FromExclusive = false, bool ToInclusive = false)
{
    /// <summary>Every key.</summary>
    public static KeyRange All => default;

    /// <summary>Every key that begins with <paramref name="prefix"/>; an empty prefix means every key.</summary>
    public static KeyRange Prefix(ReadOnlyMemory<byte> prefix)
    {
        // The first key past the prefix: drop trailing 0xFF bytes, add one to the last byte that is left.
        ReadOnlySpan<byte> span = prefix.Span;
        int length = span.Length;
        while (length > 0 && span[length - 1] == 0xFF)
        {
            length--;
        }

        if (length == 0)
        {
            return new KeyRange(prefix, default);
        }

        byte[] end = span[..length].ToArray();
        end[length - 1]++;
        return new KeyRange(prefix, end);
    }
}

/// <summary>One page of a scan.</summary>
/// <param name="ColumnFamily">The column family, or <see langword="null"/> for the default one.</param>
/// <param name="Range">The whole range that is scanned, the same for every page.</param>
/// <param name="Reverse">Whether keys come in descending order.</param>
/// <param name="Limit">At most this many entries; at least 1.</param>
/// <param name="MaxBytes">A page ends with the entry that reaches this many bytes; at least 1.</param>
/// <param name="KeysOnly">Whether values are left out (they are empty in the answer).</param>
/// <param name="ResumeAfter">The last key of the page before, when <paramref name="HasResume"/>.</param>
/// <param name="HasResume">Whether this page continues an earlier one.</param>
/// <param name="Offset">Entries passed over at the beginning; a page that continues another passes over none.</param>
public sealed record ScanRequest(
    string? ColumnFamily,
    KeyRange Range,
    bool Reverse,
    int Limit,
    long MaxBytes,
    bool KeysOnly = false,
    ReadOnlyMemory<byte> ResumeAfter = default,
    bool HasResume = false,
    long Offset = 0);

/// <summary>A key and its value.</summary>
/// <param name="Key">Never empty.</param>
/// <param name="Value">Possibly empty.</param>
public readonly record struct KeyValueEntry(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value);

/// <summary>One page of entries, all of one consistent view.</summary>
/// <param name="Entries">In scan order. The memory belongs to the receiver.</param>
/// <param name="HasMore">Whether the range holds more; the next page resumes after the last entry's key.</param>
/// <param name="Sequence">The sequence of the view.</param>
public sealed record ScanPage(IReadOnlyList<KeyValueEntry> Entries, bool HasMore, Sequence Sequence);
