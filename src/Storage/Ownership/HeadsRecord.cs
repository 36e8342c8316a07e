using Branching.Storage.Shared;
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
    private HashSet<SnapshotId>? _retired;

    /// <summary>The newest epoch that was entered when this one was claimed; 0 for none. <see langword="null"/>: not
    /// recorded, by a former version.</summary>
    public Epoch? Entered { get; init; }

    /// <summary>The newest snapshot of a store that the epoch starts from.</summary>
    public SnapshotId? Newest(StoreId store)
    {
        if (!Stores.TryGetValue(store, out IReadOnlyList<SnapshotRange>? ranges))
        {
            return null;
        }

        for (int i = ranges.Count - 1; i >= 0; i--)
        {
            for (ulong number = ranges[i].Last; number >= ranges[i].First; number--)
            {
                SnapshotId id = new(store, ranges[i].Epoch, number);
                if (!IsRetired(id))
                {
                    return id;
                }
            }
        }

        return null;
    }

    /// <summary>Whether a snapshot of an earlier epoch counts.</summary>
    public bool Lists(SnapshotId id) =>
        Stores.TryGetValue(id.Store, out IReadOnlyList<SnapshotRange>? ranges)
        && ranges.Any(r => r.Epoch == id.Epoch && r.First <= id.Number && id.Number <= r.Last)
        && !IsRetired(id);

    /// <summary>Whether it was retired when the epoch began.</summary>
    internal bool IsRetired(SnapshotId id) => (_retired ??= [.. Retired]).Contains(id);
}

/// <summary>Between heads and what is stored of them.</summary>
internal static class HeadsMapping
{
    public static HeadsRecord ToRecord(this HeadsDocument document) => new(
        new Epoch(document.Epoch),
        document.Stores.ToDictionary(
            s => StoreId.Parse(s.Key),
            s => (IReadOnlyList<SnapshotRange>)
                [.. s.Value.Select(r => new SnapshotRange(new Epoch(r.Epoch), r.First, r.Last))]),
        [.. document.Retired.Select(SnapshotId.Parse)],
        [.. document.Catalog.Select(r => new CatalogRange(new Epoch(r.Epoch), r.Last))])
    {
        Entered = document.Entered is { } entered ? new Epoch(entered) : null,
    };

    public static HeadsDocument ToDocument(this HeadsRecord heads) => new(
        Formats.Shared,
        heads.Epoch.Value,
        new SortedDictionary<string, List<SnapshotRangeDocument>>(
            heads.Stores.ToDictionary(
                s => s.Key.ToString(),
                s => s.Value.Select(r => new SnapshotRangeDocument(r.Epoch.Value, r.First, r.Last)).ToList(),
                StringComparer.Ordinal),
            StringComparer.Ordinal),
        [.. heads.Retired.Select(id => id.ToString())],
        [.. heads.Catalog.Select(r => new CatalogRangeDocument(r.Epoch.Value, r.Last))],
        heads.Entered?.Value);
}
