using System.Buffers;
using Branching.Grains;

namespace Branching.ClientApp.Transfer;

/// <summary>
/// Records of one write request: their bytes lie in one pooled buffer, which is used again after the answer.
/// </summary>
internal sealed class ImportBatch : IDisposable
{
    // Large enough that the cost of a call does not count, small enough that two of them do not either.
    private const int TargetBytes = 768 * 1024;

    private readonly List<WriteOperation> _operations = new(8192);
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(TargetBytes);
    private int _used;

    public int Count => _operations.Count;

    public IReadOnlyList<WriteOperation> Operations => _operations;

    public void Clear()
    {
        _operations.Clear();
        _used = 0;
    }

    /// <summary>Adds a record.</summary>
    /// <returns><see langword="false"/> when the batch is full; the first record always fits.</returns>
    public bool TryAdd(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, string? columnFamily)
    {
        int bytes = key.Length + value.Length;
        if (_buffer.Length - _used < bytes)
        {
            if (_used > 0)
            {
                return false;
            }

            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = ArrayPool<byte>.Shared.Rent(bytes);
        }

        Memory<byte> place = _buffer.AsMemory(_used, bytes);
        key.CopyTo(place);
        value.CopyTo(place[key.Length..]);
        _operations.Add(new WriteOperation(
            WriteOperationKind.Put, place[..key.Length], place[key.Length..], columnFamily));
        _used += bytes;
        return true;
    }

    /// <summary>Gives the buffer back; only when no request can use it any more.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }
}
