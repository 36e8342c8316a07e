namespace Branching.Grains;

/// <summary>When snapshots of a database are taken, kept, verified and collected. Part of the database: it travels with
/// it.</summary>
/// <param name="Every">Time between snapshots of the whole database; null: not by time. At least 1 s. A tenth of it is
/// the jitter that keeps many databases apart.</param>
/// <param name="EveryBytes">A snapshot is also due after so many bytes of writes; null: not by bytes.</param>
/// <param name="KeepLast">The newest snapshots of each branch that stay. At least 1.</param>
/// <param name="KeepHourly">Then the newest of each of so many hours that have one.</param>
/// <param name="KeepDaily">Then the newest of each of so many days (UTC) that have one.</param>
/// <param name="KeepWeekly">Then the newest of each of so many weeks (UTC, from Monday) that have one.</param>
/// <param name="VerifyEvery">Time between verifications of the newest snapshots; null: never by itself.</param>
/// <param name="VerifyKind">How they are verified.</param>
/// <param name="CollectEvery">Time between garbage collections; null: never by itself.</param>
/// <remarks>Never collected, whatever the numbers say: a pinned snapshot, the newest of a branch that lives, and the
/// last one that was verified.</remarks>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-policy")]
public sealed record SnapshotPolicy(
    [property: Id(0)] TimeSpan? Every = null,
    [property: Id(1)] long? EveryBytes = null,
    [property: Id(2)] int KeepLast = 7,
    [property: Id(3)] int KeepHourly = 0,
    [property: Id(4)] int KeepDaily = 0,
    [property: Id(5)] int KeepWeekly = 0,
    [property: Id(6)] TimeSpan? VerifyEvery = null,
    [property: Id(7)] VerificationKind VerifyKind = VerificationKind.Checksums,
    [property: Id(8)] TimeSpan? CollectEvery = null);

/// <summary>What a branch has that shared storage has not.</summary>
/// <param name="Branch">The branch's name; "main" for the main store.</param>
/// <param name="StoreId">The store.</param>
/// <param name="Durability">Whether it is snapshotted at all.</param>
/// <param name="Sequence">The last acknowledged sequence number; as last known when the store is not open.</param>
/// <param name="SnapshotId">Its newest snapshot; null: none has arrived yet.</param>
/// <param name="SnapshotSequence">The sequence number in it; 0 without one.</param>
/// <param name="SnapshotAt">When it was taken, UTC.</param>
/// <param name="Sequences">Acknowledged sequence numbers that are not on shared storage.</param>
/// <param name="Age">How long the oldest of them has been waiting; zero when there is none.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.branch-lag")]
public sealed record BranchLag(
    [property: Id(0)] string Branch,
    [property: Id(1)] string StoreId,
    [property: Id(2)] BranchDurability Durability,
    [property: Id(3)] ulong Sequence,
    [property: Id(4)] string? SnapshotId,
    [property: Id(5)] ulong SnapshotSequence,
    [property: Id(6)] DateTimeOffset? SnapshotAt,
    [property: Id(7)] ulong Sequences,
    [property: Id(8)] TimeSpan Age);

/// <summary>What the snapshots of a database are up to.</summary>
/// <param name="Policy">When they are taken and kept.</param>
/// <param name="IsDefaultPolicy">Nobody set a policy: this is the node's default.</param>
/// <param name="Healthy">Everything is as the policy wants it.</param>
/// <param name="Problems">What is not, each a sentence with what to do: never taken, overdue, failing, damaged.</param>
/// <param name="NextDueAt">When the next one is due, UTC; null: not by time.</param>
/// <param name="LastSuccessAt">When the last run succeeded, UTC.</param>
/// <param name="LastVerifiedAt">When a snapshot was last found good, UTC.</param>
/// <param name="LastCollectedAt">When garbage was last collected, UTC.</param>
/// <param name="ConsecutiveFailures">Runs that failed since one succeeded.</param>
/// <param name="RetryAt">When the next try is due after a failure, UTC.</param>
/// <param name="LastFailure">Why the last failed run failed.</param>
/// <param name="RunningOperationId">The operation under way.</param>
/// <param name="BytesSinceSnapshot">Bytes written since the last snapshot began.</param>
/// <param name="Lag">Each branch that lives.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-status")]
public sealed record SnapshotStatus(
    [property: Id(0)] SnapshotPolicy Policy,
    [property: Id(1)] bool IsDefaultPolicy,
    [property: Id(2)] bool Healthy,
    [property: Id(3)] IReadOnlyList<string> Problems,
    [property: Id(4)] DateTimeOffset? NextDueAt,
    [property: Id(5)] DateTimeOffset? LastSuccessAt,
    [property: Id(6)] DateTimeOffset? LastVerifiedAt,
    [property: Id(7)] DateTimeOffset? LastCollectedAt,
    [property: Id(8)] int ConsecutiveFailures,
    [property: Id(9)] DateTimeOffset? RetryAt,
    [property: Id(10)] string? LastFailure,
    [property: Id(11)] string? RunningOperationId,
    [property: Id(12)] long BytesSinceSnapshot,
    [property: Id(13)] IReadOnlyList<BranchLag> Lag);

/// <summary>One thing the coordinator did.</summary>
/// <param name="Kind">What.</param>
/// <param name="Trigger">Why: "schedule", "bytes", "request", "move", "retry".</param>
/// <param name="StartedAt">UTC.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Bytes">Bytes sent, read or deleted.</param>
/// <param name="State">How it ended.</param>
/// <param name="Message">Why it failed, or what it came to.</param>
/// <param name="Node">Where it ran.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.snapshot-run")]
public sealed record SnapshotRun(
    [property: Id(0)] OperationKind Kind,
    [property: Id(1)] string Trigger,
    [property: Id(2)] DateTimeOffset StartedAt,
    [property: Id(3)] TimeSpan Duration,
    [property: Id(4)] long Bytes,
    [property: Id(5)] OperationState State,
    [property: Id(6)] string? Message,
    [property: Id(7)] string Node);
