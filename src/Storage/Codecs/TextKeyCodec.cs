using System.Buffers;
using System.Text;

namespace Branching.Storage.Codecs;

/// <summary>Text in UTF-8, ordered by code points.</summary>
internal sealed class TextKeyCodec : IKeyCodec<string>
{
    public bool IsSelfDelimiting => true;

    public int Measure(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Escaped.Measure(Utf8Text.Measure(value), value.AsSpan().Count('\0'));
    }

    public int Write(string value, Span<byte> destination)
    {
        int length = Utf8Text.Measure(value);
        Span<byte> room = destination[..Measure(value)];
        Utf8Text.Write(value, room[(room.Length - length - 2)..]);
        Escaped.Spread(room, length);
        return room.Length;
    }

    public string Read(ReadOnlySpan<byte> source, out int consumed)
    {
        (int escaped, int plain) = Escaped.Find(source);
        consumed = Escaped.Consumed(escaped);
        if (plain == escaped)
        {
            return Utf8Text.Read(source[..escaped]);
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent(plain);
        try
        {
            Escaped.CopyPlain(source[..escaped], rented);
            return Utf8Text.Read(rented.AsSpan(0, plain));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}

/// <summary>Text in UTF-8 as it is; only the last part of a key.</summary>
internal sealed class PlainTextKeyCodec : IKeyCodec<string>
{
    public bool IsSelfDelimiting => false;

    public int Measure(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Utf8Text.Measure(value);
    }

    public int Write(string value, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Utf8Text.Write(value, destination);
    }

    public string Read(ReadOnlySpan<byte> source, out int consumed)
    {
        consumed = source.Length;
        return Utf8Text.Read(source);
    }
}

/// <summary>UTF-8 that refuses what no text has, in both directions.</summary>
internal static class Utf8Text
{
    private static readonly UTF8Encoding _strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static int Measure(string value)
    {
        try
        {
            return _strict.GetByteCount(value);
        }
        catch (EncoderFallbackException e)
        {
            throw Codec.NoEncoding($"character {e.Index} of the text is half of a surrogate pair");
        }
    }

    public static int Write(string value, Span<byte> destination)
    {
        try
        {
            return _strict.GetBytes(value, destination);
        }
        catch (EncoderFallbackException e)
        {
            throw Codec.NoEncoding($"character {e.Index} of the text is half of a surrogate pair");
        }
    }

    public static string Read(ReadOnlySpan<byte> source)
    {
        try
        {
            return _strict.GetString(source);
        }
        catch (DecoderFallbackException e)
        {
            throw Codec.NotDecodable("it is no UTF-8", e);
        }
    }
}
