using System.Numerics;

namespace Branching.Storage.Codecs;

/// <summary>Floating numbers: their bits, big-endian, turned so that they order like the numbers.</summary>
/// <remarks>
/// The order is that of <c>CompareTo</c>: every NaN is one value and comes before negative infinity, and negative zero
/// is zero. So a NaN loses its payload and a negative zero its sign.
/// </remarks>
internal sealed class FloatingKeyCodec<T>(int bytes, Func<T, ulong> toBits, Func<ulong, T> fromBits) : IKeyCodec<T>
    where T : struct, IFloatingPointIeee754<T>
{
    // Turned, the NaN whose bits are all ones would be zero, so zero stands for each of them.
    private const ulong NaN = 0;

    private readonly ulong _sign = 1UL << ((bytes * 8) - 1);
    private readonly ulong _all = bytes == sizeof(ulong) ? ulong.MaxValue : (1UL << (bytes * 8)) - 1;

    public bool IsSelfDelimiting => true;

    public int Measure(T value) => bytes;

    public int Write(T value, Span<byte> destination)
    {
        ulong ordered = T.IsNaN(value) ? NaN : T.IsZero(value) ? _sign : Turn(toBits(value));
        Span<byte> target = destination[..bytes];
        for (int i = bytes - 1; i >= 0; i--)
        {
            target[i] = (byte)ordered;
            ordered >>= 8;
        }

        return bytes;
    }

    public T Read(ReadOnlySpan<byte> source, out int consumed)
    {
        ulong ordered = 0;
        foreach (byte one in Codec.Take(source, bytes))
        {
            ordered = (ordered << 8) | one;
        }

        consumed = bytes;
        if (ordered == NaN)
        {
            return T.NaN;
        }

        T value = fromBits((ordered & _sign) != 0 ? ordered ^ _sign : ~ordered & _all);
        return T.IsNaN(value) || (T.IsZero(value) && T.IsNegative(value))
            ? throw Codec.NotDecodable("a NaN and a negative zero are written otherwise")
            : value;
    }

    private ulong Turn(ulong bits) => (bits & _sign) != 0 ? ~bits & _all : bits | _sign;
}
