using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

/// <summary>
/// Many threads run random transactions of both modes beside plain writes; afterwards everything that committed must be
/// explained by running it alone, in the order of the sequences. BRANCHING_TRANSACTIONS sets how many.
/// </summary>
public sealed class TransactionModelTests(ITestOutputHelper output)
{
    private const int Threads = 8;

    private const string Sums = "sums";
    private const string Lives = "lives";

    // A value that ends so was put with a time to live; in a plain write one that begins with a plus is a merge.
    private const string Mortal = "~";
    private const string Plus = "+";

    private static readonly string?[] _families = [null, "second", Sums, Lives];

    private static int Transactions { get; } = int.TryParse(
        Environment.GetEnvironmentVariable("BRANCHING_TRANSACTIONS"), CultureInfo.InvariantCulture, out int count)
        ? count
        : 1500;

    [Theory]
    [InlineData(1L << 20, 6)]
    [InlineData(1L << 10, 50)]
    public async Task What_committed_is_explained_by_running_it_alone_in_sequence_order(long windowBytes, int keys)
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        await using TestStore test = new(options =>
        {
            options.MemtableBytes = 64 << 10;
            options.TransactionWindowBytes = windowBytes;
        });
        test.Store.CreateColumnFamily("second");
        test.Store.CreateColumnFamily(Sums, new FamilySettings { Merge = "add" });
        test.Store.CreateColumnFamily(Lives, new FamilySettings { Expires = true });
        ConcurrentBag<Done> done = [];
        int lost = 0;

        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(async () =>
        {
            Random random = new(Seed + thread);
            for (int i = 0; i < Transactions / Threads; i++)
            {
                Done? one = random.Next(5) == 0
                    ? await WriteAsync(test.Store, random, keys, $"{thread}.{i}")
                    : await TransactAsync(test.Store, random, keys, $"{thread}.{i}");
                if (one is null)
                {
                    Interlocked.Increment(ref lost);
                }
                else
                {
                    done.Add(one);
                }
            }
        }))).WaitAsync(Waiting.Deadline);

        output.WriteLine($"{done.Count} committed, {lost} lost");
        Assert.NotEmpty(done);
        // One that wrote nothing has the sequence of the last write it saw.
        AssertSerial([.. done.OrderBy(one => one.Sequence).ThenBy(one => one.Writes.Count == 0)], test.Store, keys);
    }

    private static async Task<Done?> WriteAsync(LocalStore store, Random random, int keys, string name)
    {
        string? family = _families[random.Next(_families.Length)];
        int key = random.Next(keys);
        WriteOperation operation;
        List<(string Slot, string? Value)> writes;
        if (random.Next(6) == 0)
        {
            int end = Math.Min(keys, key + random.Next(1, 4));
            operation = WriteOperation.DeleteRange(Bytes(Key(key)), Bytes(Key(end)), family);
            writes = [.. Enumerable.Range(key, end - key).Select(k => (Slot(family, Key(k)), (string?)null))];
        }
        else
        {
            bool merges = family == Sums && random.Next(2) == 0;
            string value = ValueFor(family, random, name);
            operation = merges
                ? WriteOperation.Merge(Bytes(Key(key)), Bytes(value), family)
                : PutOf(family, key, value);
            writes = [(Slot(family, Key(key)), merges ? Plus + value : value)];
        }

        try
        {
            WriteResult result = await store.WriteAsync(
                new WriteRequest([operation], null, Durability.Buffered), CancellationToken.None);
            return new Done(result.Sequence, [], writes);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Deadlock)
        {
            return null; // A range waits for several keys, so it can be what closes a circle.
        }
    }

    private static async Task<Done?> TransactAsync(LocalStore store, Random random, int keys, string name)
    {
        StoreTransactionOptions options = new()
        {
            Mode = random.Next(2) == 0 ? TransactionMode.Optimistic : TransactionMode.Pessimistic,
            Snapshot = random.Next(3) switch { 0 => true, 1 => false, _ => null },
            ValidateReads = true,
            Durability = Durability.Buffered,
            LockTimeout = random.Next(4) == 0 ? TimeSpan.Zero : Waiting.Deadline,
        };
        using StoreTransaction transaction = store.BeginTransaction(options);
        Dictionary<string, string?> reads = [], writes = [];
        try
        {
            int steps = random.Next(1, 8);
            for (int step = 0; step < steps; step++)
            {
                await StepAsync(transaction, random, keys, $"{name}.{step}", reads, writes);
                if (random.Next(3) == 0)
                {
                    await Task.Yield();
                }
            }

            CommitResult result = await transaction.CommitAsync();
            return result.Committed
                ? new Done(result.Sequence, reads, [.. writes.Select(write => (write.Key, write.Value))])
                : null;
        }
        catch (StorageException e) when (e.Conflict is not null)
        {
            return null;
        }
    }

    private static async Task StepAsync(
        StoreTransaction transaction, Random random, int keys, string name, Dictionary<string, string?> reads,
        Dictionary<string, string?> writes)
    {
        string? family = _families[random.Next(_families.Length)];
        int number = random.Next(keys);
        byte[] key = Bytes(Key(number));
        string slot = Slot(family, Key(number));
        switch (random.Next(7))
        {
            case 0:
                string value = ValueFor(family, random, name);
                TimeSpan lives = value.EndsWith(Mortal, StringComparison.Ordinal) ? TimeSpan.FromDays(1) : default;
                await transaction.PutAsync(family, key, Bytes(value), lives);
                writes[slot] = value;
                break;
            case 1:
                await transaction.DeleteAsync(family, key);
                writes[slot] = null;
                break;
            case 2:
                ArrayBufferWriter<byte> claimed = new();
                bool found = await transaction.GetForUpdateAsync(family, key, claimed);
                NoteRead(slot, found ? Text(claimed.WrittenMemory) : null, reads, writes);
                break;
            case 3:
                await TakeBackAsync(transaction, family, number, keys);
                break;
            case 4 when transaction.Options.Mode == TransactionMode.Optimistic:
                int end = Math.Min(keys, number + random.Next(1, 4));
                if (transaction.HasSnapshot && random.Next(2) == 0)
                {
                    // Nothing but the removal protects what this scan shows.
                    NoteScan(transaction, family, number, end, reads, writes);
                }

                RemoveRange(transaction, family, number, end, writes);
                break;
            case 5 when family == Sums:
                // What it shows is what counts: if the sum was another one at the commit, the merge was wrong.
                await transaction.MergeAsync(family, key, Bytes(ValueFor(family, random, name)));
                writes[slot] = Text(transaction.Get(family, key));
                break;
            default:
                NoteRead(slot, Read(transaction, family, key), reads, writes);
                break;
        }
    }

    /// <summary>Neither the writes nor the claims count then, a read by itself does.</summary>
    private static async Task TakeBackAsync(StoreTransaction transaction, string? family, int number, int keys)
    {
        Savepoint savepoint = transaction.SetSavepoint();
        await transaction.PutAsync(family, Bytes(Key(number)), Bytes("404"));
        if (transaction.Options.Mode == TransactionMode.Optimistic)
        {
            transaction.DeleteRange(family, Bytes(Key(0)), Bytes(Key(keys)));
        }

        if (family == Sums)
        {
            await transaction.MergeAsync(family, Bytes(Key(number)), Bytes("1"));
        }

        transaction.RollBackTo(savepoint);
        transaction.Release(savepoint);
    }

    private static void NoteScan(
        StoreTransaction transaction, string? family, int from, int to, Dictionary<string, string?> reads,
        Dictionary<string, string?> writes)
    {
        KeyRange range = new(Bytes(Key(from)), Bytes(Key(to)));
        Dictionary<string, string> seen = transaction.Scan(All() with { ColumnFamily = family, Range = range })
            .Entries.ToDictionary(entry => Text(entry.Key), entry => Text(entry.Value));
        for (int key = from; key < to; key++)
        {
            NoteRead(Slot(family, Key(key)), seen.GetValueOrDefault(Key(key)), reads, writes);
        }
    }

    private static void RemoveRange(
        StoreTransaction transaction, string? family, int from, int to, Dictionary<string, string?> writes)
    {
        transaction.DeleteRange(family, Bytes(Key(from)), Bytes(Key(to)));
        for (int key = from; key < to; key++)
        {
            writes[Slot(family, Key(key))] = null;
        }

        KeyRange range = new(Bytes(Key(from)), Bytes(Key(to)));
        Assert.Empty(transaction.Scan(All() with { ColumnFamily = family, Range = range }).Entries);
    }

    private static void NoteRead(
        string slot, string? value, Dictionary<string, string?> reads, Dictionary<string, string?> writes)
    {
        if (writes.TryGetValue(slot, out string? own))
        {
            Assert.Equal(own, value);
        }
        else
        {
            reads.TryAdd(slot, value);
        }
    }

    private static void AssertSerial(Done[] done, LocalStore store, int keys)
    {
        Dictionary<string, string?> state = [];
        foreach (Done one in done)
        {
            foreach ((string slot, string? value) in one.Reads)
            {
                Assert.True(
                    state.GetValueOrDefault(slot) == value,
                    $"At sequence {one.Sequence} {slot} is '{state.GetValueOrDefault(slot)}', '{value}' was read.");
            }

            foreach ((string slot, string? value) in one.Writes)
            {
                state[slot] = value is not null && value.StartsWith(Plus, StringComparison.Ordinal)
                    ? Sum(state.GetValueOrDefault(slot), value)
                    : value;
            }
        }

        foreach (string? family in _families)
        {
            for (int key = 0; key < keys; key++)
            {
                string? expected = state.GetValueOrDefault(Slot(family, Key(key)));
                Assert.Equal(expected, Get(store, Key(key), family));
                store.TryGetTimeToLive(family, Bytes(Key(key)), out TimeSpan? left);
                Assert.Equal(expected?.EndsWith(Mortal, StringComparison.Ordinal) ?? false, left is not null);
            }
        }
    }

    private static string? Read(StoreTransaction transaction, string? family, byte[] key) =>
        transaction.Get(family, key) is { } read ? Text(read) : null;

    // Fixed length, so that the order of the keys is that of their numbers.
    private static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"k{number:000}");

    private static string ValueFor(string? family, Random random, string name) => family switch
    {
        Sums => random.Next(1, 1000).ToString(CultureInfo.InvariantCulture),
        Lives when random.Next(2) == 0 => name + Mortal,
        _ => name,
    };

    private static string Sum(string? before, string added) =>
        (long.Parse(before ?? "0", CultureInfo.InvariantCulture) + long.Parse(added, CultureInfo.InvariantCulture))
        .ToString(CultureInfo.InvariantCulture);

    private static WriteOperation PutOf(string? family, int key, string value) => new(
        WriteKind.Put, family, Bytes(Key(key)), Bytes(value),
        value.EndsWith(Mortal, StringComparison.Ordinal) ? TimeSpan.FromDays(1) : default);

    private static string Slot(string? family, string key) => $"{family ?? "default"}/{key}";

    private sealed record Done(
        Sequence Sequence, Dictionary<string, string?> Reads, List<(string Slot, string? Value)> Writes);
}
