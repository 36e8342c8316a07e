using System.Diagnostics;
using System.Globalization;
using System.Text;
using Branching.Storage.Changes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Writes to a store with a change log and kills itself at the given step of it. Arguments: directory, scenario, number
/// of the step (0: none). Every line that begins with "put" or "ack" was answered before it was said.
/// </summary>
internal static class ChangeScenarios
{
    public const string Prefix = "changes-";

    private const int Writes = 16;

    private static int _event;
    private static int _killAt;

    public static async Task<int> RunAsync(string[] args)
    {
        _killAt = int.Parse(args[2], CultureInfo.InvariantCulture);
        Disk disk = new() { AtChangeStep = Happen };
        using StoreResources resources = new(
            new StorageOptions { DataRoot = args[0], BlockCacheBytes = 8 << 20 }, NullLogger.Instance,
            TimeProvider.System);
        string directory = Path.Combine(args[0], "store");
        LocalStore store = LocalStore.Open(
            directory, "the store", resources, create: !Directory.Exists(directory), NullLogger.Instance,
            TimeProvider.System);
        ChangeLogPlace place = new(
            Path.Combine(args[0], "changes", "log"), DatabaseId.Parse(new string('1', 32)),
            StoreId.Parse(new string('2', 32)))
        {
            Disk = disk,
        };
        store.EnableChangeLog(
            place, ChangeLogSettings.Default with { RotateBytes = 4096, KeepFiles = 3 });
        if (args[1] == Prefix + "write")
        {
            await WriteAsync(store).ConfigureAwait(false);
        }

        await store.DisposeAsync().ConfigureAwait(false);
        Program.Say("done");
        return 0;
    }

    private static async Task WriteAsync(LocalStore store)
    {
        store.Changes.CreateConsumer("reader", ChangeStart.First);
        ulong from = store.LastAcknowledged.Value;
        byte[] value = Encoding.UTF8.GetBytes(new string('x', 700));
        for (ulong i = from + 1; i <= from + Writes; i++)
        {
            WriteOperation put = WriteOperation.Put(Encoding.UTF8.GetBytes($"k{i:0000}"), value);
            Durability durability = i % 3 == 0 ? Durability.Buffered : Durability.Sync;
            await store.WriteAsync(new WriteRequest([put], null, durability), default).ConfigureAwait(false);
            Program.Say($"put {i}");
            if (i % 5 == 0)
            {
                store.Changes.Acknowledge("reader", new Sequence(i));
                Program.Say($"ack {i}");
                store.Changes.Purge(new ChangePurge(Through: new Sequence(i)));
            }
        }
    }

    private static void Happen(ChangeStep step)
    {
        Program.Say($"step {step}");
        if (++_event == _killAt)
        {
            using Process self = Process.GetCurrentProcess();
            self.Kill(); // SIGKILL: no handler, no finally, no flush.
            new ManualResetEventSlim().Wait(Timeout.Infinite);
        }
    }
}
