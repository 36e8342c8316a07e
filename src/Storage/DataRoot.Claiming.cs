using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>Whether a claim could come to serve at all.</content>
public sealed partial class DataRoot
{
    /// <summary>
    /// Refuses what cannot be restored, before the claim: a claim would make the former owner's copy stale, which then
    /// is the only one, and serve nobody.
    /// </summary>
    /// <remarks>Only the main store is looked at, and only its newest snapshot: everything else is found by the
    /// restore, and costs a branch at most.</remarks>
    private async Task ThrowIfNothingToRestoreAsync(
        ISharedStorage shared, Life life, OwnRequest request, OwnershipStatus before,
        CancellationToken cancellationToken)
    {
        CatalogState state = await new SharedCatalog(shared, life.Name, life.Id, _logger)
            .ReadAsync(cancellationToken).ConfigureAwait(false);
        BranchRecord? main = state.Branches.Values.Where(r => r.Name.IsMain && r.State != BranchState.Deleted)
            .MaxBy(r => r.Id);
        if (main is null)
        {
            if (IsUnfinishedCreationHere(before, life.Name))
            {
                return; // Taking it ends it.
            }

            throw NothingButTheName(life, before);
        }

        SnapshotRepository repository = new(shared, life.Name, life.Id, _time, _logger);
        (SnapshotManifest? newest, DamagedSnapshot? damaged) = await repository
            .LookAtNewestAsync(main.Id, cancellationToken).ConfigureAwait(false);
        if (newest is null && damaged is null && !main.Labels.ContainsKey(Database.RestoredFromLabel))
        {
            throw StoreStaging.NothingArrived(shared, before.Holder);
        }

        if (damaged is not null && !request.AcceptOlderSnapshots)
        {
            throw new StorageException(
                damaged.Kind,
                $"the newest snapshot of its main store, '{damaged.Name}', cannot be used: {damaged.Reason} Set " +
                $"{SharedStorageOptions.Section}:AcceptOlderSnapshots to use the newest good one: what was written " +
                "after it is lost then.");
        }
    }

    /// <summary>
    /// Whether a creation on this very node was killed before its answer. Otherwise another node may still hold the
    /// only copy, put there a moment before it died.
    /// </summary>
    private bool IsUnfinishedCreationHere(OwnershipStatus before, DatabaseName name) =>
        before.Owner?.NodeId == NodeId && TryReadDocument(name) is null;

    private static StorageException NothingButTheName(Life life, OwnershipStatus before) => new(
        FailureKind.NothingToRestore,
        $"shared storage holds its name ({life.Id}, by '{life.CreatedBy}', {life.CreatedAt:u}) and nothing else. " +
        "Start " + (before.Holder is { } owner ? $"node '{owner.NodeName}'" : "the node that was putting it there") +
        " again, which may hold it, or drop it.");
}
