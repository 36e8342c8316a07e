namespace Branching.Grains;

/// <summary>Whether a database serves. The numbers travel and are never reused.</summary>
public enum DatabaseState
{
    /// <summary>Its owner serves reads and writes.</summary>
    Serving = 0,

    /// <summary>On shared storage, owned by no node; the first call brings it up.</summary>
    AtRest = 1,

    /// <summary>A node is taking it over.</summary>
    TakingOver = 2,

    /// <summary>It could not be brought up; its problem says why.</summary>
    Failed = 3,

    /// <summary>It failed over too often; nobody tries again until a caller or a person asks for it.</summary>
    Held = 4,

    /// <summary>Its node does not answer.</summary>
    Unreachable = 5,

    /// <summary>It is being moved to another node by plan.</summary>
    Moving = 6,
}

/// <summary>What of a database is not on shared storage.</summary>
/// <param name="Sequences">Acknowledged sequence numbers, over all durable branches.</param>
/// <param name="Age">How long the oldest of them has been waiting.</param>
/// <param name="BranchesNeverTaken">Durable branches of which no snapshot has arrived yet.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.database-lag")]
public readonly record struct DatabaseLag(
    [property: Id(0)] ulong Sequences,
    [property: Id(1)] TimeSpan Age,
    [property: Id(2)] int BranchesNeverTaken);

/// <summary>How far a failover is. The numbers travel and are never reused.</summary>
public enum FailoverState
{
    /// <summary>A node is taking the database over.</summary>
    Running = 0,

    /// <summary>It serves again.</summary>
    Done = 1,

    /// <summary>The last try failed; another one is due.</summary>
    Failed = 2,

    /// <summary>Given up after too many tries.</summary>
    Held = 3,
}

/// <summary>One failover of one database.</summary>
/// <param name="FailoverId">Its name.</param>
/// <param name="Database">The database's name.</param>
/// <param name="FromNode">The node that died; empty when nobody knows.</param>
/// <param name="ToNode">The node that took over, or tries to; null: none yet.</param>
/// <param name="FromEpoch">The tenure that ended.</param>
/// <param name="ToEpoch">The tenure that followed; 0: none yet.</param>
/// <param name="State">How far it is.</param>
/// <param name="Attempts">Tries so far.</param>
/// <param name="DetectedAt">When membership said that the node is dead, UTC.</param>
/// <param name="FencedAt">When the next epoch was claimed, so that the former owner could do no harm.</param>
/// <param name="RestoredAt">When its files were in place.</param>
/// <param name="ServingAt">When it served.</param>
/// <param name="LastSequence">The main store's sequence number that was recovered.</param>
/// <param name="Branches">Branches recovered, the main store among them.</param>
/// <param name="LostBranches">Durable branches of which no snapshot had arrived.</param>
/// <param name="UnsnapshottedSequences">Acknowledged sequence numbers that had not arrived on shared storage when they
/// were last counted; null: not known.</param>
/// <param name="UnsnapshottedAge">How old the oldest of them was then.</param>
/// <param name="Problem">Why the last try failed.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.failover-record")]
public sealed record FailoverRecord(
    [property: Id(0)] string FailoverId,
    [property: Id(1)] string Database,
    [property: Id(2)] string FromNode,
    [property: Id(3)] string? ToNode,
    [property: Id(4)] ulong FromEpoch,
    [property: Id(5)] ulong ToEpoch,
    [property: Id(6)] FailoverState State,
    [property: Id(7)] int Attempts,
    [property: Id(8)] DateTimeOffset DetectedAt,
    [property: Id(9)] DateTimeOffset? FencedAt = null,
    [property: Id(10)] DateTimeOffset? RestoredAt = null,
    [property: Id(11)] DateTimeOffset? ServingAt = null,
    [property: Id(12)] ulong LastSequence = 0,
    [property: Id(13)] int Branches = 0,
    [property: Id(14)] IReadOnlyList<string>? LostBranches = null,
    [property: Id(15)] ulong? UnsnapshottedSequences = null,
    [property: Id(16)] TimeSpan? UnsnapshottedAge = null,
    [property: Id(17)] string? Problem = null);

