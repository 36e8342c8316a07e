using System.Buffers.Binary;

namespace Branching.Bench;

/// <summary>
/// The records that both sides of a comparison use. Keys are db_bench's own: the number in big-endian, filled up with
/// the digit zero. Values are slices of one buffer of random bytes, as in db_bench, so that making one costs nothing.
/// </summary>
internal sealed class Workload
{
    private readonly byte[] _values = new byte[1 << 20];
    private readonly byte[] _key = new byte[BenchOptions.KeyBytes];
    private ulong _state;
    private int _position;

    public Workload(int seed)
    {
#pragma warning disable CA5394 // Repeatable data, not a secret.
        new Random(seed).NextBytes(_values);
#pragma warning restore CA5394
        _state = (ulong)seed * 0x9E3779B97F4A7C15UL | 1;
        _key.AsSpan(sizeof(ulong)).Fill((byte)'0');
    }

    /// <summary>The key of a record; overwritten by the next call.</summary>
    public byte[] Key(long number)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_key, (ulong)number);
        return _key;
    }

    public static byte[] NewKey(long number)
    {
        byte[] key = new byte[BenchOptions.KeyBytes];
        key.AsSpan(sizeof(ulong)).Fill((byte)'0');
        BinaryPrimitives.WriteUInt64BigEndian(key, (ulong)number);
        return key;
    }

    /// <summary>Makes a key of <see cref="NewKey"/> that of another record.</summary>
    public static void SetKey(byte[] key, long number)
        => BinaryPrimitives.WriteUInt64BigEndian(key, (ulong)number);

    public ReadOnlyMemory<byte> Value()
    {
        if (_position + BenchOptions.ValueBytes > _values.Length)
        {
            _position = 0;
        }

        ReadOnlyMemory<byte> value = _values.AsMemory(_position, BenchOptions.ValueBytes);
        _position += BenchOptions.ValueBytes;
        return value;
    }

    /// <summary>The next number below <paramref name="bound"/> (xorshift64).</summary>
    public long Next(long bound)
    {
        _state ^= _state << 13;
        _state ^= _state >> 7;
        _state ^= _state << 17;
        return (long)(_state % (ulong)bound);
    }
}
