using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb.Files;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>A main store and its branches: a named unit of ownership. Thread-safe.</summary>
/// <remarks>
/// Every protocol has one commit point, a rename: out of <c>building/</c> for a creation, into <c>trash/</c> for a
/// deletion. What a crash leaves on either side of it is undone or finished at the next start.
/// </remarks>
[SuppressMessage(
    "Reliability", "CA1001",
        Justification = "Its semaphores never hand out a wait handle, so they hold nothing to free.")]
public sealed partial class Database
{
    private readonly DatabaseFiles _files;
    private readonly Disk _disk;
    private readonly Catalog _catalog;
    private readonly StoreRegistry _registry;
    private readonly StorageOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly SharedStorageOptions? _sharing;
    private DatabaseDocument _document;
    private readonly ConcurrentDictionary<BranchName, BranchRecord> _living = new();
    private readonly ConcurrentDictionary<StoreId, BranchRecord> _all = new();
    private readonly SemaphoreSlim _catalogTurn = new(1, 1);
    private readonly SemaphoreSlim _creationTurns;
    private readonly Lock _names = new();
    private readonly Dictionary<BranchName, Creation> _creating = [];
    private readonly HashSet<BranchName> _deleting = [];
    private volatile bool _closed;

    internal Database(
        DatabaseFiles files, DatabaseDocument document, Catalog catalog, StoreRegistry registry, StorageOptions options,
        ILogger logger, TimeProvider time, SharedStorageOptions? sharing = null)
    {
        _files = files;
        _disk = files.Disk;
        _document = document;
        _catalog = catalog;
        _registry = registry;
        _options = options;
        _logger = logger;
        _time = time;
        _sharing = sharing;
        _creationTurns = new SemaphoreSlim(options.MaxBranchCreationsInFlight);
        Name = DatabaseName.Parse(document.Name);
        Id = DatabaseId.Parse(document.Id);
        foreach (BranchRecord record in catalog.Records.Values)
        {
            _all[record.Id] = record;
            if (record.State != BranchState.Deleted)
            {
                _living[record.Name] = record;
            }
        }
    }

    /// <summary>The database's name.</summary>
    public DatabaseName Name { get; }

    /// <summary>The identity of this life of the database: a database created again has another.</summary>
    public DatabaseId Id { get; }

    /// <summary>The tenure under which this node owns the database.</summary>
    public Epoch Epoch => new(_document.Epoch);

    /// <summary>When it was created, UTC.</summary>
    public DateTimeOffset CreatedAt => _document.CreatedAt;

    /// <summary>Who created it.</summary>
    public string CreatedBy => _document.CreatedBy;

    /// <summary>The database's directory.</summary>
    internal string Directory => _files.Directory;

    /// <summary>Opens the branch's store when it is not open, and keeps it open while the lease is held.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.BranchNotFound"/>, <see cref="FailureKind.BeingDeleted"/>,
    /// <see cref="FailureKind.MissingStore"/>, <see cref="FailureKind.UnknownStore"/>,
    /// <see cref="FailureKind.Overloaded"/>
    /// when all stores that may be open are in use, or why the store did not open.
    /// </exception>
    public ValueTask<StoreLease> AcquireAsync(BranchName branch, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        if (_guard is { MayAnswer: false })
        {
            return new ValueTask<StoreLease>(AcquireLaterAsync(branch, cancellationToken));
        }

        BranchRecord record = GetBranch(branch);
        ThrowIfNotServed(record);
        StoreSlot? slot = null;
        if (_registry.TryGet(record.Id, out slot) && slot.TryAcquire(record) is { } lease)
        {
            return ValueTask.FromResult(lease);
        }

        return new ValueTask<StoreLease>(OpenAsync(record, slot, cancellationToken));
    }

