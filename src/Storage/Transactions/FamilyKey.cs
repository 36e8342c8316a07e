namespace Branching.Storage.Transactions;

/// <summary>A key of one column family. Whoever keeps one owns its bytes.</summary>
/// <param name="Family">RocksDB's number of the family: one created again has another.</param>
/// <param name="Key">The key.</param>
internal readonly record struct FamilyKey(uint Family, ReadOnlyMemory<byte> Key)
{
    /// <summary>The same with bytes of its own.</summary>
    public FamilyKey Copy() => new(Family, Key.ToArray());

    /// <summary>The key for a message: printable as text, otherwise in hexadecimal; cut when long.</summary>
    public static string Show(ReadOnlySpan<byte> key)
    {
        const int Longest = 40;
        ReadOnlySpan<byte> shown = key[..Math.Min(key.Length, Longest)];
        string text = shown.ContainsAnyExceptInRange((byte)' ', (byte)'~')
            ? "0x" + Convert.ToHexStringLower(shown)
            : $"'{System.Text.Encoding.ASCII.GetString(shown)}'";
        return key.Length > Longest ? text + "…" : text;
    }
}

/// <summary>Compares family and bytes.</summary>
internal sealed class FamilyKeyComparer : IEqualityComparer<FamilyKey>
{
    public static FamilyKeyComparer Instance { get; } = new();

    public bool Equals(FamilyKey x, FamilyKey y) => x.Family == y.Family && x.Key.Span.SequenceEqual(y.Key.Span);

    public int GetHashCode(FamilyKey obj) => (int)KeyHash.Of(obj.Family, obj.Key.Span);
}
