using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Storage;

/// <summary>What a node does when its store is damaged at the moment it is to be served.</summary>
public enum DirtyStorePolicy
{
    /// <summary>The database is not served; the error says what is wrong. The default.</summary>
    Fail = 0,

    /// <summary>The whole local database goes to quarantine and its newest snapshots are restored.</summary>
    RestoreSnapshot = 1,

    /// <summary>The whole local database goes to quarantine and an empty one begins in its place.</summary>
    Fresh = 2,
}

/// <summary>What an owner does when its lease runs out because shared storage cannot be reached.</summary>
public enum LeaseLoss
{
    /// <summary>
    /// Reads and writes are refused until the lease is renewed: another node may own the database by then. The default.
    /// </summary>
    Stop = 0,

    /// <summary>
    /// Reads and writes go on until a later epoch is seen. Until then two nodes may both answer, and what this one
    /// acknowledged meanwhile is set aside in quarantine when the other took over.
    /// </summary>
    ContinueUnfenced = 1,
}

/// <summary>How a node uses shared storage. Without a directory nothing survives the node.</summary>
public sealed class SharedStorageOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:SharedStorage";

    /// <summary>
    /// Directory that every node can reach; created when absent. Default: none, and then nothing survives the node.
    /// </summary>
    [MinLength(1)]
    public string? Directory { get; set; }

    /// <summary>The node's name in messages and in the records of its tenures. Default: made of the data root's id.
    /// </summary>
    [StringLength(256)]
    public string NodeName { get; set; } = "";

    /// <summary>
    /// What an owner does when it cannot renew its lease at all. Default: <see cref="LeaseLoss.Stop"/>.
    /// </summary>
    public LeaseLoss WhenLeaseCannotBeRenewed { get; set; } = LeaseLoss.Stop;

    /// <summary>
    /// What is done with a local database that is damaged. Default: <see cref="DirtyStorePolicy.Fail"/>. RocksDB's own
    /// recovery always comes first.
    /// </summary>
    public DirtyStorePolicy DirtyStore { get; set; } = DirtyStorePolicy.Fail;

    /// <summary>
    /// What a branch is when its request does not say. Default: <see cref="BranchDurability.Durable"/>.
    /// </summary>
    public BranchDurability DefaultDurability { get; set; } = BranchDurability.Durable;

    /// <summary>
    /// Serve databases that were on shared storage although no directory is given. Default: no, since another node may
    /// own them.
    /// </summary>
    public bool ServeDetached { get; set; }

    /// <summary>
    /// Use the directory although it is not the shared storage that this data root used before. Default: no, since it
    /// may be the empty mount point of a file system that is not mounted. Set it for one start.
    /// </summary>
    public bool AcceptOther { get; set; }

    /// <summary>
    /// Put databases there that were shared before, but that this shared storage does not know: after it was replaced,
    /// with <see cref="AcceptOther"/>. Default: no. Set it for one start; <see cref="OwnRequest"/> can ask for it once.
    /// </summary>
    public bool AcceptUnknown { get; set; }

    /// <summary>
    /// Restore an earlier snapshot where the newest one is damaged: what was written between them is lost then.
    /// Default: no. See <see cref="OwnRequest"/>, which can ask for it once.
    /// </summary>
    public bool AcceptOlderSnapshots { get; set; }

    /// <summary>
    /// Refuse a directory without the mark that the first node puts there. Default: no; set it where nodes start anew
    /// on shared storage that exists, so that a new one, too, finds out when its file system is not mounted.
    /// </summary>
    public bool RequireMark { get; set; }

    /// <summary>
    /// Put nothing on shared storage that only looking does not need: a database that is not there is served as one of
    /// this node alone, and the data root is bound to the directory only when it takes a database from it. Default: no;
    /// listings and dry runs of the command line set it.
    /// </summary>
    public bool LookOnly { get; set; }

    /// <summary>
    /// Starts at which an interrupted restore is taken up again; then the database waits for a person. Default: 5.
    /// </summary>
    [Range(1, 1000)]
    public int MaxRestoreAttempts { get; set; } = 5;
}

/// <summary>Checks each field of <see cref="SharedStorageOptions"/>.</summary>
[OptionsValidator]
public sealed partial class SharedStorageOptionsValidator : IValidateOptions<SharedStorageOptions>;

/// <summary>Checks the fields of <see cref="SharedStorageOptions"/> against each other.</summary>
public sealed class SharedStorageOptionsRules : IValidateOptions<SharedStorageOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, SharedStorageOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        List<string> failures = [];
        if (options.Directory is null && options.DirtyStore == DirtyStorePolicy.RestoreSnapshot)
        {
            failures.Add("DirtyStore is RestoreSnapshot, but Directory names no shared storage to restore from.");
        }

        if (!Enum.IsDefined(options.DirtyStore) || !Enum.IsDefined(options.WhenLeaseCannotBeRenewed)
            || !Enum.IsDefined(options.DefaultDurability))
        {
            failures.Add("DirtyStore, WhenLeaseCannotBeRenewed or DefaultDurability is not one of its names.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
