using System.Collections.Concurrent;
using Branching.RocksDb;
using Branching.RocksDb.Files;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Branching.Storage;

/// <summary>What a data root uses and holds now.</summary>
/// <param name="Databases">Databases on this node, those that cannot be served included.</param>
/// <param name="Branches">Branches of all databases, main stores included, deleted ones not.</param>
/// <param name="OpenStores">Stores open now.</param>
/// <param name="MaxOpenStores">Stores that may be open at the same time.</param>
/// <param name="MemtableBytes">Memory of unflushed writes.</param>
/// <param name="BlockCacheBytes">Memory of the block cache in use.</param>
/// <param name="FreeBytes">Bytes that this user may still write to the file system.</param>
/// <param name="KeptOpenStores">
/// Stores whose files stay open until the process ends, because a write to their log failed; a restart recovers them.
/// </param>
public sealed record DataRootStatistics(
    int Databases, int Branches, int OpenStores, int MaxOpenStores, long MemtableBytes, long BlockCacheBytes,
    long FreeBytes, int KeptOpenStores);

/// <summary>The directory in which one process keeps its databases. Thread-safe.</summary>
/// <remarks>
/// Opening takes the root's lock, reconciles what an interrupted operation left, and only then serves. One process
/// holds a root at a time.
/// </remarks>
public sealed partial class DataRoot : IAsyncDisposable
{
    private readonly Disk _disk;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly DirectoryLock _lock;
    private readonly StoreResources _resources;
    private readonly StoreRegistry _registry;
    private readonly ConcurrentDictionary<DatabaseName, Database> _databases = new();
    private readonly ConcurrentDictionary<DatabaseName, StorageException> _failed = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly SharedAccess? _shared;
    private readonly NameTurns _turns = new();
    private readonly CancellationTokenSource _stopping = new();
    private int _disposed;

    private DataRoot(string directory, StorageOptions options, SharedAccess? shared, Disk disk, ILogger logger,
        TimeProvider time, DirectoryLock held)
    {
        Directory = directory;
        _shared = shared;
        if (shared is { IsMarked: true })
        {
            shared.IsBound = () => _document.Shared is not null;
            shared.Check = (storage, stop) => CheckMarkAsync(storage, shared.Options, stop);
        }

        _maxRestoreAttempts = shared?.Options.MaxRestoreAttempts ?? _maxRestoreAttempts;
        Options = options;
        _disk = disk;
        _logger = logger;
        _time = time;
        _lock = held;
        _resources = new StoreResources(options, logger, time);
        _registry = new StoreRegistry(_resources, logger, time);
    }

    /// <summary>Full path of the root.</summary>
    public string Directory { get; }

    /// <summary>The options it was opened with.</summary>
    public StorageOptions Options { get; }

    /// <summary>The durable identity of this data root: 32 lower-case hexadecimal digits, never copied to another.
    /// </summary>
    public string NodeId { get; private set; } = "";

    /// <summary>What the start found and repaired.</summary>
    public Reconciliation Reconciliation { get; private set; } = new();

    internal StoreRegistry Registry => _registry;

    private string Databases => Path.Combine(Directory, "databases");

    private string Building => Path.Combine(Directory, "building");

    private string Trash => Path.Combine(Directory, "trash");

    private string Quarantine => Path.Combine(Directory, "quarantine");

    /// <summary>Opens the data root named by the options, creating it when absent.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.Locked"/>: another process holds it (the message names it);
    /// <see cref="FailureKind.InvalidArgument"/>: the options are not legal; <see cref="FailureKind.UnknownStore"/>:
    /// the
    /// directory is a foreign store; <see cref="FailureKind.FormatTooNew"/>…
    /// </exception>
    public static Task<DataRoot> OpenAsync(
        StorageOptions options, ILoggerFactory? loggerFactory = null, TimeProvider? time = null,
        CancellationToken cancellationToken = default) =>
        OpenAsync(options, new Disk(), loggerFactory, time, cancellationToken: cancellationToken);

