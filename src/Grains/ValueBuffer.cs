using System.Buffers;

namespace Branching.Grains;

/// <summary>Receives one value in an array of its own, which then goes into the answer as it is.</summary>
/// <remarks>
/// A writer that names the length gets an array of exactly that; one that does not gets arrays that double, so that the
/// work stays in proportion to the value.
/// </remarks>
internal sealed class ValueBuffer : IBufferWriter<byte>
{
    private const int FirstBytes = 256;

    private byte[] _bytes = [];
    private int _length;

    public ReadOnlyMemory<byte> Value => _bytes.AsMemory(0, _length);

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - _length);
        _length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsSpan(_length);
    }

    private void Reserve(int sizeHint)
    {
        if (_bytes.Length - _length >= Math.Max(sizeHint, 1))
        {
            return;
        }

        long wanted = sizeHint > 0 ? (long)_length + sizeHint : Math.Max(FirstBytes, 2L * _bytes.Length);
        byte[] larger = GC.AllocateUninitializedArray<byte>((int)Math.Min(wanted, Array.MaxLength));
        if (larger.Length == _length)
        {
            throw new InvalidOperationException("A value is larger than an array can be.");
        }

        _bytes.AsSpan(0, _length).CopyTo(larger);
        _bytes = larger;
    }
}
