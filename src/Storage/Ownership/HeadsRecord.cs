using Branching.Storage.Snapshots;

namespace Branching.Storage.Ownership;

/// <summary>Consecutive snapshots of one store and one epoch.</summary>
/// <param name="Epoch">The epoch that published them.</param>
/// <param name="First">The first number.</param>
/// <param name="Last">The last number.</param>
public readonly record struct SnapshotRange(Epoch Epoch, ulong First, ulong Last);

/// <summary>Changes 1 to <paramref name="Last"/> of the catalog that one epoch made.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="Last">The number of its last change that counts.</param>
public readonly record struct CatalogRange(Epoch Epoch, ulong Last);

/// <summary>What an epoch starts from: all that earlier epochs published and that counts from now on.</summary>
/// <param name="Epoch">The epoch that starts.</param>
/// <param name="Stores">The snapshots of each store, in the order of their publication.</param>
/// <param name="Retired">Snapshots within those ranges that are retired, but not yet cleaned away.</param>
/// <param name="Catalog">The changes of the catalog, oldest first; empty for a new database.</param>
public sealed record HeadsRecord(
    Epoch Epoch,
    IReadOnlyDictionary<StoreId, IReadOnlyList<SnapshotRange>> Stores,
    IReadOnlyList<SnapshotId> Retired,
    IReadOnlyList<CatalogRange> Catalog)
{
    /// <summary>The newest snapshot of a store that the epoch starts from.</summary>
    public SnapshotId? Newest(StoreId store) => throw new NotSupportedException();

    /// <summary>Whether a snapshot of an earlier epoch counts.</summary>
    public bool Lists(SnapshotId id) => throw new NotSupportedException();
}
