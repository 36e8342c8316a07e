namespace Branching.Grains;

/// <summary>Asks for a new, empty database.</summary>
/// <param name="CreatedBy">Who asks, for the record. At most 256 characters.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.create-database-request")]
public sealed record CreateDatabaseRequest([property: Id(0)] string CreatedBy);

/// <summary>What a database is and where it lives.</summary>
/// <param name="Name">The database's name.</param>
/// <param name="DatabaseId">Its identity: 32 lower-case hexadecimal digits; another database of the same name has
/// another.</param>
/// <param name="Epoch">The tenure of the present owner.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="CreatedBy">Who created it.</param>
/// <param name="Node">The node that owns it.</param>
/// <param name="Branches">Live branches, the main store included; null: not known.</param>
/// <param name="Sequence">The main store's sequence number; while nobody serves it, that of its newest snapshot; null:
/// not known.</param>
/// <param name="State">Whether it serves.</param>
/// <param name="Lag">What is not on shared storage; null: there is no shared storage, so nothing survives the node; or
/// nobody serves it, so it is not known.</param>
/// <param name="LastSnapshotAt">When the newest snapshot was taken, UTC; null: none yet.</param>
/// <param name="Problem">What is wrong with it and what to do; null when nothing is.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.database-description")]
public sealed record DatabaseDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] string DatabaseId,
    [property: Id(2)] ulong Epoch,
    [property: Id(3)] DateTimeOffset CreatedAt,
    [property: Id(4)] string CreatedBy,
    [property: Id(5)] string Node,
    [property: Id(6)] int? Branches,
    [property: Id(7)] ulong? Sequence,
    [property: Id(8)] DatabaseState State = DatabaseState.Serving,
    [property: Id(9)] DatabaseLag? Lag = null,
    [property: Id(10)] DateTimeOffset? LastSnapshotAt = null,
    [property: Id(11)] string? Problem = null);

/// <summary>Whether a branch survives the loss of its node. The numbers travel and are never reused.</summary>
public enum BranchDurability
{
    /// <summary>Snapshotted to shared storage: restored as its last snapshot held it. Without shared storage nothing
    /// survives the node.</summary>
    Durable = 0,

    /// <summary>Gone with its node.</summary>
    Ephemeral = 1,
}

/// <summary>Asks for a new branch, named by the grain's key.</summary>
/// <param name="Parent">Branch to begin from; "main" is the database's main store.</param>
/// <param name="CreatedBy">Who asks, for the record. At most 256 characters.</param>
/// <param name="Labels">At most 64, names to 128 and values to 1,024 characters.</param>
/// <param name="OperationId">A name for this very request: repeating it with the same id answers the same branch
/// instead of <see cref="FailureKind.BranchExists"/>. Null: none.</param>
/// <param name="Durability">Whether it survives the loss of its node. Null: the node's default, which is
/// durable.</param>
/// <param name="ChangeLog">Whether it keeps a change log from its branch point on. Null: as its parent.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.create-branch-request")]
public sealed record CreateBranchRequest(
    [property: Id(0)] string Parent,
    [property: Id(1)] string CreatedBy,
    [property: Id(2)] IReadOnlyDictionary<string, string>? Labels = null,
    [property: Id(3)] string? OperationId = null,
    [property: Id(4)] BranchDurability? Durability = null,
    [property: Id(5)] bool? ChangeLog = null);

/// <summary>The state of a branch.</summary>
public enum BranchState
{
    /// <summary>Serves reads and writes.</summary>
    Ready = 0,

    /// <summary>Is being removed.</summary>
    Deleting = 1,

    /// <summary>Was removed; kept for the lineage of its children.</summary>
    Deleted = 2,

    /// <summary>The catalog knows it, its directory is gone.</summary>
    Missing = 3,

    /// <summary>Its directory does not match the catalog; it is not served.</summary>
    Damaged = 4,

    /// <summary>Its node was lost before a snapshot of it had arrived; only what the lineage knows is left.</summary>
    Lost = 5,
}

