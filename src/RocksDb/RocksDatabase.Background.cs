using System.Globalization;
using System.Text;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>The log, statistics and background work.</content>
public sealed unsafe partial class RocksDatabase
{
    // Of RocksDB's own log file; the line about an error is written right after it, so it is near the end.
    private const int LogTailBytes = 64 << 10;

    // Microseconds on a machine that is not busy; waited in full, once, where the log cannot be written.
    private static readonly TimeSpan _logDelay = TimeSpan.FromSeconds(1);

    // How often manual compaction was disabled; RocksDB keeps the same number but does not guard it.
    private int _manualCompactionHolds;

    /// <summary>Counters and distributions; <see langword="null"/> without
    /// <see cref="DatabaseOptions.StatisticsEnabled"/>.</summary>
    public StatisticsSnapshot? GetStatisticsSnapshot() =>
        GetStatistics() is { } text ? StatisticsSnapshot.Parse(text) : null;

    /// <summary>The last failure of a flush or compaction since the database was opened; <see langword="null"/>: there
    /// was none. While there was none it asks one property and reads nothing.</summary>
    /// <remarks>The C API tells only how many there were, so the cause is taken from RocksDB's own <c>LOG</c>; where it
    /// is not there (no such file, log level above error), the status is <see cref="RocksDbStatus.Unknown"/>.</remarks>
    public RocksDbException? FindBackgroundFailure()
    {
        const string Operation = "flush or compaction in the background";
        if (!TryGetIntProperty("rocksdb.background-errors", out ulong errors) || errors == 0)
        {
            return null;
        }

        // It counts the error first, lets go of its lock, and writes the line then.
        string? text = null;
        SpinWait.SpinUntil(() => (text = ReadBackgroundError()) is not null, _logDelay);
        return text is not null
            ? new RocksDbException(NativeError.Classify(text), Operation, Path, text)
            : new RocksDbException(
                RocksDbStatus.Unknown,
                Operation,
                Path,
                string.Create(CultureInfo.InvariantCulture, $"{errors} errors, which RocksDB's LOG there may name"));
    }

    /// <summary>Reads the batches of the log from a sequence on. The caller disposes the answer.</summary>
    /// <param name="sequence">The first batch is the one with this write; when that log is deleted already, the next
    /// there is, so compare <see cref="WalIterator.Sequence"/>. More than <see cref="LatestSequence"/> gives
    /// none.</param>
    /// <remarks>Writes without a log are not in it; RocksDB then takes the log for damaged where they are
    /// missing.</remarks>
    /// <exception cref="RocksDbException">The logs cannot be read.</exception>
    public WalIterator GetUpdatesSince(ulong sequence)
    {
        ThrowIfDisposed();
        RequireWritable("reading of the log");
        nint error = 0;
        WalIteratorHandle handle = WalIteratorHandle.Open(_handle, sequence, ref error);
        if (error == 0)
        {
            return new WalIterator(Path, handle, sequence);
        }

        RocksDbException failure = NativeError.Take(error, "reading of the log", Path);
        return failure.Status == RocksDbStatus.NotFound
            ? new WalIterator(Path, handle: null, sequence) // "Not yet written."
            : throw failure;
    }

    /// <summary>A property that is a list of names and numbers (<c>rocksdb.aggregated-table-properties</c>).</summary>
    /// <returns>Empty when there is no such property, or it has another form.</returns>
    public IReadOnlyDictionary<string, string> GetMapProperty(ColumnFamily family, string name)
    {
        Dictionary<string, string> map = new(StringComparer.Ordinal);
        foreach (string part in (GetProperty(family, name) ?? "").Split(';', StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                map[part[..equals].Trim()] = part[(equals + 1)..].Trim();
            }
        }

        return map;
    }

