namespace Branching.Storage.Snapshots;

/// <summary>A manifest that should count and cannot be read.</summary>
/// <param name="Name">Its full name on shared storage.</param>
/// <param name="Id">The snapshot it should be; <see langword="null"/> when the name does not tell.</param>
/// <param name="Kind">Damaged, or written by a newer version.</param>
/// <param name="Reason">What is wrong, for people.</param>
public sealed record DamagedSnapshot(string Name, SnapshotId? Id, FailureKind Kind, string Reason);

/// <summary>Keeps a snapshot from being retired.</summary>
/// <param name="Id">Its name: 1 to 100 of <c>A-Z a-z 0-9 . _ -</c>.</param>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="CreatedBy">Who pinned it; only they release it without force.</param>
/// <param name="At">When.</param>
/// <param name="ExpiresAt">From when on it counts no more; <see langword="null"/> for never.</param>
public sealed record SnapshotPin(
    string Id,
    SnapshotId Snapshot,
    string Reason,
    string CreatedBy,
    DateTimeOffset At,
    DateTimeOffset? ExpiresAt = null);

/// <summary>How thoroughly a snapshot was verified. Stored by name.</summary>
public enum VerificationLevel
{
    /// <summary>Every object's digest was compared.</summary>
    Checksums = 0,

    /// <summary>It was also restored into a scratch directory and opened.</summary>
    Opened = 1,
}

/// <summary>The last verification of a snapshot.</summary>
/// <param name="Level">How thorough.</param>
/// <param name="Passed">Whether all was well.</param>
/// <param name="At">When.</param>
/// <param name="Node">Who verified.</param>
/// <param name="Failure">What was wrong.</param>
public sealed record VerificationResult(
    VerificationLevel Level, bool Passed, DateTimeOffset At, string Node, string? Failure = null);

/// <summary>All snapshots of a database at one moment.</summary>
/// <param name="Epoch">The newest epoch claimed.</param>
/// <param name="Serving">The newest epoch that got as far as to serve; its rule says what counts.</param>
/// <param name="Snapshots">Valid snapshots, by store, then oldest first.</param>
/// <param name="Damaged">Manifests that should count and cannot be read.</param>
/// <param name="Pins">All pins that have not expired.</param>
/// <param name="Verifications">The last verification of each snapshot that has one.</param>
/// <param name="KnownObjects">Objects that valid snapshots name, by digest.</param>
public sealed record SnapshotView(
    Epoch Epoch,
    Epoch Serving,
    IReadOnlyList<SnapshotManifest> Snapshots,
    IReadOnlyList<DamagedSnapshot> Damaged,
    IReadOnlyList<SnapshotPin> Pins,
    IReadOnlyDictionary<SnapshotId, VerificationResult> Verifications,
    IReadOnlyDictionary<string, string> KnownObjects)
{
    /// <summary>The newest valid snapshot of a store.</summary>
    public SnapshotManifest? Newest(StoreId store) => Snapshots.LastOrDefault(s => s.Id.Store == store);
}
