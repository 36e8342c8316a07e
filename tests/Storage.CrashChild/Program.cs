using System.Diagnostics;
using System.Globalization;
using System.Text;
using Branching.Storage.Bulk;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Does one operation on a data root and kills itself (SIGKILL) at the given event of it; the test that started it
/// then opens the root. Arguments: root, scenario, number of the event (0: none), "points" or "all" events. What is
/// refused is said as "refused, kind, message".
/// </summary>
internal static class Program
{
    private const int Refused = 3;

    private static readonly DatabaseName _shop = DatabaseName.Parse("shop");
    private static bool _armed;
    private static int _event;
    private static int _killAt;

    public static async Task<int> Main(string[] args)
    {
        string directory = args[0];
        string scenario = args[1];
        if (scenario == "fill-disk")
        {
            return await FullDisk.RunAsync(directory).ConfigureAwait(false);
        }

        if (scenario == "race")
        {
            return await PutRace.RunAsync(args).ConfigureAwait(false);
        }

        if (scenario.StartsWith(BackupScenarios.Prefix, StringComparison.Ordinal))
        {
            return await BackupScenarios.RunAsync(args).ConfigureAwait(false);
        }

        if (scenario == "teardown")
        {
            return await Teardown.RunAsync(args).ConfigureAwait(false);
        }

        if (scenario.StartsWith("snapshot-", StringComparison.Ordinal))
        {
            return await SnapshotScenarios.RunAsync(args).ConfigureAwait(false);
        }

        if (scenario.StartsWith(ChangeScenarios.Prefix, StringComparison.Ordinal))
        {
            return await ChangeScenarios.RunAsync(args).ConfigureAwait(false);
        }

        _killAt = int.Parse(args[2], CultureInfo.InvariantCulture);
        bool everyStep = args[3] == "all";
        _armed = scenario is "open" or "close";
        bool shared = scenario.StartsWith(SharedScenarios.Prefix, StringComparison.Ordinal);
        Disk disk = new()
        {
            AtCrashPoint = shared && !everyStep ? null : point => Happen("point " + point),
            AtSharingStep = step => Happen("sharing " + step),
            BeforeStep = everyStep ? step => Happen("step " + step.Kind) : null,
        };
        StorageOptions options = new()
        {
            DataRoot = directory,
            BlockCacheBytes = 8 << 20,
            MemtableBudgetBytes = 32 << 20
        };
        if (shared)
        {
            await SharedScenarios.RunAsync(args, options, disk, armed => _armed = armed).ConfigureAwait(false);
            return 0;
        }

        try
        {
            DataRoot root = await DataRoot.OpenAsync(options, disk).ConfigureAwait(false);
            try
            {
                await RunAsync(root, scenario).ConfigureAwait(false);
                Say("done");
            }
            finally
            {
                await root.DisposeAsync().ConfigureAwait(false);
            }

            return 0;
        }
        catch (StorageException e)
        {
            Say($"refused {e.Kind} {e.Message}");
            return Refused;
        }
    }

    private static async Task RunAsync(DataRoot root, string scenario)
    {
        if (scenario is "open" or "close" or "none")
        {
            return;
        }

        if (scenario is "create-database")
        {
            _armed = true;
            await root.CreateDatabaseAsync(DatabaseName.Parse("other"), "child", default).ConfigureAwait(false);
            _armed = false;
            return;
        }

        Database shop = await root.GetDatabaseAsync(_shop, default).ConfigureAwait(false);
        _armed = true;
        switch (scenario)
        {
            case "create-branch":
                await shop.CreateBranchAsync(Request("fresh"), default).ConfigureAwait(false);
                break;
            case "delete-branch":
                await shop.DeleteBranchAsync(BranchName.Parse("doomed"), default).ConfigureAwait(false);
                break;
            case "drop-database":
                await root.DropDatabaseAsync(_shop, default).ConfigureAwait(false);
                break;
            case "bulk-load":
                await LoadAsync(shop).ConfigureAwait(false);
                break;
            case "put":
                await PutAsync(shop, "keep", "c", "3").ConfigureAwait(false);
                break;
            case "write":
                await WriteForEverAsync(shop).ConfigureAwait(false);
                break;
            default:
                throw new ArgumentException($"No scenario '{scenario}'.", nameof(scenario));
        }

        _armed = false;
    }

    /// <summary>Loads two keys so often that memory is too small for it.</summary>
    private static async Task LoadAsync(Database shop)
    {
        BulkLoadOptions small = new() { MemoryBytes = 64 << 10 };
        BulkLoad load = await shop.BeginBulkLoadAsync(BranchName.Parse("keep"), small).ConfigureAwait(false);
        await using (load.ConfigureAwait(false))
        {
            for (int i = 0; i < 4000; i++)
            {
                load.Add("c"u8, Encoding.UTF8.GetBytes($"{i}"));
                load.Add("d"u8, Encoding.UTF8.GetBytes($"{i}"));
            }

            await load.CompleteAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Writes and branches until killed; every line it says was acknowledged before.</summary>
    private static async Task WriteForEverAsync(Database shop)
    {
        for (int i = 0; ; i++)
        {
            string name = $"r{i:0000}";
            await shop.CreateBranchAsync(Request(name), default).ConfigureAwait(false);
            Say($"branch {name}");
            for (int k = 0; k < 5; k++)
            {
                await PutAsync(shop, name, $"k{k}", $"{i}").ConfigureAwait(false);
                Say($"put {name} k{k} {i}");
            }

            if (i % 3 == 2)
            {
                await shop.DeleteBranchAsync(BranchName.Parse(name), default).ConfigureAwait(false);
                Say($"delete {name}");
            }
        }
    }

    private static async Task PutAsync(Database shop, string branch, string key, string value)
    {
        using StoreLease lease = await shop.AcquireAsync(BranchName.Parse(branch), default).ConfigureAwait(false);
        WriteOperation put = WriteOperation.Put(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));
        await lease.Store.WriteAsync(new WriteRequest([put]), default).ConfigureAwait(false);
    }

    private static CreateBranch Request(string name) => new(BranchName.Parse(name), BranchName.Parse("keep"), "child");

    private static void Happen(string what)
    {
        if (!_armed)
        {
            return;
        }

        Say(what);
        if (Interlocked.Increment(ref _event) == _killAt)
        {
            using Process self = Process.GetCurrentProcess();
            self.Kill(); // SIGKILL: no handler, no finally, no flush.
            new ManualResetEventSlim().Wait(Timeout.Infinite);
        }
    }

    internal static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
