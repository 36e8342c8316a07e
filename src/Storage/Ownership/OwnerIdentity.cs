namespace Branching.Storage.Ownership;

/// <summary>Who owns a database.</summary>
/// <param name="NodeName">The node's name, for people.</param>
/// <param name="NodeId">The identity of the node's data root: it survives restarts.</param>
/// <param name="ProcessId">The identity of the process: never the same twice.</param>
public sealed record OwnerIdentity(string NodeName, string NodeId, string ProcessId);

/// <summary>What shared storage says about the ownership of a database.</summary>
/// <param name="Newest">The newest epoch claimed; 0 when there was none.</param>
/// <param name="Owner">Who claimed it.</param>
/// <param name="Released">Whether its owner gave it up.</param>
/// <param name="ClaimedAt">When it was claimed, by the claimant's clock.</param>
/// <param name="HasHeads">Whether it got as far as to serve.</param>
/// <param name="Dropped">Whether the newest claim is the drop of the database: nobody can own it any more.</param>
public sealed record OwnershipStatus(
    Epoch Newest, OwnerIdentity? Owner, bool Released, DateTimeOffset? ClaimedAt, bool HasHeads, bool Dropped = false);

/// <summary>How a database is claimed.</summary>
/// <param name="FormerOwnerIsThisNode">
/// The caller holds the lock of the data root whose identity claimed the newest epoch, so that process is dead: its
/// lease need not be waited for.
/// </param>
/// <param name="WaitForLease">
/// <see langword="true"/>: claim only when the former owner released its lease or was seen not to renew it; a renewed
/// lease is <see cref="FailureKind.NotOwner"/>. <see langword="false"/>: take it from a living owner, which is fenced;
/// <see cref="Claim.ServeAsync"/> then waits until it cannot answer any more.
/// </param>
/// <param name="BeforeClaim">Called with the epoch that is about to be claimed, to record the intention.</param>
public sealed record ClaimOptions(
    bool FormerOwnerIsThisNode = false,
    bool WaitForLease = true,
    Func<Epoch, CancellationToken, Task>? BeforeClaim = null);
