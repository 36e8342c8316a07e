using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Branching.Storage.Bulk;
using Branching.Storage.Transactions;

namespace Branching.Storage.CrashChild;

/// <content>What the users do, and how often.</content>
internal sealed partial class TeardownRun
{
    private const int ValueBytes = 100;
    private const int LoadedRecords = 600; // Of 100 bytes: with 64 KiB of memory a load goes to the disk in between.

    private static readonly Use[] _uses =
    [
        new("put", 20, static (run, store, user, _) => run.PutAsync(store, user, Durability.Buffered)),
        new("put durably", 5, static (run, store, user, _) => run.PutAsync(store, user, Durability.Sync)),
        new("optimistic transaction", 7, static (run, store, user, random) =>
            run.CommitAsync(store, user, TransactionMode.Optimistic, random)),
        new("pessimistic transaction", 6, static (run, store, user, random) =>
            run.CommitAsync(store, user, TransactionMode.Pessimistic, random)),
        new("get", 22, static (run, store, _, random) =>
            store.TryGet(null, run.AnyKey(random), new ArrayBufferWriter<byte>())),
        new("multi-get", 10, static (_, store, user, _) => store.MultiGet(null, [KeyOf(0), KeyOf(user)])),
        new("scan", 15, static (_, store, _, _) => Scan(store)),
        new("range", 6, static (_, store, _, random) => WalkRange(store, view: null, random)),
        new("asynchronous range", 4, static (_, store, _, random) => WalkRangeAsync(store, random)),
        new("view", 4, static (run, store, _, random) => run.ReadView(store, random)),
        new("count", 5, static (_, store, _, _) => store.Count(null, KeyRange.All, CancellationToken.None)),
        new("keyed lock", 4, static (run, store, _, random) => run.HoldAsync(store, random)),
        new("shared buffer", 4, static (_, store, user, random) => ShareAsync(store, user, random)),
        new("bulk load", 2, static (run, store, user, _) => run.LoadAsync(store, user)),
        new("checkpoint", 2, static (run, store, _, _) => run.Checkpoint(store)),
        new("flush", 2, static (_, store, _, _) => store.Flush()),
        new("compact", 1, static (_, store, _, _) => store.Compact(null, KeyRange.All)),
        new("families", 2, static (_, store, user, _) => ChangeFamilies(store, user)),
        new("backup", 1, static (run, store, _, _) => run.BackUpAsync(store)),
        new("changes", 1, static (_, store, _, _) => ReadChanges(store)),
        new("statistics", 1, static (_, store, _, _) => store.GetStatistics()),
    ];

    private static readonly int _weights = _uses.Sum(static use => use.Weight);

    private readonly int[] _holders = new int[SharedKeys];
    private int _copies;

    private static Use Draw(Random random)
    {
        int at = random.Next(_weights);
        return _uses.First(use => (at -= use.Weight) < 0);
    }

    private byte[] AnyKey(Random random) => KeyOf(random.Next(users));

    private static void Scan(LocalStore store)
    {
        using ScanCursor cursor = store.OpenCursor(new ScanRequest(null, KeyRange.All, false, 10, 1 << 20));
        List<KeyValueEntry> entries = [];
        while (cursor.ReadPage(10, 1 << 20, entries))
        {
            entries.Clear();
        }
    }

    /// <summary>Looks at each entry where RocksDB has it.</summary>
    private static int WalkRange(LocalStore store, StoreView? view, Random random)
    {
        int entries = 0;
        foreach (PinnedEntry entry in store.Range(new RangeOptions { View = view, Reverse = random.Next(2) == 0 }))
        {
            Check(entry.Key, entry.Value);
            entries++;
        }

        return entries;
    }

    private static async Task WalkRangeAsync(LocalStore store, Random random)
    {
        RangeOptions options = new() { Reverse = random.Next(2) == 0, Limit = random.Next(2) == 0 ? 20 : null };
        await foreach (KeyValueEntry entry in store.RangeAsync(options).ConfigureAwait(false))
        {
            Check(entry.Key.Span, entry.Value.Span);
        }
    }