/// <summary>What a planned move of one database came to.</summary>
/// <param name="Database">The database's name.</param>
/// <param name="FromNode">Where it was.</param>
/// <param name="ToNode">Where it is now; where it was when the move failed.</param>
/// <param name="Succeeded">Whether it moved.</param>
/// <param name="WritePause">How long writes were refused: from the pause on the one node until the other
/// served.</param>
/// <param name="Duration">From the beginning of the move to its end.</param>
/// <param name="SentBytes">Bytes sent to shared storage.</param>
/// <param name="Epoch">The tenure of the owner it has now.</param>
/// <param name="Sequence">The main store's sequence number when it was handed over.</param>
/// <param name="LeftBehind">Ephemeral branches, which do not move.</param>
/// <param name="Problem">Why it did not move; null when it did.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.move-outcome")]
public sealed record MoveOutcome(
    [property: Id(0)] string Database,
    [property: Id(1)] string FromNode,
    [property: Id(2)] string ToNode,
    [property: Id(3)] bool Succeeded,
    [property: Id(4)] TimeSpan WritePause,
    [property: Id(5)] TimeSpan Duration,
    [property: Id(6)] long SentBytes,
    [property: Id(7)] ulong Epoch,
    [property: Id(8)] ulong Sequence,
    [property: Id(9)] IReadOnlyList<string> LeftBehind,
    [property: Id(10)] string? Problem = null);

/// <summary>What a node's disk says of a database.</summary>
/// <param name="Holds">The node has a directory of it.</param>
/// <param name="Epoch">The tenure that its local store belongs to, or that it gave up; 0 without one.</param>
/// <param name="Owned">It serves the database now, with a tenure that has not ended.</param>
/// <param name="DatabaseId">Identity of what it holds; null without one.</param>
/// <param name="TakingOver">It is bringing the database up now.</param>
/// <param name="Databases">How many databases the node holds.</param>
/// <param name="GivenTo">Name of the node that it gave the database up for a moment ago; null when it did not.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.database-holding")]
public readonly record struct DatabaseHolding(
    [property: Id(0)] bool Holds,
    [property: Id(1)] ulong Epoch,
    [property: Id(2)] bool Owned,
    [property: Id(3)] string? DatabaseId = null,
    [property: Id(4)] bool TakingOver = false,
    [property: Id(5)] int Databases = 0,
    [property: Id(6)] string? GivenTo = null);

/// <summary>Asks a node to own a database.</summary>
/// <param name="Database">The database's name.</param>
/// <param name="Reason">Why, for the log: "failover", "move"…</param>
/// <param name="AttemptId">A name for this very try: asking again with it asks how far it is.</param>
/// <param name="WaitAtMost">Answers when it ended, at the latest after this long. At most 20 s.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.take-database-request")]
public sealed record TakeDatabaseRequest(
    [property: Id(0)] string Database,
    [property: Id(1)] string Reason,
    [property: Id(2)] string AttemptId,
    [property: Id(3)] TimeSpan WaitAtMost = default);

