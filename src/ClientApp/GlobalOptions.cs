using System.CommandLine;

namespace Branching.ClientApp;

/// <summary>The options that every command takes.</summary>
internal static class GlobalOptions
{
    public const string DataVariable = "BRANCHING_DATA";

    public const string SharedStorageVariable = "BRANCHING_SHARED_STORAGE";

    public const string BackupsVariable = "BRANCHING_BACKUPS";

    public const string DefaultDataRoot = "./branching-data";

    public static Option<string?> Data { get; } = new("--data")
    {
        Description = $"Directory of the databases. Default: {DefaultDataRoot}, or {DataVariable} in the environment.",
        HelpName = "DIR",
        Recursive = true,
    };

    public static Option<string?> Cluster { get; } = new("--cluster")
    {
        Description = "Talk to a running cluster instead: a node's address, as in 127.0.0.1:30000, or the cluster's "
            + "shared directory.",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    public static Option<string?> SharedStorage { get; } = new("--shared-storage")
    {
        Description = "Directory for snapshots that every node can reach; without it nothing survives the node. "
            + $"Default: {SharedStorageVariable} in the environment, else none. A cluster's servers have their own.",
        HelpName = "DIR",
        Recursive = true,
    };

    public static Option<string?> Backups { get; } = new("--backups")
    {
        Description = $"Directory of backups. Default: {BackupsVariable} in the environment, else none. A cluster's "
            + "servers have their own.",
        HelpName = "DIR",
        Recursive = true,
    };

    public static Option<string?> DirtyStore { get; } = CreateDirtyStore();

    public static Option<bool> AcceptOlderSnapshots { get; } = new("--accept-older-snapshots")
    {
        Description = "Restore an earlier snapshot where the newest is damaged; what was written between them is lost. "
            + "A cluster's servers have their own.",
        Recursive = true,
    };

    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Answer in JSON; failures too, on standard error.",
        Recursive = true,
    };

    public static Option<bool> Quiet { get; } = new("--quiet", "-q")
    {
        Description = "No progress and no notes on standard error.",
        Recursive = true,
    };

    /// <summary>The options that are settings of the node: as <c>serve</c> and an embedded node read them.</summary>
    public static IEnumerable<KeyValuePair<string, string>> SettingsOf(ParseResult parsed)
    {
        if (parsed.GetValue(DirtyStore) is { } policy)
        {
            yield return new(Sessions.DirtyStore, policy.Replace("-", "", StringComparison.Ordinal));
        }

        if (parsed.GetValue(AcceptOlderSnapshots))
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
