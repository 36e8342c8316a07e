using System.Buffers;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreFamilyTests
{
    [Fact]
    public async Task Column_families_keep_their_keys_apart_and_survive_reopening()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("k", "in default"), Put("k", "in other", "other"), Put("k2", "x", "other"));

        await test.ReopenAsync();

        Assert.Equal(["default", "other"], test.Store.ColumnFamilies, StringComparer.Ordinal);
        Assert.Equal("in default", test.Get("k"));
        Assert.Equal("in default", test.Get("k", "default"));
        Assert.Equal("in other", test.Get("k", "other"));
        Assert.Equal(2, test.Store.Count("other", KeyRange.All, CancellationToken.None));
        Assert.Equal(
            "in other", Text(test.Store.MultiGet("other", [Bytes("k")])[0]!.Value));
    }

    [Fact]
    public async Task A_dropped_column_family_is_gone_also_after_reopening_and_may_be_created_again_empty()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("k", "v", "other"));

        test.Store.DropColumnFamily("other");

        Assert.Equal(FailureKind.ColumnFamilyNotFound, KindOf(() => test.Get("k", "other")));
        await test.ReopenAsync();
        Assert.Equal(["default"], test.Store.ColumnFamilies, StringComparer.Ordinal);
        test.Store.CreateColumnFamily("other");
        Assert.Null(test.Get("k", "other"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("slash/ed")]
    [InlineData("umläut")]
    [InlineData("newline\n")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public async Task A_name_outside_the_rules_is_refused(string name)
    {
        await using TestStore test = new();

        Assert.Equal(FailureKind.InvalidName, KindOf(() => test.Store.CreateColumnFamily(name)));
        Assert.Equal(FailureKind.InvalidName, KindOf(() => test.Store.DropColumnFamily(name)));
    }

    [Fact]
    public async Task Creating_what_exists_and_dropping_what_does_not_are_named_failures()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");

        Assert.Equal(FailureKind.ColumnFamilyExists, KindOf(() => test.Store.CreateColumnFamily("other")));
        Assert.Equal(FailureKind.ColumnFamilyExists, KindOf(() => test.Store.CreateColumnFamily("default")));
        Assert.Equal(FailureKind.ColumnFamilyNotFound, KindOf(() => test.Store.DropColumnFamily("absent")));
        Assert.Equal(FailureKind.InvalidArgument, KindOf(() => test.Store.DropColumnFamily("default")));
        Assert.True(test.Store.Health.IsHealthy);
    }

    [Fact]
    public async Task Writes_across_families_while_one_is_dropped_apply_whole_or_not_at_all()
    {
        await using TestStore test = new();
        for (int round = 0; round < 10; round++)
        {
            test.Store.CreateColumnFamily("other");
            int written = 0;
            Task<int> writer = Task.Run(async () =>
            {
                try
                {
                    while (true)
                    {
                        await test.WriteAsync(Put("count", $"{written + 1}"), Put("k", "v", "other"));
                        written++;
                    }
                }
                catch (StorageException e) when (e.Kind == FailureKind.ColumnFamilyNotFound)
                {
                    return written;
                }
            });

            await Waiting.UntilAsync(() => test.Get("count") is not null, "the first write");

            test.Store.DropColumnFamily("other");

            Assert.Equal($"{await writer.WaitAsync(Waiting.Deadline)}", test.Get("count"));
            Assert.True(test.Store.Health.IsHealthy);
            await test.WriteAsync(Delete("count"));
        }
    }

    [Fact]
    public async Task Families_are_listed_while_another_is_created_and_dropped()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("kept");

        await WhileFamilyComesAndGoesAsync(test, name =>
        {
            string[] names = [.. test.Store.DescribeFamilies().Select(family => family.Name)];
            Assert.Equal(["default", "kept"], names.Where(one => one != name), StringComparer.Ordinal);
        });
    }

    [Fact]
    public async Task Whatever_is_read_of_a_family_that_is_dropped_meanwhile_says_so()
    {
        await using TestStore test = new();
        LocalStore store = test.Store;
        byte[] key = Bytes("k");
        Action<string>[] reads =
        [
            name => store.TryGet(name, key, new ArrayBufferWriter<byte>()),
            name => store.TryGetFromMemory(name, key, new ArrayBufferWriter<byte>(), out _),
            name => store.TryGetLength(name, key, out _),
            name => store.TryGetTimeToLive(name, key, out _),
            name => store.MultiGet(name, [key]),
            name => store.MultiGetLength(name, [key]),
            name => store.Scan(All() with { ColumnFamily = name }),
            name => Assert.Empty(store.Range(new RangeOptions { ColumnFamily = name })),
            name => store.Count(name, KeyRange.All, CancellationToken.None),
            name => store.EstimateCount(name),
            name => store.GetProperty(name, "rocksdb.stats"),
            name =>
            {
                using StoreView view = store.OpenView();
                store.TryGetAt(view, name, key, new ArrayBufferWriter<byte>());
            },
        ];

        await WhileFamilyComesAndGoesAsync(test, name =>
        {
            foreach (Action<string> read in reads)
            {
                try
                {
                    read(name);
                }
                catch (StorageException e) when (e.Kind == FailureKind.ColumnFamilyNotFound)
                {
                    // As it should be; any other failure ends the test.
                }
            }
        });
    }

    private static async Task WhileFamilyComesAndGoesAsync(TestStore test, Action<string> read)
    {
        const string Name = "moving";
        const int Rounds = 100;
        using CancellationTokenSource done = new();
        Task<int> reading = Task.Run(() =>
        {
            int times = 0;
            for (; !done.IsCancellationRequested; times++)
            {
                read(Name);
            }

            return times;
        });

        for (int round = 0; round < Rounds && !reading.IsCompleted; round++)
        {
            test.Store.CreateColumnFamily(Name);
            test.Store.DropColumnFamily(Name);
        }

        await done.CancelAsync();
        Assert.InRange(await reading.WaitAsync(Waiting.Deadline), 1, int.MaxValue);
    }

    [Fact]
    public async Task Readers_inside_a_dropped_family_finish()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("a", "1", "other"), Put("b", "2", "other"));
        using ScanCursor cursor = test.Store.OpenCursor(All() with { ColumnFamily = "other" });
        List<KeyValueEntry> entries = [];
        cursor.ReadPage(1, 1000, entries);

        test.Store.DropColumnFamily("other");
        cursor.ReadPage(10, 1000, entries);

        Assert.Equal(["a", "b"], Keys(entries), StringComparer.Ordinal);
    }

    private static FailureKind KindOf(Action action) => Assert.Throws<StorageException>(action).Kind;
}
