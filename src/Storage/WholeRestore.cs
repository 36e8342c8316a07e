using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>Which branches a database had at the time of a snapshot, and what each is restored from.</summary>
/// <param name="Stores">Branches with a snapshot that is not later, the main store first.</param>
/// <param name="Lost">Durable branches that were there and of which no snapshot had arrived by then.</param>
/// <param name="Ephemeral">Branches that were there and are never snapshotted: they are left out.</param>
/// <param name="Ancestors">Branches that were not there any more, from which others descend.</param>
public sealed record WholeRestore(
    IReadOnlyList<(BranchRecord Record, SnapshotManifest Snapshot)> Stores,
    IReadOnlyList<BranchRecord> Lost,
    IReadOnlyList<BranchRecord> Ephemeral,
    IReadOnlyList<BranchRecord> Ancestors)
{
    /// <summary>Chooses for each branch its newest snapshot until a time.</summary>
    /// <param name="catalog">The lineage.</param>
    /// <param name="view">The snapshots.</param>
    /// <param name="named">The snapshot that its own branch is restored from.</param>
    /// <param name="until">The time; <see langword="null"/>: that of the named one.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotNotFound"/>: there is none of the main store.
    /// </exception>
    public static WholeRestore Choose(
        CatalogState catalog, SnapshotView view, SnapshotManifest named, DateTimeOffset? until = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(named);
        DateTimeOffset end = until ?? named.TakenAt;
        List<(BranchRecord, SnapshotManifest)> stores = [];
        List<BranchRecord> lost = [], ephemeral = [];
        foreach (BranchRecord record in Present(catalog, named, end))
        {
            SnapshotManifest? snapshot = record.Id == named.Id.Store
                ? named
                : view.Snapshots.Where(one => one.Id.Store == record.Id && one.TakenAt <= end)
                    .MaxBy(one => one.TakenAt);
            if (snapshot is not null)
            {
                stores.Add((record, snapshot));
            }
            else if (record.State != BranchState.Deleted || record.Name.IsMain)
            {
                (record.Durability == BranchDurability.Ephemeral ? ephemeral : lost).Add(record);
            }
        }

        return stores.Count > 0 && stores[0].Item1.Name.IsMain
            ? new WholeRestore(stores, lost, ephemeral, AncestorsOf(catalog, [.. stores.Select(s => s.Item1), .. lost]))
            : throw new StorageException(
                FailureKind.SnapshotNotFound,
                $"There is no snapshot of the main store of database '{named.DatabaseName}' until " +
                $"{end:u}, and a database is not restored without it.");
    }

    /// <summary>Branches that were there at the time, the nearest to the main store first; of two that had one name,
    /// the later.</summary>
    private static IEnumerable<BranchRecord> Present(
        CatalogState catalog, SnapshotManifest named, DateTimeOffset end) =>
        catalog.Branches.Values
            .Where(record => record.Id == named.Id.Store || (record.CreatedAt <= end
                && (record.State != BranchState.Deleted || record.DeletedAt > end)))
            .GroupBy(record => record.Name)
            .Select(same => same.FirstOrDefault(record => record.Id == named.Id.Store) ?? same.MaxBy(r => r.Id)!)
            .OrderBy(record => record.Depth).ThenBy(record => record.Id);

    private static List<BranchRecord> AncestorsOf(CatalogState catalog, IReadOnlyList<BranchRecord> records)
    {
        HashSet<StoreId> seen = [.. records.Select(record => record.Id)];
        List<BranchRecord> ancestors = [];
        foreach (BranchRecord record in records)
        {
            for (StoreId? id = record.ParentId; id is { } parent && seen.Add(parent)
                && catalog.Branches.TryGetValue(parent, out BranchRecord? ancestor);)
            {
                ancestors.Add(ancestor);
                id = ancestor.ParentId;
            }
        }

        return ancestors;
    }
}

/// <summary>What a restore of a whole database did, or would do.</summary>
/// <param name="Stores">Its stores, the main store first.</param>
/// <param name="Plan">What had, or has, to be fetched for all of them together.</param>
/// <param name="Left">What of the database is not in the new one, and why, a sentence each.</param>
public sealed record WholeRestoreReport(
    IReadOnlyList<RestoreReport> Stores, RestorePlan Plan, IReadOnlyList<string> Left);
