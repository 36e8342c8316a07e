using System.CommandLine;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>snapshot restore</c>.</summary>
internal static partial class SnapshotCommands
{
    private static ExampledCommand Restore(CommandHost host)
    {
        var options = new RestoreOptions();
        return new ExampledCommand(
            host,
            "restore",
            "Restore a snapshot: staged and verified first, then put in place at once. Asks before replacing.",
            [
                "branching snapshot restore shop main --into-branch yesterday --shared-storage ./shared",
                "branching snapshot restore shop topic --into-database shop2 --shared-storage ./shared",
                "branching snapshot restore shop main --replace --dry-run --shared-storage ./shared",
                "branching snapshot restore shop --at 2030-01-01 --into-branch before",
                "branching snapshot restore shop --all --into-database copy --shared-storage ./shared",
                "branching snapshot restore shop --from ./shared --into-database again --shared-storage ./shared",
            ],
            options.All,
            async (invocation, cancellationToken) =>
            {
                RestoreRequest request = options.Read(invocation);
                await using ISession session = request is { FromDirectory: not null, IntoDatabase: not null }
                    ? await invocation.ConnectAsync(cancellationToken, creates: true, looks: request.DryRun)
                    : await invocation.ConnectToSnapshotsAsync(cancellationToken, looks: request.DryRun);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                if (request is { Replace: true, DryRun: false })
                {
                    CommonSymbols.Confirm(
                        invocation,
                        invocation.Parsed.GetValue(options.Yes),
                        $"Replace {RestoreOptions.Place(request, invocation)} by what the snapshot holds? "
                        + "What is there goes to quarantine.",
                        invocation.Again("--yes"));
                }

                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    request.DryRun ? "planning" : "restoring",
                    async () => request is { SnapshotId: { } reference, FromDirectory: null, FromDatabase: null }
                        ? await SnapshotReference.UseAsync(
                            invocation,
                            grain,
                            reference,
                            id => grain.RestoreAsync(request with { SnapshotId = id }, cancellationToken),
                            cancellationToken)
                        : await grain.RestoreAsync(request, cancellationToken),
                    cancellationToken);
                ReportRestored(invocation, done.Restored!);
                return ExitCode.Ok;
            });
    }

    private static void ReportRestored(Invocation invocation, RestoreOutcome outcome)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(SnapshotJson.ToJson(outcome));
            return;
        }

        TextWriter output = invocation.Host.Out;
        invocation.Screen.Table(
            ["BRANCH", "SNAPSHOT", ">SEQUENCE", ">FETCHED", ">LINKED"],
            outcome.Stores.Select(store => (IReadOnlyList<string>)
            [
                store.Branch, store.SnapshotId, Screen.Number((long)store.Sequence), Screen.Bytes(store.FetchedBytes),
                Screen.Bytes(store.LinkedBytes),
            ]));
        foreach (string step in outcome.Steps)
        {
            output.WriteLine($"- {step}");
        }

        string free = outcome.FreeBytes is { } bytes ? $" of {Screen.Bytes(bytes)} free" : ", free space is unknown";
        if (outcome.DryRun)
        {
            output.WriteLine($"it needs {Screen.Bytes(outcome.NeededBytes)}{free}; nothing was changed");
            return;
        }

        if (outcome.Quarantine is { } quarantine)
        {
            output.WriteLine($"what was there before is in {quarantine}");
        }

        output.WriteLine($"restored {Screen.Count(outcome.Stores.Count, "store")} into database {outcome.Database}");
    }

    /// <summary>The arguments and options of a restore.</summary>
    private sealed class RestoreOptions
    {
        private readonly Argument<string?> _database = CommonSymbols.Database();

        private readonly Argument<string?> _snapshot = new("SNAPSHOT")
        {
            Description = SnapshotReference.Help,
            Arity = ArgumentArity.ZeroOrOne,
        };

        private readonly Option<string?> _at = new("--at")
        {
            Description = "The newest snapshot taken at or before this time (UTC), in the place of SNAPSHOT.",
            HelpName = "TIME",
        };

        private readonly Option<string?> _branch = new("--branch", "-b")
        {
            Description = "Whose snapshot --at, or nothing at all, means; main when left out.",
            HelpName = "BRANCH",
        };

        private readonly Option<bool> _all = new("--all")
        {
            Description = "Every durable branch as well, each from its newest snapshot, not later than SNAPSHOT or "
                + "TIME; into a new database with the lineage.",
        };

        private readonly Option<string?> _intoDatabase = new("--into-database")
        {
            Description = "Into a new database of this name.",
            HelpName = "NAME",
        };

        private readonly Option<string?> _intoBranch = new("--into-branch")
        {
            Description = "Into a branch of this name, new unless --replace.",
            HelpName = "NAME",
        };

        private readonly Option<bool> _replace = new("--replace")
        {
            Description = "Put what stands there now into quarantine. Asks.",
        };

        private readonly Option<bool> _dryRun = new("--dry-run")
        {
            Description = "Change nothing and say what would happen.",
        };

        private readonly Option<bool> _verify = new("--verify")
        {
            Description = "Also open and read what was restored before it is put in place.",
        };

        private readonly Option<string?> _from = new("--from")
        {
            Description = "Other shared storage to restore from; it is only read.",
            HelpName = "DIR",
        };

        private readonly Option<string?> _fromDatabase = new("--from-database")
        {
            Description = "The database whose snapshot it is; DATABASE itself when left out.",
            HelpName = "NAME",
        };

        private readonly Option<string[]> _option = new("--option")
        {
            Description = "A storage option that the restored store has of its own: BlockCacheBytes, Compression, "
                + "MaxOpenFilesPerStore or MemtableBytes; the value 'node' takes one back.",
            HelpName = "NAME=VALUE",
        };

        public Option<bool> Yes { get; } = CommonSymbols.Yes();

        public IReadOnlyList<Symbol> All =>
        [
            _database, _snapshot, _at, _branch, _all, _intoDatabase, _intoBranch, _replace, _dryRun, _verify, _from,
            _fromDatabase, _option, Yes,
        ];

        public RestoreRequest Read(Invocation invocation)
        {
            ParseResult parsed = invocation.Parsed;
            string? at = parsed.GetValue(_at);
            string? snapshot = parsed.GetValue(_snapshot);
            if (snapshot is not null && at is not null)
            {
                throw new UserError(
                    ExitCode.Usage, "SNAPSHOT and --at exclude each other", "name a snapshot, or a time");
            }

            string? from = parsed.GetValue(_from);
            return new RestoreRequest(
                snapshot,
                at is null ? null : QuantityText.Time(at, "--at"),
                parsed.GetValue(_branch),
                parsed.GetValue(_all),
                parsed.GetValue(_intoDatabase),
                parsed.GetValue(_intoBranch),
                parsed.GetValue(_replace),
                parsed.GetValue(_dryRun),
                parsed.GetValue(_verify),
                CommonSymbols.Pairs(parsed.GetValue(_option)),
                from is not null && invocation.Target.Cluster is null ? Path.GetFullPath(from) : from,
                DatabaseCommands.Creator,
                parsed.GetValue(_fromDatabase));
        }

        /// <summary>What a restore replaces, for the question.</summary>
        public static string Place(RestoreRequest request, Invocation invocation)
        {
            string database = $"database {request.IntoDatabase ?? invocation.Database}";
            return request switch
            {
                { WholeDatabase: true } => $"{database} with all its branches",
                { IntoBranch: { } branch } => $"branch {branch} of {database}",
                _ => $"the branch of {database} that the snapshot was taken of",
            };
        }
    }
}
