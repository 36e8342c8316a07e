using System.Buffers;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreModeTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_put_happens_as_its_mode_says()
    {
        await using TestStore test = new();

        Assert.False((await PutAsync(test, "a", "1", PutMode.OnlyIfPresent)).Applied);
        Assert.True((await PutAsync(test, "a", "1", PutMode.OnlyIfAbsent)).Applied);
        Assert.False((await PutAsync(test, "a", "2", PutMode.OnlyIfAbsent)).Applied);
        Assert.Equal("1", test.Get("a"));
        Assert.True((await PutAsync(test, "a", "2", PutMode.OnlyIfPresent)).Applied);
        Assert.True((await PutAsync(test, "a", "3", PutMode.Append)).Applied);
        Assert.True((await PutAsync(test, "new", "x", PutMode.Append)).Applied);
        Assert.Equal(("23", "x"), (test.Get("a"), test.Get("new")));
        Assert.True((await PutAsync(test, "a", "4", PutMode.Upsert)).Applied);
        Assert.Equal("4", test.Get("a"));
        Assert.Equal(FailureKind.InvalidArgument, (await Assert.ThrowsAsync<StorageException>(
            () => PutAsync(test, "a", "4", (PutMode)9))).Kind);
    }

    [Fact]
    public async Task A_taken_value_goes_to_one_caller_alone()
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 50).Select(i => Put($"{i:00}", $"{i}"))]);

        List<string>[] taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            List<string> mine = [];
            for (int i = 0; i < 50; i++)
            {
                ArrayBufferWriter<byte> value = new();
                if ((await test.Store.TakeAsync(null, Bytes($"{i:00}"), value, Durability.Buffered)).Applied)
                {
                    mine.Add(Text(value.WrittenMemory));
                }
            }

            return mine;
        })));

        Assert.Equal(
            Enumerable.Range(0, 50).Select(i => $"{i}").Order(StringComparer.Ordinal),
            taken.SelectMany(mine => mine).Order(StringComparer.Ordinal));
        Assert.Empty(test.Store.Range());
    }

    [Fact]
    public async Task Appends_of_many_callers_are_all_there_and_whole()
    {
        await using TestStore test = new();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
        {
            for (int i = 0; i < 25; i++)
            {
                await PutAsync(test, "log", $"{writer}{i:00};", PutMode.Append);
            }
        })));

        string[] entries = test.Get("log")!.Split(';', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(200, entries.Distinct(StringComparer.Ordinal).Count());
        Assert.All(
            entries.GroupBy(entry => entry[0]),
            writer => Assert.Equal(writer.Order(StringComparer.Ordinal), writer));
    }

    [Fact]
    public async Task Operations_of_one_write_see_those_before_them()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sum", new FamilySettings { Merge = "add" });

        await test.WriteAsync(
            Put("a", "1"), WriteOperation.Append(Bytes("a"), Bytes("2")), Delete("b"),
            WriteOperation.Append(Bytes("b"), Bytes("x")), WriteOperation.Append(Bytes("b"), Bytes("y")),
            Put("n", "5", "sum"), WriteOperation.Merge(Bytes("n"), Bytes("-7"), "sum"));

        Assert.Equal(("12", "xy", "-2"), (test.Get("a"), test.Get("b"), test.Get("n", "sum")));
        Assert.Equal(7ul, test.Store.LastAcknowledged.Value);
    }

    [Fact]
    public async Task A_write_that_cannot_be_resolved_is_refused_alone_and_leaves_nothing()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sum", new FamilySettings { Merge = "add" });
        await test.WriteAsync(Put("n", "5", "sum"));
        WriteOperation[][] refused =
        [
            [Put("a", "1"), WriteOperation.Merge(Bytes("a"), Bytes("1"))],
            [Put("a", "1"), WriteOperation.Merge(Bytes("n"), Bytes("many"), "sum")],
            [Put("a", "1"), Put("n", "many", "sum")],
            [Put("a", "1"), WriteOperation.Append(Bytes("n"), Bytes("x"), "sum")],
            [Put("a", "1") with { TimeToLive = TimeSpan.FromSeconds(1) }],
            [Delete("a") with { TimeToLive = TimeSpan.FromSeconds(1) }],
            [Put("a", "1") with { TimeToLive = TimeSpan.FromSeconds(-3) }],
        ];

        foreach (WriteOperation[] operations in refused)
        {
            StorageException e = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(operations));
            Assert.Equal(FailureKind.InvalidArgument, e.Kind);
        }

        Assert.Null(test.Get("a"));
        Assert.Equal("5", test.Get("n", "sum"));
        Assert.True(test.Store.Health.IsHealthy);
    }

    [Fact]
    public async Task Clearing_counts_what_it_removes_and_leaves_the_rest()
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 1000).Select(i => Put($"k{i:0000}", "v"))]);
        KeyRange range = new(Bytes("k0100"), Bytes("k0899"), ToInclusive: true);

        ClearResult cleared = await test.Store.ClearAsync(null, range, batchKeys: 64);

        Assert.Equal(new ClearResult(800, 13), cleared);
        Assert.Equal(200, test.Store.Count(null, KeyRange.All, default));
        Assert.Equal(new ClearResult(0, 0), await test.Store.ClearAsync(null, range));
        Assert.Equal(200, (await test.Store.ClearAsync(null, KeyRange.All)).Removed);
        Assert.Equal(FailureKind.InvalidArgument, (await Assert.ThrowsAsync<StorageException>(
            () => test.Store.ClearAsync(null, range, batchKeys: 0))).Kind);
    }

    [Fact]
    public async Task A_key_as_long_as_allowed_is_cleared_too()
    {
        await using TestStore test = new();
        byte[] longest = new byte[LocalStore.MaxKeyBytes];
        await test.WriteAsync(WriteOperation.Put(longest, Bytes("1")), Put("z", "2"));

        Assert.Equal(2, (await test.Store.ClearAsync(null, KeyRange.All, batchKeys: 1)).Removed);

        Assert.Empty(test.Store.Range());
    }

    [Fact]
    public async Task Several_keys_are_asked_about_and_deleted_at_once()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"), Put("b", ""), Put("c", "333"));
        ReadOnlyMemory<byte>[] keys = [Bytes("c"), Bytes("x"), Bytes("b")];

        Assert.Equal([3, null, 0], test.Store.MultiGetLength(null, keys));
        Assert.Equal([true, false, true], test.Store.MultiExists(null, keys));
        Assert.True((await test.Store.MultiDeleteAsync(null, keys)).Applied);
        Assert.Equal(["a"], test.Store.Range().Select(entry => Text(entry.ToEntry().Key)));
        Assert.Empty(test.Store.MultiExists(null, []));
    }

    [Fact]
    public async Task Memory_answers_at_once_and_only_what_it_knows()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("hot", "1"));
        ArrayBufferWriter<byte> value = new();

        ValueTask<bool> hot = test.Store.GetAsync(null, Bytes("hot"), value);
        Assert.True(hot.IsCompletedSuccessfully);
        Assert.True(await hot);
        Assert.True(test.Store.ExistsInMemory(null, Bytes("hot"), out bool exists) && exists);
        await test.ReopenAsync();
        test.Store.Flush();
        await test.ReopenAsync();
        value.ResetWrittenCount();

        Assert.True(await test.Store.GetAsync(null, Bytes("hot"), value));
        Assert.Equal("1", Text(value.WrittenMemory));
        Assert.False(await test.Store.GetAsync(null, Bytes("cold"), value));
    }

    [Fact]
    public async Task An_estimate_says_that_it_is_one_and_stays_near_the_truth()
    {
        await using TestStore test = new();
        for (int i = 0; i < 10; i++)
        {
            int from = i * 2000;
            string value = new('v', 20);
            await test.WriteAsync([.. Enumerable.Range(from, 2000).Select(k => Put($"{k:00000}", value))]);
        }

        test.Store.Flush();
        await test.WriteAsync([.. Enumerable.Range(0, 4000).Select(k => Delete($"{k:00000}"))]);
        test.Store.Flush();
        KeyRange half = new(Bytes("08000"), default);

        CountEstimate all = test.Store.EstimateCount(null, KeyRange.All);
        CountEstimate some = test.Store.EstimateCount(null, half);

        Assert.False(all.IsExact);
        Assert.False(some.IsExact);
        Assert.InRange(all.Keys, 16_000 * 0.8, 16_000 * 1.2);
        Assert.InRange(some.Keys, 12_000 * 0.8, 12_000 * 1.2);
        Assert.Equal(
            new CountEstimate(10, IsExact: true),
            test.Store.EstimateCount(null, new KeyRange(Bytes("10000"), Bytes("10010"))));
        long bytes = test.Store.MeasureRange(null, KeyRange.All);
        Assert.InRange(test.Store.MeasureRange(null, half), 1, bytes);
        Assert.Equal(0, test.Store.MeasureRange(null, new KeyRange(Bytes("zz"), default)));
        Assert.Equal(0, test.Store.MeasureRange(null, new KeyRange(Bytes("b"), Bytes("a"))));
    }

    [Fact]
    public async Task A_store_that_is_only_looked_at_refuses_every_change_in_one_way()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sum", new FamilySettings { Merge = "add" });
        await test.WriteAsync(Put("a", "1"), Put("n", "5", "sum"));
        await using LocalStore seen = LocalStore.OpenReadOnly(
            test.InRoot("store"), "store", test.Resources, NullLogger.Instance, TimeProvider.System);
        Func<Task>[] changes =
        [
            () => WriteAsync(seen, Put("b", "1")),
            () => WriteAsync(seen, Delete("a")),
            () => WriteAsync(seen),
            () => seen.PutAsync(null, Bytes("b"), Bytes("1")).AsTask(),
            () => seen.MergeAsync("sum", Bytes("n"), Bytes("1")).AsTask(),
            () => seen.TakeAsync(null, Bytes("a"), new ArrayBufferWriter<byte>()).AsTask(),
            () => seen.MultiDeleteAsync(null, [Bytes("a")]).AsTask(),
            () => seen.ClearAsync(null, KeyRange.All),
            () => Task.Run(() => seen.CreateColumnFamily("x")),
            () => Task.Run(() => seen.DropColumnFamily("sum")),
            () => Task.Run(seen.Flush),
            () => Task.Run(() => seen.Compact(null, KeyRange.All)),
            () => Task.Run(() => seen.CreateCheckpoint(test.InRoot("copy"))),
            () => Task.Run(() => seen.Ingest(null, [test.InRoot("x.sst")])),
            () => Task.Run(() => seen.BeginBulkLoad(new Bulk.BulkLoadOptions(), test.InRoot("bulk"))),
        ];

        foreach (Func<Task> change in changes)
        {
            Assert.Equal(FailureKind.ReadOnly, (await Assert.ThrowsAsync<StorageException>(change)).Kind);
        }

        Assert.Equal(("1", "5"), (Get(seen, "a"), Get(seen, "n", "sum")));
        Assert.Equal(1, seen.Count(null, KeyRange.All, default));
        Assert.True(seen.IsReadOnly && !test.Store.IsReadOnly);
    }

    [Fact]
    public async Task Reading_and_writing_small_values_allocates_nothing_to_speak_of()
    {
        const int Calls = 2000;
        await using TestStore test = new();
        byte[] key = Bytes("key");
        WriteRequest put = new([WriteOperation.Put(key, Bytes("value"))], null, Durability.Buffered);
        ArrayBufferWriter<byte> destination = new(1024);
        for (int i = 0; i < Calls; i++)
        {
            await test.Store.WriteAsync(put, default);
            Read(test, key, destination);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Calls; i++)
        {
            Read(test, key, destination);
        }

        long read = GC.GetAllocatedBytesForCurrentThread() - before;

        output.WriteLine($"read {read} bytes in {Calls} calls");
        Assert.InRange(read, 0, Calls);
        await AllocatesNothingAsync("requests", Calls, () => test.Store.WriteAsync(put, default));
        byte[] value = Bytes("value");
        await AllocatesNothingAsync("puts", Calls, () => test.Store.PutAsync(
            null, key, value, durability: Durability.Buffered));
        await AllocatesNothingAsync("deletes", Calls, () => test.Store.DeleteAsync(null, key, Durability.Buffered));
    }

    [Fact]
    public async Task Puts_at_once_from_many_callers_each_write_their_own_key_and_value()
    {
        const int Callers = 8, Puts = 500;
        await using TestStore test = new();
        using CancellationTokenSource cancel = new();

        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            for (int i = 0; i < Puts; i++)
            {
                // Some are synced, so that all ways through the queue are taken.
                Durability durability = i % 50 == 0 ? Durability.Sync : Durability.Buffered;
                byte[] own = Bytes($"{caller}-{i:000}");
                Assert.True((await test.Store.PutAsync(null, own, own, durability: durability)).Applied);
                if (i % 2 == 1)
                {
                    await test.Store.DeleteAsync(null, own, durability, cancel.Token);
                }
            }
        })));

        List<KeyValueEntry> left = [.. test.Store.Scan(All()).Entries];
        Assert.Equal(Callers * Puts / 2, left.Count);
        Assert.All(left, entry => Assert.Equal(Text(entry.Key), Text(entry.Value)));
    }

    private async Task AllocatesNothingAsync(string what, int calls, Func<ValueTask<WriteResult>> write)
    {
        for (int i = 0; i < calls; i++)
        {
            await write();
        }

        // Other tests of the process may listen to what is measured meanwhile; the least of a few runs is the store's.
        long wrote = long.MaxValue;
        int atOnce = 0;
        for (int run = 0; run < 5 && wrote >= calls; run++)
        {
            (long bytes, atOnce) = await MeasureWritesAsync(write, calls);
            wrote = Math.Min(wrote, bytes);
        }

        output.WriteLine($"{what}: {wrote} bytes in {calls} calls, {atOnce} of them at once");
        Assert.True(atOnce < calls || wrote < calls, $"{wrote} bytes for {calls} {what}");
    }

    private static async Task<(long Bytes, int AtOnce)> MeasureWritesAsync(
        Func<ValueTask<WriteResult>> write, int calls)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        int atOnce = 0;
        for (int i = 0; i < calls; i++)
        {
            ValueTask<WriteResult> written = write();
            atOnce += written.IsCompleted ? 1 : 0;
            await written;
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before, atOnce);
    }

    private static void Read(TestStore test, byte[] key, ArrayBufferWriter<byte> destination)
    {
        destination.ResetWrittenCount();
        Assert.True(test.Store.TryGet(null, key, destination));
    }

    private static Task<WriteResult> PutAsync(TestStore test, string key, string value, PutMode mode) =>
        Task.Run(() => test.Store.PutAsync(
            null, Bytes(key), Bytes(value), mode, durability: Durability.Buffered).AsTask());
}
