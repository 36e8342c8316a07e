using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>How reads and iterators behave.</summary>
/// <remarks>
/// Safe to share between threads while nobody sets a property. Setting one changes later reads only: iterators that
/// are already open keep what they were opened with.
/// </remarks>
public sealed class ReadOptions : IDisposable
{
    private readonly Lock _gate = new();
    private ReadOptionsHandle? _handle;
    private bool _shared;
    private volatile bool _disposed;
    private ReadSnapshot? _snapshot;
    private bool _fillCache = true;
    private bool _verifyChecksums = true;
    private byte[]? _lowerBound;
    private byte[]? _upperBound;
    private bool _memoryTierOnly;
    private bool _tailing;
    private long _readaheadBytes;
    private bool _totalOrderSeek;
    private bool _asyncIo;
    private long _maxSkippableInternalKeys;
    private DateTimeOffset? _deadline;
    private TimeSpan _ioTimeout;
    private bool _purgeInBackground;

    /// <summary>The snapshot to read at; <see langword="null"/> for the newest state. Not owned.</summary>
    public ReadSnapshot? Snapshot
    {
        get => _snapshot;
        set => Change(ref _snapshot, value);
    }

    /// <summary>Whether blocks read go to the block cache. Default: yes; say no for large scans.</summary>
    public bool FillCache
    {
        get => _fillCache;
        set => Change(ref _fillCache, value);
    }

    /// <summary>Whether block checksums are verified. Default: yes.</summary>
    public bool VerifyChecksums
    {
        get => _verifyChecksums;
        set => Change(ref _verifyChecksums, value);
    }

    /// <summary>First key an iterator returns; copied. Default: none.</summary>
    public byte[]? LowerBound
    {
        get => (byte[]?)_lowerBound?.Clone();
        set => Change(ref _lowerBound, (byte[]?)value?.Clone());
    }

    /// <summary>Key before which an iterator ends, itself excluded; copied. Default: none.</summary>
    public byte[]? UpperBound
    {
        get => (byte[]?)_upperBound?.Clone();
        set => Change(ref _upperBound, (byte[]?)value?.Clone());
    }

    /// <summary>
    /// Whether only memory is read. A read that would need the disk fails with <see cref="RocksDbStatus.Incomplete"/>.
    /// Default: no.
    /// </summary>
    public bool MemoryTierOnly
    {
        get => _memoryTierOnly;
        set => Change(ref _memoryTierOnly, value);
    }

    /// <summary>Whether an iterator sees writes made after it was opened; forward only. Default: no.</summary>
    public bool Tailing
    {
        get => _tailing;
        set => Change(ref _tailing, value);
    }

