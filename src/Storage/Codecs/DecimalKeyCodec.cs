namespace Branching.Storage.Codecs;

/// <summary>
/// Decimal numbers: one byte of sign and magnitude, then the digits in pairs. Trailing zeros are not kept: 1.50 is
/// read as 1.5.
/// </summary>
/// <remarks>
/// A number that is not zero is 0.d1d2d3… × 10^E with d1 not zero. Its first byte is 0xC0 + E, and each pair of digits
/// is one byte of twice its value, plus one when another pair follows. A negative number is the complement of the
/// positive one, zero the byte 0x80 between the two.
/// </remarks>
internal sealed class DecimalKeyCodec : IKeyCodec<decimal>
{
    private const byte Zero = 0x80;
    private const int Middle = 0xC0;
    private const int MostDigits = 29;
    private const int MostScale = 28;
    private const int MostBytes = 1 + ((MostDigits + 1) / 2);
    private const int NoPair = 100;
    private static readonly UInt128 _mostMantissa = (UInt128.One << 96) - 1;

    public bool IsSelfDelimiting => true;

    public int Measure(decimal value) => Write(value, stackalloc byte[MostBytes]);

    public int Write(decimal value, Span<byte> destination)
    {
        if (value == 0)
        {
            destination[0] = Zero;
            return 1;
        }

        Span<byte> digits = stackalloc byte[MostDigits + 1];
        int count = DigitsOf(value, digits, out int exponent);
        int length = 1 + ((count + 1) / 2);
        Span<byte> target = destination[..length];
        target[0] = (byte)(Middle + exponent);
        for (int i = 1; i < length; i++)
        {
            int first = (i - 1) * 2;
            int pair = (digits[first] * 10) + (first + 1 < count ? digits[first + 1] : 0);
            target[i] = (byte)((pair * 2) + (i + 1 < length ? 1 : 0));
        }

        if (decimal.IsNegative(value))
        {
            Complement(target);
        }

        return length;
    }

    public decimal Read(ReadOnlySpan<byte> source, out int consumed)
    {
        byte first = Codec.Take(source, 1)[0];
        if (first == Zero)
        {
            consumed = 1;
            return 0;
        }

        bool negative = first < Zero;
        Span<byte> bytes = stackalloc byte[MostBytes];
        int length = Math.Min(source.Length, MostBytes);
        source[..length].CopyTo(bytes);
        if (negative)
        {
            Complement(bytes[..length]);
        }

        decimal value = Parse(bytes[..length], negative);
        consumed = Write(value, bytes);
        return source.Length >= consumed && bytes[..consumed].SequenceEqual(source[..consumed])
            ? value
            : throw Codec.NotDecodable("a number is written with no needless digits");
    }

    private static decimal Parse(ReadOnlySpan<byte> bytes, bool negative)
    {
        UInt128 mantissa = 0;
        int pairs = 0;
        bool more = true;
        for (int i = 1; more; i++, pairs++)
        {
            int pair = i < bytes.Length ? bytes[i] / 2 : NoPair;
            if (pair >= NoPair)
            {
                throw Codec.NotDecodable("it ends within a number or holds a pair of digits above 99");
            }

            more = (bytes[i] & 1) != 0;
            mantissa = (mantissa * 100) + (UInt128)pair;
        }

        // 0.d1d2… × 10^E with 2·pairs digits is an integer of so many digits × 10^-scale.
        int scale = (pairs * 2) - (bytes[0] - Middle);
        for (; scale > 0 && mantissa % 10 == 0 && mantissa != 0; scale--)
        {
            mantissa /= 10;
        }

        for (; scale < 0 && mantissa <= _mostMantissa; scale++)
        {
            mantissa *= 10;
        }

        if (mantissa > _mostMantissa || mantissa == 0 || scale is < 0 or > MostScale)
        {
            throw Codec.NotDecodable("no decimal is that large, small or precise");
        }

        ulong low = (ulong)mantissa;
        return new decimal((int)low, (int)(low >> 32), (int)(uint)(mantissa >> 64), negative, (byte)scale);
    }

    private static int DigitsOf(decimal value, Span<byte> digits, out int exponent)
    {
        Span<int> parts = stackalloc int[4];
        decimal.GetBits(value, parts);
        UInt128 mantissa = ((UInt128)(uint)parts[2] << 64) | ((ulong)(uint)parts[1] << 32) | (uint)parts[0];
        int count = 0;
        for (UInt128 rest = mantissa; rest != 0; rest /= 10)
        {
            count++;
        }

        exponent = count - value.Scale;
        for (int i = count - 1; i >= 0; i--)
        {
            digits[i] = (byte)(mantissa % 10);
            mantissa /= 10;
        }

        return digits[..count].LastIndexOfAnyExcept((byte)0) + 1;
    }

    private static void Complement(Span<byte> bytes)
    {
        foreach (ref byte one in bytes)
        {
            one = (byte)~one;
        }
    }
}
