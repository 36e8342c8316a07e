using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Ownership;

/// <summary>Finds what a new epoch starts from, after it was claimed.</summary>
/// <remarks>
/// Whatever was acknowledged before the claim is there: an acknowledgment follows a look that saw no claim. What a
/// fenced owner puts later may be listed or not; it was not acknowledged, and the record decides once for all.
/// </remarks>
internal sealed class HeadsReader(
    ISharedStorage shared, DatabasePaths paths, EpochReader epochs, ProtocolRules rules)
{
    public async Task<HeadsRecord> ReadAsync(Epoch next, CancellationToken cancellationToken)
    {
        EpochState state = await epochs.ReadAsync(cancellationToken).ConfigureAwait(false);
        if (state.Newest > next)
        {
            throw new StorageException(
                FailureKind.Fenced,
                $"Epoch {next} of database '{paths.Name}' was claimed here, and epoch {state.Newest} elsewhere " +
                "since: another node is taking it over. Ask again.");
        }

        SnapshotListing listing = await new SnapshotLister(shared, paths, rules)
            .ListAsync(state, only: null, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<CatalogRange> catalog =
            await new CatalogReader(shared, paths).SettleAsync(state, cancellationToken).ConfigureAwait(false);

        // A retired snapshot stays within its range and is named apart, until its manifest is gone.
        List<SnapshotId> retired = [.. listing.Retired.Where(id => HasManifest(listing, id))];
        Dictionary<StoreId, IReadOnlyList<SnapshotRange>> stores = [];
        foreach (IGrouping<StoreId, SnapshotId> store in listing.Valid.Keys.Concat(retired).GroupBy(id => id.Store))
        {
            stores.Add(store.Key, RangesOf(store.Order()));
        }

        return new HeadsRecord(next, stores, retired, catalog);
    }

    private static bool HasManifest(SnapshotListing listing, SnapshotId id) =>
        listing.Files[id].Exists(f => f.Kind == SnapshotEntryKind.Manifest);

    private static List<SnapshotRange> RangesOf(IEnumerable<SnapshotId> ordered)
    {
        List<SnapshotRange> ranges = [];
        foreach (SnapshotId id in ordered)
        {
            if (ranges.Count > 0 && ranges[^1].Epoch == id.Epoch && ranges[^1].Last + 1 == id.Number)
            {
                ranges[^1] = ranges[^1] with { Last = id.Number };
            }
            else
            {
                ranges.Add(new SnapshotRange(id.Epoch, id.Number, id.Number));
            }
        }

        return ranges;
    }
}
