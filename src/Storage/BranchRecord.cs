using Branching.Storage.Changes;

namespace Branching.Storage;

/// <summary>A request for a branch.</summary>
/// <param name="Name">The branch's name.</param>
/// <param name="Parent">The branch it begins as a copy of; <see cref="BranchName.Main"/> for the main store.</param>
/// <param name="CreatedBy">Who asks: at most 256 characters, kept in the lineage.</param>
/// <param name="Labels">At most 64 free labels, keys of 1 to 128 and values of at most 1024 characters.</param>
/// <param name="OperationId">
/// The caller's own id of this request, at most 128 characters: a repetition with the same id and parent gets the
/// branch that the first one made.
/// </param>
/// <param name="Durability">
/// Whether it survives its node; <see langword="null"/> means the node's default.
/// </param>
/// <param name="ChangeLog">
/// Whether it keeps a change log from its branch point on; <see langword="null"/> means as its parent, with the same
/// settings.
/// </param>
public sealed record CreateBranch(
    BranchName Name,
    BranchName Parent,
    string CreatedBy,
    IReadOnlyDictionary<string, string>? Labels = null,
    string? OperationId = null,
    BranchDurability? Durability = null,
    bool? ChangeLog = null);

/// <summary>Whether a branch survives the loss of its node. The numbers are stable: they are stored.</summary>
public enum BranchDurability
{
    /// <summary>
    /// Known to shared storage and snapshotted there. Without shared storage nothing survives the node.
    /// </summary>
    Durable = 0,

    /// <summary>Only on its node, and gone with it.</summary>
    Ephemeral = 1,
}

/// <summary>What a branch is at. The numbers are stable: they are stored.</summary>
public enum BranchState
{
    /// <summary>The branch serves.</summary>
    Ready = 0,

    /// <summary>The branch is being deleted; it takes no new work.</summary>
    Deleting = 1,

    /// <summary>The branch is gone; its lineage stays.</summary>
    Deleted = 2,

    /// <summary>
    /// The catalog names the branch, but its store is not on the disk. It is not served and not replaced.
    /// </summary>
    Missing = 3,

    /// <summary>The store's own mark and the catalog disagree. It is not served.</summary>
    Damaged = 4,

    /// <summary>
    /// Shared storage knows the branch, but no snapshot of it had arrived when its node was lost, or it was ephemeral.
    /// It is not served and never replaced by an empty one.
    /// </summary>
    Lost = 5,
}

/// <summary>What the lineage knows of one branch.</summary>
/// <param name="Id">The store's identity: never reused.</param>
/// <param name="Name">The branch's name.</param>
/// <param name="ParentId">The store it began as a checkpoint of; <see langword="null"/> for the main store.</param>
/// <param name="ParentName">The parent's name at that time.</param>
/// <param name="BranchSequence">
/// The parent's last acknowledged sequence when the branch was asked for: the branch holds everything up to it.
/// </param>
/// <param name="Depth">How many branches lie between it and the main store, itself included; the main store has
/// 0.</param>
/// <param name="CreatedAt">When it was created, UTC.</param>
/// <param name="CreatedBy">Who asked for it.</param>
/// <param name="Labels">The caller's labels.</param>
/// <param name="State">What it is at.</param>
/// <param name="LinkedFiles">Files shared with the parent at creation.</param>
/// <param name="CopiedFiles">Files copied at creation.</param>
/// <param name="TotalBytes">Bytes of all files at creation.</param>
/// <param name="DeletedAt">When it was deleted, UTC.</param>
/// <param name="OperationId">The id of the request that made it.</param>
/// <param name="Durability">Whether it survives its node. The main store is always durable.</param>
/// <param name="ChangeLog">How it keeps its change log; <see langword="null"/>: it keeps none.</param>
public sealed record BranchRecord(
    StoreId Id,
    BranchName Name,
    StoreId? ParentId,
    BranchName? ParentName,
    Sequence BranchSequence,
    int Depth,
    DateTimeOffset CreatedAt,
    string CreatedBy,
    IReadOnlyDictionary<string, string> Labels,
    BranchState State,
    int LinkedFiles,
    int CopiedFiles,
    long? TotalBytes = null,
    DateTimeOffset? DeletedAt = null,
    string? OperationId = null,
    BranchDurability Durability = BranchDurability.Durable,
    ChangeLogSettings? ChangeLog = null);

/// <summary>Disk space of a branch.</summary>
/// <param name="TotalBytes">Bytes of all its files.</param>
/// <param name="SharedBytes">Bytes of files that other stores also have.</param>
/// <param name="UniqueBytes">Bytes that its deletion would free.</param>
/// <param name="Files">Number of files.</param>
public sealed record BranchSize(long TotalBytes, long SharedBytes, long UniqueBytes, int Files);
