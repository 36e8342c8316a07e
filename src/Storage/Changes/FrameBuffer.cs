using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Branching.Storage.Changes;

/// <summary>Frames that are about to be written, one behind the other, in memory that is used again.</summary>
internal sealed class FrameBuffer : IDisposable
{
    // The memory of the largest group stays with the log; past this it is given back.
    private const int KeepBytes = 1 << 20;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(4096);
    private int _begin;
    private int _length;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    public int Length => _length;

    public void Clear()
    {
        _length = 0;
        if (_bytes.Length > KeepBytes)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = ArrayPool<byte>.Shared.Rent(4096);
        }
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _length = 0;
    }

    public void AddHeader(FileHeader header)
    {
        ChangeFormat.WriteFileHeader(Take(ChangeFormat.FileHeaderBytes), header);
    }

    public void AddGap(ulong first, ulong last, ChangeGapReason reason, long ticks, ulong history)
    {
        Begin();
        Take(1)[0] = (byte)reason;
        End(FrameKind.Gap, first, last, ticks, history);
    }

    public void AddClosed(ulong last, long entries, long ticks, ulong history)
    {
        Begin();
        BinaryPrimitives.WriteInt64LittleEndian(Take(sizeof(long)), entries);
        End(FrameKind.Closed, last, last, ticks, history);
    }

    public void AddFamilies(IEnumerable<KeyValuePair<uint, string>> families, ulong last, long ticks, ulong history)
    {
        Begin();
        KeyValuePair<uint, string>[] ordered = [.. families.OrderBy(family => family.Key)];
        AddNumber((uint)ordered.Length);
        foreach ((uint id, string name) in ordered)
        {
            AddNumber(id);
            int bytes = Encoding.UTF8.GetByteCount(name);
            AddNumber((uint)bytes);
            Encoding.UTF8.GetBytes(name, Take(bytes));
        }

        End(FrameKind.Families, last, last, ticks, history);
    }

    public void Begin()
    {
        _begin = _length;
        Take(ChangeFormat.FrameHeaderBytes);
    }

    public void AddNumber(uint number)
    {
        int length = BatchDecoder.WriteNumber(Take(5), number);
        _length -= 5 - length;
    }

    public void AddBytes(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    public void End(FrameKind kind, ulong first, ulong last, long ticks, ulong history) =>
        ChangeFormat.SealFrame(_bytes.AsSpan(_begin, _length - _begin), kind, first, last, ticks, history);

    private Span<byte> Take(int bytes)
    {
        int needed = checked(_length + bytes);
        if (needed > _bytes.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, (int)Math.Min(2L * _bytes.Length, 1 << 30)));
            Written.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        Span<byte> taken = _bytes.AsSpan(_length, bytes);
        _length = needed;
        return taken;
    }
}
