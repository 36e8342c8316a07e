using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>The answer of <see cref="RocksDatabase.GetPinned"/>: the value where RocksDB has it, without a
/// copy.</summary>
/// <remarks>Until it is disposed, it keeps the database open and the block with the value in memory.</remarks>
public sealed unsafe class PinnedValue : IDisposable
{
    private readonly PinnedValueHandle _handle;
    private readonly byte* _value;
    private readonly int _length;

    internal PinnedValue(PinnedValueHandle handle, nint slice)
    {
        _handle = handle;
        Found = slice != 0;
        if (Found)
        {
            nuint length;
            _value = Native.rocksdb_pinnableslice_value(slice, &length);
            _length = checked((int)length);
        }
    }

    /// <summary>Whether the key is there.</summary>
    public bool Found { get; }

    /// <summary>The value; empty when absent. Valid until <see cref="Dispose"/> and not a moment longer.</summary>
    /// <exception cref="ObjectDisposedException">Already disposed.</exception>
    public ReadOnlySpan<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
            return new ReadOnlySpan<byte>(_value, _length);
        }
    }

    /// <summary>Unpins the value.</summary>
    public void Dispose() => _handle.Dispose();
}
