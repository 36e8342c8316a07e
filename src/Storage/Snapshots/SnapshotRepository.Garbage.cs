using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>Collection of garbage.</summary>
/// <remarks>
/// <para>
/// Alone in this process: no publication decides meanwhile that an object need not be sent. In other processes nobody
/// relies on what is deleted here, even if the deletion comes late: a later owner relies on objects of snapshots that
/// this epoch left behind, whose objects were marked here, and on its own, whose names are new.
/// </para>
/// <para>
/// The tenure is confirmed after the marking and before each batch: a tombstone or a manifest that the marking saw is
/// then seen by every later owner too.
/// </para>
/// <para>
/// A tombstone goes last, and only after the tenure was confirmed once more: whoever claims the database afterwards
/// does not see the manifest that it buried, and whoever did before keeps it. So a second run finds nothing to do.
/// </para>
/// </remarks>
public sealed partial class SnapshotRepository
{
    private const int Batch = 64;
    private static readonly TimeSpan _defaultGrace = TimeSpan.FromHours(1);

    /// <summary>Deletes what no valid snapshot needs; waits for running publications.</summary>
    public async Task<GarbageReport> CollectAsync(
        Tenure tenure, GarbageOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        ArgumentNullException.ThrowIfNull(options);
        using IDisposable alone = await tenure.Publications.AloneAsync(cancellationToken).ConfigureAwait(false);
        using IDisposable retiring =
            await tenure.Memory.Retiring.AloneAsync(cancellationToken).ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        (string marker, DateTimeOffset now) = await MarkBeginAsync(tenure, cancellationToken).ConfigureAwait(false);
        (SnapshotView view, EpochState state, SnapshotListing listing) =
            await ReadAllAsync(cancellationToken).ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        Collection collection = new(tenure, options.DryRun, now - (options.Grace ?? _defaultGrace));
        await CollectSnapshotsAsync(collection, state, listing, cancellationToken).ConfigureAwait(false);
        collection.Disabled = ReasonToStay(view, listing);
        if (collection.Disabled is { } reason)
        {
            _logger.SweepDisabled(_paths.Name, reason);
        }
        else
        {
            await SweepAsync(collection, view, cancellationToken).ConfigureAwait(false);
        }

        await CollectTombstonesAsync(collection, cancellationToken).ConfigureAwait(false);
        await _shared.DeleteAsync(marker, cancellationToken).ConfigureAwait(false);
        collection.Unknown.AddRange(listing.Unknown);
        _logger.Collected(_paths.Name, collection.Deleted.Count, collection.DeletedBytes, collection.Kept);
        return new GarbageReport(
            options.DryRun, collection.Kept, collection.KeptYoung, collection.Deleted, collection.DeletedBytes,
            collection.Disabled, collection.Unknown);
    }

    /// <summary>What cannot be read may need any object.</summary>
    private static string? ReasonToStay(SnapshotView view, SnapshotListing listing) =>
        view.Damaged.Count > 0
            ? $"{view.Damaged.Count} documents cannot be read, the first is '{view.Damaged[0].Name}': " +
                view.Damaged[0].Reason
            : listing.Unknown.Count > 0
                ? $"{listing.Unknown.Count} entries among the snapshots are not of this program, the first is " +
                    $"'{listing.Unknown[0]}': move them away"
                : null;

    /// <summary>Learns the time by the storage's own clock, by which the ages of objects are told.</summary>
    private async Task<(string Marker, DateTimeOffset Now)> MarkBeginAsync(
        Tenure tenure, CancellationToken cancellationToken)
    {
        string own = $"{DatabasePaths.Digits(tenure.Epoch.Value)}-{DatabasePaths.Digits(tenure.NextObjectNumber())}"
            + DatabasePaths.Suffix;
        CollectionDocument document = new(Formats.Shared, tenure.Epoch.Value, _time.GetUtcNow());
        await _shared.PutIfAbsentAsync(
            $"{_paths.Collections}/{own}",
            SealedDocument.Seal(document, SharedDocuments.Default.CollectionDocument),
            cancellationToken).ConfigureAwait(false);
        DateTimeOffset? now = null;
        foreach (SharedEntry entry in await _shared.ListAsync(_paths.Collections, cancellationToken)
            .ConfigureAwait(false))
        {
            if (entry.Name == own)
            {
                now = entry.ModifiedAt;
            }
            else if (DatabasePaths.TryPair(entry.Name, out ulong epoch, out _, out _) && epoch <= tenure.Epoch.Value)
            {
                // Of a collection that was interrupted, or of a fenced owner: nobody needs it.
                await _shared.DeleteAsync($"{_paths.Collections}/{entry.Name}", cancellationToken)
                    .ConfigureAwait(false);
            }
        }

        return ($"{_paths.Collections}/{own}", now ?? throw new StorageException(
            FailureKind.SharedStorageUnavailable,
            $"Shared storage '{_shared.Location}' does not list '{own}', which was just put. Nothing was collected."));
    }