/// <summary>What a branch is and where it came from.</summary>
/// <param name="Database">The database's name.</param>
/// <param name="Name">The branch's name; "main" for the main store.</param>
/// <param name="StoreId">The store's identity: 32 lower-case hexadecimal digits.</param>
/// <param name="Parent">The parent's name at the time of branching; null for the main store.</param>
/// <param name="ParentStoreId">The parent's identity; null for the main store.</param>
/// <param name="BranchSequence">The parent's sequence number that the branch began at.</param>
/// <param name="Depth">Steps from the main store, which has 0.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="CreatedBy">Who created it.</param>
/// <param name="Labels">As given at creation.</param>
/// <param name="State">Whether it serves.</param>
/// <param name="LinkedFiles">Files that creation shared with the parent by hard links.</param>
/// <param name="CopiedFiles">Files that creation copied.</param>
/// <param name="Size">Its size on disk, when it was asked for.</param>
/// <param name="Durability">Whether it survives the loss of its node.</param>
/// <param name="LastSnapshotId">Its newest snapshot; null: none yet, or no shared storage.</param>
/// <param name="LastSnapshotAt">When that was taken, UTC.</param>
/// <param name="LagSequences">Acknowledged sequence numbers that are not on shared storage; null: not counted, as for
/// ephemeral and lost branches.</param>
/// <param name="LagAge">How long the oldest of them has been waiting.</param>
/// <param name="Problem">Why its store could not be opened when that was tried last; null when it could, or when nobody
/// has tried.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.branch-description")]
public sealed record BranchDescription(
    [property: Id(0)] string Database,
    [property: Id(1)] string Name,
    [property: Id(2)] string StoreId,
    [property: Id(3)] string? Parent,
    [property: Id(4)] string? ParentStoreId,
    [property: Id(5)] ulong BranchSequence,
    [property: Id(6)] int Depth,
    [property: Id(7)] DateTimeOffset CreatedAt,
    [property: Id(8)] string CreatedBy,
    [property: Id(9)] IReadOnlyDictionary<string, string> Labels,
    [property: Id(10)] BranchState State,
    [property: Id(11)] int LinkedFiles,
    [property: Id(12)] int CopiedFiles,
    [property: Id(13)] BranchSize? Size = null,
    [property: Id(14)] BranchDurability Durability = BranchDurability.Durable,
    [property: Id(15)] string? LastSnapshotId = null,
    [property: Id(16)] DateTimeOffset? LastSnapshotAt = null,
    [property: Id(17)] ulong? LagSequences = null,
    [property: Id(18)] TimeSpan? LagAge = null,
    [property: Id(19)] string? Problem = null);

/// <summary>The size of a branch's files, in bytes.</summary>
/// <param name="TotalBytes">All its files.</param>
/// <param name="SharedBytes">Files that another store links to as well.</param>
/// <param name="UniqueBytes">Files that only this branch has: what its deletion frees.</param>
/// <param name="Files">How many files.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.branch-size")]
public sealed record BranchSize(
    [property: Id(0)] long TotalBytes,
    [property: Id(1)] long SharedBytes,
    [property: Id(2)] long UniqueBytes,
    [property: Id(3)] int Files);