    private async Task<StoreLease> AcquireLaterAsync(BranchName branch, CancellationToken cancellationToken)
    {
        await WaitForLeaseAsync(cancellationToken).ConfigureAwait(false);
        return await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What the lineage knows of a branch that is not deleted.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.BranchNotFound"/>.</exception>
    public BranchRecord GetBranch(BranchName name) => TryGetBranch(name, out BranchRecord? record)
        ? record
        : throw new StorageException(
            FailureKind.BranchNotFound,
            $"Database '{Name}' has no branch '{name}'. List its branches, or create this one first.");

    /// <summary>What the lineage knows of a branch, unless it is deleted or never was.</summary>
    public bool TryGetBranch(BranchName name, [NotNullWhen(true)] out BranchRecord? record) =>
        _living.TryGetValue(name, out record);

    /// <summary>All branches, the main store among them, ordered by name, then by age.</summary>
    public IReadOnlyList<BranchRecord> ListBranches(bool includeDeleted = false)
    {
        IEnumerable<BranchRecord> records = includeDeleted ? _all.Values : _living.Values;
        return [.. records.OrderBy(r => r.Name.Value, StringComparer.Ordinal).ThenBy(r => r.Id)];
    }

    /// <summary>The branches made of this one that are not deleted, ordered by name.</summary>
    public IReadOnlyList<BranchRecord> GetChildren(BranchName name)
    {
        StoreId parent = GetBranch(name).Id;
        return [.. _living.Values.Where(r => r.ParentId == parent).OrderBy(r => r.Name.Value, StringComparer.Ordinal)];
    }

    /// <summary>The lineage from this branch to the main store, deleted ancestors included, nearest first.</summary>
    public IReadOnlyList<BranchRecord> GetAncestors(BranchName name) => AncestorsOf(GetBranch(name));

    private List<BranchRecord> AncestorsOf(BranchRecord record)
    {
        List<BranchRecord> ancestors = [];
        HashSet<StoreId> seen = []; // A catalog put together by hand could hold a circle.
        for (StoreId? id = record.ParentId; id is { } parent && seen.Add(parent);)
        {
            if (!_all.TryGetValue(parent, out BranchRecord? ancestor))
            {
                break;
            }

            ancestors.Add(ancestor);
            id = ancestor.ParentId;
        }

        return ancestors;
    }

    /// <summary>Measures the disk space of a branch by looking at every file.</summary>
    /// <returns><see langword="null"/>: it has no directory here, as a lost or missing one.</returns>
    public Task<BranchSize?> MeasureAsync(BranchName name, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        BranchRecord record = GetBranch(name);
        string directory = _files.StoreOf(record.Id);
        return Task.Run(
            () => record.State is BranchState.Lost or BranchState.Missing && !System.IO.Directory.Exists(directory)
                ? null
                : Measure(directory, cancellationToken),
            cancellationToken);
    }

    /// <inheritdoc/>
    public override string ToString() => $"database '{Name}'";

    /// <summary>Takes over what the start found of branches that cannot be served.</summary>
    internal void Apply(IReadOnlyDictionary<StoreId, BranchState> states)
    {
        foreach ((StoreId id, BranchState state) in states)
        {
            BranchRecord record = _all[id] with { State = state };
            _all[id] = record;
            _living[record.Name] = record;
        }
    }

    internal int OpenableBranches => _living.Count;

    /// <summary>
    /// Closes every store of this database and stops serving. The registry closes stores by itself at the end.
    /// </summary>
    internal async Task CloseAsync(bool markClean)
    {
        _closed = true;
        await _catalogTurn.WaitAsync().ConfigureAwait(false);
        try
        {
            _catalog.Dispose();
            if (markClean)
            {
                _files.WriteIdentity(_document with { CleanShutdown = true });
                _disk.Reach(CrashPoint.ShutdownMarked);
            }
        }
        catch (StorageException e)
        {
            // The mark only saves work at the next start, which then looks at everything.
            _logger.CleanEndNotRecorded(Name, e);
        }
        finally
        {
            _catalogTurn.Release();
        }
    }

    internal static BranchSize Measure(string directory, CancellationToken cancellationToken)
    {
        long total = 0, unique = 0;
        int files = 0;
        try
        {
            foreach (string file in System.IO.Directory.EnumerateFiles(directory))
            {
                cancellationToken.ThrowIfCancellationRequested();
                FileStatus status;
                try
                {
                    status = LocalFiles.GetStatus(file);
                }
                catch (LocalFileException) when (!File.Exists(file))
                {
                    continue; // Compacted away since it was listed.
                }

                files++;
                total += status.Bytes;
                unique += status.LinkCount == 1 ? status.Bytes : 0;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Measuring", directory, e);
        }

        return new BranchSize(total, total - unique, unique, files);
    }

    /// <summary>
    /// The mark inside the store's directory decides whose data these are (rule C6.6 of the crash matrix).
    /// </summary>
    private void CheckMark(BranchRecord record)
    {
        string directory = _files.StoreOf(record.Id);
        if (!System.IO.Directory.Exists(directory))
        {
            // A deletion may have taken it away since the record was read.
            ThrowIfNotServed(GetBranch(record.Name));
            throw Missing(record);
        }

        BranchRecord mark = StoreMarker.Read(directory, Id);
        if (mark.Id != record.Id || mark.ParentId != record.ParentId)
        {
            _living.TryUpdate(record.Name, record with { State = BranchState.Damaged }, record);
            throw Damaged(record);
        }
    }

    private void ThrowIfNotServed(BranchRecord record)
    {
        switch (record.State)
        {
            case BranchState.Deleting or BranchState.Deleted:
                throw new StorageException(
                    FailureKind.BeingDeleted, $"{LabelOf(record.Name)} is being deleted: it takes no new work.");
            case BranchState.Missing:
                throw Missing(record);
            case BranchState.Damaged:
                throw Damaged(record);
            case BranchState.Lost:
                throw Lost(record);
            default:
                break;
        }
    }

    private StorageException Missing(BranchRecord record) => new(
        FailureKind.MissingStore,
        $"The store {record.Id} of {LabelOf(record.Name)} is not at '{_files.StoreOf(record.Id)}'. Nothing was " +
        "created in " +
        "its place: put the directory back and restart, or delete the branch.");

    private StorageException Lost(BranchRecord record) => new(
        FailureKind.BranchLost,
        $"{LabelOf(record.Name)} was lost with its node: " + (record.Durability == BranchDurability.Ephemeral
            ? "it was ephemeral."
            : "no snapshot of it had reached shared storage.") +
        $" It was made of '{record.ParentName}' at sequence {record.BranchSequence} on {record.CreatedAt:u} by " +
        $"'{record.CreatedBy}'. Delete it, and create it again from its parent.");

    private StorageException Damaged(BranchRecord record) => new(
        FailureKind.Corruption,
        $"The mark of store {record.Id} and the catalog disagree on {LabelOf(record.Name)}. It is not served: " +
        "put its own " +
        $"{StoreMarker.FileName} back and restart, or delete the branch.");

    private string LabelOf(BranchName name) => $"branch '{name}' of database '{Name}'";

    private StoreSlot SlotOf(BranchRecord record) => _registry.SlotOf(
        record.Id, _files.StoreOf(record.Id), LabelOf(record.Name), _guard, ProgressOf(record.Id),
        StoreTuning.FromLabels(record.Labels), store => OpenChangeLog(record.Id, store),
        new StoreOwner(Name.Value, record.Name.Value));

    private void ThrowIfClosed()
    {
        if (_end is { } end)
        {
            throw new StorageException(end.Kind, end.Message, end);
        }

        if (_sharing is not null && Tenure is null)
        {
            throw NotOwned();
        }

        if (_closed)
        {
            throw new StorageException(
                FailureKind.Closed, $"Database '{Name}' ({Id}) is closed or dropped: get it again from the data root.");
        }
    }
}
