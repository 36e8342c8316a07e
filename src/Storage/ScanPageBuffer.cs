namespace Branching.Storage;

/// <summary>Copies entries into shared chunks: a page of small ones is a few arrays, not two per entry.</summary>
internal struct ScanPageBuffer
{
    private const int FirstChunkBytes = 1 << 10;
    private const int LargestChunkBytes = 64 << 10;

    private byte[]? _chunk;
    private int _used;

    public ReadOnlyMemory<byte> Add(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return default;
        }

        // A large value gets an array of its own, so that keeping one entry does not keep the whole page.
        if (bytes.Length > LargestChunkBytes / 4)
        {
            return bytes.ToArray();
        }

        if (_chunk is null || _chunk.Length - _used < bytes.Length)
        {
            int size = _chunk is null ? FirstChunkBytes : Math.Min(_chunk.Length * 4, LargestChunkBytes);
            _chunk = GC.AllocateUninitializedArray<byte>(Math.Max(size, bytes.Length));
            _used = 0;
        }

        bytes.CopyTo(_chunk.AsSpan(_used));
        Memory<byte> copy = _chunk.AsMemory(_used, bytes.Length);
        _used += bytes.Length;
        return copy;
    }
}
