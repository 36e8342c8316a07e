using System.Globalization;
using System.Text;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Writes to a store until the file system is full, makes room and goes on as a node would: asks again, closes, opens
/// the root again. Says what it met, one line each; a process that RocksDB ends says nothing more.
/// </summary>
internal static class FullDisk
{
    private static readonly BranchName _main = BranchName.Parse("main");
    private static int _acknowledged;

    public static async Task<int> RunAsync(string directory)
    {
        StorageOptions options = new()
        {
            DataRoot = directory,
            BlockCacheBytes = 8 << 20,
            MemtableBudgetBytes = 64 << 20,
            MemtableBytes = 32 << 20, // More than the file system has: the log meets the full disk, not a flush.
        };
        await using (DataRoot root = await DataRoot.OpenAsync(options, new Disk()).ConfigureAwait(false))
        {
            Database shop = await root.GetDatabaseAsync(DatabaseName.Parse("shop"), default).ConfigureAwait(false);
            using StoreLease lease = await shop.AcquireAsync(_main, default).ConfigureAwait(false);
            await FillAsync(lease.Store).ConfigureAwait(false);
            File.Delete(Path.Combine(directory, "..", "filler"));
            Say($"again {await TryPutAsync(lease.Store, 0).ConfigureAwait(false)}");
            Say($"readable {CountReadable(lease.Store)}");
            Say($"statistics {root.GetStatistics().KeptOpenStores}");
        }

        Say("closed");
        await using (DataRoot root = await DataRoot.OpenAsync(options, new Disk()).ConfigureAwait(false))
        {
            Database shop = await root.GetDatabaseAsync(DatabaseName.Parse("shop"), default).ConfigureAwait(false);
            try
            {
                using StoreLease lease = await shop.AcquireAsync(_main, default).ConfigureAwait(false);
                Say("reopened");
            }
            catch (StorageException e)
            {
                Say($"refused {e.Kind} {e.Message}");
            }
        }

        return 0;
    }

    private static async Task FillAsync(LocalStore store)
    {
        string answer;
        while ((answer = await TryPutAsync(store, _acknowledged).ConfigureAwait(false)) == "Applied")
        {
            _acknowledged++;
        }

        Say($"acknowledged {_acknowledged}");
        Say($"failed {answer}");
    }

    private static async Task<string> TryPutAsync(LocalStore store, int number)
    {
        // Values of many sizes, so that the disk is not always full at the same place of a block.
        byte[] value = new byte[1 + (number * 7919 % 20_000)];
        WriteOperation put = WriteOperation.Put(Key(number), value);
        Durability durability = number % 2 == 0 ? Durability.Sync : Durability.Buffered;
        try
        {
            await store.WriteAsync(new WriteRequest([put], Durability: durability), default).ConfigureAwait(false);
            return "Applied";
        }
        catch (StorageException e)
        {
            return $"{e.Kind} {e.Message}";
        }
    }

    private static int CountReadable(LocalStore store)
    {
        System.Buffers.ArrayBufferWriter<byte> value = new();
        return Enumerable.Range(0, _acknowledged).Count(number => store.TryGet(null, Key(number), value));
    }

    private static byte[] Key(int number) =>
        Encoding.UTF8.GetBytes(number.ToString("D6", CultureInfo.InvariantCulture));

    private static void Say(string line)
    {
        Console.Out.WriteLine(line.ReplaceLineEndings(" "));
        Console.Out.Flush();
    }
}
