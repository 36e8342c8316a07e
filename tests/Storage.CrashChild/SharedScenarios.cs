using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.CrashChild;

/// <summary>
/// One operation between a data root and shared storage, killed at the given event of it. Arguments: root,
/// "shared:" and the scenario, number of the event, "points" or "all" events, shared directory, snapshot to restore.
/// </summary>
internal static class SharedScenarios
{
    public const string Prefix = "shared:";

    private static readonly DatabaseName _shop = DatabaseName.Parse("shop");

    public static async Task RunAsync(string[] args, StorageOptions options, Disk disk, Action<bool> arm)
    {
        string scenario = args[1][Prefix.Length..];
        SharedAccess access = new(
            async stop => await PosixSharedStorage.OpenAsync(args[4], cancellationToken: stop).ConfigureAwait(false))
        {
            Options = new SharedStorageOptions { Directory = args[4], NodeName = "child" },
            Ownership = new OwnershipOptions { LeaseLength = TimeSpan.FromSeconds(3) },
            Snapshots = new SnapshotOptions { FreeBytesReserve = 0 },
        };
        arm(scenario == "recover");
        DataRoot root = await DataRoot.OpenAsync(options, disk, shared: access).ConfigureAwait(false);
        arm(scenario is "take" or "create");
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
                    arm(true);
                    await ChangeAsync(root, shop, scenario, args).ConfigureAwait(false);
                }

                break;
        }

        arm(false);
        Program.Say("done");
        await root.DisposeAsync().ConfigureAwait(false);
    }

    private static Task<SnapshotResult> SnapshotAsync(Database shop, string branch) =>
        shop.TakeSnapshotAsync(BranchName.Parse(branch), new TakeSnapshot(), null, default);

    private static Task ChangeAsync(DataRoot root, Database shop, string scenario, string[] args) => scenario switch
    {
        "branch" => shop.CreateBranchAsync(
            new CreateBranch(BranchName.Parse("fresh"), BranchName.Parse("keep"), "child"), default),
        "unbranch" => shop.DeleteBranchAsync(BranchName.Parse("keep"), default),
        "drop" => root.DropDatabaseAsync(_shop, default),
        "release" => root.ReleaseDatabaseAsync(_shop, default),
        "restore" => root.RestoreAsync(
            _shop, new RestoreRequest(SnapshotId.Parse(args[5]), "child", SnapshotBefore: false), null, default),
        _ => throw new ArgumentException($"No scenario '{scenario}'.", nameof(scenario)),
    };
}
