using System.Buffers;

namespace Branching.ClientApp.Formats;

/// <summary>
/// The escapes of tab-separated files: <c>\t \n \r \\ \0</c> and <c>\xHH</c>. Every other byte stands for itself, so
/// any
/// bytes survive.
/// </summary>
internal static class TsvEscapes
{
    private static readonly SearchValues<byte> _mustEscape = SearchValues.Create("\t\n\r\\\0"u8);

    /// <summary>Appends the bytes that an escaped field stands for.</summary>
    /// <returns>The offset of the first escape that is none, or -1.</returns>
    public static int Decode(ReadOnlySpan<byte> field, ArrayBufferWriter<byte> destination)
    {
        int position = 0;
        while (true)
        {
            int escape = field[position..].IndexOf((byte)'\\');
            if (escape < 0)
            {
                destination.Write(field[position..]);
                return -1;
            }

            destination.Write(field.Slice(position, escape));
            position += escape;
            if (!TryDecodeOne(field[position..], out byte value, out int length))
            {
                return position;
            }

            destination.Write([value]);
            position += length;
        }
    }

    /// <summary>Appends a field with the bytes that would end it escaped.</summary>
    public static void Encode(ReadOnlySpan<byte> field, IBufferWriter<byte> destination)
    {
        while (true)
        {
            int special = field.IndexOfAny(_mustEscape);
            if (special < 0)
            {
                destination.Write(field);
                return;
            }

            destination.Write(field[..special]);
            destination.Write(EscapeOf(field[special]));
            field = field[(special + 1)..];
        }
    }

    /// <summary>Appends one byte as <c>\xHH</c>.</summary>
    public static void EncodeHex(byte value, IBufferWriter<byte> destination)
    {
        ReadOnlySpan<byte> digits = "0123456789abcdef"u8;
        destination.Write([(byte)'\\', (byte)'x', digits[value >> 4], digits[value & 15]]);
    }

    private static ReadOnlySpan<byte> EscapeOf(byte value) => value switch
    {
        (byte)'\t' => "\\t"u8,
        (byte)'\n' => "\\n"u8,
        (byte)'\r' => "\\r"u8,
        0 => "\\0"u8,
        _ => "\\\\"u8,
    };

    private static bool TryDecodeOne(ReadOnlySpan<byte> escape, out byte value, out int length)
    {
        value = 0;
        length = 2;
        if (escape.Length < 2)
        {
            return false;
        }

        switch (escape[1])
        {
            case (byte)'t':
                value = (byte)'\t';
                return true;
            case (byte)'n':
                value = (byte)'\n';
                return true;
            case (byte)'r':
                value = (byte)'\r';
                return true;
            case (byte)'\\':
                value = (byte)'\\';
                return true;
            case (byte)'0':
                return true;
            case (byte)'x' when escape.Length >= 4:
                length = 4;
                Span<byte> one = [0];
                bool isHex = Convert.FromHexString(escape.Slice(2, 2), one, out _, out _) == OperationStatus.Done;
                value = one[0];
                return isHex;
            default:
                return false;
        }
    }
}
