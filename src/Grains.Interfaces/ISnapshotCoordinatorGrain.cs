using Orleans.Concurrency;

namespace Branching.Grains;

/// <summary>
/// The snapshots of one database: takes them by request and by schedule, keeps as many as the policy says, verifies
/// and collects. Key: the database's name. It lives on the node that owns the database.
/// </summary>
/// <remarks>
/// What takes long is an operation (<see cref="IOperationsGrain"/>): the call that starts it answers at once, and
/// <see cref="IOperationsGrain.GetOperationAsync"/> waits for it. One operation that changes snapshots runs at a time;
/// a second one is refused with <see cref="FailureKind.Overloaded"/>. Every method fails with
/// <see cref="FailureKind.NotSupported"/> when the node has no shared storage, with
/// <see cref="FailureKind.SharedStorageUnavailable"/> when that cannot be reached, and with the failures of
/// <see cref="IDatabaseGrain"/> when the database is not there or is owned elsewhere.
/// </remarks>
[Alias("branching.ISnapshotCoordinatorGrain")]
public interface ISnapshotCoordinatorGrain : IOperationsGrain
{
    /// <summary>Starts taking snapshots. They exist when the operation has succeeded.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.BranchNotFound"/>;
    /// <see cref="FailureKind.InvalidArgument"/> for an ephemeral branch; <see cref="FailureKind.Overloaded"/> while
    /// another one runs.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("take")]
    ValueTask<OperationDescription> TakeAsync(
        TakeSnapshotRequest request, CancellationToken cancellationToken = default);

    /// <summary>The snapshots there are, newest first; damaged ones are listed with what is wrong.</summary>
    /// <param name="branch">Only those of this branch; null: of all.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list")]
    ValueTask<IReadOnlyList<SnapshotDescription>> ListAsync(
        string? branch = null, CancellationToken cancellationToken = default);

    /// <summary>Everything that a snapshot's manifest says.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.SnapshotNotFound"/>,
    /// <see cref="FailureKind.SnapshotDamaged"/>, <see cref="FailureKind.FormatTooNew"/>.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("describe")]
    ValueTask<SnapshotDetails> DescribeAsync(string snapshotId, CancellationToken cancellationToken = default);

    /// <summary>Starts verifying a snapshot. An operation that finds damage succeeds with the findings.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.SnapshotNotFound"/>.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("verify")]
    ValueTask<OperationDescription> VerifyAsync(
        string snapshotId,
        VerificationKind kind = VerificationKind.Checksums,
        CancellationToken cancellationToken = default);

    /// <summary>Protects a snapshot from deletion and collection. Durable on return.</summary>
    /// <param name="snapshotId">The snapshot.</param>
    /// <param name="reason">Why: 1 to 1,024 characters.</param>
    /// <param name="createdBy">Who asks. At most 256 characters.</param>
    /// <param name="expiresAt">Until when, UTC; null: until it is removed.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.SnapshotNotFound"/>.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("pin")]
    ValueTask<SnapshotPin> PinAsync(
        string snapshotId,
        string reason,
        string createdBy,
        DateTimeOffset? expiresAt = null,
        CancellationToken cancellationToken = default);

    /// <summary>Removes a pin. Removing one that is not there is no error.</summary>
    /// <param name="pinId">The pin.</param>
    /// <param name="requestedBy">Who asks: whoever set it.</param>
    /// <param name="force">Also a pin that somebody else set.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Whether it was there.</returns>
    /// <exception cref="BranchingException"><see cref="FailureKind.Refused"/>: somebody else set it.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("unpin")]
    ValueTask<bool> UnpinAsync(
        string pinId, string requestedBy, bool force = false, CancellationToken cancellationToken = default);

    /// <summary>Deletes a snapshot; its files go with the next collection. Durable on return.</summary>
    /// <param name="snapshotId">The snapshot.</param>
    /// <param name="force">Also the last one of its branch, or the last one that was verified. Never a pinned
    /// one.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.SnapshotNotFound"/>,
    /// <see cref="FailureKind.Pinned"/>, <see cref="FailureKind.Refused"/> for the last one that was
    /// verified.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("delete")]
    ValueTask DeleteAsync(string snapshotId, bool force = false, CancellationToken cancellationToken = default);

    /// <summary>Starts copying a snapshot to other shared storage, where it can be restored from.</summary>
    /// <param name="snapshotId">The snapshot.</param>
    /// <param name="targetDirectory">A directory that the node can reach.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.SnapshotNotFound"/>.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("copy")]
    ValueTask<OperationDescription> CopyAsync(
        string snapshotId, string targetDirectory, CancellationToken cancellationToken = default);

    /// <summary>Starts restoring. What is restored is staged and verified first and put in place at once.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.SnapshotNotFound"/>,
    /// <see cref="FailureKind.SnapshotDamaged"/>, <see cref="FailureKind.SnapshotIncompatible"/>,
    /// <see cref="FailureKind.BranchExists"/>, <see cref="FailureKind.DatabaseExists"/>,
    /// <see cref="FailureKind.DiskFull"/>. Nothing was changed.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("restore")]
    ValueTask<OperationDescription> RestoreAsync(RestoreRequest request, CancellationToken cancellationToken = default);

    /// <summary>What the snapshots are up to: policy, health, lag.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("status")]
    ValueTask<SnapshotStatus> GetStatusAsync(CancellationToken cancellationToken = default);

    /// <summary>Changes the policy. Durable on return; the next run follows it.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("set-policy")]
    ValueTask<SnapshotPolicy> SetPolicyAsync(SnapshotPolicy policy, CancellationToken cancellationToken = default);

    /// <summary>Starts deleting what retention and the pins do not keep, or says what that would be.</summary>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("collect-garbage")]
    ValueTask<OperationDescription> CollectGarbageAsync(
        bool dryRun = false, CancellationToken cancellationToken = default);

    /// <summary>What was done, newest first; at most the last 100 runs are remembered.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("history")]
    ValueTask<IReadOnlyList<SnapshotRun>> GetHistoryAsync(CancellationToken cancellationToken = default);

    /// <summary>Tells the grain that its node owns the database now, so that it comes to life and keeps the
    /// schedule.</summary>
    /// <remarks>Called by nodes, not by users.</remarks>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("wake")]
    ValueTask WakeAsync(CancellationToken cancellationToken = default);
}