    private void ReadView(LocalStore store, Random random)
    {
        using StoreView view = store.OpenView();
        byte[] key = AnyKey(random);
        ArrayBufferWriter<byte> before = new(), after = new();
        store.TryGetAt(view, null, key, before);
        int entries = WalkRange(store, view, random);
        store.TryGetAt(view, null, key, after);
        if (entries != WalkRange(store, view, random) || !before.WrittenSpan.SequenceEqual(after.WrittenSpan))
        {
            throw new InvalidOperationException("A view was not the same when it was read again.");
        }
    }

    /// <summary>Bytes that RocksDB has taken back would hardly look like an entry.</summary>
    private static void Check(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (key.Length != 3 || key[0] != 'u' || value.Length is not (3 or ValueBytes))
        {
            throw new InvalidOperationException(
                $"An entry is {Convert.ToHexString(key)} with {value.Length} bytes, which nobody wrote.");
        }
    }

    private async Task HoldAsync(LocalStore store, Random random)
    {
        int which = random.Next(SharedKeys);
        using KeyedLockHolder holder = await store.Locks.TakeAsync(KeyOf(which), _lockTimeout).ConfigureAwait(false);
        bool isAlone = Interlocked.Increment(ref _holders[which]) == 1;
        try
        {
            store.TryGet(null, KeyOf(which), new ArrayBufferWriter<byte>());
            await Task.Yield();
        }
        finally
        {
            Interlocked.Decrement(ref _holders[which]);
        }

        if (!isAlone)
        {
            throw new InvalidOperationException("Two held one key.");
        }
    }

    private static async Task ShareAsync(LocalStore store, int user, Random random)
    {
        SharedBuffer buffer = store.SharedBuffers.GetOrAdd(KeyOf(random.Next(SharedKeys)), new byte[8]);
        long version = buffer.Change(static bytes => BinaryPrimitives.WriteInt64LittleEndian(
            bytes, BinaryPrimitives.ReadInt64LittleEndian(bytes) + 1));
        if (random.Next(2) == 0)
        {
            await buffer.WaitAsync(version, _lockTimeout).ConfigureAwait(false);
        }

        store.SharedBuffers.GetOrAdd(KeyOf(SharedKeys + user), new byte[8]);
        store.SharedBuffers.Remove(KeyOf(SharedKeys + user)); // Nobody else has this one.
    }

    private async Task LoadAsync(LocalStore store, int user)
    {
        if (store.HasChangeLog)
        {
            return; // A load would not be in it, so databases refuse one there.
        }

        BulkLoad load = store.BeginBulkLoad(
            new BulkLoadOptions { MemoryBytes = 64 << 10 }, NextCopy());
        await using ConfiguredAsyncDisposable ended = load.ConfigureAwait(false);
        ulong number = 0;
        for (int i = 0; i < LoadedRecords; i++)
        {
            load.Add(KeyOf(user), NextValue(user, out number));
        }

        await load.CompleteAsync().ConfigureAwait(false);
        Acknowledge(user, number);
    }

    private void Checkpoint(LocalStore store)
    {
        string target = NextCopy();
        try
        {
            store.CreateCheckpoint(target);
        }
        finally
        {
            Remove(target);
        }
    }

    /// <summary>A name beside the store that was never used.</summary>
    private string NextCopy() => $"{directory}-copy-{Interlocked.Increment(ref _copies)}";

    private static void Remove(string copy)
    {
        try
        {
            if (Directory.Exists(copy))
            {
                Directory.Delete(copy, recursive: true);
            }
        }
        catch (IOException)
        {
            // Too many files are open to look into it. The name is not used again.
        }
    }

    private static void ChangeFamilies(LocalStore store, int user)
    {
        string family = "family" + user;
        if (!store.DescribeFamilies().Any(one => one.Name == family)) // A round may have ended in between.
        {
            store.CreateColumnFamily(family);
        }

        store.DropColumnFamily(family);
    }

    /// <summary>One kind of use.</summary>
    private sealed class Use(string name, int weight, Func<TeardownRun, LocalStore, int, Random, Task> run)
    {
        public Use(string name, int weight, Action<TeardownRun, LocalStore, int, Random> run)
            : this(name, weight, (all, store, user, random) =>
            {
                run(all, store, user, random);
                return Task.CompletedTask;
            })
        {
        }

        public string Name { get; } = name;

        /// <summary>How often, compared with the others.</summary>
        public int Weight { get; } = weight;

        public Task RunAsync(TeardownRun all, LocalStore store, int user, Random random) =>
            run(all, store, user, random);
    }
}
