namespace Branching.Storage.Codecs;

/// <summary>GUIDs: the bytes in the order in which they are printed, which is how <c>CompareTo</c> orders
/// them.</summary>
internal sealed class GuidKeyCodec : IKeyCodec<Guid>
{
    private const int Bytes = 16;

    public bool IsSelfDelimiting => true;

    public int Measure(Guid value) => Bytes;

    public int Write(Guid value, Span<byte> destination) =>
        value.TryWriteBytes(destination, bigEndian: true, out int written)
            ? written
            : throw new ArgumentException("The destination is too short.", nameof(destination));

    public Guid Read(ReadOnlySpan<byte> source, out int consumed)
    {
        consumed = Bytes;
        return new Guid(Codec.Take(source, Bytes), bigEndian: true);
    }
}
