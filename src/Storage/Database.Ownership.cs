using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>Serving under a tenure.</content>
public sealed partial class Database
{
    private DurableLineage? _lineage;
    private TenureGuard? _guard;
    private StorageException? _end;
    private volatile bool _serves;

    /// <summary>
    /// Under which this node serves, or served, the database; <see langword="null"/> without shared storage, or for a
    /// copy that was not taken.
    /// </summary>
    public Tenure? Tenure { get; private set; }

    /// <summary>How the database came to be served by this node.</summary>
    public OwnedBy OwnedBy { get; private set; }

    /// <summary>The database's snapshots on shared storage; <see langword="null"/> as <see cref="Tenure"/>.</summary>
    public SnapshotRepository? Repository { get; private set; }

    /// <summary>What takes its snapshots; <see langword="null"/> as <see cref="Tenure"/>.</summary>
    public SnapshotTaker? Taker { get; private set; }

    /// <summary>Whether the loss of this node leaves anything of the database.</summary>
    public bool SurvivesItsNode => _sharing is not null;

    /// <summary>The policies that travel with the database, by key.</summary>
    public IReadOnlyDictionary<string, string> Policies => _lineage?.Policies ?? _noPolicies;

    private static readonly Dictionary<string, string> _noPolicies = new(StringComparer.Ordinal);

    /// <summary>Sets or removes a policy, for every later owner too. Durable on shared storage on return.</summary>
    /// <param name="key"><c>database</c>, or a store id.</param>
    /// <param name="json">Its value; <see langword="null"/> removes it.</param>
    /// <param name="cancellationToken">Ends the waiting; then the outcome is unknown.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.NotSupported"/>: without shared storage there is
    /// nothing that a policy could govern. Otherwise why shared storage did not take it.</exception>
    public async Task SetPolicyAsync(string key, string? json, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        DurableLineage lineage = _lineage ?? throw new StorageException(
            FailureKind.NotSupported,
            $"The policy '{Names.Show(key)}' of database '{Name}' was not set: no shared storage is configured, so " +
            $"there are no snapshots to govern. Set {SharedStorageOptions.Section}:Directory.");
        await lineage.SetPolicyAsync(key, json, cancellationToken).ConfigureAwait(false);
        await WaitForLeaseAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until the database may be answered for: at once, unless its lease could not be renewed in time.
    /// </summary>
    /// <exception cref="StorageException"><see cref="FailureKind.LeaseExpired"/>: not within
    /// <see cref="OwnershipOptions.HoldAnswersFor"/>. <see cref="FailureKind.Fenced"/> or
    /// <see cref="FailureKind.Closed"/>: never again.</exception>
    public Task WaitForLeaseAsync(CancellationToken cancellationToken) =>
        _guard is { } guard ? guard.WaitAsync(cancellationToken) : Task.CompletedTask;

    /// <summary>Takes a snapshot of a branch; see <see cref="SnapshotTaker.TakeAsync"/>.</summary>
    /// <exception cref="StorageException">Also <see cref="FailureKind.NotSupported"/> without shared storage.
    /// </exception>
    public async Task<SnapshotResult> TakeSnapshotAsync(
        BranchName branch, TakeSnapshot request, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        if (Taker is not { } taker || Tenure is not { } tenure)
        {
            throw new StorageException(
                FailureKind.NotSupported,
                $"No snapshot of {LabelOf(branch)} was taken: no shared storage is configured. Set " +
                $"{SharedStorageOptions.Section}:Directory.");
        }

        SnapshotResult result = await taker.TakeAsync(this, branch, tenure, request, progress, cancellationToken)
            .ConfigureAwait(false);
        NoteSnapshot(result.Manifest);
        return result;
    }

    /// <summary>
    /// The snapshots that together hold everything the database has; <see langword="null"/> when something of it is in
    /// none of them. Its stores must take no writes any more.
    /// </summary>
    internal IReadOnlyList<ReleasedStore>? TryListHeldBySnapshots()
    {
        List<ReleasedStore> held = [];
        foreach (BranchRecord record in _living.Values)
        {
            if (record.State == BranchState.Lost)
            {
                continue; // It never had a store here.
            }

            StoreProgress progress = ProgressOf(record.Id);
            if (record is not { State: BranchState.Ready, Durability: BranchDurability.Durable, ChangeLog: null }
                || !progress.WasOpened
                || progress.Measure(_time.GetUtcNow()) is not
                { Sequences: 0, Snapshotted: { } sequence, Snapshot: { } snapshot })
            {
                return null;
            }

            held.Add(new ReleasedStore(snapshot.ToString(), sequence.Value));
        }

        return held;
    }

    /// <summary>Notes that a snapshot of a store exists for everybody.</summary>
    public void NoteSnapshot(SnapshotManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ProgressOf(manifest.Id.Store).NoteSnapshot(manifest.Id, manifest.Sequence, manifest.TakenAt);
    }

    /// <summary>The identity as it is on the disk.</summary>
    internal DatabaseDocument Document => _document;

    /// <summary>Whether this object serves: brought up whole where a tenure is needed, and not closed.</summary>
    internal bool IsServing => !_closed && (_sharing is null || (_serves && _end is null));

    /// <summary>Throws why this object does not serve.</summary>
    internal void ThrowIfNotServing() => ThrowIfClosed();

    /// <summary>Whether it takes no calls any more, for good or while it is being dropped.</summary>
    internal bool IsClosed => _closed;

    internal IReadOnlyCollection<BranchRecord> AllRecords => [.. _all.Values];

    /// <summary>Replaces the identity, durably.</summary>
    internal void SetIdentity(DatabaseDocument document)
    {
        _files.WriteIdentity(document);
        _document = document;
    }

    /// <summary>From here on its stores open and ask the tenure; nobody is given it before it is to serve.</summary>
    internal async Task AttachAsync(OwnedDatabase owned, DurableLineage lineage, OwnedBy how)
    {
        // A call that raced with the end of the former tenure may have left a slot that asks the former guard.
        await CloseStoresAsync().ConfigureAwait(false);
        _guard = new TenureGuard(owned.Tenure, owned.Access.Options.WhenLeaseCannotBeRenewed);
        _lineage = lineage;
        OwnedBy = how;
        Repository = owned.Repository;
        Taker = new SnapshotTaker(owned.Shared, owned.Repository, owned.Access.Snapshots, _time, _logger);
        owned.Tenure.OnRenewal = (name, succeeded) => _registry.Instruments?.Renewed(name, succeeded);
        Tenure = owned.Tenure;
    }

    /// <summary>Serves from now on, for as long as the tenure allows: it was looked at and found whole.</summary>
    internal void Serve() => _serves = true;

    /// <summary>Refuses every call from now on, with the reason; the stores are closed afterwards.</summary>
    internal void End(StorageException cause)
    {
        _end ??= new StorageException(
            cause.Kind, $"Database '{Name}' is no longer served here: {cause.Message}", cause);
        _closed = true;
    }

    /// <summary>Closes the stores of this database and forgets them; answers in flight are refused.</summary>
    internal async Task CloseStoresAsync()
    {
        foreach (StoreId id in _all.Keys)
        {
            if (_registry.TryGet(id, out StoreSlot? slot))
            {
                await slot.CloseForGoodAsync().ConfigureAwait(false);
                _registry.Forget(id);
            }
        }
    }

    private StorageException NotOwned() => new(
        FailureKind.NotOwner,
        $"This node does not own database '{Name}' ({Id}): its local copy is of epoch {_document.Epoch}. " +
        "Take it first.");
}
