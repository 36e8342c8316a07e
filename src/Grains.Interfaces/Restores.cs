namespace Branching.Grains;

/// <summary>Asks for a restore. Names one snapshot by its id, by time, or the latest of a branch.</summary>
/// <param name="SnapshotId">The snapshot; null: by <see cref="At"/>, or the latest of
/// <see cref="SourceBranch"/>.</param>
/// <param name="At">The newest snapshot taken at or before this time, UTC.</param>
/// <param name="SourceBranch">Branch whose latest snapshot is wanted; null is "main". Ignored with an id.</param>
/// <param name="WholeDatabase">Restores every durable branch as well, each from its newest snapshot: not later than the
/// one named by its id, or than <see cref="At"/>; into a new database together with the lineage.</param>
/// <param name="IntoDatabase">A new database of this name, on the node that answers; null: the same database.</param>
/// <param name="IntoBranch">A branch of this name, new unless <see cref="Replace"/>; null: the branch the snapshot was
/// taken of.</param>
/// <param name="Replace">What stands there now is put into quarantine. Without it, something that exists is
/// refused.</param>
/// <param name="DryRun">Changes nothing and says what would happen.</param>
/// <param name="Verify">Also opens and reads what was restored before it is put in place.</param>
/// <param name="Options">Storage options of the restored store that differ from the node's, by name, over those that
/// were recorded with the branch: BlockCacheBytes, Compression, MaxOpenFilesPerStore, MemtableBytes; the value "node"
/// takes one back. They stay with the branch.</param>
/// <param name="FromDirectory">Other shared storage to restore from, which is only read; null: the node's own. With
/// <see cref="IntoDatabase"/> the database that is asked need not exist here.</param>
/// <param name="RequestedBy">Who asks, for the record. At most 256 characters.</param>
/// <param name="FromDatabase">The database whose snapshot it is; null: the one that is asked.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.restore-request")]
public sealed record RestoreRequest(
    [property: Id(0)] string? SnapshotId = null,
    [property: Id(1)] DateTimeOffset? At = null,
    [property: Id(2)] string? SourceBranch = null,
    [property: Id(3)] bool WholeDatabase = false,
    [property: Id(4)] string? IntoDatabase = null,
    [property: Id(5)] string? IntoBranch = null,
    [property: Id(6)] bool Replace = false,
    [property: Id(7)] bool DryRun = false,
    [property: Id(8)] bool Verify = false,
    [property: Id(9)] IReadOnlyDictionary<string, string>? Options = null,
    [property: Id(10)] string? FromDirectory = null,
    [property: Id(11)] string RequestedBy = "",
    [property: Id(12)] string? FromDatabase = null);

/// <summary>One store that a restore puts in place.</summary>
/// <param name="Branch">Its branch.</param>
/// <param name="SnapshotId">What it is restored from.</param>
/// <param name="Sequence">The sequence number it has then.</param>
/// <param name="FetchedBytes">What is read from shared storage for it.</param>
/// <param name="LinkedBytes">What it shares with another store on the same disk.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.restored-store")]
public sealed record RestoredStore(
    [property: Id(0)] string Branch,
    [property: Id(1)] string SnapshotId,
    [property: Id(2)] ulong Sequence,
    [property: Id(3)] long FetchedBytes,
    [property: Id(4)] long LinkedBytes);

/// <summary>What a restore did, or would do.</summary>
/// <param name="DryRun">Nothing was changed: this is what would be.</param>
/// <param name="Database">The database that was restored into.</param>
/// <param name="Stores">What was put in place.</param>
/// <param name="NeededBytes">Disk space it takes.</param>
/// <param name="FreeBytes">Disk space there is; null when it cannot be told.</param>
/// <param name="Quarantine">Where what stood there before was put, or would be; null: nothing stood there.</param>
/// <param name="Steps">What was done, or would be, in order, for people.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.restore-outcome")]
public sealed record RestoreOutcome(
    [property: Id(0)] bool DryRun,
    [property: Id(1)] string Database,
    [property: Id(2)] IReadOnlyList<RestoredStore> Stores,
    [property: Id(3)] long NeededBytes,
    [property: Id(4)] long? FreeBytes,
    [property: Id(5)] string? Quarantine,
    [property: Id(6)] IReadOnlyList<string> Steps);
