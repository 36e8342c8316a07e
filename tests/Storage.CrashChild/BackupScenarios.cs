using System.Diagnostics;
using System.Globalization;
using Branching.Storage.Backups;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// One operation on backups, killed at the given event: a step of the code, or a primitive of the directory before or
/// after its effect. Arguments: a directory with <c>store</c>, <c>backups</c>, <c>restored</c> and <c>backup.tar</c>,
/// scenario, number of the event (0: none), "points" (the first event of each name) or "all".
/// </summary>
internal static class BackupScenarios
{
    public const string Prefix = "backup-";

    private static readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private static readonly Lock _lock = new();
    private static bool _armed;
    private static bool _all;
    private static int _event;
    private static int _killAt;

    public static async Task<int> RunAsync(string[] args)
    {
        string root = args[0];
        _killAt = int.Parse(args[2], CultureInfo.InvariantCulture);
        _all = args[3] == "all";
        string scenario = args[1][Prefix.Length..];
        using StoreResources resources = new(
            new StorageOptions { DataRoot = root, BlockCacheBytes = 8 << 20, MemtableBudgetBytes = 32 << 20 },
            NullLogger.Instance, TimeProvider.System);
        if (scenario == "hold")
        {
            await using LocalStore held = Open(Path.Combine(root, "restored"), resources);
            Program.Say("open");
            new ManualResetEventSlim().Wait(Timeout.Infinite);
        }

        BackupDirectory backups = await BackupDirectory.OpenAsync(
            Path.Combine(root, "backups"), create: false,
            new BackupOptions { FreeBytesReserve = 0, Parallelism = 1 }, NullLogger.Instance, TimeProvider.System,
            Seams(), default).ConfigureAwait(false);
        if (scenario == "create")
        {
            await using LocalStore store = Open(Path.Combine(root, "store"), resources);
            _armed = true;
            await backups.CreateAsync(store, new CreateBackup { FlushFirst = true }, null, default)
                .ConfigureAwait(false);
            Done();
            return 0;
        }

        _armed = true;
        await RunAsync(backups, root, scenario).ConfigureAwait(false);
        Done();
        return 0;
    }

    private static async Task RunAsync(BackupDirectory backups, string root, string scenario)
    {
        string target = Path.Combine(root, "restored");
        switch (scenario)
        {
            case "delete":
                await backups.DeleteAsync(new BackupId(3), default).ConfigureAwait(false);
                break;
            case "purge":
                await backups.PurgeAsync(1, default).ConfigureAwait(false);
                break;
            case "restore":
                await backups.RestoreAsync(
                    null, target, new RestoreBackup { Mode = BackupRestoreMode.Keep, OpenCheck = true }, null, default)
                    .ConfigureAwait(false);
                break;
            case "restore-kept":
                await backups.RestoreAsync(
                    null, target, new RestoreBackup { Mode = BackupRestoreMode.Replace, KeepReplaced = true }, null,
                    default).ConfigureAwait(false);
                break;
            case "restore-fresh":
                await backups.RestoreAsync(null, Path.Combine(root, "fresh"), new RestoreBackup(), null, default)
                    .ConfigureAwait(false);
                break;
            case "import":
                await using (FileStream tar = File.OpenRead(Path.Combine(root, "backup.tar")))
                {
                    await backups.ImportAsync(tar, null, default).ConfigureAwait(false);
                }

                break;
            default:
                throw new ArgumentException($"No scenario '{scenario}'.", nameof(scenario));
        }
    }

    private static LocalStore Open(string directory, StoreResources resources) => LocalStore.Open(
        directory, "the child's store", resources, create: false, NullLogger.Instance, TimeProvider.System);

    private static BackupSeams Seams() => new()
    {
        AtStep = step => Happen($"point {step}"),
        Disk = new Disk { BeforeStep = _all ? step => Happen($"step {step.Kind}") : null },
        Wrap = storage => new WatchedStorage(storage)
        {
            At = happened =>
            {
                if (_all)
                {
                    Happen($"storage {happened}");
                }

                return Task.CompletedTask;
            },
        },
    };

    private static void Done()
    {
        _armed = false;
        Program.Say("done");
    }

    private static void Happen(string what)
    {
        lock (_lock)
        {
            if (!_armed || (!_all && !_seen.Add(what)))
            {
                return;
            }

            Program.Say(what);
            if (++_event == _killAt)
            {
                using Process self = Process.GetCurrentProcess();
                self.Kill(); // SIGKILL: no handler, no finally, no flush.
                new ManualResetEventSlim().Wait(Timeout.Infinite);
            }
        }
    }
}
