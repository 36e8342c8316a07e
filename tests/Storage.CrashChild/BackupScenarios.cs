using Branching.Storage.Backups;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// One operation on backups, killed at the given event: a step of the code, or a primitive of the directory before or
/// after its effect; of "points", the first of each name. The root is a directory with <c>store</c>, <c>backups</c>,
/// <c>restored</c> and <c>backup.tar</c>.
/// </summary>
internal static class BackupScenarios
{
    public const string Prefix = "backup-";

    public static async Task<int> RunAsync(Run run)
    {
        string root = run.Root;
        string scenario = run.Scenario[Prefix.Length..];
        using StoreResources resources = new(Program.OptionsFor(run), NullLogger.Instance, TimeProvider.System);
        if (scenario == "hold")
        {
            await using LocalStore held = Open(Path.Combine(root, "restored"), resources);
            run.Say("open");
            new ManualResetEventSlim().Wait(Timeout.Infinite);
        }

        BackupDirectory backups = await BackupDirectory.OpenAsync(
            Path.Combine(root, "backups"), create: false,
            new BackupOptions { FreeBytesReserve = 0, Parallelism = 1 }, NullLogger.Instance, TimeProvider.System,
            Seams(run), default).ConfigureAwait(false);
        if (scenario == "create")
        {
            await using LocalStore store = Open(Path.Combine(root, "store"), resources);
            run.Switch.Armed = true;
            await backups.CreateAsync(store, new CreateBackup { FlushFirst = true }, null, default)
                .ConfigureAwait(false);
            run.Done();
            return 0;
        }

        run.Switch.Armed = true;
        await RunAsync(backups, root, scenario).ConfigureAwait(false);
        run.Done();
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

    private static BackupSeams Seams(Run run) => new()
    {
        AtStep = step => Happen(run, $"point {step}"),
        Disk = new Disk { BeforeStep = run.EveryStep ? step => Happen(run, $"step {step.Kind}") : null },
        Wrap = storage => new WatchedStorage(storage)
        {
            At = happened =>
            {
                if (run.EveryStep)
                {
                    Happen(run, $"storage {happened}");
                }

                return Task.CompletedTask;
            },
        },
    };

    private static void Happen(Run run, string what) => run.Switch.Happen(what, once: !run.EveryStep);
}
