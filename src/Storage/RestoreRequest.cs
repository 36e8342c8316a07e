using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>A request to restore a snapshot.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="RequestedBy">Who asks: at most 256 characters, kept in the lineage.</param>
/// <param name="Branch">
/// The branch that it becomes; an existing one is replaced, and its store goes to quarantine. <see langword="null"/>:
/// the branch it is of.
/// </param>
/// <param name="NewDatabase">
/// A new database, of which it becomes the main store; <see langword="null"/>: the database it is of.
/// </param>
/// <param name="DryRun">Only say what would happen.</param>
/// <param name="SnapshotBefore">Whether the branch that is replaced is snapshotted first.</param>
/// <param name="OpenCheck">Whether the restored store is opened on trial before it takes the place.</param>
/// <param name="ReadCheck">Whether that trial also reads every key and value.</param>
/// <param name="Options">
/// Options that the restored store has of its own from now on, by name, over those it had; see
/// <see cref="StoreTuning"/>.
/// </param>
public sealed record RestoreRequest(
    SnapshotId Snapshot,
    string RequestedBy,
    BranchName? Branch = null,
    DatabaseName? NewDatabase = null,
    bool DryRun = false,
    bool SnapshotBefore = true,
    bool OpenCheck = true,
    bool ReadCheck = false,
    IReadOnlyDictionary<string, string>? Options = null);

/// <summary>What a restore did, or would do.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Database">The database it was restored into.</param>
/// <param name="Branch">The branch it became.</param>
/// <param name="Store">The new store; <see langword="null"/> for a dry run.</param>
/// <param name="Sequence">The sequence it goes on from.</param>
/// <param name="Replaced">The store it took the place of; <see langword="null"/>: the branch was not there.</param>
/// <param name="ReplacedSequence">That store's last acknowledged sequence.</param>
/// <param name="Quarantine">Where that store is now; of a dry run the directory that it would be put into;
/// <see langword="null"/>: it had no files.</param>
/// <param name="SnapshotBefore">The snapshot that was taken of it before.</param>
/// <param name="Plan">What was, or has to be, fetched: what several stores share counts for the first.</param>
/// <param name="Done">Whether anything was changed.</param>
/// <param name="Damage">Why the replaced store could not be opened, so that no snapshot of it was taken before;
/// <see langword="null"/>: it could, or was not to be.</param>
public sealed record RestoreReport(
    SnapshotId Snapshot,
    DatabaseName Database,
    BranchName Branch,
    StoreId? Store,
    Sequence Sequence,
    StoreId? Replaced,
    Sequence? ReplacedSequence,
    string? Quarantine,
    SnapshotId? SnapshotBefore,
    RestorePlan Plan,
    bool Done,
    string? Damage = null);

/// <summary><c>restore.json</c>: a restore that takes the place of a branch, from its beginning to its end.</summary>
/// <param name="Format">Number of the format.</param>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Branch">The branch.</param>
/// <param name="Store">The new store; its mark, inside it, is the stamp by which a finished swap is recognised.</param>
/// <param name="Replaces">The store it takes the place of.</param>
/// <param name="IsStaged">Whether the new store is complete, so that the swap may have begun.</param>
/// <param name="Attempts">Starts that tried to finish or undo it.</param>
/// <param name="At">When it began.</param>
/// <param name="By">Who asked.</param>
internal sealed record RestoreIntent(
    int Format, string Snapshot, string Branch, string Store, string Replaces, bool IsStaged, int Attempts,
    DateTimeOffset At, string By)
{
    public const string FileName = "restore.json";
}
