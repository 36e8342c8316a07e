using System.Buffers;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Receives what a callback answers, in memory that does not move, so that RocksDB can copy it.</summary>
internal sealed unsafe class PinnedBuffer : IBufferWriter<byte>
{
    /// <summary>A larger buffer is not kept for the next callback.</summary>
    private const int LargestKept = 1 << 20;

    private const int FirstLength = 256;

    [ThreadStatic]
    private static PinnedBuffer? _spare;

    private byte[] _bytes = Pinned(FirstLength);

    public int Length { get; private set; }

    /// <summary>Never null: RocksDB makes a string of it even when it is empty.</summary>
    public byte* Start => (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);

    /// <summary>An empty buffer. A callback that runs inside another one gets its own.</summary>
    public static PinnedBuffer Rent()
    {
        PinnedBuffer buffer = _spare ?? new PinnedBuffer();
        _spare = null;
        buffer.Clear();
        return buffer;
    }

    /// <summary>Lends the buffer to the next callback of this thread; its bytes stay until then.</summary>
    public void Return() => _spare = this;

    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > LargestKept)
        {
            _bytes = Pinned(FirstLength);
        }
    }

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - Length);
        Length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _bytes.AsSpan(Length);
    }

    private static byte[] Pinned(int length) => GC.AllocateUninitializedArray<byte>(length, pinned: true);

    private void Ensure(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        int needed = checked(Length + Math.Max(1, sizeHint));
        if (needed <= _bytes.Length)
        {
            return;
        }

        byte[] larger = Pinned((int)Math.Min(Array.MaxLength, Math.Max(needed, 2L * _bytes.Length)));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        _bytes = larger;
    }
}
