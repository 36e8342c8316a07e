using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreMergeTests(ITestOutputHelper output)
{
    private static readonly FamilySettings _adds = new() { Merge = "add" };

    [Fact]
    public async Task Merges_of_many_callers_are_all_counted_and_survive_whatever_happens_to_the_files()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("n", _adds);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 50; i++)
            {
                await test.Store.MergeAsync("n", Bytes("hits"), Bytes("1"), Durability.Buffered);
            }
        })));

        Assert.Equal("400", test.Get("hits", "n"));
        test.Store.Flush();
        await WriteAsync(test.Store, WriteOperation.Merge(Bytes("hits"), Bytes("-1"), "n"));
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        await test.ReopenAsync();
        test.Store.Compact("n", KeyRange.All);
        Assert.Equal("399", test.Get("hits", "n"));
        await using LocalStore branch = test.Open("branch");
        await WriteAsync(branch, WriteOperation.Merge(Bytes("hits"), Bytes("1"), "n"));
        Assert.Equal(("400", "399"), (Get(branch, "hits", "n"), test.Get("hits", "n")));
        Assert.Equal("add", branch.DescribeFamilies().Single(family => family.Name == "n").Settings.Merge);
        Assert.Equal(["default", "n"], branch.ColumnFamilies);
    }

    [Fact]
    public async Task Numbers_in_eight_bytes_wrap_around_and_operands_are_appended()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("i", new FamilySettings { Merge = "add-int64" });
        test.Store.CreateColumnFamily("log", new FamilySettings { Merge = "append" });
        await test.WriteAsync(
            WriteOperation.Put(Bytes("k"), Number(long.MaxValue), "i"),
            WriteOperation.Merge(Bytes("k"), Number(1), "i"));
        await test.WriteAsync(WriteOperation.Merge(Bytes("k"), Bytes("a"), "log"));
        await test.WriteAsync(WriteOperation.Merge(Bytes("k"), Bytes("b"), "log"));

        ArrayBufferWriter<byte> value = new();
        Assert.True(test.Store.TryGet("i", Bytes("k"), value));
        Assert.Equal(long.MinValue, BinaryPrimitives.ReadInt64LittleEndian(value.WrittenSpan));
        Assert.Equal("ab", test.Get("k", "log"));
        Assert.Equal(FailureKind.InvalidArgument, (await Assert.ThrowsAsync<StorageException>(
            () => test.WriteAsync(WriteOperation.Merge(Bytes("k"), Bytes("123"), "i")))).Kind);
    }

    [Fact]
    public async Task A_store_does_not_open_without_the_operator_it_needs_and_says_its_name()
    {
        await using TestStore test = new(options => options.AddMerge(new Longest()));
        test.Store.CreateColumnFamily("words", new FamilySettings { Merge = "longest" });
        await test.WriteAsync(WriteOperation.Merge(Bytes("w"), Bytes("bee"), "words"));
        await test.WriteAsync(WriteOperation.Merge(Bytes("w"), Bytes("elephant"), "words"));
        await test.WriteAsync(WriteOperation.Merge(Bytes("w"), Bytes("ox"), "words"));
        Assert.Equal("elephant", test.Get("w", "words"));
        await test.Store.DisposeAsync();
        StorageOptions without = new() { DataRoot = test.Root, BlockCacheBytes = 8 << 20 };
        using StoreResources bare = new(without, NullLogger.Instance, TimeProvider.System);

        StorageException refused = Assert.Throws<StorageException>(() => LocalStore.Open(
            test.InRoot("store"), "store", bare, create: false, NullLogger.Instance, TimeProvider.System));

        Assert.Equal(FailureKind.MergeOperatorMissing, refused.Kind);
        Assert.Contains("'longest'", refused.Message, StringComparison.Ordinal);
        await test.ReopenAsync();
        Assert.Equal("elephant", test.Get("w", "words"));
        Assert.Equal(FailureKind.MergeOperatorMissing, Assert.Throws<StorageException>(
            () => test.Store.CreateColumnFamily("x", new FamilySettings { Merge = "nope" })).Kind);
        Assert.Equal(FailureKind.InvalidArgument, Assert.Throws<StorageException>(() => test.Store.CreateColumnFamily(
            "x", new FamilySettings { DefaultTimeToLive = TimeSpan.FromSeconds(1) })).Kind);
        Assert.Throws<ArgumentException>(() => new StoreResources(
            new StorageOptions { DataRoot = test.Root }.AddMerge(new Longest()).AddMerge(new Longest()),
            NullLogger.Instance, TimeProvider.System));
    }

    [Fact]
    public async Task Conditions_see_merges_of_the_same_group()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        test.Store.CreateColumnFamily("n", _adds);
        await test.WriteAsync(Put("k", "5", "n"));
        commit.Hold();
        Task<WriteResult> first = test.Store.WriteAsync(
            new WriteRequest([Put("x", "1")], null, Durability.Sync), default).AsTask();
        await commit.EnteredAsync();
        await commit.EnteredAsync();
        Task<WriteResult> merge = test.WriteAsync(WriteOperation.Merge(Bytes("k"), Bytes("2"), "n"));
        Task<WriteResult> holds = test.WriteAsync([Equal("k", "7", "n")], Put("seen", "1"));
        Task<WriteResult> fails = test.WriteAsync([Equal("k", "5", "n")], Put("wrong", "1"));
        commit.Release();

        Assert.True((await first).Applied && (await merge).Applied);
        Assert.True((await holds).Applied);
        Assert.False((await fails).Applied);
        Assert.Equal("7", test.Get("k", "n"));
    }

    [Fact]
    public async Task Merges_are_those_of_a_dictionary_of_numbers()
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        Random random = new(Seed);
        await using TestStore test = new(options => options.MemtableBytes = 64 << 10);
        test.Store.CreateColumnFamily("n", _adds);
        SortedDictionary<string, long> model = new(StringComparer.Ordinal);
        int steps = Rounds.Of("BRANCHING_MODEL_STEPS", 2000);
        for (int step = 0; step < steps; step++)
        {
            string key = $"k{random.Next(30):00}";
            long number = random.NextInt64();
            byte[] text = Bytes(number.ToString(CultureInfo.InvariantCulture));
            switch (random.Next(20))
            {
                case < 10:
                    await test.WriteAsync(WriteOperation.Merge(Bytes(key), text, "n"));
                    model[key] = unchecked(model.GetValueOrDefault(key) + number);
                    break;
                case < 13:
                    await test.WriteAsync(WriteOperation.Put(Bytes(key), text, "n"));
                    model[key] = number;
                    break;
                case < 15:
                    await test.WriteAsync(Delete(key, "n"));
                    model.Remove(key);
                    break;
                case 15 when step % 5 == 0:
                    test.Store.Flush();
                    break;
                case 16 when step % 5 == 0:
                    test.Store.Compact("n", KeyRange.All);
                    break;
                case 17 when step % 20 == 0:
                    await test.ReopenAsync();
                    break;
                default:
                    Assert.Equal(
                        model.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Key}={e.Value}")),
                        test.Store.Range(new RangeOptions { ColumnFamily = "n" }).Select(e => e.ToEntry())
                            .Select(e => $"{Text(e.Key)}={Text(e.Value)}"));
                    break;
            }
        }
    }

    private static byte[] Number(long number)
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return bytes;
    }

    private sealed class Longest : ValueMerge
    {
        public override string Name => "longest";

        public override void Merge(
            ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, ReadOnlySpan<byte> operand,
            IBufferWriter<byte> destination) =>
            destination.Write(operand.Length > existing.Length ? operand : existing);
    }
}
