using System.Buffers;
using System.Text;

namespace Branching.ClientApp.Formats;

/// <summary>
/// Text that can carry any bytes: a byte that is no text is a lone surrogate between U+DC80 and U+DCFF, which no
/// UTF-8 ever decodes to. So words with escapes go through whatever takes strings.
/// </summary>
internal static class RawText
{
    private const char First = '\uDC80';
    private const char Last = '\uDCFF';

    private static readonly UTF8Encoding _strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Appends one byte.</summary>
    public static void Append(StringBuilder text, byte value)
        => text.Append(value < 0x80 ? (char)value : (char)(0xDC00 + value));

    /// <summary>The bytes that a text stands for.</summary>
    /// <exception cref="EncoderFallbackException">It has a surrogate that stands for nothing.</exception>
    public static byte[] ToBytes(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange(First, Last) < 0)
        {
            return _strict.GetBytes(text);
        }

        var bytes = new ArrayBufferWriter<byte>(text.Length);
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (text[i] is >= First and <= Last)
            {
                bytes.Write(_strict.GetBytes(text[start..i]));
                bytes.Write([(byte)text[i]]);
                start = i + 1;
            }
        }

        bytes.Write(_strict.GetBytes(text[start..]));
        return bytes.WrittenSpan.ToArray();
    }
}
