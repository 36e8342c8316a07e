using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.CrashChild;

/// <summary>
/// One operation between a data root and shared storage, killed at the given event of it. It also asks for the shared
/// directory and the snapshot to restore.
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
            AtCrashPoint = run.EveryStep ? point => run.Switch.Happen($"point {point}") : null,
            BeforeStep = run.EveryStep ? step => run.Switch.Happen($"step {step.Kind}") : null,
        };
        SharedAccess access = new(
            async stop => await PosixSharedStorage.OpenAsync(shared, cancellationToken: stop).ConfigureAwait(false))
        {
            Options = new SharedStorageOptions { Directory = shared, NodeName = "child" },
            Ownership = new OwnershipOptions { LeaseLength = TimeSpan.FromSeconds(3) },
            Snapshots = new SnapshotOptions { FreeBytesReserve = 0 },
        };
        run.Switch.Armed = scenario == "recover";
        DataRoot root = await DataRoot.OpenAsync(Program.OptionsFor(run), disk, shared: access).ConfigureAwait(false);
        run.Switch.Armed = scenario is "take" or "create";
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

                if (scenario != "take")
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
        "restore" => root.RestoreAsync(
            _shop, new RestoreRequest(SnapshotId.Parse(run.Arguments[5]), "child", SnapshotBefore: false), null,
            default),
        _ => throw new ArgumentException($"No scenario '{scenario}'.", nameof(scenario)),
    };
}
