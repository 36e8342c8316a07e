using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    // A shorter log is replayed in a few milliseconds, which is not worth one more table file.
    private const long TailWorthFlushingBytes = 1L << 20;

    // Each opening begins a log and keeps those it replays, so a program that opens a store for one write and closes it
    // again would replay, and copy into each branch, one more file each time.
    private const int LogsWorthFlushing = 8;

    // A store that is written slowly, by less than this between two ticks, has its log flushed at this size, so that
    // its first branch replays no more. One that is written fast flushes by itself when its memtable is full.
    private const long SlowTailBytes = 4L << 20;

    private readonly FlushWork _flush;
    private long _tailBytes;
    private long _tailSeenByTick;
    private long _branchedAt;
    private int _flushSent;
    private long _flushes;

    /// <summary>Bytes written since this store last asked for a flush: about what a branch would replay.</summary>
    internal long TailBytes => Volatile.Read(ref _tailBytes);

    /// <summary>Writes all unflushed writes to table files. Blocking.</summary>
    public void Flush() => Inside("Flush", () =>
    {
        ThrowIfReadOnly();
        ThrowIfPoisoned();
        Volatile.Write(ref _tailBytes, 0);
        SyncChangeLog();
        FlushOrPoison(wait: true);
        return true;
    });

    /// <summary>Compacts a range: rewrites its files without what was deleted. Blocking, maybe long.</summary>
    /// <exception cref="StorageException">Among others <see cref="FailureKind.Poisoned"/>: the compaction failed, or
    /// the store had failed before.</exception>
    public void Compact(string? columnFamily, KeyRange range)
    {
        CheckRange(range);
        Inside("Compact", () =>
        {
            ThrowIfReadOnly();
            ThrowIfPoisoned();

            // RocksDB's upper bound is inclusive: one key too many is compacted, which changes no content.
            _database.CompactRange(
                Family(columnFamily), range.From.Span, !range.From.IsEmpty, range.To.Span, !range.To.IsEmpty);

            // Its C function answers nothing, not even that it failed.
            LookForBackgroundFailure();
            ThrowIfPoisoned();
            return true;
        });
    }

    /// <summary>What is known about the store now. Cheap: no file is read.</summary>
    public StoreStatistics GetStatistics() => Inside("Statistics", MeasureNow);

    private StoreStatistics MeasureNow()
    {
        StatisticsSnapshot? own = _database.GetStatisticsSnapshot();
        return new StoreStatistics(
            LastAcknowledged,
            Volatile.Read(ref _groups),
            Volatile.Read(ref _syncGroups),
            Volatile.Read(ref _requests),
            Volatile.Read(ref _operations),
            Volatile.Read(ref _writtenBytes),
            _queue.Count,
            Volatile.Read(ref _flushes),
            Sum("rocksdb.cur-size-all-mem-tables"),
            Sum("rocksdb.total-sst-files-size"),
            (int)Sum("rocksdb.num-files-at-level0"),
            WalBytes(),
            Sum("rocksdb.estimate-pending-compaction-bytes"),
            OpenCursors)
        {
            Snapshots = (int)Property("rocksdb.num-snapshots"),
            OldestSnapshotAt = OldestSnapshotAt,
            WritesStopped = Property("rocksdb.is-write-stopped") != 0,
            DelayedWriteBytesPerSecond = Property("rocksdb.actual-delayed-write-rate"),
            BackgroundErrors = Property("rocksdb.background-errors"),
            RunningFlushes = (int)Property("rocksdb.num-running-flushes"),
            RunningCompactions = (int)Property("rocksdb.num-running-compactions"),
            BlockCacheBytes = _resources.BlockCacheUsageBytes,
            Tickers = own?.Tickers.ToDictionary(
                ticker => ticker.Key, ticker => (long)ticker.Value, StringComparer.Ordinal),
            Histograms = own?.Histograms,
        };
    }

    private int OpenCursors
    {
        get
        {
            lock (_cursorLock)
            {
                return _cursors.Count + _readers.Count;
            }
        }
    }

    /// <summary>The store was branched: its tail is kept short for a while, since every branch replays it.</summary>
    private void NoteBranched() => Volatile.Write(ref _branchedAt, Math.Max(1, _time.GetTimestamp()));

    private bool IsBranched
    {
        get
        {
            long at = Volatile.Read(ref _branchedAt);
            return at != 0 && _time.GetElapsedTime(at) < _options.BranchedTailPeriod;
        }
    }

    /// <summary>Called by the writer after each group, with the tail that it made.</summary>
    private void NoteWritten(long bytes, long tail)
    {
        if (tail >= _options.BranchedTailBytes && IsBranched)
        {
            SendFlush();
        }

        _resources.NoteWritten(bytes);
    }

    /// <summary>Called about once a second by <see cref="StoreResources"/>, on a writer thread.</summary>
    internal void Maintain()
    {
        WithdrawExpired();
        Volatile.Read(ref _changes)?.Maintain();
        LookForBackgroundFailureIfOpen();

        // A store that has gone quiet is made ready to be branched or reopened without a long replay.
        long tail = TailBytes;
        long written = tail - _tailSeenByTick;
        if ((tail >= TailWorthFlushingBytes && written == 0)
            || (tail >= SlowTailBytes && written is >= 0 and < SlowTailBytes))
        {
            SendFlush();
        }

        _tailSeenByTick = tail;
    }

    private void LookForBackgroundFailureIfOpen()
    {
        if (_gate.TryEnter())
        {
            try
            {
                LookForBackgroundFailure();
            }
            finally
            {
                _gate.Exit();
            }
        }
    }

    /// <summary>Memory of unflushed writes, in bytes: all of it, and the part a flush would set in motion.</summary>
    internal (long All, long Active) MeasureMemtables()
    {
        if (!_gate.TryEnter())
        {
            return default;
        }

        try
        {
            return (Sum("rocksdb.cur-size-all-mem-tables"), Sum("rocksdb.cur-size-active-mem-table"));
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Starts a flush in the background, unless one is on its way.</summary>
    internal void SendFlush()
    {
        if (Interlocked.Exchange(ref _flushSent, 1) == 0)
        {
            _resources.Threads.Add(_flush);
        }
    }

    private void FlushInBackground()
    {
        if (!_gate.TryEnter())
        {
            return;
        }

        try
        {
            if (Health.IsHealthy && !IsReadOnly)
            {
                Volatile.Write(ref _tailBytes, 0);
                FlushOrPoison(wait: false);
                Interlocked.Increment(ref _flushes);
            }
        }
        catch (RocksDbException e)
        {
            // The log still holds everything.
            _logger.BackgroundFlushFailed(Label, e);
        }
        finally
        {
            Volatile.Write(ref _flushSent, 0);
            _gate.Exit();
        }
    }

    private void FlushOrPoison(bool wait)
    {
        try
        {
            _database.Flush(family: null, wait);
        }
        catch (RocksDbException e) when (e.Status is RocksDbStatus.IOError or RocksDbStatus.NoSpace
            or RocksDbStatus.PathNotFound or RocksDbStatus.PermissionDenied or RocksDbStatus.TooManyOpenFiles
            or RocksDbStatus.Corruption)
        {
            Poison(LocalStoreFailure.From(e, $"Flushing {Label}"));
            throw;
        }
    }

    private void FlushTailBeforeClosing()
    {
        if (IsReadOnly || !Health.IsHealthy
            || (TailBytes < TailWorthFlushingBytes && CountLogs() < LogsWorthFlushing))
        {
            return;
        }

        try
        {
            _database.Flush(family: null, wait: true);
        }
        catch (RocksDbException e)
        {
            // Only the next open becomes slower: it replays the log.
            _logger.BackgroundFlushFailed(Label, e);
        }
    }

    private long Sum(string property)
    {
        long sum = 0;
        foreach (ColumnFamily family in Volatile.Read(ref _families).Values)
        {
            try
            {
                sum += _database.TryGetIntProperty(family, property, out ulong value) ? (long)value : 0;
            }
            catch (ObjectDisposedException e) when (ColumnFamily.IsSubjectOf(e))
            {
                continue; // Dropped since it was listed: it counts for nothing.
            }
        }

        return sum;
    }

    private int CountLogs()
    {
        try
        {
            return System.IO.Directory.EnumerateFiles(Directory, "*.log").Count();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private long WalBytes()
    {
        try
        {
            return new DirectoryInfo(Directory).EnumerateFiles("*.log").Sum(LengthOf);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading", Directory, e); // Out of file descriptors, most likely.
        }
    }

    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0; // A log that a flush made obsolete meanwhile counts for nothing.
        }
    }

    private sealed class FlushWork(LocalStore store) : IWriteWork
    {
        public bool Run(WriteGroup group)
        {
            store.FlushInBackground();
            return false;
        }
    }
}

/// <summary>What a store reports about itself.</summary>
/// <param name="LastAcknowledged">The sequence after the last applied write.</param>
/// <param name="WriteGroups">Groups committed since the store was opened.</param>
/// <param name="SyncGroups">Groups among them that were fsynced; one fsync each.</param>
/// <param name="WriteRequests">Requests answered with those groups.</param>
/// <param name="Operations">Operations applied.</param>
/// <param name="WrittenBytes">Bytes of the batches written to the log.</param>
/// <param name="WaitingRequests">Requests that wait for the writer now.</param>
/// <param name="BackgroundFlushes">Flushes this store started by itself.</param>
/// <param name="MemtableBytes">Memory of unflushed writes.</param>
/// <param name="TableBytes">Table files, in bytes.</param>
/// <param name="Level0Files">Table files not yet merged into sorted levels.</param>
/// <param name="WalBytes">Write-ahead log files, in bytes.</param>
/// <param name="PendingCompactionBytes">Estimate of what compaction has still to rewrite.</param>
/// <param name="OpenCursors">Scans that hold a view open.</param>
public sealed record StoreStatistics(
    Sequence LastAcknowledged,
    long WriteGroups,
    long SyncGroups,
    long WriteRequests,
    long Operations,
    long WrittenBytes,
    int WaitingRequests,
    long BackgroundFlushes,
    long MemtableBytes,
    long TableBytes,
    int Level0Files,
    long WalBytes,
    long PendingCompactionBytes,
    int OpenCursors)
{
    /// <summary>RocksDB snapshots that are held, those of cursors among them.</summary>
    public int Snapshots { get; init; }

    /// <summary>When the oldest of them was taken, UTC; <see langword="null"/>: there is none.</summary>
    public DateTimeOffset? OldestSnapshotAt { get; init; }

    /// <summary>Whether RocksDB has stopped writes until flushes and compactions have caught up.</summary>
    public bool WritesStopped { get; init; }

    /// <summary>What RocksDB slows writes down to, in bytes a second; 0: it does not.</summary>
    public long DelayedWriteBytesPerSecond { get; init; }

    /// <summary>Errors of flushes and compactions since the store was opened.</summary>
    public long BackgroundErrors { get; init; }

    /// <summary>Flushes under way.</summary>
    public int RunningFlushes { get; init; }

    /// <summary>Compactions under way.</summary>
    public int RunningCompactions { get; init; }

    /// <summary>The block cache in use, which all stores of the process share, in bytes.</summary>
    public long BlockCacheBytes { get; init; }

    /// <summary>RocksDB's own counters by name; <see langword="null"/> without
    /// <see cref="StorageOptions.Statistics"/>.</summary>
    public IReadOnlyDictionary<string, long>? Tickers { get; init; }

    /// <summary>RocksDB's own histograms by name; <see langword="null"/> without
    /// <see cref="StorageOptions.Statistics"/>.</summary>
    public IReadOnlyDictionary<string, HistogramSnapshot>? Histograms { get; init; }
}
