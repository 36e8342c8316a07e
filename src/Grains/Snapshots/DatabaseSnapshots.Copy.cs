using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <content>Other shared storage: the database has its own epochs there, and this node owns it while it
/// copies.</content>
internal sealed partial class DatabaseSnapshots
{
    private async Task<Tenure> OwnElsewhereAsync(PosixSharedStorage target, CancellationToken cancellationToken)
    {
        if (target.Location == _shared.Location)
        {
            throw new StorageException(
                Storage.FailureKind.InvalidArgument,
                $"'{target.Location}' is the shared storage that the snapshot is on already. Name another directory.");
        }

        await new DatabaseLives(target).ReserveAsync(
            Database.Name, Database.Id, Database.CreatedBy, Database.CreatedAt, cancellationToken);
        DatabaseOwnership ownership = new(
            target, Database.Name, Database.Id, new OwnershipOptions(), _time, _logger);
        await using Claim claim = await ownership.ClaimAsync(_root.Node, new ClaimOptions(), cancellationToken);
        Tenure tenure = await claim.ServeAsync(cancellationToken);
        try
        {
            await tenure.EnterAsync(cancellationToken); // What is copied there makes the copies of nodes there stale.
            return tenure;
        }
        catch
        {
            await tenure.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes the copied branch and its ancestors known there, so that it can be restored with its
    /// lineage.</summary>
    private async Task CopyLineageAsync(
        PosixSharedStorage target, Tenure there, SnapshotManifest manifest, CancellationToken cancellationToken)
    {
        SharedCatalog catalog = new(target, Database.Name, Database.Id, _logger);
        CatalogState known = await catalog.ReadAsync(cancellationToken);
        Dictionary<StoreId, BranchRecord> records =
            Database.ListBranches(includeDeleted: true).ToDictionary(record => record.Id);
        Stack<BranchRecord> missing = new();
        for (StoreId? id = manifest.Id.Store;
            id is { } at && records.TryGetValue(at, out BranchRecord? record) && !known.Branches.ContainsKey(at);)
        {
            missing.Push(record);
            id = record.ParentId;
        }

        while (missing.TryPop(out BranchRecord? record))
        {
            await catalog.AppendAsync(there, new CatalogChange(record), cancellationToken);
        }
    }
}
