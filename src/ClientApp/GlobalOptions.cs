using System.CommandLine;
using Branching.ClientApp.Commands;

namespace Branching.ClientApp;

/// <summary>
/// The options that every command of one tree takes. Options belong to one tree: a symbol knows its parents, so what
/// several trees shared would keep all of them alive.
/// </summary>
internal sealed class GlobalOptions
{
    public const string DataName = "--data";

    public const string ClusterName = "--cluster";

    public const string SharedStorageName = "--shared-storage";

    public const string BackupsName = "--backups";

    public const string JsonName = "--json";

    public const string DataVariable = "BRANCHING_DATA";

    public const string SharedStorageVariable = "BRANCHING_SHARED_STORAGE";

    public const string BackupsVariable = "BRANCHING_BACKUPS";

    public const string DefaultDataRoot = "./branching-data";

    public Option<string?> Data { get; } = new(DataName)
    {
        Description = $"Directory of the databases. Default: {DefaultDataRoot}, or {DataVariable} in the environment.",
        HelpName = "DIR",
        Recursive = true,
        Validators = { Expected.NotBlank },
    };

    public Option<string?> Cluster { get; } = new(ClusterName)
    {
        Description = "Talk to a running cluster instead: a node's address, as in 127.0.0.1:30000, or the cluster's "
            + "shared directory.",
        HelpName = "ADDRESS",
        Recursive = true,
        Validators = { Expected.NotBlank },
    };

    public Option<string?> SharedStorage { get; } = new(SharedStorageName)
    {
        Description = "Directory for snapshots that every node can reach; without it nothing survives the node. "
            + $"Default: {SharedStorageVariable} in the environment, else none. A cluster's servers have their own.",
        HelpName = "DIR",
        Recursive = true,
        Validators = { Expected.NotBlank },
    };

    public Option<string?> Backups { get; } = new(BackupsName)
    {
        Description = $"Directory of backups. Default: {BackupsVariable} in the environment, else none. A cluster's "
            + "servers have their own.",
        HelpName = "DIR",
        Recursive = true,
        Validators = { Expected.NotBlank },
    };

    public Option<string?> DirtyStore { get; } = CreateDirtyStore();

    public Option<bool> AcceptOlderSnapshots { get; } = new("--accept-older-snapshots")
    {
        Description = "Restore an earlier snapshot where the newest is damaged; what was written between them is lost. "
            + "A cluster's servers have their own.",
        Recursive = true,
    };

    public Option<bool> Json { get; } = new(JsonName)
    {
        Description = "Answer in JSON; failures too, on standard error.",
        Recursive = true,
    };

    public Option<bool> Quiet { get; } = new("--quiet", "-q")
    {
        Description = "No progress and no notes on standard error.",
        Recursive = true,
    };

    /// <summary>Those that say where and how it works; a shell keeps its own as long as it is open.</summary>
    public IReadOnlyList<Option> Place =>
        [Data, SharedStorage, Backups, Cluster, DirtyStore, AcceptOlderSnapshots];

    /// <summary>All of them, in the order of the help.</summary>
    public IReadOnlyList<Option> All => [.. Place, Json, Quiet];

    /// <summary>Those of the tree that a command line was read with.</summary>
    public static GlobalOptions Of(ParseResult parsed) => ((BranchingCommand)parsed.RootCommandResult.Command).Globals;

    /// <summary>The options that are settings of the node: as <c>serve</c> and an embedded node read them.</summary>
    public static IEnumerable<KeyValuePair<string, string>> SettingsOf(ParseResult parsed)
    {
        GlobalOptions own = Of(parsed);
        if (parsed.GetValue(own.DirtyStore) is { } policy)
        {
            yield return new(Sessions.DirtyStore, policy.Replace("-", "", StringComparison.Ordinal));
        }

        if (parsed.GetValue(own.AcceptOlderSnapshots))
        {
            yield return new(Sessions.AcceptOlderSnapshots, bool.TrueString);
        }
    }

    private static Option<string?> CreateDirtyStore()
    {
        Option<string?> option = new("--dirty-store")
        {
            Description = "What is done when the local copy is damaged: fail (the default), restore-snapshot or fresh; "
                + "the last two set it aside. A cluster's servers have their own.",
            HelpName = "POLICY",
            Recursive = true,
        };
        return option.AcceptOnlyFromAmong("fail", "restore-snapshot", "fresh");
    }
}

/// <summary>The command that all others are below.</summary>
internal sealed class BranchingCommand : RootCommand
{
    public BranchingCommand()
        : base("A branching key-value database: give every application its own writable copy.")
    {
        foreach (Option option in Globals.All)
        {
            Options.Add(option);
        }
    }

    public GlobalOptions Globals { get; } = new();
}
