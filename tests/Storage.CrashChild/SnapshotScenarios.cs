using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Takes, collects or restores a snapshot and is killed at the given event: a step of the code, or a primitive of the
/// shared storage before or after its effect. It also asks for the directory of the shared storage.
/// </summary>
internal static class SnapshotScenarios
{
    public const string Prefix = "snapshot-";

    private static readonly DatabaseName _shop = DatabaseName.Parse("shop");

    public static async Task<int> RunAsync(Run run)
    {
        Disk disk = new() { AtSnapshotStep = step => run.Switch.Happen($"point {step}", once: !run.EveryStep) };
        WatchedStorage shared = new(await PosixSharedStorage.OpenAsync(run.Arguments[4]).ConfigureAwait(false))
        {
            At = happened =>
            {
                // Manifests and tombstones are what decides; the other primitives join with "all".
                bool decides = happened.Primitive is "put" or "delete";
                if (run.EveryStep || decides)
                {
                    run.Switch.Happen($"storage {happened}");
                }

                return Task.CompletedTask;
            },
        };
        await using DataRoot root = await DataRoot.OpenAsync(Program.OptionsFor(run), disk).ConfigureAwait(false);
        Database shop = await root.GetDatabaseAsync(_shop, default).ConfigureAwait(false);
        SnapshotRepository repository = new(shared, _shop, shop.Id, TimeProvider.System, NullLogger.Instance);
        if (run.Scenario == "snapshot-restore")
        {
            await RestoreAsync(run, shared, repository, disk).ConfigureAwait(false);
            return 0;
        }

        DatabaseOwnership ownership = new(
            shared, _shop, shop.Id, new OwnershipOptions(), TimeProvider.System, NullLogger.Instance);
        OwnerIdentity me = new("child", "child-id", Guid.NewGuid().ToString("N"));
        Claim claim = await ownership.ClaimAsync(me, new ClaimOptions(FormerOwnerIsThisNode: true), default)
            .ConfigureAwait(false);
        await using Tenure tenure = await claim.ServeAsync(default).ConfigureAwait(false);
        run.Switch.Armed = true;
        if (run.Scenario == "snapshot-take")
        {
            await TakeAsync(shop, shared, repository, tenure).ConfigureAwait(false);
        }
        else
        {
            await CollectAsync(repository, tenure).ConfigureAwait(false);
        }

        run.Done();
        return 0;
    }

    private static async Task TakeAsync(
        Database shop, ISharedStorage shared, SnapshotRepository repository, Tenure tenure)
    {
        SnapshotOptions options = new() { Parallelism = 1, FlushBytes = 1, FreeBytesReserve = 0 };
        SnapshotTaker taker = new(shared, repository, options, TimeProvider.System, NullLogger.Instance);
        await taker.TakeAsync(shop, BranchName.Main, tenure, new TakeSnapshot(), progress: null, default)
            .ConfigureAwait(false);
    }

    private static async Task CollectAsync(SnapshotRepository repository, Tenure tenure)
    {
        SnapshotView view = await repository.ReadAsync(default).ConfigureAwait(false);
        await repository.RetireAsync(tenure, view.Snapshots[0].Id, evenLast: false, default).ConfigureAwait(false);
        await repository.CollectAsync(tenure, new GarbageOptions(Grace: TimeSpan.Zero), default).ConfigureAwait(false);
    }

    private static async Task RestoreAsync(
        Run run, ISharedStorage shared, SnapshotRepository repository, Disk disk)
    {
        SnapshotView view = await repository.ReadAsync(default).ConfigureAwait(false);
        string place = Directory.CreateDirectory(Path.Combine(run.Root, "restored")).FullName;
        run.Switch.Armed = true;
        SnapshotRestorer restorer = new(
            new SnapshotOptions { Parallelism = 1, FreeBytesReserve = 0 }, TimeProvider.System, NullLogger.Instance,
            disk);
        await restorer.RestoreStoreAsync(
            shared, repository, view.Snapshots[^1], Path.Combine(place, "store"),
            LocalObjects.Open(Path.Combine(place, "objects"), disk), new RestoreOptions(OpenCheck: true),
            progress: null, default).ConfigureAwait(false);
        run.Done();
    }
}
