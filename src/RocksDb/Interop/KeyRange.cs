namespace Branching.RocksDb.Interop;

/// <summary>A half-open range of keys in RocksDB's default order, that of unsigned bytes.</summary>
internal static class KeyRange
{
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    public static void Require(ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive)
    {
        if (from.SequenceCompareTo(toExclusive) > 0)
        {
            throw new ArgumentException(
                "The range ends before it begins: its end is less than its start.", nameof(toExclusive));
        }
    }
}
