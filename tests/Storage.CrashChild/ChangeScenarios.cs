using System.Text;
using Branching.Storage.Changes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Writes to a store with a change log and is killed at the given step of it. Every line that begins with "put" or
/// "ack" was answered before it was said.
/// </summary>
internal static class ChangeScenarios
{
    public const string Prefix = "changes-";

    private const int Writes = 16;

    public static async Task<int> RunAsync(Run run)
    {
        run.Switch.Armed = true;
        Disk disk = new() { AtChangeStep = step => run.Switch.Happen($"step {step}") };
        using StoreResources resources = new(
            new StorageOptions { DataRoot = run.Root, BlockCacheBytes = 8 << 20 }, NullLogger.Instance,
            TimeProvider.System);
        string directory = Path.Combine(run.Root, "store");
        LocalStore store = LocalStore.Open(
            directory, "the store", resources, create: !Directory.Exists(directory), NullLogger.Instance,
            TimeProvider.System);
        ChangeLogPlace place = new(
            Path.Combine(run.Root, "changes", "log"), DatabaseId.Parse(new string('1', 32)),
            StoreId.Parse(new string('2', 32)))
        {
            Disk = disk,
        };
        store.EnableChangeLog(
            place, ChangeLogSettings.Default with { RotateBytes = 4096, KeepFiles = 3 });
        if (run.Scenario == Prefix + "write")
        {
            await WriteAsync(store, run).ConfigureAwait(false);
        }

        await store.DisposeAsync().ConfigureAwait(false);
        run.Say("done");
        return 0;
    }

    private static async Task WriteAsync(LocalStore store, Run run)
    {
        store.Changes.CreateConsumer("reader", ChangeStart.First);
        ulong from = store.LastAcknowledged.Value;
        byte[] value = Encoding.UTF8.GetBytes(new string('x', 700));
        for (ulong i = from + 1; i <= from + Writes; i++)
        {
            WriteOperation put = WriteOperation.Put(Encoding.UTF8.GetBytes($"k{i:0000}"), value);
            Durability durability = i % 3 == 0 ? Durability.Buffered : Durability.Sync;
            await store.WriteAsync(new WriteRequest([put], null, durability), default).ConfigureAwait(false);
            run.Say($"put {i}");
            if (i % 5 == 0)
            {
                store.Changes.Acknowledge("reader", new Sequence(i));
                run.Say($"ack {i}");
                store.Changes.Purge(new ChangePurge(Through: new Sequence(i)));
            }
        }
    }
}
