using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>How a write is made. Immutable and thread-safe; use one for many writes.</summary>
public sealed class WriteOptions : IDisposable
{
    private bool _shared;
    private WriteOptionsHandle? _handle;
    private volatile bool _disposed;

    /// <summary>Makes write options.</summary>
    /// <param name="sync">Whether the write returns only when the log is synced to disk.</param>
    /// <param name="disableWal">Whether the write skips the log; it is lost in a crash before a flush.</param>
    /// <param name="noSlowdown">Whether a write that would have to wait fails with
    /// <see cref="RocksDbStatus.Incomplete"/>.</param>
    /// <param name="lowPriority">Whether the write gives way when compaction is behind.</param>
    /// <exception cref="ArgumentException"><paramref name="sync"/> without a log.</exception>
    public WriteOptions(bool sync = false, bool disableWal = false, bool noSlowdown = false, bool lowPriority = false)
    {
        if (sync && disableWal)
        {
            throw new ArgumentException("A write without a log cannot be synced: choose one.", nameof(disableWal));
        }

        IsSync = sync;
        DisableWal = disableWal;
        NoSlowdown = noSlowdown;
        LowPriority = lowPriority;
    }

    /// <summary>Durable on local disk when the write returns. Shared; disposing it does nothing.</summary>
    public static WriteOptions Sync { get; } = new(sync: true) { _shared = true };

    /// <summary>In the operating system's cache when the write returns. Shared; disposing it does nothing.</summary>
    public static WriteOptions Buffered { get; } = new() { _shared = true };

    /// <summary>Whether the write returns only when the log is synced to disk.</summary>
    public bool IsSync { get; }

    /// <summary>Whether the write skips the log.</summary>
    public bool DisableWal { get; }

    /// <summary>Whether a write that would have to wait fails instead.</summary>
    public bool NoSlowdown { get; }

    /// <summary>Whether the write gives way when compaction is behind.</summary>
    public bool LowPriority { get; }

    internal WriteOptionsHandle Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _handle ?? Create();
        }
    }

    /// <summary>Releases the native options when the last write that uses them is done.</summary>
    public void Dispose()
    {
        if (_shared)
        {
            return;
        }

        _disposed = true;
        Volatile.Read(ref _handle)?.Dispose();
    }

    // Made when first used, so that a missing native library is not a failure of a static constructor.
    private WriteOptionsHandle Create()
    {
        RocksDbLibrary.EnsureLoaded();
        WriteOptionsHandle handle = Native.rocksdb_writeoptions_create();
        Native.rocksdb_writeoptions_set_sync(handle, Flag.Of(IsSync));
        Native.rocksdb_writeoptions_disable_WAL(handle, DisableWal ? 1 : 0);
        Native.rocksdb_writeoptions_set_no_slowdown(handle, Flag.Of(NoSlowdown));
        Native.rocksdb_writeoptions_set_low_pri(handle, Flag.Of(LowPriority));
        WriteOptionsHandle? first = Interlocked.CompareExchange(ref _handle, handle, null);
        if (first is not null)
        {
            handle.Dispose();
            return first;
        }

        if (_disposed)
        {
            handle.Dispose(); // Disposed meanwhile, before there was a handle to see.
        }

        return handle;
    }
}