/// <summary>How far a node is with owning a database.</summary>
/// <param name="State">Whether it owns it.</param>
/// <param name="Phase">What it does now, for people: "waiting for the lease", "restoring"…</param>
/// <param name="Epoch">The tenure, once claimed.</param>
/// <param name="FencedAt">When it was claimed, UTC.</param>
/// <param name="RestoredAt">When its files were in place.</param>
/// <param name="ServingAt">When it served.</param>
/// <param name="Sequence">The main store's sequence number.</param>
/// <param name="Branches">Branches that serve, the main store among them.</param>
/// <param name="LostBranches">Durable branches of which no snapshot had arrived.</param>
/// <param name="BytesDone">Bytes fetched.</param>
/// <param name="BytesTotal">Bytes to fetch.</param>
/// <param name="Failure">What kind of failure ended it.</param>
/// <param name="IsTransient">Whether another try may succeed.</param>
/// <param name="Problem">Why it failed.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.takeover-status")]
public sealed record TakeoverStatus(
    [property: Id(0)] OperationState State,
    [property: Id(1)] string Phase,
    [property: Id(2)] ulong Epoch = 0,
    [property: Id(3)] DateTimeOffset? FencedAt = null,
    [property: Id(4)] DateTimeOffset? RestoredAt = null,
    [property: Id(5)] DateTimeOffset? ServingAt = null,
    [property: Id(6)] ulong Sequence = 0,
    [property: Id(7)] int Branches = 0,
    [property: Id(8)] IReadOnlyList<string>? LostBranches = null,
    [property: Id(9)] long BytesDone = 0,
    [property: Id(10)] long BytesTotal = 0,
    [property: Id(11)] FailureKind? Failure = null,
    [property: Id(12)] bool IsTransient = false,
    [property: Id(13)] string? Problem = null);

/// <summary>Asks a node to give a database up by plan.</summary>
/// <param name="Database">The database's name.</param>
/// <param name="MoveId">A name for this very move: asking again with it asks how far it is.</param>
/// <param name="Target">The node that will take it, for the log.</param>
/// <param name="WaitAtMost">Answers when it ended, at the latest after this long. At most 20 s.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.release-database-request")]
public sealed record ReleaseDatabaseRequest(
    [property: Id(0)] string Database,
    [property: Id(1)] string MoveId,
    [property: Id(2)] string Target,
    [property: Id(3)] TimeSpan WaitAtMost = default);

/// <summary>How far a node is with giving a database up.</summary>
/// <param name="State">Succeeded: released, another node may take it. Failed or cancelled: it serves here as
/// before.</param>
/// <param name="Phase">What it does now, for people.</param>
/// <param name="PausedFor">How long writes have been refused so far.</param>
/// <param name="SentBytes">Bytes sent to shared storage.</param>
/// <param name="Epoch">The tenure that ends.</param>
/// <param name="Sequence">The main store's sequence number in the final snapshot.</param>
/// <param name="LeftBehind">Ephemeral branches, which do not move.</param>
/// <param name="Failure">What kind of failure ended it.</param>
/// <param name="Problem">Why it failed.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.release-status")]
public sealed record ReleaseStatus(
    [property: Id(0)] OperationState State,
    [property: Id(1)] string Phase,
    [property: Id(2)] TimeSpan PausedFor,
    [property: Id(3)] long SentBytes,
    [property: Id(4)] ulong Epoch,
    [property: Id(5)] ulong Sequence,
    [property: Id(6)] IReadOnlyList<string> LeftBehind,
    [property: Id(7)] FailureKind? Failure = null,
    [property: Id(8)] string? Problem = null);

/// <summary>A store that was set aside whole.</summary>
/// <param name="Database">The database it belonged to.</param>
/// <param name="Path">Where it is on the node's disk. The program never deletes it by itself.</param>
/// <param name="QuarantinedAt">UTC.</param>
/// <param name="Reason">Why.</param>
/// <param name="Epoch">The tenure it belonged to; 0: not known.</param>
/// <param name="QuarantineId">What it is called by on its node.</param>
/// <param name="From">Where it was: below the data root a whole database, below its database anything else.</param>
/// <param name="Bytes">Length of its files.</param>
/// <param name="FreedBytes">Disk space that its deletion frees; what branches share stays.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.quarantine-description")]
public sealed record QuarantineDescription(
    [property: Id(0)] string Database,
    [property: Id(1)] string Path,
    [property: Id(2)] DateTimeOffset QuarantinedAt,
    [property: Id(3)] string Reason,
    [property: Id(4)] ulong Epoch,
    [property: Id(5)] string QuarantineId = "",
    [property: Id(6)] string From = "",
    [property: Id(7)] long Bytes = 0,
    [property: Id(8)] long FreedBytes = 0);