    /// <summary>Bytes an iterator reads ahead; zero for RocksDB's own rule. Default: 0.</summary>
    public long ReadaheadBytes
    {
        get => _readaheadBytes;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            Change(ref _readaheadBytes, value);
        }
    }

    /// <summary>Whether an iterator ignores prefix indexes. Default: no.</summary>
    public bool TotalOrderSeek
    {
        get => _totalOrderSeek;
        set => Change(ref _totalOrderSeek, value);
    }

    /// <summary>Whether an iterator prefetches without waiting. RocksDB's C API has it since 7.10, and it needs a
    /// library with io_uring to have an effect. Default: no.</summary>
    /// <remarks>With an older library, the first read is a <see cref="RocksDbStatus.NotSupported"/>.</remarks>
    public bool AsyncIo
    {
        get => _asyncIo;
        set => Change(ref _asyncIo, value);
    }

    /// <summary>Deleted and overwritten entries an iterator passes in one move before that fails with
    /// <see cref="RocksDbStatus.Incomplete"/>; zero for no limit. Default: 0.</summary>
    public long MaxSkippableInternalKeys
    {
        get => _maxSkippableInternalKeys;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            Change(ref _maxSkippableInternalKeys, value);
        }
    }

    /// <summary>The moment after which a read or move that still needs the disk fails with
    /// <see cref="RocksDbStatus.TimedOut"/>; none by default. The operating system's clock counts.</summary>
    public DateTimeOffset? Deadline
    {
        get => _deadline;
        set => Change(ref _deadline, value);
    }

    /// <summary>The same for each single file read, where the file system can; zero for no limit. Default:
    /// zero.</summary>
    public TimeSpan IoTimeout
    {
        get => _ioTimeout;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            Change(ref _ioTimeout, value);
        }
    }

    /// <summary>Whether closing an iterator leaves the removal of files that only it kept to a background thread.
    /// Default: no.</summary>
    public bool PurgeInBackground
    {
        get => _purgeInBackground;
        set => Change(ref _purgeInBackground, value);
    }

    /// <summary>What reads without options use. Never disposed, never changed.</summary>
    internal static ReadOptions Default { get; } = new() { _shared = true };

    /// <summary>What reads from memory alone use. Never disposed, never changed.</summary>
    internal static ReadOptions FromMemory { get; } = new() { _memoryTierOnly = true, _shared = true };

    internal ReadOptionsHandle Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return Volatile.Read(ref _handle) ?? Create();
        }
    }

    /// <summary>Releases the native options when the last read or iterator that uses them is done.</summary>
    public void Dispose()
    {
        if (_shared)
        {
            return;
        }

        lock (_gate)
        {
            _disposed = true;
            _handle?.Dispose();
        }
    }

    /// <exception cref="ArgumentException">The snapshot is of another database.</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is disposed.</exception>
    internal ReadOptionsHandle HandleFor(DatabaseHandle database)
    {
        if (_snapshot is { } snapshot)
        {
            snapshot.RequireUsableIn(database);
        }

        return Handle;
    }

    private void Change<T>(ref T field, T value)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            field = value;

            // Open iterators read bounds from the old native options, so those are left as they are and replaced.
            _handle?.Dispose();
            _handle = null;
        }
    }

    private ReadOptionsHandle Create()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_handle is { } already)
            {
                return already;
            }

            RocksDbLibrary.EnsureLoaded();
            ReadOptionsHandle handle = Native.rocksdb_readoptions_create();
            try
            {
                Apply(handle);
            }
            catch
            {
                handle.Dispose();
                throw;
            }

            Volatile.Write(ref _handle, handle);
            return handle;
        }
    }

    private void Apply(ReadOptionsHandle handle)
    {
        Native.rocksdb_readoptions_set_fill_cache(handle, Flag.Of(_fillCache));
        Native.rocksdb_readoptions_set_verify_checksums(handle, Flag.Of(_verifyChecksums));
        Native.rocksdb_readoptions_set_tailing(handle, Flag.Of(_tailing));
        Native.rocksdb_readoptions_set_readahead_size(handle, (nuint)_readaheadBytes);
        Native.rocksdb_readoptions_set_total_order_seek(handle, Flag.Of(_totalOrderSeek));
        ApplyRarer(handle);
        if (_memoryTierOnly)
        {
            const int BlockCacheTier = 1; // rocksdb_block_cache_tier of rocksdb/options.h: memtables and block cache.
            Native.rocksdb_readoptions_set_read_tier(handle, BlockCacheTier);
        }

        handle.UseBounds(_lowerBound, _upperBound);
        if (_snapshot is { } snapshot)
        {
            handle.UseSnapshot(snapshot.Handle);
        }
    }

    private unsafe void ApplyRarer(ReadOptionsHandle handle)
    {
        Native.rocksdb_readoptions_set_max_skippable_internal_keys(handle, (ulong)_maxSkippableInternalKeys);
        Native.rocksdb_readoptions_set_background_purge_on_iterator_cleanup(handle, Flag.Of(_purgeInBackground));
        Native.rocksdb_readoptions_set_io_timeout(handle, (ulong)_ioTimeout.TotalMicroseconds);
        if (_deadline is { } deadline)
        {
            // Zero stands for none, so what is past since long is still past.
            double microseconds = (deadline - DateTimeOffset.UnixEpoch).TotalMicroseconds;
            Native.rocksdb_readoptions_set_deadline(handle, (ulong)Math.Max(1, microseconds));
        }

        if (_asyncIo)
        {
            var set = (delegate* unmanaged<nint, byte, void>)OptionalNative.Get(
                "rocksdb_readoptions_set_async_io", "RocksDB 7.10");
            set(handle.DangerousGetHandle(), 1);
        }
    }
}
