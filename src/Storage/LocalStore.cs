using System.Collections.Frozen;
using Branching.RocksDb;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>Whether a store takes writes.</summary>
/// <param name="Cause">What poisoned the store; <see langword="null"/> while it is healthy.</param>
public readonly record struct StoreHealth(StorageException? Cause)
{
    /// <summary>Whether the store takes writes. Reads are answered either way.</summary>
    public bool IsHealthy => Cause is null;

    /// <inheritdoc/>
    public override string ToString() => Cause is null ? "Healthy" : $"Poisoned: {Cause.Message}";
}

/// <summary>One RocksDB directory that is open for reading and writing. Thread-safe.</summary>
/// <remarks>
/// <para>
/// Writes wait in a bounded queue. One writer at a time joins what waits into one RocksDB batch and one fsync, and
/// evaluates preconditions, so it alone decides the order of writes. Reads run on the caller's thread, beside writes.
/// </para>
/// <para>
/// A store whose log is in doubt (failed write or fsync, found corruption) is <em>poisoned</em>: it refuses writes
/// and names the cause until it is closed and opened again, when RocksDB recovers from what is on disk. When it was
/// RocksDB itself that failed to write the log, only another process can open it again: see
/// <see cref="RocksDatabase.IsKeptOpen"/>.
/// </para>
/// </remarks>
public sealed partial class LocalStore : IAsyncDisposable
{
    private readonly StoreResources _resources;
    private readonly StorageOptions _options;
    private readonly StoreTuning? _tuning;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly RocksDatabase _database;
    private readonly LocalStoreGate _gate = new();
    private readonly Lock _commitLock = new();
    private readonly Lock _disposalLock = new();
    private readonly LocalStoreSeams _seams;
    private FrozenDictionary<string, ColumnFamily> _families;
    private ColumnFamily _defaultFamily;
    private StorageException? _poison;
    private ulong _lastAcknowledged;
    private Task? _disposal;

    private LocalStore(
        string directory, string label, StoreResources resources, ILogger logger, TimeProvider time,
        RocksDatabase database, LocalStoreSeams seams, StoreTuning? tuning)
    {
        Directory = directory;
        Label = label;
        _resources = resources;
        _options = resources.Options;
        _tuning = tuning;
        _logger = logger;
        _time = time;
        _database = database;
        _seams = seams;
        _queue = new WriteQueue(_options.WriteQueueCapacity, _options.WriteQueueBytes);
        _drain = new DrainWork(this);
        _takeOver = new TakeOverWork(this);
        _flush = new FlushWork(this);
        _defaultFamily = database.DefaultColumnFamily;
        _families = TakeFamilies();
        _lastAcknowledged = database.LatestSequence;
        _tailBytes = WalBytes(); // What was replayed is still unflushed, and every branch would replay it again.
    }

    /// <summary>The store's directory.</summary>
    public string Directory { get; }

    /// <summary>What the store is, in the words of messages: for example "branch 'x' of database 'y'".</summary>
    public string Label { get; }

    /// <summary>The sequence after the last write that was answered as applied.</summary>
    public Sequence LastAcknowledged => new(Volatile.Read(ref _lastAcknowledged));

    /// <summary>
    /// Asked after the work and before each answer to a read or write; set before the store is handed out.
    /// </summary>
    internal IAnswerGuard? Guard { get; set; }

    /// <summary>Where the store notes how far it got, beyond its own closing; set before it is handed out.</summary>
    internal StoreProgress? Progress { get; set; }

    /// <summary>Whose it is, for metrics; set before it is handed out. <see langword="null"/>: not known.</summary>
    internal StoreOwner? Owner { get; set; }

    /// <summary>Whether the store takes writes, and why not.</summary>
    public StoreHealth Health => new(Volatile.Read(ref _poison));

    /// <summary>
    /// Whether its files stay open until the process ends, because a write failed in the log: closing it gains nothing,
    /// and it cannot be opened again before the node is restarted.
    /// </summary>
    internal bool MustStayOpen => _database.IsKeptOpen;

    /// <summary>Opens a store. Blocking: replays the write-ahead log.</summary>
    /// <param name="directory">The store's directory; its parent must exist.</param>
    /// <param name="label">What the store is, used in every message: for example "branch 'x' of database 'y'".</param>
    /// <param name="resources">What the stores of a process share; must outlive the store.</param>
    /// <param name="create">
    /// <see langword="true"/>: the store must not exist and is created; <see langword="false"/>: it must exist, and
    /// nothing is created in its place when it does not.
    /// </param>
    /// <param name="logger">Where the store reports.</param>
    /// <param name="time">The clock of time-outs and background work.</param>
    /// <param name="tuning">What of its options differs from the node's.</param>
    /// <exception cref="StorageException">The store could not be opened; the kind says why.</exception>
    public static LocalStore Open(
        string directory, string label, StoreResources resources, bool create, ILogger logger, TimeProvider time,
        StoreTuning? tuning = null) =>
        Open(directory, label, resources, create, logger, time, LocalStoreSeams.Real, tuning);

