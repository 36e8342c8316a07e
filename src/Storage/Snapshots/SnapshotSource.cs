using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>The snapshots of one database on one shared storage, to restore from; nothing is written there.</summary>
/// <param name="Shared">The shared storage.</param>
/// <param name="Life">The database, as it is known there.</param>
/// <param name="Repository">Its snapshots.</param>
/// <param name="Catalog">Its lineage.</param>
/// <param name="IsForeign">Whether it is another shared storage than the node's own.</param>
public sealed record SnapshotSource(
    ISharedStorage Shared, Life Life, SnapshotRepository Repository, CatalogState Catalog, bool IsForeign)
{
    /// <summary>The database's name there.</summary>
    public DatabaseName Name => Life.Name;

    /// <summary>The options that a store had of its own.</summary>
    internal StoreTuning TuningOf(StoreId store) => Catalog.Branches.TryGetValue(store, out BranchRecord? record)
        ? StoreTuning.FromLabels(record.Labels)
        : new StoreTuning();
}