/// <summary>Figures of one open store.</summary>
/// <param name="Sequence">The last acknowledged sequence number.</param>
/// <param name="EstimatedKeys">RocksDB's estimate over all column families.</param>
/// <param name="MemtableBytes">Memory held by memtables.</param>
/// <param name="TableBytes">Live table files.</param>
/// <param name="Level0Files">Table files in level 0 of the default column family.</param>
/// <param name="PendingCompactionBytes">Estimated bytes compaction still has to rewrite.</param>
/// <param name="OpenIterators">Scans under way.</param>
/// <param name="Writes">Write requests applied since the store was opened.</param>
/// <param name="WriteGroups">Batches those were joined into.</param>
/// <param name="Syncs">Times the write-ahead log was flushed to the disk for them.</param>
/// <param name="Poisoned">Why the store refuses writes; null when it does not.</param>
/// <param name="WrittenBytes">Bytes written to the write-ahead log since the store was opened.</param>
/// <param name="WaitingRequests">Write requests that wait.</param>
/// <param name="LogBytes">Write-ahead log files.</param>
/// <param name="Snapshots">RocksDB snapshots that are held.</param>
/// <param name="OldestSnapshotAt">When the oldest of them was taken, UTC; null: there is none.</param>
/// <param name="WritesStopped">Whether RocksDB has stopped writes until compaction has caught up.</param>
/// <param name="DelayedWriteBytesPerSecond">What RocksDB slows writes down to; 0: it does not.</param>
/// <param name="BackgroundErrors">Errors of flushes and compactions since the store was opened.</param>
/// <param name="Tickers">RocksDB's own counters by name; null without statistics.</param>
/// <param name="BlockCacheBytes">The block cache in use, which all stores of the node share.</param>
/// <param name="Histograms">RocksDB's own histograms, each a text of percentiles, count and sum; null without
/// statistics.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.store-figures")]
public sealed record StoreFigures(
    [property: Id(0)] ulong Sequence,
    [property: Id(1)] long EstimatedKeys,
    [property: Id(2)] long MemtableBytes,
    [property: Id(3)] long TableBytes,
    [property: Id(4)] int Level0Files,
    [property: Id(5)] long PendingCompactionBytes,
    [property: Id(6)] int OpenIterators,
    [property: Id(7)] long Writes,
    [property: Id(8)] long WriteGroups,
    [property: Id(9)] long Syncs,
    [property: Id(10)] string? Poisoned,
    [property: Id(11)] long WrittenBytes = 0,
    [property: Id(12)] int WaitingRequests = 0,
    [property: Id(13)] long LogBytes = 0,
    [property: Id(14)] int Snapshots = 0,
    [property: Id(15)] DateTimeOffset? OldestSnapshotAt = null,
    [property: Id(16)] bool WritesStopped = false,
    [property: Id(17)] long DelayedWriteBytesPerSecond = 0,
    [property: Id(18)] long BackgroundErrors = 0,
    [property: Id(19)] IReadOnlyDictionary<string, long>? Tickers = null,
    [property: Id(20)] long BlockCacheBytes = 0,
    [property: Id(21)] IReadOnlyDictionary<string, string>? Histograms = null);

/// <summary>One node of the cluster.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Address">The silo's address.</param>
/// <param name="DataRoot">Its data root on its own disk.</param>
/// <param name="Databases">Names of the databases whose stores it holds.</param>
/// <param name="OpenStores">Stores open now.</param>
/// <param name="MaxOpenStores">The limit of open stores.</param>
/// <param name="FreeBytes">Free space of the data root's file system.</param>
/// <param name="NativeVersion">RocksDB's version.</param>
/// <param name="NodeId">The data root's identity, which outlives restarts and changes of name.</param>
/// <param name="Owned">Databases that it serves now.</param>
/// <param name="SharedStorage">Where shared storage is; null: there is none, and nothing survives the node.</param>
/// <param name="SharedStorageProblem">Why shared storage cannot be reached; null when it can.</param>
/// <param name="DirtyStore">What it does with a store that it cannot open: "fail", "restore-snapshot" or
/// "fresh".</param>
/// <param name="Quarantined">Stores set aside on its disk.</param>
/// <param name="ProcessId">Identity of the node's process; another one after each start.</param>
/// <param name="StartedAt">When the node started, UTC.</param>
/// <param name="Lag">What of each owned database is not on shared storage; null without shared storage.</param>
/// <param name="Stale">Databases whose copy on its disk belongs to an earlier tenure and that no snapshot holds: not
/// served, and left where they are.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.node-description")]
public sealed record NodeDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] string Address,
    [property: Id(2)] string DataRoot,
    [property: Id(3)] IReadOnlyList<string> Databases,
    [property: Id(4)] int OpenStores,
    [property: Id(5)] int MaxOpenStores,
    [property: Id(6)] long FreeBytes,
    [property: Id(7)] string NativeVersion,
    [property: Id(8)] string NodeId = "",
    [property: Id(9)] IReadOnlyList<string>? Owned = null,
    [property: Id(10)] string? SharedStorage = null,
    [property: Id(11)] string? SharedStorageProblem = null,
    [property: Id(12)] string DirtyStore = "fail",
    [property: Id(13)] int Quarantined = 0,
    [property: Id(14)] string ProcessId = "",
    [property: Id(15)] DateTimeOffset StartedAt = default,
    [property: Id(16)] IReadOnlyDictionary<string, DatabaseLag>? Lag = null,
    [property: Id(17)] IReadOnlyList<string>? Stale = null);
