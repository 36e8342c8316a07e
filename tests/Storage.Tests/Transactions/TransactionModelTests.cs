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

    private static readonly string?[] _families = [null, "second", "third"];

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
        test.Store.CreateColumnFamily("third");
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
        string key = $"k{random.Next(keys)}";
        bool removes = random.Next(6) == 0;
        WriteOperation operation = removes
            ? WriteOperation.DeleteRange(Bytes(key), Bytes(key + "\0"), family)
            : Put(key, name, family);
        WriteResult result = await store.WriteAsync(
            new WriteRequest([operation], null, Durability.Buffered), CancellationToken.None);
        return new Done(result.Sequence, [], [(Slot(family, key), removes ? null : name)]);
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
        string key = $"k{random.Next(keys)}";
        string slot = Slot(family, key);
        switch (random.Next(5))
        {
            case 0:
                await transaction.PutAsync(family, Bytes(key), Bytes(name));
                writes[slot] = name;
                break;
            case 1:
                await transaction.DeleteAsync(family, Bytes(key));
                writes[slot] = null;
                break;
            case 2:
                ArrayBufferWriter<byte> value = new();
                bool found = await transaction.GetForUpdateAsync(family, Bytes(key), value);
                NoteRead(slot, found ? Text(value.WrittenMemory) : null, reads, writes);
                break;
            case 3:
                // Taken back whole: neither the write nor the claim counts, a read by itself does.
                Savepoint savepoint = transaction.SetSavepoint();
                await transaction.PutAsync(family, Bytes(key), Bytes("taken back"));
                transaction.RollBackTo(savepoint);
                transaction.Release(savepoint);
                break;
            default:
                byte[]? read = transaction.Get(family, Bytes(key));
                NoteRead(slot, read is null ? null : Text(read), reads, writes);
                break;
        }
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
                state[slot] = value;
            }
        }

        foreach (string? family in _families)
        {
            for (int key = 0; key < keys; key++)
            {
                Assert.Equal(state.GetValueOrDefault(Slot(family, $"k{key}")), Get(store, $"k{key}", family));
            }
        }
    }

    private static string Slot(string? family, string key) => $"{family ?? "default"}/{key}";

    private sealed record Done(
        Sequence Sequence, Dictionary<string, string?> Reads, List<(string Slot, string? Value)> Writes);
}
