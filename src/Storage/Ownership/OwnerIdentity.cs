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
/// <param name="Dropped">Whether the newest claim is the drop of the database: nobody can own it any more.</param>
/// <param name="Entered">The newest epoch whose owner had a complete copy and may have changed it; 0 when none had.
/// Later ones were claimed, but their owners failed before, or are still restoring.</param>
/// <param name="EnteredBy">Its owner, whose copy holds all that was acknowledged.</param>
public sealed record OwnershipStatus(
    Epoch Newest,
    OwnerIdentity? Owner,
    bool Released,
    DateTimeOffset? ClaimedAt,
    bool Dropped = false,
    Epoch Entered = default,
    OwnerIdentity? EnteredBy = null)
{
    /// <summary>Whose copy holds most: who entered last, else who claimed last.</summary>
    public OwnerIdentity? Holder => EnteredBy ?? Owner;

    /// <summary>The epoch that a current copy is of, to be recorded with a new intent: an intent that came true is what
    /// tells so, and the new one takes its place.</summary>
    /// <param name="copy">The epoch that the copy is recorded as being of.</param>
    internal Epoch EpochOfCurrent(Epoch copy) => new(Math.Max(copy.Value, Entered.Value));

    /// <summary>Whether a copy holds all that was acknowledged, so that it may go on in a new epoch.</summary>
    /// <param name="copy">The epoch that the copy is of; 0 for one that was never served under a tenure.</param>
    /// <param name="intent">The claim that its node recorded it was about to make.</param>
    /// <param name="nodeId">The identity of the copy's data root.</param>
    internal bool IsCurrent(Epoch copy, ClaimIntent? intent, string nodeId)
    {
        if (Newest.Value == 0 || (Owner?.NodeId == nodeId && copy == Newest))
        {
            return true; // Only reserved for this very copy; or made for the newest epoch.
        }

        if (Entered.Value == 0)
        {
            return copy.Value == 0;
        }

        // Killed between its entry and the record of its epoch, the owner left the intent only.
        return EnteredBy?.NodeId == nodeId
            && (copy == Entered || (intent?.Epoch == Entered.Value && intent.ProcessId == EnteredBy.ProcessId));
    }
}

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
