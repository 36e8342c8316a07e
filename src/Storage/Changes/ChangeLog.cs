using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Branching.Storage.Changes;

/// <summary>
/// Every batch that a store committed, in order, with its sequences and time. Belongs to one open store; thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// A group's frames are in the log, and durable for a durable group, before RocksDB commits it; readers see them after.
/// So whatever the store has is in the log. What a crash leaves the other way round is cut at the next open, and what
/// the log lost with the power (buffered writes only) is filled from RocksDB's own log, or is an explicit gap.
/// </para>
/// <para>
/// A log that was not closed in good order may go on with other contents under the same sequences than somebody has
/// read before the power failed. So it then begins a new history; see <see cref="ChangePosition"/>.
/// </para>
/// <para>One writer at a time appends: the one that commits, under the store's lock.</para>
/// </remarks>
[SuppressMessage(
    "Reliability", "CA1001", Justification = "Its store closes it, which also says whether it ends in good order.")]
public sealed partial class ChangeLog
{
    private readonly ChangeLogPlace _place;
    private readonly Disk _disk;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly List<ChangeFile> _files;
    private readonly List<ChangeHistory> _histories;
    private ChangeLogSettings _settings;
    private ChangeFile _active;
    private SafeFileHandle _handle;
    private ulong _end;
    private long _ticks;
    private TaskCompletionSource? _more;
    private bool _closed;

    private ChangeLog(ChangeLogPlace place, string label, ChangeLogSettings settings, ChangeRecovery recovered,
        ILogger logger, TimeProvider time)
    {
        _place = place;
        _disk = place.Disk;
        Label = label;
        _settings = settings;
        _logger = logger;
        _time = time;
        _files = recovered.Files;
        _histories = recovered.Histories;
        _active = _files[^1];
        _handle = Disk.OpenForWriting(_active.Path);
        _end = recovered.End;
        _ticks = recovered.Ticks;
        _offset = _active.Bytes;
        _entries = _active.Entries;
        _durableEnd = recovered.WasClean ? _end : 0;
        foreach (ConsumerDocument consumer in recovered.Consumers)
        {
            _consumers.Add(consumer.Name, consumer);
        }
    }

    /// <summary>What the log is of, in the words of messages.</summary>
    public string Label { get; }

    /// <summary>The log's directory.</summary>
    public string Directory => _place.Directory;

    /// <summary>How the log is kept.</summary>
    public ChangeLogSettings Settings => Volatile.Read(ref _settings);

    /// <summary>The last sequence that the log has, committed.</summary>
    public Sequence End => new(Volatile.Read(ref _end));

    /// <summary>Somebody waits for more: then the store is not idle.</summary>
    internal bool IsFollowed => Volatile.Read(ref _more) is not null;

    /// <summary>Makes what the store has committed survive a loss of power; set by the store.</summary>
    internal Action SyncStore { get; init; } = static () => { };

    /// <summary>Asked before each answer to a reader; set by the store.</summary>
    internal Action Guard { get; init; } = static () => { };

    /// <summary>Opens the log of a store, or begins one where the store is. Blocking.</summary>
    /// <param name="place">Where it lies.</param>
    /// <param name="label">What it is of, in the words of messages.</param>
    /// <param name="settings">How it is kept.</param>
    /// <param name="store">What it is brought in step with.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="time">The clock of its entries.</param>
    /// <exception cref="StorageException">It cannot be read or written; the message names the file.</exception>
    internal static ChangeLog Open(
        ChangeLogPlace place, string label, ChangeLogSettings settings, IChangeSource store, ILogger logger,
        TimeProvider time)
    {
        settings.Check();
        ChangeRecovery recovered = new(place, label, store, logger, time);
        recovered.Run();
        ChangeLog log = new(place, label, settings, recovered, logger, time)
        {
            SyncStore = store.Sync,
            Guard = store.ThrowIfMayNotAnswer,
        };
        try
        {
            log.MarkOpened(store.Families);
            return log;
        }
        catch
        {
            log.Abandon();
            throw;
        }
    }

    /// <summary>Takes other settings; they hold from the next group on.</summary>
    internal void Set(ChangeLogSettings settings)
    {
        settings.Check();
        Volatile.Write(ref _settings, settings);
    }

    /// <summary>A position in this log, for whoever has read up to a sequence of it.</summary>
    public ChangePosition PositionOf(Sequence sequence)
    {
        lock (_lock)
        {
            return new ChangePosition(_place.Database, _place.Store, _place.Epoch(), _histories[^1].Id, sequence);
        }
    }

    /// <summary>Ends the log in good order, so that the next open goes on in it. Blocking.</summary>
    /// <param name="inOrder">
    /// <see langword="false"/>: the store is in doubt, so the next open must compare both.
    /// </param>
    internal void Close(bool inOrder)
    {
        try
        {
            if (inOrder && _failure is null)
            {
                // Only what survives a loss of power may be called closed.
                SyncStore();
                Seal();
                _disk.Reach(ChangeStep.ClosingWritten);
                _disk.Flush(_handle, _active.Path);
            }
        }
        catch (Exception e) when (e is StorageException or RocksDbException)
        {
            // The next open then takes the log for one that was not closed, and compares.
            _logger.ChangeLogNotSealed(Label, Directory, e);
        }
        finally
        {
            Abandon();
        }
    }

    private void Abandon()
    {
        TaskCompletionSource? more;

        // Whoever removes files or records consumers ends first: a log that is opened next must not see it happen.
        lock (_purging)
        {
            lock (_stateFile)
            {
                lock (_lock)
                {
                    _closed = true;
                    more = _more;
                    _more = null;
                }
            }
        }

        _handle.Dispose();
        _buffer.Dispose();
        more?.TrySetResult();
    }

    private void ThrowIfClosed()
    {
        if (Volatile.Read(ref _closed))
        {
            throw new StorageException(FailureKind.Closed, $"The change log of {Label} was closed; acquire it again.");
        }
    }

    /// <summary>Completes when the log ends behind a sequence, or is closed.</summary>
    internal Task MoreThanAsync(ulong sequence)
    {
        lock (_lock)
        {
            if (_closed || _end > sequence)
            {
                return Task.CompletedTask;
            }

            _more ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _more.Task;
        }
    }
}

/// <summary>What a change log needs of its store.</summary>
internal interface IChangeSource
{
    /// <summary>The sequence after the last committed batch.</summary>
    ulong Sequence { get; }

    /// <summary>Column families by number, as RocksDB names them: with their settings.</summary>
    IEnumerable<KeyValuePair<uint, string>> Families { get; }

    /// <summary>Makes everything committed survive a loss of power.</summary>
    void Sync();

    /// <summary>Throws when the node may not answer for the store.</summary>
    void ThrowIfMayNotAnswer();

    /// <summary>
    /// Committed batches from a sequence on, from RocksDB's own log, as far as it still has them: without a hole, or
    /// none.
    /// </summary>
    IEnumerable<CommittedBatch> BatchesFrom(ulong first);
}

/// <summary>A batch in RocksDB's own log.</summary>
/// <param name="First">Its first sequence.</param>
/// <param name="Count">How many operations it has.</param>
/// <param name="Records">Its records, without the header.</param>
internal readonly record struct CommittedBatch(ulong First, uint Count, ReadOnlyMemory<byte> Records);
