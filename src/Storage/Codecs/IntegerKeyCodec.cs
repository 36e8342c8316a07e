using System.Numerics;

namespace Branching.Storage.Codecs;

/// <summary>Integers of any width: big-endian, the sign bit of signed ones flipped.</summary>
internal sealed class IntegerKeyCodec<T> : IKeyCodec<T>
    where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
{
    private const byte SignBit = 0x80;
    private static readonly int _bytes = T.Zero.GetByteCount();
    private static readonly bool _signed = T.IsNegative(T.MinValue);

    public bool IsSelfDelimiting => true;

    public int Measure(T value) => _bytes;

    public int Write(T value, Span<byte> destination)
    {
        if (!value.TryWriteBigEndian(destination, out _))
        {
            throw new ArgumentException(
                $"The destination has {destination.Length} bytes of {_bytes}.", nameof(destination));
        }

        if (_signed)
        {
            destination[0] ^= SignBit;
        }

        return _bytes;
    }

    public T Read(ReadOnlySpan<byte> source, out int consumed)
    {
        Span<byte> bytes = stackalloc byte[_bytes];
        Codec.Take(source, _bytes).CopyTo(bytes);
        if (_signed)
        {
            bytes[0] ^= SignBit;
        }

        consumed = _bytes;
        return T.ReadBigEndian(bytes, isUnsigned: !_signed);
    }
}
