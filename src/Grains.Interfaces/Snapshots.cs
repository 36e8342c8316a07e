namespace Branching.Grains;

/// <summary>How thoroughly a snapshot is verified.</summary>
public enum VerificationKind
{
    /// <summary>Every file is read and compared with its length and SHA-256.</summary>
    Checksums = 0,

    /// <summary>It is also restored into scratch, opened and read.</summary>
    Opened = 1,
}

/// <summary>Asks for snapshots.</summary>
/// <param name="Branch">"main" for the main store, a branch, or null for the whole database: the main store and all
/// durable branches.</param>
/// <param name="Labels">At most 64, names to 128 and values to 1,024 characters.</param>
/// <param name="Verify">Verifies what was published by its checksums before the answer.</param>
/// <param name="Force">Also when nothing was written since the last snapshot; then that one is answered
/// otherwise.</param>
/// <param name="RemoveSource">Drops the local database after everything was published and verified: it is at rest then,
/// on shared storage alone. Only for the whole database.</param>
/// <param name="MaxBytesPerSecond">Bandwidth limit; null: that of the node's options.</param>
/// <param name="RequestedBy">Who asks, for the record. At most 256 characters.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.take-snapshot-request")]
public sealed record TakeSnapshotRequest(
    [property: Id(0)] string? Branch = null,
    [property: Id(1)] IReadOnlyDictionary<string, string>? Labels = null,
    [property: Id(2)] bool Verify = false,
    [property: Id(3)] bool Force = false,
    [property: Id(4)] bool RemoveSource = false,
    [property: Id(5)] long? MaxBytesPerSecond = null,
    [property: Id(6)] string RequestedBy = "");

/// <summary>What taking a snapshot of one branch came to.</summary>
/// <param name="Branch">The branch's name; "main" for the main store.</param>
/// <param name="SnapshotId">The snapshot; the one before when nothing had changed; null when it failed.</param>
/// <param name="Sequence">The store's sequence number in it.</param>
/// <param name="Unchanged">Nothing was written since the snapshot before, so no new one was made.</param>
/// <param name="Files">Files of the snapshot.</param>
/// <param name="TotalBytes">Their length.</param>
/// <param name="SentFiles">Files that were not on shared storage yet.</param>
/// <param name="SentBytes">Their length.</param>
/// <param name="Problem">Why this branch has no new snapshot; null when it has, or needs none.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.taken-snapshot")]
public sealed record TakenSnapshot(
    [property: Id(0)] string Branch,
    [property: Id(1)] string? SnapshotId,
    [property: Id(2)] ulong Sequence,
    [property: Id(3)] bool Unchanged,
    [property: Id(4)] int Files,
    [property: Id(5)] long TotalBytes,
    [property: Id(6)] int SentFiles,
    [property: Id(7)] long SentBytes,
    [property: Id(8)] string? Problem = null);

/// <summary>A "do not collect" mark on a snapshot.</summary>
/// <param name="PinId">Its name.</param>
/// <param name="SnapshotId">What it protects.</param>
/// <param name="Reason">Why.</param>
/// <param name="CreatedBy">Who set it.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="ExpiresAt">UTC; null: until it is removed.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-pin")]
public sealed record SnapshotPin(
    [property: Id(0)] string PinId,
    [property: Id(1)] string SnapshotId,
    [property: Id(2)] string Reason,
    [property: Id(3)] string CreatedBy,
    [property: Id(4)] DateTimeOffset CreatedAt,
    [property: Id(5)] DateTimeOffset? ExpiresAt = null);

/// <summary>What verifying a snapshot came to.</summary>
/// <param name="SnapshotId">What was verified.</param>
/// <param name="Kind">How.</param>
/// <param name="Good">Whether everything was as it should be.</param>
/// <param name="Findings">What was not, each naming the file; empty when good.</param>
/// <param name="VerifiedAt">UTC.</param>
/// <param name="Bytes">Bytes read.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.verification-outcome")]
public sealed record VerificationOutcome(
    [property: Id(0)] string SnapshotId,
    [property: Id(1)] VerificationKind Kind,
    [property: Id(2)] bool Good,
    [property: Id(3)] IReadOnlyList<string> Findings,
    [property: Id(4)] DateTimeOffset VerifiedAt,
    [property: Id(5)] long Bytes);

