using System.Buffers;

namespace Branching.Storage.Codecs;

/// <summary>The order of another codec, backwards: every byte is its complement.</summary>
/// <remarks>Only of a self-delimiting one: then no encoding is the beginning of another, and the first byte that
/// differs decides.</remarks>
internal sealed class DescendingKeyCodec<T>(IKeyCodec<T> codec) : IKeyCodec<T>
{
    private const int OnStack = 256;

    public bool IsSelfDelimiting => true;

    public int Measure(T value) => codec.Measure(value);

    public int Write(T value, Span<byte> destination)
    {
        int written = codec.Write(value, destination);
        foreach (ref byte one in destination[..written])
        {
            one = (byte)~one;
        }

        return written;
    }

    public T Read(ReadOnlySpan<byte> source, out int consumed)
    {
        byte[]? rented = source.Length > OnStack ? ArrayPool<byte>.Shared.Rent(source.Length) : null;
        Span<byte> complement = rented ?? stackalloc byte[OnStack];
        try
        {
            for (int i = 0; i < source.Length; i++)
            {
                complement[i] = (byte)~source[i];
            }

            return codec.Read(complement[..source.Length], out consumed);
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }
}

/// <summary>One byte says whether there is a value, then the value.</summary>
internal sealed class NullableKeyCodec<TNullable, T>(
    IKeyCodec<T> codec, Func<TNullable, bool> isNull, Func<TNullable, T> unwrap, Func<T, TNullable> wrap,
    bool nullsLast) : IKeyCodec<TNullable>
{
    private const byte NullFirst = 0;
    private const byte Value = 1;
    private const byte NullLast = 2;

    private readonly byte _null = nullsLast ? NullLast : NullFirst;

    public bool IsSelfDelimiting => codec.IsSelfDelimiting;

    public int Measure(TNullable value) => isNull(value) ? 1 : checked(1 + codec.Measure(unwrap(value)));

    public int Write(TNullable value, Span<byte> destination)
    {
        if (isNull(value))
        {
            destination[0] = _null;
            return 1;
        }

        destination[0] = Value;
        return 1 + codec.Write(unwrap(value), destination[1..]);
    }

    public TNullable Read(ReadOnlySpan<byte> source, out int consumed)
    {
        byte mark = Codec.Take(source, 1)[0];
        if (mark == _null)
        {
            consumed = 1;
            return default!;
        }

        if (mark != Value)
        {
            throw Codec.NotDecodable($"0x{mark:X2} says neither null nor value");
        }

        TNullable value = wrap(codec.Read(source[1..], out consumed));
        consumed++;
        return value;
    }
}

/// <summary>Another type that orders like the one it is turned into.</summary>
internal sealed class MappedKeyCodec<T, TInner>(
    IKeyCodec<TInner> codec, Func<T, TInner> to, Func<TInner, T> from) : IKeyCodec<T>
{
    public bool IsSelfDelimiting => codec.IsSelfDelimiting;

    public int Measure(T value) => codec.Measure(to(value));

    public int Write(T value, Span<byte> destination) => codec.Write(to(value), destination);

    public T Read(ReadOnlySpan<byte> source, out int consumed)
    {
        TInner inner = codec.Read(source, out consumed);
        try
        {
            return from(inner);
        }
        catch (Exception e) when (e is ArgumentException or OverflowException or FormatException)
        {
            throw Codec.NotDecodable(e.Message.TrimEnd('.'), e);
        }
    }
}
