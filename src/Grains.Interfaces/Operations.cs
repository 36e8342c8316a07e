using Orleans.Concurrency;

namespace Branching.Grains;

/// <summary>What a long-running operation does. The numbers travel and are never reused.</summary>
public enum OperationKind
{
    /// <summary>Takes snapshots.</summary>
    Take = 0,

    /// <summary>Verifies a snapshot.</summary>
    Verify = 1,

    /// <summary>Copies a snapshot to other shared storage.</summary>
    Copy = 2,

    /// <summary>Restores a snapshot, or says what restoring it would do.</summary>
    Restore = 3,

    /// <summary>Deletes what no snapshot needs any more.</summary>
    Collect = 4,

    /// <summary>Moves a database to another node.</summary>
    Move = 5,

    /// <summary>Moves all databases of a node to others.</summary>
    Drain = 6,

    /// <summary>Makes a backup.</summary>
    BackUp = 20,

    /// <summary>Verifies a backup.</summary>
    VerifyBackup = 21,

    /// <summary>Restores a backup, or says what restoring it would do.</summary>
    RestoreBackup = 22,

    /// <summary>Makes a backup of a stream.</summary>
    ImportBackup = 23,
}

/// <summary>How far an operation is. The numbers travel and are never reused.</summary>
public enum OperationState
{
    /// <summary>It is under way.</summary>
    Running = 0,

    /// <summary>It did what was asked.</summary>
    Succeeded = 1,

    /// <summary>It failed; what it was asked for is as it was before, unless its message says otherwise.</summary>
    Failed = 2,

    /// <summary>It was cancelled before its commit point.</summary>
    Cancelled = 3,
}

/// <summary>How far an operation is, in what can be counted. Totals are 0 while they are not known.</summary>
/// <param name="Phase">What it does now, for people: "checkpoint", "sending", "publishing"…</param>
/// <param name="FilesDone">Files done.</param>
/// <param name="FilesTotal">Files to do.</param>
/// <param name="BytesDone">Bytes done, those included that were there already.</param>
/// <param name="BytesTotal">Bytes to do.</param>
/// <param name="BytesPerSecond">Over the last seconds.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.operation-progress")]
public readonly record struct OperationProgress(
    [property: Id(0)] string Phase,
    [property: Id(1)] int FilesDone,
    [property: Id(2)] int FilesTotal,
    [property: Id(3)] long BytesDone,
    [property: Id(4)] long BytesTotal,
    [property: Id(5)] double BytesPerSecond);

/// <summary>A long-running operation.</summary>
/// <param name="OperationId">Its name, good at the grain that answered it.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Target">What it does it to, for people: a database, a branch, a snapshot or a node.</param>
/// <param name="State">How far it is.</param>
/// <param name="Progress">How far it is, in what can be counted.</param>
/// <param name="StartedAt">UTC.</param>
/// <param name="FinishedAt">UTC; null while it runs.</param>
/// <param name="Failure">What kind of failure ended it; null when none did.</param>
/// <param name="Message">Why it failed and what to do, or what is worth knowing of its success.</param>
/// <param name="Taken">Answer of <see cref="OperationKind.Take"/>: one entry for each branch.</param>
/// <param name="Verified">Answer of <see cref="OperationKind.Verify"/>.</param>
/// <param name="Copied">Answer of <see cref="OperationKind.Copy"/>.</param>
/// <param name="Restored">Answer of <see cref="OperationKind.Restore"/>.</param>
/// <param name="Collected">Answer of <see cref="OperationKind.Collect"/>.</param>
/// <param name="Moved">Answer of <see cref="OperationKind.Move"/> and <see cref="OperationKind.Drain"/>: one entry for
/// each database.</param>
/// <param name="Backup">Answer of the operations on backups.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.operation-description")]
public sealed record OperationDescription(
    [property: Id(0)] string OperationId,
    [property: Id(1)] OperationKind Kind,
    [property: Id(2)] string Target,
    [property: Id(3)] OperationState State,
    [property: Id(4)] OperationProgress Progress,
    [property: Id(5)] DateTimeOffset StartedAt,
    [property: Id(6)] DateTimeOffset? FinishedAt = null,
    [property: Id(7)] FailureKind? Failure = null,
    [property: Id(8)] string? Message = null,
    [property: Id(9)] IReadOnlyList<TakenSnapshot>? Taken = null,
    [property: Id(10)] VerificationOutcome? Verified = null,
    [property: Id(11)] CopyOutcome? Copied = null,
    [property: Id(12)] RestoreOutcome? Restored = null,
    [property: Id(13)] CollectionOutcome? Collected = null,
    [property: Id(14)] IReadOnlyList<MoveOutcome>? Moved = null,
    [property: Id(15)] BackupOutcome? Backup = null);

/// <summary>
/// Long-running operations: started by one call, watched and cancelled by others, so that no call lasts longer than
/// the response timeout.
/// </summary>
/// <remarks>
/// Operations live in memory: the last 100 finished ones are remembered, and none outlives its grain. One that cannot
/// be found may have ended with its node; whether it did its work shows in what it should have changed.
/// </remarks>
[Alias("branching.IOperationsGrain")]
public interface IOperationsGrain : IGrainWithStringKey
{
    /// <summary>How far an operation is.</summary>
    /// <param name="operationId">As it was answered by the call that started it.</param>
    /// <param name="waitAtMost">Answers as soon as the operation has ended, at the latest after this long. At most
    /// 20 s; zero answers at once.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidArgument"/>: there is no such
    /// operation.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("get-operation")]
    ValueTask<OperationDescription> GetOperationAsync(
        string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default);

    /// <summary>Asks an operation to stop. It ends as cancelled when it has not passed its commit point.</summary>
    /// <returns>The operation as it is now; it may still run.</returns>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("cancel-operation")]
    ValueTask<OperationDescription> CancelOperationAsync(
        string operationId, CancellationToken cancellationToken = default);

    /// <summary>The operations that run and the last finished ones, newest first.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list-operations")]
    ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(CancellationToken cancellationToken = default);
}