    /// <summary>As the public one, with steps that tests replace.</summary>
    internal static LocalStore Open(
        string directory, string label, StoreResources resources, bool create, ILogger logger, TimeProvider time,
        LocalStoreSeams seams, StoreTuning? tuning = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentException.ThrowIfNullOrEmpty(label);
        ArgumentNullException.ThrowIfNull(resources);
        ArgumentNullException.ThrowIfNull(logger);
        ArgumentNullException.ThrowIfNull(time);
        long start = time.GetTimestamp();
        CheckPresence(directory, label, create);
        ThrowIfKeptOpen(directory, label);
        RocksDatabase database;
        try
        {
            // RocksDB counts a cache's users: this one goes when the store is closed.
            using BlockCache? cache = tuning?.BlockCacheBytes is { } bytes ? new BlockCache(bytes) : null;
            database = RocksDatabase.Open(
                directory,
                resources.CreateDatabaseOptions(create, tuning, cache),
                create ? null : resources.DescribeFamilies(directory, label, tuning));
        }
        catch (RocksDbException e)
        {
            throw LocalStoreFailure.From(e, $"Opening {label} at {directory}");
        }

        LocalStore store = new(directory, label, resources, logger, time, database, seams, tuning);
        resources.Add(store);
        logger.StoreOpened(label, directory, store.LastAcknowledged, time.GetElapsedTime(start).TotalMilliseconds);
        return store;
    }

    /// <summary>Throws when the store is poisoned.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Poisoned"/>, with the cause inside.</exception>
    public void ThrowIfPoisoned()
    {
        if (Volatile.Read(ref _poison) is { } cause)
        {
            throw Poisoned(cause);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Label;

    /// <summary>
    /// Takes no more writes, answers those that wait, ends reads in flight with an answer or
    /// <see cref="FailureKind.Closed"/>, closes cursors, and closes the directory: it can be opened again on return.
    /// </summary>
    /// <remarks>
    /// Entries of a <see cref="Range"/> point into the store, so its readers are waited for, at most
    /// <see cref="StorageOptions.RangeCloseTimeout"/>: until each has moved or was disposed. One that did neither keeps
    /// the directory open until it does.
    /// </remarks>
    public ValueTask DisposeAsync()
    {
        lock (_disposalLock)
        {
            _disposal ??= Task.Run(CloseAsync);
            return new ValueTask(_disposal);
        }
    }

    private async Task CloseAsync()
    {
        _resources.Remove(this);
        BeginClosingExtras();
        _queue.Close();
        await _queue.Drained.ConfigureAwait(false);
        FlushTailBeforeClosing();
        Task empty = _gate.CloseAsync();
        if (!empty.IsCompleted)
        {
            // A compaction or checkpoint that is under way must not hold up the closing for minutes.
            _database.CancelBackgroundWork(wait: false);
            await empty.ConfigureAwait(false);
        }

        await WaitForReadersAsync().ConfigureAwait(false);
        CloseCursors();
        CloseViews();
        EndExtras();
        CloseChangeLog();
        _callersGroup?.Dispose();
        _resources.NoteClosed(_database.GetStatisticsSnapshot());
        _database.Dispose();
        if (MustStayOpen)
        {
            _logger.StoreKeptOpen(Label, Directory);
        }

        _logger.StoreClosed(Label, Directory, LastAcknowledged);
    }

    private static void ThrowIfKeptOpen(string directory, string label)
    {
        if (RocksDatabase.KeptOpen.Contains(Path.GetFullPath(directory), StringComparer.Ordinal))
        {
            throw new StorageException(FailureKind.Poisoned,
                $"Opening {label} failed: a write to its log failed in this process, which therefore keeps " +
                $"{directory} open until it ends. Nothing that was acknowledged is lost: mend the cause (a full " +
                "disk, an I/O error) and restart the node to recover this store.");
        }
    }

    private static void CheckPresence(string directory, string label, bool create)
    {
        bool present = File.Exists(Path.Combine(directory, "CURRENT"));
        if (create)
        {
            if (System.IO.Directory.Exists(directory)
                && System.IO.Directory.EnumerateFileSystemEntries(directory).Any())
            {
                throw new StorageException(FailureKind.UnknownStore,
                    $"Creating {label} failed: {directory} exists and is not empty. Nothing was changed in it.");
            }
        }
        else if (!System.IO.Directory.Exists(directory))
        {
            throw new StorageException(FailureKind.MissingStore,
                $"Opening {label} failed: its directory {directory} does not exist. Nothing was created.");
        }
        else if (!present)
        {
            // RocksDB would leave its LOCK and LOG behind in what may be somebody's evidence.
            throw new StorageException(FailureKind.Corruption,
                $"Opening {label} failed: {directory} has no CURRENT file, so it is not a complete store. " +
                "Nothing was created in its place; restore it from a snapshot.");
        }
    }

    /// <summary>Enters the store for one call.</summary>
    private void Enter()
    {
        if (!_gate.TryEnter())
        {
            throw Closed();
        }
    }

    private StorageException Closed() => new(FailureKind.Closed, $"The store of {Label} was closed; acquire it again.");

    private StorageException Poisoned(StorageException cause) => new(
        FailureKind.Poisoned,
        $"{Label} takes no writes since a failure: {cause.Message} Reads go on; " +
        (MustStayOpen ? "mend the cause and restart the node" : "close and reopen the store") + " to recover.",
        cause);

    /// <summary>The typed failure of a RocksDB call; found corruption poisons the store.</summary>
    private StorageException Failure(string operation, RocksDbException e)
    {
        if (e.Status == RocksDbStatus.ShutdownInProgress)
        {
            return Closed();
        }

        StorageException failure = LocalStoreFailure.From(e, $"{operation} on {Label}");
        if (e.Status == RocksDbStatus.Corruption)
        {
            Poison(failure);
        }

        return failure;
    }

    private void Poison(StorageException cause)
    {
        if (Interlocked.CompareExchange(ref _poison, cause, null) is null)
        {
            _logger.StorePoisoned(Label, Directory, cause);
            EventsIfAny.NoteFailure(Label, cause);
        }
    }
}
