using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>What the directory of snapshots holds, judged by the rule of one epoch.</summary>
internal sealed class SnapshotListing
{
    /// <summary>Manifests that count, ordered.</summary>
    public SortedDictionary<SnapshotId, SharedEntry> Valid { get; } = [];

    /// <summary>Snapshots that are retired, with files left to delete.</summary>
    public SortedSet<SnapshotId> Retired { get; } = [];

    /// <summary>Snapshots that the serving owner is about to retire.</summary>
    public HashSet<SnapshotId> Retiring { get; } = [];

    /// <summary>Records of verifications of snapshots that count.</summary>
    public Dictionary<SnapshotId, SharedEntry> Verified { get; } = [];

    /// <summary>Every file, by the snapshot it belongs to.</summary>
    public Dictionary<SnapshotId, List<SnapshotEntry>> Files { get; } = [];

    /// <summary>Full names of entries that this program did not write.</summary>
    public List<string> Unknown { get; } = [];
}

/// <summary>What a file among the snapshots is.</summary>
internal enum SnapshotEntryKind
{
    Manifest,
    Verified,
    Retired,
    Retiring,
}

/// <summary>A file among the snapshots; <paramref name="By"/> is the epoch that wrote a tombstone.</summary>
internal readonly record struct SnapshotEntry(
    SnapshotId Id, SnapshotEntryKind Kind, Epoch By, string FullName, SharedEntry Entry);

/// <summary>Lists snapshots and judges them by the rule of the serving epoch.</summary>
/// <remarks>
/// A manifest counts when the serving epoch published it or found it when it began. A tombstone counts when the
/// serving epoch put it or found it when it began; one that a fenced owner puts later is nothing.
/// </remarks>
internal sealed class SnapshotLister(ISharedStorage shared, DatabasePaths paths, ProtocolRules rules)
{
    private const int AtOnce = 16;

    /// <summary>Lists them.</summary>
    /// <param name="state">What the serving epoch found.</param>
    /// <param name="only">The store whose snapshots are listed; all when absent.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<SnapshotListing> ListAsync(
        EpochState state, StoreId? only, CancellationToken cancellationToken)
    {
        SnapshotListing listing = new();
        List<StoreId> stores = only is { } one
            ? [one]
            : await ListStoresAsync(listing, cancellationToken).ConfigureAwait(false);
        foreach (StoreId[] some in stores.Chunk(AtOnce))
        {
            IReadOnlyList<SharedEntry>[] lists = await Task.WhenAll(
                some.Select(s => shared.ListAsync(paths.SnapshotsOf(s), cancellationToken))).ConfigureAwait(false);
            for (int i = 0; i < some.Length; i++)
            {
                Sort(some[i], lists[i], listing);
            }
        }

        Judge(state, listing);
        return listing;
    }

    private async Task<List<StoreId>> ListStoresAsync(SnapshotListing listing, CancellationToken cancellationToken)
    {
        List<StoreId> stores = [];
        foreach (SharedEntry entry in await shared.ListAsync(paths.Snapshots, cancellationToken).ConfigureAwait(false))
        {
            if (entry.IsDirectory && StoreId.TryParse(entry.Name, out StoreId store))
            {
                stores.Add(store);
            }
            else
            {
                listing.Unknown.Add($"{paths.Snapshots}/{entry.Name}");
            }
        }

        return stores;
    }

    /// <summary>Whether a manifest of this identity counts, apart from tombstones.</summary>
    public bool Counts(EpochState state, SnapshotId id) =>
        !rules.Fence || (id.Epoch == state.Serving && state.Serving.Value > 0) || state.Heads?.Lists(id) == true;

    private void Sort(StoreId store, IReadOnlyList<SharedEntry> entries, SnapshotListing listing)
    {
        foreach (SharedEntry entry in entries)
        {
            string fullName = $"{paths.SnapshotsOf(store)}/{entry.Name}";
            if (entry.IsDirectory
                || !DatabasePaths.TryPair(entry.Name, out ulong epoch, out ulong number, out string rest)
                || KindOf(rest, out Epoch by) is not { } kind)
            {
                listing.Unknown.Add(fullName);
                continue;
            }

            SnapshotId id = new(store, new Epoch(epoch), number);
            if (!listing.Files.TryGetValue(id, out List<SnapshotEntry>? files))
            {
                listing.Files.Add(id, files = []);
            }

            files.Add(new SnapshotEntry(id, kind, by, fullName, entry));
        }
    }

    private static SnapshotEntryKind? KindOf(string rest, out Epoch by)
    {
        const string Retired = ".retired-", Retiring = ".retiring-";
        by = default;
        if (rest == DatabasePaths.Suffix)
        {
            return SnapshotEntryKind.Manifest;
        }

        if (rest == ".verified" + DatabasePaths.Suffix)
        {
            return SnapshotEntryKind.Verified;
        }

        bool isRetired = rest.StartsWith(Retired, StringComparison.Ordinal);
        if ((!isRetired && !rest.StartsWith(Retiring, StringComparison.Ordinal))
            || !rest.EndsWith(DatabasePaths.Suffix, StringComparison.Ordinal))
        {
            return null;
        }

        string digits = rest[(isRetired ? Retired.Length : Retiring.Length)..^DatabasePaths.Suffix.Length];
        ulong epoch;
        bool known = isRetired
            ? DatabasePaths.TryDigits(digits, out epoch)
            : DatabasePaths.TryPair(digits, out epoch, out _, out string none) && none.Length == 0;
        by = new Epoch(epoch);
        return !known ? null : isRetired ? SnapshotEntryKind.Retired : SnapshotEntryKind.Retiring;
    }

    private void Judge(EpochState state, SnapshotListing listing)
    {
        foreach ((SnapshotId id, List<SnapshotEntry> files) in listing.Files)
        {
            bool isRetired = state.Heads?.IsRetired(id) == true
                || files.Any(f => f.Kind == SnapshotEntryKind.Retired && IsOfServing(state, f.By));
            if (isRetired)
            {
                listing.Retired.Add(id);
                continue;
            }

            if (!Counts(state, id) || files.All(f => f.Kind != SnapshotEntryKind.Manifest))
            {
                continue;
            }

            foreach (SnapshotEntry file in files)
            {
                _ = file.Kind switch
                {
                    SnapshotEntryKind.Manifest => listing.Valid.TryAdd(id, file.Entry),
                    SnapshotEntryKind.Verified => listing.Verified.TryAdd(id, file.Entry),
                    SnapshotEntryKind.Retiring when IsOfServing(state, file.By) => listing.Retiring.Add(id),
                    _ => false,
                };
            }
        }
    }

    private bool IsOfServing(EpochState state, Epoch by) => !rules.Fence || by == state.Serving;
}