    /// <summary>Stops compactions that <see cref="CompactRange(ColumnFamily)"/> began and refuses new ones, until
    /// <see cref="EnableManualCompaction"/>; calls nest. Returns when they have stopped.</summary>
    public void DisableManualCompaction()
    {
        ThrowIfDisposed();
        Interlocked.Increment(ref _manualCompactionHolds);
        Native.rocksdb_disable_manual_compaction(_handle);
    }

    /// <summary>Undoes one <see cref="DisableManualCompaction"/>.</summary>
    /// <exception cref="InvalidOperationException">There is none to undo.</exception>
    public void EnableManualCompaction()
    {
        ThrowIfDisposed();
        if (Interlocked.Decrement(ref _manualCompactionHolds) < 0)
        {
            Interlocked.Increment(ref _manualCompactionHolds);
            throw new InvalidOperationException("Manual compaction is not disabled.");
        }

        Native.rocksdb_enable_manual_compaction(_handle);
    }

    /// <summary>Lets background flushes and compactions rest until <see cref="ContinueBackgroundWork"/>; returns when
    /// those under way are done. Writers may wait then.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: the library is older than 11.8.
    /// Before that, <see cref="SetOptions"/> with <c>disable_auto_compactions</c> rests compactions.</exception>
    public void PauseBackgroundWork() => CallOptional("rocksdb_pause_background_work", "RocksDB 11.8", "pause");

    /// <summary>Undoes <see cref="PauseBackgroundWork"/>.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: the library is older than
    /// 11.8.</exception>
    public void ContinueBackgroundWork() =>
        CallOptional("rocksdb_continue_background_work", "RocksDB 11.8", "continuation");

    /// <summary>What RocksDB wrote of its last background error into its own log.</summary>
    private string? ReadBackgroundError()
    {
        // "Waiting after background compaction error: IO error: …, Accumulated background error counts: 1"
        const string Before = "Waiting after background ", Error = " error: ", After = ", Accumulated background error";
        string tail;
        try
        {
            using FileStream log = new(
                System.IO.Path.Combine(Path, "LOG"),
                FileMode.Open,
                FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete);
            log.Seek(-Math.Min(log.Length, LogTailBytes), SeekOrigin.End);
            using StreamReader reader = new(log, Encoding.UTF8);
            tail = reader.ReadToEnd();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // The error is told without its text.
        }

        int line = tail.LastIndexOf(Before, StringComparison.Ordinal);
        int start = line < 0 ? -1 : tail.IndexOf(Error, line, StringComparison.Ordinal);
        int end = start < 0 ? -1 : tail.IndexOf(After, start, StringComparison.Ordinal);
        return end < 0 ? null : tail[(start + Error.Length)..end];
    }

    /// <summary>RocksDB compacts nothing then, and does not say so.</summary>
    private void RequireManualCompaction(ColumnFamily family)
    {
        if (Volatile.Read(ref _manualCompactionHolds) > 0)
        {
            throw new RocksDbException(
                RocksDbStatus.Aborted,
                $"compaction of column family '{family.Name}'",
                Path,
                "manual compaction is disabled; call EnableManualCompaction");
        }
    }

    private void CompactBeforeClose()
    {
        foreach (ColumnFamily family in ColumnFamilies)
        {
            try
            {
                CompactRange(family);
            }
            catch (ObjectDisposedException)
            {
                continue; // Dropped meanwhile: nothing to compact.
            }
            catch (RocksDbException e) when (e.Status == RocksDbStatus.Aborted)
            {
                return; // Manual compaction is disabled, which is what the caller said last.
            }
        }
    }

    private void CallOptional(string function, string since, string operation)
    {
        ThrowIfDisposed();
        var call = (delegate* unmanaged<nint, nint*, void>)OptionalNative.Get(function, since);
        ParentReference held = ParentReference.Take(_handle);
        nint error = 0;
        try
        {
            call(_handle.DangerousGetHandle(), &error);
        }
        finally
        {
            held.Release();
        }

        NativeError.ThrowIfSet(error, operation + " of background work", Path);
    }
}
