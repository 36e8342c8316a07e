using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>The answers of <see cref="RocksDatabase.MultiGet"/>, in the order of the keys, without copies.</summary>
/// <remarks>Until it is disposed, it keeps the database open and the blocks with the values in memory.</remarks>
public sealed unsafe class MultiGetResult : IDisposable
{
    private readonly PinnedBatchHandle _handle;

    internal MultiGetResult(PinnedBatchHandle handle) => _handle = handle;

    /// <summary>How many keys were asked for.</summary>
    public int Count => _handle.Slices.Length;

    /// <summary>The value of the key at <paramref name="index"/>, valid until <see cref="Dispose"/>.</summary>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    /// <exception cref="ObjectDisposedException">Already disposed.</exception>
    public bool TryGet(int index, out ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        ParentReference held = ParentReference.Take(_handle);
        try
        {
            nint slice = _handle.Slices[index];
            if (slice == 0)
            {
                value = default;
                return false;
            }

            nuint length;
            byte* bytes = Native.rocksdb_pinnableslice_value(slice, &length);
            value = new ReadOnlySpan<byte>(bytes, checked((int)length));
            return true;
        }
        finally
        {
            held.Release();
        }
    }

    /// <summary>Unpins the values.</summary>
    public void Dispose() => _handle.Dispose();
}