    /// <summary>As the one without, with shared storage; without its directory nothing survives this node.</summary>
    /// <remarks>Shared storage is reached when it is first needed: a root opens while it is away.</remarks>
    public static Task<DataRoot> OpenAsync(
        StorageOptions options, DataRootSharing sharing, ILoggerFactory? loggerFactory = null,
        TimeProvider? time = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sharing);
        ThrowIfIllegal(SharedStorageOptions.Section, sharing.Storage, new SharedStorageOptionsValidator(),
            new SharedStorageOptionsRules());
        ThrowIfIllegal(OwnershipOptions.Section, sharing.Ownership, new OwnershipOptionsValidator(),
            new OwnershipOptionsRules());
        ThrowIfIllegal(SnapshotOptions.Section, sharing.Snapshots, new SnapshotOptionsValidator());
        SharedAccess? access = sharing.Storage.Directory is not { } directory
            ? null
            : new SharedAccess(async stop =>
                await PosixSharedStorage.OpenAsync(directory, cancellationToken: stop).ConfigureAwait(false))
            {
                Options = sharing.Storage,
                Ownership = sharing.Ownership,
                Snapshots = sharing.Snapshots,
                IsMarked = true,
                OpenToLook = sharing.Storage.LookOnly
                    ? async stop => await PosixSharedStorage.OpenToReadAsync(directory, cancellationToken: stop)
                        .ConfigureAwait(false)
                    : null,
            };
        return OpenAsync(
            options, new Disk(), loggerFactory, time, access, sharing.Storage.ServeDetached,
            sharing.Storage.DirtyStore, cancellationToken);
    }

    /// <summary>As the public ones, over a file layer and a storage that tests watch and disturb.</summary>
    internal static Task<DataRoot> OpenAsync(
        StorageOptions options, Disk disk, ILoggerFactory? loggerFactory = null, TimeProvider? time = null,
        SharedAccess? shared = null, bool serveDetached = false,
        DirtyStorePolicy dirtyStore = DirtyStorePolicy.Fail, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ThrowIfIllegal(
            StorageOptions.Section, options, new StorageOptionsValidator(), new StorageOptionsRules());
        ILogger logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger("Branching.Storage");
        return Task.Run(
            () => Open(
                options, shared, serveDetached, dirtyStore, disk, logger, time ?? TimeProvider.System,
                cancellationToken),
            cancellationToken);
    }

    /// <summary>Whether a database of that name is on this node, be it served or not.</summary>
    public bool Contains(DatabaseName name) => _databases.ContainsKey(name) || _failed.ContainsKey(name);

    /// <summary>Names of the databases on this node, in order, those that cannot be served included.</summary>
    public IReadOnlyList<DatabaseName> ListDatabases() =>
        [.. _databases.Keys.Concat(_failed.Keys).OrderBy(name => name.Value, StringComparer.Ordinal)];

    /// <summary>A database by name.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.DatabaseNotFound"/>, or why the database could not be opened at the start.
    /// </exception>
    public ValueTask<Database> GetDatabaseAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        cancellationToken.ThrowIfCancellationRequested();
        if (_databases.TryGetValue(name, out Database? database))
        {
            database.ThrowIfNotServing();
            return ValueTask.FromResult(database);
        }

        if (_failed.TryGetValue(name, out StorageException? cause))
        {
            throw new StorageException(cause.Kind, $"Database '{name}' cannot be served: {cause.Message}", cause);
        }

        throw NotFound(name);
    }

    /// <summary>What the root uses and holds now.</summary>
    public DataRootStatistics GetStatistics()
    {
        ThrowIfDisposed();
        return new DataRootStatistics(
            _databases.Count + _failed.Count,
            _databases.Values.Sum(d => d.OpenableBranches),
            _registry.OpenStores,
            Options.MaxOpenStores,
            _resources.MemtableBytes,
            _resources.BlockCacheUsageBytes,
            LocalFiles.GetFreeBytes(Directory),
            RocksDatabase.KeptOpen.Count(path => path.StartsWith(
                Directory + Path.DirectorySeparatorChar, StringComparison.Ordinal)));
    }

    /// <summary>Answers what waits, closes every store and gives the root's lock back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            await _registry.DisposeAsync().ConfigureAwait(false);
            foreach (Database database in _databases.Values)
            {
                await database.CloseAsync(markClean: true).ConfigureAwait(false);
            }

            // Only now: whoever takes a database at once finds that nothing is answered or written here any more.
            await Task.WhenAll(_databases.Values.Select(database => ReleaseQuietlyAsync(database.Tenure)))
                .ConfigureAwait(false);
        }
        finally
        {
            _resources.Dispose();
            _lock.Dispose();
            _turn.Release();
            _stopping.Dispose();
        }
    }

    private static void ThrowIfIllegal<T>(string section, T options, params ReadOnlySpan<IValidateOptions<T>> rules)
        where T : class
    {
        foreach (IValidateOptions<T> rule in rules)
        {
            ValidateOptionsResult result = rule.Validate(section, options);
            if (result.Failed)
            {
                throw new StorageException(
                    FailureKind.InvalidArgument,
                    $"The options of {section} are not legal: {result.FailureMessage}");
            }
        }
    }

    private static StorageException NotFound(DatabaseName name) => new(
        FailureKind.DatabaseNotFound, $"There is no database '{name}' on this node. List the databases, or " +
            "create it first.");

    private void ThrowIfDisposed()
    {
        if (Volatile.Read(ref _disposed) != 0)
        {
            throw new StorageException(FailureKind.Closed, $"The data root '{Directory}' is closed.");
        }
    }
}