/// <summary>One snapshot in a list.</summary>
/// <param name="SnapshotId">Its identity: store id, epoch and number.</param>
/// <param name="Branch">Name of the branch it was taken of; "main" for the main store. Empty when it cannot be
/// read.</param>
/// <param name="StoreId">The store it was taken of.</param>
/// <param name="Epoch">The tenure in which it was taken.</param>
/// <param name="Sequence">The store's sequence number in it.</param>
/// <param name="TakenAt">UTC; null when it cannot be read.</param>
/// <param name="Node">The node that took it.</param>
/// <param name="Files">How many files it has.</param>
/// <param name="TotalBytes">Their length.</param>
/// <param name="SentBytes">What was sent for it; the rest was on shared storage already.</param>
/// <param name="Labels">As given when it was taken.</param>
/// <param name="Pins">What protects it.</param>
/// <param name="Verified">Its last verification; null: none yet.</param>
/// <param name="Problem">Why it cannot be used; null when nothing is known against it.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-description")]
public sealed record SnapshotDescription(
    [property: Id(0)] string SnapshotId,
    [property: Id(1)] string Branch,
    [property: Id(2)] string StoreId,
    [property: Id(3)] ulong Epoch,
    [property: Id(4)] ulong Sequence,
    [property: Id(5)] DateTimeOffset? TakenAt,
    [property: Id(6)] string Node,
    [property: Id(7)] int Files,
    [property: Id(8)] long TotalBytes,
    [property: Id(9)] long SentBytes,
    [property: Id(10)] IReadOnlyDictionary<string, string> Labels,
    [property: Id(11)] IReadOnlyList<SnapshotPin> Pins,
    [property: Id(12)] VerificationOutcome? Verified = null,
    [property: Id(13)] string? Problem = null);

/// <summary>One file of a snapshot.</summary>
/// <param name="Name">Its name in the store.</param>
/// <param name="Role">What it is to RocksDB: "Table", "Log"…</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Digest of its content: 64 lower-case hexadecimal digits.</param>
/// <param name="ObjectName">Its name on shared storage.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-file")]
public sealed record SnapshotFileDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] string Role,
    [property: Id(2)] long Bytes,
    [property: Id(3)] string Sha256,
    [property: Id(4)] string ObjectName);

/// <summary>Everything that a snapshot's manifest says.</summary>
/// <param name="Snapshot">As in a list.</param>
/// <param name="Database">The database's name.</param>
/// <param name="DatabaseId">The database's identity.</param>
/// <param name="Format">The manifest's format number.</param>
/// <param name="Program">The version that wrote it.</param>
/// <param name="RocksDbVersion">The RocksDB that wrote its files.</param>
/// <param name="ParentStoreId">The store that its branch began from; null for the main store.</param>
/// <param name="ParentSequence">The parent's sequence number that the branch began at.</param>
/// <param name="Depth">Steps of its branch from the main store.</param>
/// <param name="Options">What must match where it is restored, as name and value: comparators, merge operators, column
/// families.</param>
/// <param name="FileList">Its files.</param>
/// <param name="ManifestSha256">Digest of the manifest.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-details")]
public sealed record SnapshotDetails(
    [property: Id(0)] SnapshotDescription Snapshot,
    [property: Id(1)] string Database,
    [property: Id(2)] string DatabaseId,
    [property: Id(3)] int Format,
    [property: Id(4)] string Program,
    [property: Id(5)] string RocksDbVersion,
    [property: Id(6)] string? ParentStoreId,
    [property: Id(7)] ulong ParentSequence,
    [property: Id(8)] int Depth,
    [property: Id(9)] IReadOnlyDictionary<string, string> Options,
    [property: Id(10)] IReadOnlyList<SnapshotFileDescription> FileList,
    [property: Id(11)] string ManifestSha256);

/// <summary>What a copy to other shared storage came to. It is not made a second time where it is whole.</summary>
/// <param name="SnapshotId">Its identity there.</param>
/// <param name="Target">Where to.</param>
/// <param name="SentFiles">Files that were not there yet.</param>
/// <param name="SentBytes">Their length.</param>
/// <param name="TotalBytes">Length of all files of the snapshot.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.copy-outcome")]
public sealed record CopyOutcome(
    [property: Id(0)] string SnapshotId,
    [property: Id(1)] string Target,
    [property: Id(2)] int SentFiles,
    [property: Id(3)] long SentBytes,
    [property: Id(4)] long TotalBytes);

/// <summary>What a garbage collection deleted, or would delete.</summary>
/// <param name="DryRun">Nothing was deleted: this is what would be.</param>
/// <param name="Snapshots">Snapshots that retention retires.</param>
/// <param name="Objects">Files that no snapshot needs.</param>
/// <param name="Bytes">Their length.</param>
/// <param name="KeptSnapshots">Snapshots that stay.</param>
/// <param name="KeptBecause">Why files or snapshots stay that could be thought needless; each a sentence.</param>
/// <param name="Stopped">Why nothing was swept; null when it was.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.collection-outcome")]
public sealed record CollectionOutcome(
    [property: Id(0)] bool DryRun,
    [property: Id(1)] IReadOnlyList<string> Snapshots,
    [property: Id(2)] int Objects,
    [property: Id(3)] long Bytes,
    [property: Id(4)] int KeptSnapshots,
    [property: Id(5)] IReadOnlyList<string> KeptBecause,
    [property: Id(6)] string? Stopped = null);
