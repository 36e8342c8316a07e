using System.Text;
using Branching.Storage.Bulk;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Does one operation on a data root (<see cref="Run"/>), is killed at the given event of it, and the test that started
/// it then opens the root. With the one argument "serve" does many, see <see cref="Serving"/>. What is refused is said
/// as "refused, kind, message".
/// </summary>
internal static class Program
{
    private const int Refused = 3;

    private static readonly DatabaseName _shop = DatabaseName.Parse("shop");

    public static async Task<int> Main(string[] args)
    {
        if (args[0] == "serve")
        {
            await Serving.ServeAsync().ConfigureAwait(false);
            return 0;
        }

        return args[1] switch
        {
            "fill-disk" => await FullDisk.RunAsync(args[0]).ConfigureAwait(false),
            "primitives" => await Primitives.RunAsync(args).ConfigureAwait(false),
            "race" => await PutRace.RunAsync(args).ConfigureAwait(false),
            "teardown" => await Teardown.RunAsync(args).ConfigureAwait(false),
            _ => await RunAsync(new Run(args, alone: true, Say)).ConfigureAwait(false),
        };
    }

    /// <returns>What the process ends with when this run is all it does.</returns>
    public static Task<int> RunAsync(Run run)
    {
        bool Is(string prefix) => run.Scenario.StartsWith(prefix, StringComparison.Ordinal);

        return Is(BackupScenarios.Prefix) ? BackupScenarios.RunAsync(run)
            : Is(SnapshotScenarios.Prefix) ? SnapshotScenarios.RunAsync(run)
            : Is(ChangeScenarios.Prefix) ? ChangeScenarios.RunAsync(run)
            : Is(SharedScenarios.Prefix) ? SharedScenarios.RunAsync(run)
            : RunBranchesAsync(run);
    }

    internal static StorageOptions OptionsFor(Run run) => new()
    {
        DataRoot = run.Root,
        BlockCacheBytes = 8 << 20,
        MemtableBudgetBytes = 32 << 20,
    };

    internal static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    private static async Task<int> RunBranchesAsync(Run run)
    {
        run.Switch.Armed = run.Scenario is "open" or "close";
        Disk disk = new()
        {
            AtCrashPoint = point => run.Switch.Happen($"point {point}"),
            BeforeStep = run.EveryStep ? step => run.Switch.Happen($"step {step.Kind}") : null,
        };
        try
        {
            DataRoot root = await DataRoot.OpenAsync(OptionsFor(run), disk).ConfigureAwait(false);
            try
            {
                await OperateAsync(root, run).ConfigureAwait(false);
                run.Say("done");
            }
            finally
            {
                await root.DisposeAsync().ConfigureAwait(false);
            }

            return 0;
        }
        catch (StorageException e)
        {
            run.Say($"refused {e.Kind} {e.Message}");
            return Refused;
        }
    }

    private static async Task OperateAsync(DataRoot root, Run run)
    {
        if (run.Scenario is "open" or "close" or "none")
        {
            return;
        }

        if (run.Scenario is "create-database")
        {
            run.Switch.Armed = true;
            await root.CreateDatabaseAsync(DatabaseName.Parse("other"), "child", default).ConfigureAwait(false);
            run.Switch.Armed = false;
            return;
        }

        Database shop = await root.GetDatabaseAsync(_shop, default).ConfigureAwait(false);
        run.Switch.Armed = true;
        switch (run.Scenario)
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
                await WriteForEverAsync(shop, run.Say).ConfigureAwait(false);
                break;
            default:
                throw new ArgumentException($"No scenario '{run.Scenario}'.", nameof(run));
        }

        run.Switch.Armed = false;
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
    private static async Task WriteForEverAsync(Database shop, Action<string> say)
    {
        for (int i = 0; ; i++)
        {
            string name = $"r{i:0000}";
            await shop.CreateBranchAsync(Request(name), default).ConfigureAwait(false);
            say($"branch {name}");
            for (int k = 0; k < 5; k++)
            {
                await PutAsync(shop, name, $"k{k}", $"{i}").ConfigureAwait(false);
                say($"put {name} k{k} {i}");
            }

            if (i % 3 == 2)
            {
                await shop.DeleteBranchAsync(BranchName.Parse(name), default).ConfigureAwait(false);
                say($"delete {name}");
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
}