    /// <summary>Finishes retirements, and deletes what fenced owners put too late.</summary>
    private async Task CollectSnapshotsAsync(
        Collection collection, EpochState state, SnapshotListing listing, CancellationToken cancellationToken)
    {
        foreach ((SnapshotId id, List<SnapshotEntry> files) in listing.Files.OrderBy(f => f.Key))
        {
            if (id.Epoch > collection.Tenure.Epoch || state.Serving != collection.Tenure.Epoch)
            {
                continue;
            }

            if (listing.Retired.Contains(id))
            {
                await CollectRetiredAsync(collection, id, files, cancellationToken).ConfigureAwait(false);
                continue;
            }

            bool isValid = listing.Valid.ContainsKey(id);
            foreach (SnapshotEntry file in files)
            {
                bool isDead = isValid
                    ? file.Kind is SnapshotEntryKind.Retired or SnapshotEntryKind.Retiring
                        && file.By < collection.Tenure.Epoch
                    : file.By < collection.Tenure.Epoch;
                if (isDead)
                {
                    await DeleteAsync(collection, file.FullName, 0, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task CollectRetiredAsync(
        Collection collection, SnapshotId id, List<SnapshotEntry> files, CancellationToken cancellationToken)
    {
        _known.TryRemove(id, out _);
        foreach (SnapshotEntry file in files.Where(f => f.Kind != SnapshotEntryKind.Retired))
        {
            await DeleteAsync(collection, file.FullName, 0, cancellationToken).ConfigureAwait(false);
        }

        // Not before a late manifest can have arrived.
        collection.Tombstones.AddRange(files
            .Where(f => f.Kind == SnapshotEntryKind.Retired && f.Entry.ModifiedAt <= collection.Before)
            .Select(f => f.FullName));
    }

    private async Task CollectTombstonesAsync(Collection collection, CancellationToken cancellationToken)
    {
        collection.SinceConfirmed = 0;
        foreach (string tombstone in collection.Tombstones)
        {
            await DeleteAsync(collection, tombstone, 0, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task SweepAsync(Collection collection, SnapshotView view, CancellationToken cancellationToken)
    {
        HashSet<string> needed = view.Snapshots.SelectMany(s => s.Files).Select(f => f.ObjectName)
            .ToHashSet(StringComparer.Ordinal);
        foreach (SharedEntry directory in await _shared.ListAsync(_paths.Objects, cancellationToken)
            .ConfigureAwait(false))
        {
            string place = $"{_paths.Objects}/{directory.Name}";
            foreach (SharedEntry entry in await _shared.ListAsync(place, cancellationToken).ConfigureAwait(false))
            {
                string name = $"objects/{directory.Name}/{entry.Name}";
                if (needed.Contains(name))
                {
                    collection.Kept++;
                }
                else if (EpochOf(entry.Name) is not { } epoch)
                {
                    collection.Unknown.Add($"{place}/{entry.Name}");
                }
                else if (epoch > collection.Tenure.Epoch || entry.ModifiedAt > collection.Before)
                {
                    collection.KeptYoung++;
                }
                else
                {
                    // Forgotten before it is deleted: whatever becomes of the deletion, nobody relies on it again.
                    if (!collection.DryRun)
                    {
                        collection.Tenure.Memory.Remove(name);
                    }

                    await DeleteAsync(collection, $"{place}/{entry.Name}", entry.Bytes, cancellationToken)
                        .ConfigureAwait(false);
                }
            }
        }
    }

    private async Task DeleteAsync(
        Collection collection, string fullName, long bytes, CancellationToken cancellationToken)
    {
        if (!collection.DryRun)
        {
            if (collection.SinceConfirmed++ % Batch == 0)
            {
                await collection.Tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
            }

            await _shared.DeleteAsync(fullName, cancellationToken).ConfigureAwait(false);
        }

        collection.Deleted.Add(fullName);
        collection.DeletedBytes += bytes;
    }

    /// <summary>The epoch in <c>&lt;digest&gt;.&lt;epoch&gt;-&lt;number&gt;</c>.</summary>
    private static Epoch? EpochOf(string name)
    {
        const int DigestLength = 64;
        int dash = name.IndexOf('-', StringComparison.Ordinal);
        return name.Length > DigestLength && name[DigestLength] == '.' && dash > DigestLength
            && ulong.TryParse(name.AsSpan(DigestLength + 1, dash - DigestLength - 1), out ulong epoch)
            && ulong.TryParse(name.AsSpan(dash + 1), out _)
                ? new Epoch(epoch)
                : null;
    }

    private sealed class Collection(Tenure tenure, bool dryRun, DateTimeOffset before)
    {
        public Tenure Tenure { get; } = tenure;

        public bool DryRun { get; } = dryRun;

        public DateTimeOffset Before { get; } = before;

        public List<string> Deleted { get; } = [];

        public List<string> Unknown { get; } = [];

        /// <summary>Tombstones whose manifests are gone, old enough to follow them.</summary>
        public List<string> Tombstones { get; } = [];

        public long DeletedBytes { get; set; }

        public int Kept { get; set; }

        public int KeptYoung { get; set; }

        public int SinceConfirmed { get; set; }

        public string? Disabled { get; set; }
    }
}
