namespace Branching.Storage.Codecs;

/// <summary>Byte strings in byte order, unsigned.</summary>
internal sealed class BytesKeyCodec : IKeyCodec<ReadOnlyMemory<byte>>
{
    public bool IsSelfDelimiting => true;

    public int Measure(ReadOnlyMemory<byte> value) => Escaped.Measure(value.Length, value.Span.Count((byte)0));

    public int Write(ReadOnlyMemory<byte> value, Span<byte> destination)
    {
        Span<byte> room = destination[..Measure(value)];
        value.Span.CopyTo(room[(room.Length - value.Length - 2)..]);
        Escaped.Spread(room, value.Length);
        return room.Length;
    }

    public ReadOnlyMemory<byte> Read(ReadOnlySpan<byte> source, out int consumed)
    {
        (int escaped, int plain) = Escaped.Find(source);
        byte[] value = new byte[plain];
        Escaped.CopyPlain(source[..escaped], value);
        consumed = Escaped.Consumed(escaped);
        return value;
    }
}

/// <summary>Byte strings as they are; only the last part of a key.</summary>
internal sealed class PlainBytesKeyCodec : IKeyCodec<ReadOnlyMemory<byte>>
{
    public bool IsSelfDelimiting => false;

    public int Measure(ReadOnlyMemory<byte> value) => value.Length;

    public int Write(ReadOnlyMemory<byte> value, Span<byte> destination)
    {
        value.Span.CopyTo(destination);
        return value.Length;
    }

    public ReadOnlyMemory<byte> Read(ReadOnlySpan<byte> source, out int consumed)
    {
        consumed = source.Length;
        return source.ToArray();
    }
}
