using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.CrashChild;

/// <summary>
/// One operation between a data root and shared storage, killed at the given event of it: a step of sharing, of a
/// snapshot or of a restore, or a crash point of the data root. It also asks for the shared directory and the snapshot
/// to restore.
/// </summary>
internal static class SharedScenarios
{
    public const string Prefix = "shared:";

    private static readonly DatabaseName _shop = DatabaseName.Parse("shop");

    public static async Task<int> RunAsync(Run run)
    {
        string scenario = run.Scenario[Prefix.Length..];
        string shared = run.Arguments[4];
        Disk disk = new()
        {
            AtSharingStep = step => run.Switch.Happen($"sharing {step}"),
            AtSnapshotStep = step => run.Switch.Happen($"snapshot {step}"),
            AtCrashPoint = point => run.Switch.Happen($"point {point}"),
            BeforeStep = run.EveryStep ? step => run.Switch.Happen($"step {step.Kind}") : null,
        };
        SharedAccess access = new(
            async stop => await PosixSharedStorage.OpenAsync(shared, cancellationToken: stop).ConfigureAwait(false))
        {
            Options = new SharedStorageOptions
            {
                Directory = shared,
                NodeName = "child",
                DirtyStore = scenario switch
                {
                    "take-restoring" => DirtyStorePolicy.RestoreSnapshot,
                    "take-afresh" => DirtyStorePolicy.Fresh,
                    _ => DirtyStorePolicy.Fail,
                },
            },
            Ownership = new OwnershipOptions { LeaseLength = TimeSpan.FromSeconds(3) },
            Snapshots = new SnapshotOptions { FreeBytesReserve = 0 },
        };
        run.Switch.Armed = scenario == "recover";
        DataRoot root = await DataRoot.OpenAsync(Program.OptionsFor(run), disk, shared: access).ConfigureAwait(false);
        bool isTake = scenario.StartsWith("take", StringComparison.Ordinal);
        run.Switch.Armed = isTake || scenario == "create";
        switch (scenario)
        {
            case "recover":
                break;
            case "create":
                await root.CreateDatabaseAsync(DatabaseName.Parse("other"), "child", default).ConfigureAwait(false);
                break;
            default:
                Database shop = await root.OwnDatabaseAsync(_shop, new OwnRequest(), null, default)
                    .ConfigureAwait(false);
                if (scenario == "release")
                {
                    await SnapshotAsync(shop, "main").ConfigureAwait(false);
                    await SnapshotAsync(shop, "keep").ConfigureAwait(false);
                }

                if (!isTake)
                {
                    run.Switch.Armed = true;
                    await ChangeAsync(root, shop, scenario, run).ConfigureAwait(false);
                }

                break;
        }

        run.Done();
        await root.DisposeAsync().ConfigureAwait(false);
        return 0;
    }

    private static Task<SnapshotResult> SnapshotAsync(Database shop, string branch) =>
        shop.TakeSnapshotAsync(BranchName.Parse(branch), new TakeSnapshot(), null, default);

    private static Task ChangeAsync(DataRoot root, Database shop, string scenario, Run run) => scenario switch
    {
        "branch" => shop.CreateBranchAsync(
            new CreateBranch(BranchName.Parse("fresh"), BranchName.Parse("keep"), "child"), default),
        "unbranch" => shop.DeleteBranchAsync(BranchName.Parse("keep"), default),
        "drop" => root.DropDatabaseAsync(_shop, default),
        "release" => root.ReleaseDatabaseAsync(_shop, default),
        "rest" => PutToRestAsync(root, shop),
        "restore" => RestoreAsync(root, Request(run) with { SnapshotBefore = false }),
        "restore-after-snapshot" => RestoreAsync(root, Request(run)),
        "restore-branch" => RestoreAsync(root, Request(run) with { Branch = BranchName.Parse("back") }),
        "restore-database" => RestoreAsync(root, Request(run) with { NewDatabase = DatabaseName.Parse("other") }),
        "restore-whole" => RestoreWholeAsync(root, Request(run) with { NewDatabase = DatabaseName.Parse("other") }),
        _ => throw new ArgumentException($"No scenario '{scenario}'.", nameof(scenario)),
    };

    private static RestoreRequest Request(Run run) => new(SnapshotId.Parse(run.Arguments[5]), "child");

    private static Task<RestoreReport> RestoreAsync(DataRoot root, RestoreRequest request) =>
        root.RestoreAsync(_shop, request, null, default);

    private static async Task RestoreWholeAsync(DataRoot root, RestoreRequest request)
    {
        SnapshotSource source = await root.OpenSourceAsync(_shop, directory: null, default).ConfigureAwait(false);
        await root.RestoreDatabaseAsync(source, request, until: null, null, default).ConfigureAwait(false);
    }

    /// <summary>What a snapshot that removes its source does: everything is sent, then the database is given up, then
    /// the local copy goes.</summary>
    private static async Task PutToRestAsync(DataRoot root, Database shop)
    {
        await SnapshotAsync(shop, "keep").ConfigureAwait(false);
        await SnapshotAsync(shop, "main").ConfigureAwait(false);
        await root.ReleaseDatabaseAsync(_shop, default).ConfigureAwait(false);
        await root.RemoveLocalCopyAsync(_shop, default).ConfigureAwait(false);
    }
}
