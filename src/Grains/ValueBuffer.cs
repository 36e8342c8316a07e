using System.Buffers;

namespace Branching.Grains;

/// <summary>Receives one value in an array of exactly its length, which then goes into the answer as it is.</summary>
internal sealed class ValueBuffer : IBufferWriter<byte>
{
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
        int needed = Math.Max(sizeHint, 1);
        if (_bytes.Length - _length < needed)
        {
            // The store asks for the whole value at once, so this runs once for each value.
            byte[] larger = GC.AllocateUninitializedArray<byte>(checked(_length + needed));
            _bytes.AsSpan(0, _length).CopyTo(larger);
            _bytes = larger;
        }
    }
}
