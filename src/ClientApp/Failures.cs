using Branching.Grains;

namespace Branching.ClientApp;

/// <summary>Turns whatever ends a command into its exit code, its line and its hint.</summary>
internal static class Failures
{
    // As Branching.Storage says where a step failed.
    private const string OnSharedStorage = "on shared storage '";

    /// <summary>Describes a failure, or answers null for what is a defect of this program.</summary>
    public static UserError? Describe(Exception failure, Invocation invocation) => failure switch
    {
        UserError known => known,
        BranchingException branching => FromBranching(branching, invocation),
        FileNotFoundException or DirectoryNotFoundException => new UserError(
            ExitCode.NotFound, OneLine(failure.Message), "check the path", "FileNotFound"),
        UnauthorizedAccessException => new UserError(
            ExitCode.Failed, OneLine(failure.Message), "check who may read and write there", "PermissionDenied"),
        TimeoutException => new UserError(
            ExitCode.Busy,
            $"no answer in time: {OneLine(failure.Message)}; whether it was done is unknown",
            "look at the data before repeating it",
            "TimedOut"),
        IOException => new UserError(ExitCode.Failed, OneLine(failure.Message), null, "Io"),
        _ when invocation.Target.Cluster is not null
            && failure.GetType().Namespace?.StartsWith("Orleans", StringComparison.Ordinal) == true => new UserError(
            ExitCode.Failed,
            OneLine($"the cluster did not answer: {failure.Message}"),
            "check that its silos run: branching serve --help",
            "Cluster"),
        _ => null,
    };

    /// <summary>The exit code of a kind of failure.</summary>
    public static int ExitCodeOf(FailureKind kind) => kind switch
    {
        FailureKind.InvalidArgument or FailureKind.InvalidName or FailureKind.RequestTooLarge => ExitCode.Usage,
        FailureKind.DatabaseNotFound or FailureKind.BranchNotFound or FailureKind.ParentNotFound
            or FailureKind.ColumnFamilyNotFound or FailureKind.SnapshotNotFound or FailureKind.BackupNotFound
            or FailureKind.ChangeLogOff or FailureKind.ConsumerNotFound => ExitCode.NotFound,
        FailureKind.DatabaseExists or FailureKind.BranchExists or FailureKind.ColumnFamilyExists
            or FailureKind.Pinned or FailureKind.Refused or FailureKind.ChangesGone
            or FailureKind.ChangePositionInvalid or FailureKind.ConsumerDropped => ExitCode.Precondition,
        FailureKind.Locked or FailureKind.Overloaded or FailureKind.TimedOut or FailureKind.Closed
            or FailureKind.Moved or FailureKind.BeingDeleted or FailureKind.InUse or FailureKind.TooManyOpenFiles
            or FailureKind.SharedStorageUnavailable or FailureKind.NotOwner or FailureKind.LeaseExpired
            or FailureKind.TransactionConflict or FailureKind.LockTimedOut or FailureKind.Deadlock
            => ExitCode.Busy,
        FailureKind.ImportMalformed => ExitCode.Malformed,
        _ => ExitCode.Failed,
    };

    private static UserError FromBranching(BranchingException failure, Invocation invocation)
        => new(
            ExitCodeOf(failure.Kind),
            OneLine(failure.Message),
            HintFor(failure, invocation),
            failure.Kind.ToString());

    private static string? HintFor(BranchingException failure, Invocation invocation)
    {
        string database = invocation.Database ?? "NAME";
        return SettingAdvice.For(failure.Message, invocation) ?? failure.Kind switch
        {
            FailureKind.DatabaseNotFound => invocation.Command("databases"),
            FailureKind.DatabaseExists => invocation.Command("stats", database),
            FailureKind.BranchNotFound or FailureKind.ParentNotFound or FailureKind.BranchExists
                => invocation.Command("branch", "list", database),
            FailureKind.ColumnFamilyNotFound =>
                "column create makes one; those that are there: " + invocation.Command("column", "list", database),
            FailureKind.InvalidName =>
                "names that do: my-shop.2 for a database, feature/search for a branch, users for a column family",
            FailureKind.RequestTooLarge => "larger values go in parts, under several keys",
            FailureKind.Locked => "stop the process that holds it, or choose another directory with --data DIR",

            // To open a database takes a few small files: on a disk without any room nothing can be deleted either.
            FailureKind.DiskFull => "free some space there, a megabyte is enough to begin with; "
                + "then branching branch delete removes what a branch alone holds",
            FailureKind.PermissionDenied when failure.Message.Contains(OnSharedStorage, StringComparison.Ordinal)
                => "check who may write to the shared storage; what is on it can be read: branching snapshot restore "
                    + $"{database} --from {invocation.Target.SharedStorage ?? "DIR"} --into-database NAME, without "
                    + "--shared-storage",
            FailureKind.PermissionDenied => "check who owns the data directory, or choose another with --data DIR",
            FailureKind.NotSupported => null,
            FailureKind.Pinned => "snapshot show names the pins, snapshot unpin removes one: "
                + invocation.Command("snapshot", "list", database),
            FailureKind.ChangeLogOff => invocation.Command("changes", "enable", database),
            FailureKind.ConsumerNotFound => invocation.Command("changes", "consumers", database),
            FailureKind.SnapshotDamaged => "another one may be whole: "
                + invocation.Command("snapshot", "list", database),
            FailureKind.BackupNotFound or FailureKind.BackupDamaged => "those that there are: "
                + invocation.Command("backup", "list", database),
            FailureKind.Refused when invocation.Parsed.CommandResult.Command.Parents.Any(
                parent => parent.Name == "backup") => "add --replace, or choose another directory",
            FailureKind.Refused when invocation.Parsed.CommandResult.Command.Name == "delete"
                => "to delete it all the same: " + invocation.Again("--force"),
            FailureKind.Refused when invocation.Target is { Cluster: null, SharedStorage: null }
                => invocation.Host.Wording is { } wording
                    ? "name its shared storage: " + wording.Elsewhere(GlobalOptions.SharedStorageName)
                    : "name its shared storage with --shared-storage DIR; when that is gone for good, "
                        + "Branching__SharedStorage__ServeDetached=true in the environment",

            // Damage elsewhere has the same kind, and nobody reads across that: only the text tells.
            FailureKind.Corruption when failure.Message.Contains("read across damage", StringComparison.Ordinal)
                && invocation.Parsed.CommandResult.Command.Name == "changes"
                => "to go on behind the damage: " + invocation.Again("--across-damage"),
            _ when failure.IsTransient => "try again",
            _ => null,
        };
    }

    private static string OneLine(string message) => message.ReplaceLineEndings(" ").Trim();
}
