using System.Diagnostics;
using System.Globalization;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Takes, collects or restores a snapshot and kills itself at the given event: a step of the code, or a primitive of
/// the shared storage before or after its effect. Arguments: root, scenario, number of the event (0: none), "points"
/// (the first event of each name) or "all", directory of the shared storage.
/// </summary>
internal static class SnapshotScenarios
{
    private static readonly DatabaseName _shop = DatabaseName.Parse("shop");
    private static readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private static readonly Lock _lock = new();
    private static bool _armed;
    private static bool _all;
    private static int _event;
    private static int _killAt;

    public static async Task<int> RunAsync(string[] args)
    {
        _killAt = int.Parse(args[2], CultureInfo.InvariantCulture);
        _all = args[3] == "all";
        Disk disk = new() { AtSnapshotStep = step => Happen($"point {step}", once: true) };
        WatchedStorage shared = new(await PosixSharedStorage.OpenAsync(args[4]).ConfigureAwait(false))
        {
            At = happened =>
            {
                // Manifests and tombstones are what decides; the other primitives join with "all".
                bool decides = happened.Primitive is "put" or "delete";
                if (_all || decides)
                {
                    Happen($"storage {happened}", once: false);
                }

                return Task.CompletedTask;
            },
        };
        StorageOptions options = new()
        {
            DataRoot = args[0],
            BlockCacheBytes = 8 << 20,
            MemtableBudgetBytes = 32 << 20,
        };
        await using DataRoot root = await DataRoot.OpenAsync(options, disk).ConfigureAwait(false);
        Database shop = await root.GetDatabaseAsync(_shop, default).ConfigureAwait(false);
        SnapshotRepository repository = new(shared, _shop, shop.Id, TimeProvider.System, NullLogger.Instance);
        if (args[1] == "snapshot-restore")
        {
            await RestoreAsync(args[0], shared, repository, disk).ConfigureAwait(false);
            return 0;
        }

        DatabaseOwnership ownership = new(
            shared, _shop, shop.Id, new OwnershipOptions(), TimeProvider.System, NullLogger.Instance);
        OwnerIdentity me = new("child", "child-id", Guid.NewGuid().ToString("N"));
        Claim claim = await ownership.ClaimAsync(me, new ClaimOptions(FormerOwnerIsThisNode: true), default)
            .ConfigureAwait(false);
        await using Tenure tenure = await claim.ServeAsync(default).ConfigureAwait(false);
        _armed = true;
        if (args[1] == "snapshot-take")
        {
            await TakeAsync(shop, shared, repository, tenure).ConfigureAwait(false);
        }
        else
        {
            await CollectAsync(repository, tenure).ConfigureAwait(false);
        }

        _armed = false;
        return 0;
    }

    private static async Task TakeAsync(
        Database shop, ISharedStorage shared, SnapshotRepository repository, Tenure tenure)
    {
        SnapshotOptions options = new() { Parallelism = 1, FlushBytes = 1, FreeBytesReserve = 0 };
        SnapshotTaker taker = new(shared, repository, options, TimeProvider.System, NullLogger.Instance);
        await taker.TakeAsync(shop, BranchName.Main, tenure, new TakeSnapshot(), progress: null, default)
            .ConfigureAwait(false);
        Say("done");
    }

    private static async Task CollectAsync(SnapshotRepository repository, Tenure tenure)
    {
        SnapshotView view = await repository.ReadAsync(default).ConfigureAwait(false);
        await repository.RetireAsync(tenure, view.Snapshots[0].Id, evenLast: false, default).ConfigureAwait(false);
        await repository.CollectAsync(tenure, new GarbageOptions(Grace: TimeSpan.Zero), default).ConfigureAwait(false);
        Say("done");
    }

    private static async Task RestoreAsync(
        string root, ISharedStorage shared, SnapshotRepository repository, Disk disk)
    {
        SnapshotView view = await repository.ReadAsync(default).ConfigureAwait(false);
        string place = Directory.CreateDirectory(Path.Combine(root, "restored")).FullName;
        _armed = true;
        SnapshotRestorer restorer = new(
            new SnapshotOptions { Parallelism = 1, FreeBytesReserve = 0 }, TimeProvider.System, NullLogger.Instance,
            disk);
        await restorer.RestoreStoreAsync(
            shared, repository, view.Snapshots[^1], Path.Combine(place, "store"),
            LocalObjects.Open(Path.Combine(place, "objects"), disk), new RestoreOptions(OpenCheck: true),
            progress: null, default).ConfigureAwait(false);
        _armed = false;
        Say("done");
    }

    private static void Happen(string what, bool once)
    {
        lock (_lock)
        {
            if (!_armed || (once && !_all && !_seen.Add(what)))
            {
                return;
            }

            Say(what);
            if (++_event == _killAt)
            {
                using Process self = Process.GetCurrentProcess();
                self.Kill(); // SIGKILL: no handler, no finally, no flush.
                new ManualResetEventSlim().Wait(Timeout.Infinite);
            }
        }
    }

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
