namespace Branching.Storage.Transactions;

/// <summary>One page of a range: what the store holds, with a transaction's changes laid over it.</summary>
internal static class MergedScan
{
    /// <summary>Reads a page.</summary>
    /// <param name="walk">Over the range, in scan order; it stands on its first entry.</param>
    /// <param name="changes">Of the transaction; <see langword="null"/>: none.</param>
    /// <param name="bounds">The range.</param>
    /// <param name="request">Direction and limits.</param>
    /// <param name="entries">Receives the entries; their memory belongs to the receiver.</param>
    /// <returns>Whether the range holds more.</returns>
    public static bool ReadPage(
        RangeWalk walk, FamilyChanges? changes, ScanBounds bounds, ScanRequest request, List<KeyValueEntry> entries)
    {
        using IEnumerator<KeyChange> own = (changes?.Within(bounds, request.Reverse) ?? []).GetEnumerator();
        bool removes = changes?.Ranges.Count > 0;
        bool hasOwn = own.MoveNext();
        ScanPageBuffer buffer = default;
        long bytes = 0;
        long skipped = request.HasResume ? request.Offset : 0;
        while (walk.IsValid || hasOwn)
        {
            int order = Order(walk, hasOwn ? own.Current : null, request.Reverse);
            bool exists = order < 0 ? !removes || !changes!.Removes(walk.Key) : own.Current.Exists;
            if (exists && skipped < request.Offset)
            {
                skipped++;
                exists = false;
            }

            if (exists && (entries.Count == request.Limit || bytes >= request.MaxBytes))
            {
                return true;
            }

            if (exists)
            {
                ReadOnlyMemory<byte> key = buffer.Add(order < 0 ? walk.Key : own.Current.Key.Span);
                ReadOnlyMemory<byte> value = request.KeysOnly
                    ? default
                    : buffer.Add(order < 0 ? walk.Value : own.Current.Value.Span);
                entries.Add(new KeyValueEntry(key, value));
                bytes += key.Length + value.Length;
            }

            if (order <= 0)
            {
                walk.Next();
            }

            if (order >= 0)
            {
                hasOwn = own.MoveNext();
            }
        }

        return false;
    }

    /// <summary>Which comes first: negative the stored one, positive the own one, zero both are one key.</summary>
    private static int Order(RangeWalk walk, KeyChange? own, bool reverse)
    {
        if (own is null)
        {
            return -1;
        }

        if (!walk.IsValid)
        {
            return 1;
        }

        int order = walk.Key.SequenceCompareTo(own.Key.Span);
        return reverse ? -order : order;
    }
}
