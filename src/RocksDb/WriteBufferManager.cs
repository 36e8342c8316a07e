using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>One limit on the memtables of all databases that share it. Thread-safe.</summary>
/// <remarks>RocksDB's C API has it since 8.9; ask <see cref="IsSupported"/> first.</remarks>
public sealed unsafe class WriteBufferManager : IDisposable
{
    internal const string Since = "RocksDB 8.9";

    /// <summary>Makes a limit.</summary>
    /// <param name="bufferBytes">Memtable bytes beyond which databases flush; more than zero.</param>
    /// <param name="chargeTo">A cache whose capacity the memtables count against, or none.</param>
    /// <param name="allowStall">Whether writers wait when the limit is passed.</param>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: the library is too old.</exception>
    public WriteBufferManager(long bufferBytes, BlockCache? chargeTo = null, bool allowStall = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bufferBytes);
        RocksDbLibrary.EnsureLoaded();
        if (chargeTo is null)
        {
            var create = (delegate* unmanaged<nuint, byte, nint>)OptionalNative.Get(
                "rocksdb_write_buffer_manager_create", Since);
            Handle = new WriteBufferManagerHandle(create((nuint)bufferBytes, allowStall ? (byte)1 : (byte)0));
            return;
        }

        var createCharged = (delegate* unmanaged<nuint, nint, byte, nint>)OptionalNative.Get(
            "rocksdb_write_buffer_manager_create_with_cache", Since);
        ParentReference held = ParentReference.Take(chargeTo.Open());
        try
        {
            nint cache = chargeTo.Handle.DangerousGetHandle();
            Handle = new WriteBufferManagerHandle(
                createCharged((nuint)bufferBytes, cache, allowStall ? (byte)1 : (byte)0));
        }
        finally
        {
            held.Release();
        }
    }

    /// <summary>Whether the loaded library has it.</summary>
    public static bool IsSupported => OptionalNative.TryGet("rocksdb_write_buffer_manager_create", out _);

    /// <summary>Memtable bytes beyond which databases flush; may be changed while they are open.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Set to zero or less.</exception>
    public long BufferBytes
    {
        get => Ask("rocksdb_write_buffer_manager_buffer_size");

        set
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            var set = (delegate* unmanaged<nint, nuint, void>)OptionalNative.Get(
                "rocksdb_write_buffer_manager_set_buffer_size", Since);
            ParentReference held = ParentReference.Take(Handle);
            try
            {
                set(Handle.DangerousGetHandle(), (nuint)value);
            }
            finally
            {
                held.Release();
            }
        }
    }

    /// <summary>Memtable bytes now.</summary>
    public long UsageBytes => Ask("rocksdb_write_buffer_manager_memory_usage");

    internal WriteBufferManagerHandle Handle { get; }

    /// <summary>Gives up this reference; databases that use it keep it.</summary>
    public void Dispose() => Handle.Dispose();

    internal void ApplyTo(OptionsHandle options)
    {
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        var set = (delegate* unmanaged<nint, nint, void>)OptionalNative.Get(
            "rocksdb_options_set_write_buffer_manager", Since);
        ParentReference held = ParentReference.Take(Handle);
        try
        {
            set(options.DangerousGetHandle(), Handle.DangerousGetHandle());
        }
        finally
        {
            held.Release();
        }
    }

    private long Ask(string function)
    {
        var ask = (delegate* unmanaged<nint, nuint>)OptionalNative.Get(function, Since);
        ParentReference held = ParentReference.Take(Handle);
        try
        {
            return checked((long)ask(Handle.DangerousGetHandle()));
        }
        finally
        {
            held.Release();
        }
    }
}
