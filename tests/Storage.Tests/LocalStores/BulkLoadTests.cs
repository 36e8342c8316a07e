using Branching.Storage.Bulk;
using Branching.Storage.Tests.Branches;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class BulkLoadTests(ITestOutputHelper output)
{
    private static readonly BulkLoadOptions _small = new() { MemoryBytes = 64 << 10, TableBytes = 64 << 10 };

    [Fact]
    public async Task Records_in_any_order_are_loaded_sorted_and_of_one_key_the_last_wins()
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        Random random = new(Seed);
        int records = Rounds.Of("BRANCHING_BULK_RECORDS", 30_000);
        await using TestStore test = new();
        await test.WriteAsync(Put("00000", "there before"), Put("zzz", "stays"));
        SortedDictionary<string, string> model = new(StringComparer.Ordinal)
        {
            ["00000"] = "there before",
            ["zzz"] = "stays",
        };
        await using BulkLoad load = test.Store.BeginBulkLoad(_small, test.InRoot("bulk"));
        for (int i = 0; i < records; i++)
        {
            string key = $"{random.Next(records):00000}", value = $"{i}{new string('v', random.Next(60))}";
            load.Add(Bytes(key), Bytes(value));
            model[key] = value;
        }

        Assert.Equal(2, test.Store.Range().Count());
        BulkLoadResult result = await load.CompleteAsync();

        output.WriteLine($"{result}");
        Assert.Equal(records, result.Records);
        Assert.Equal(model.Values.Count(value => value is not ("there before" or "stays")), result.Keys);
        Assert.True(result.Tables > 1);
        Assert.Equal(result.Sequence, test.Store.LastAcknowledged);
        AssertHolds(test.Store, model);
        await load.DisposeAsync();
        Assert.False(Directory.Exists(test.InRoot("bulk")));
        await test.ReopenAsync();
        AssertHolds(test.Store, model);
    }

    [Fact]
    public async Task A_load_is_above_earlier_writes_beneath_later_ones_and_in_every_branch_made_afterwards()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "old"), Put("b", "old"));
        test.Store.CreateCheckpoint(test.InRoot("earlier"));
        Sequence before = test.Store.LastAcknowledged;
        using StoreView view = test.Store.OpenView();
        await using BulkLoad load = test.Store.BeginBulkLoad(new BulkLoadOptions(), test.InRoot("bulk"));
        load.Add(Bytes("a"), Bytes("loaded"));
        load.Add(Bytes("c"), Bytes("loaded"));

        BulkLoadResult result = await load.CompleteAsync();
        await test.WriteAsync(Put("c", "new"));
        test.Store.CreateCheckpoint(test.InRoot("later"));

        Assert.True(result.Sequence > before);
        Assert.Equal(("loaded", "old", "new"), (test.Get("a"), test.Get("b"), test.Get("c")));
        Assert.Equal(2, test.Store.Range(new RangeOptions { View = view }).Count());
        await using LocalStore earlier = test.Open("earlier");
        await using LocalStore later = test.Open("later");
        Assert.Equal(("old", null), (Get(earlier, "a"), Get(earlier, "c")));
        Assert.Equal(("loaded", "new"), (Get(later, "a"), Get(later, "c")));
        Assert.True(later.LastAcknowledged > result.Sequence);
    }

    [Fact]
    public async Task A_load_into_an_untouched_range_moves_the_sequence_too()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"));
        Sequence before = test.Store.LastAcknowledged;
        await using BulkLoad load = test.Store.BeginBulkLoad(new BulkLoadOptions(), test.InRoot("bulk"));
        load.Add(Bytes("z"), default);

        BulkLoadResult result = await load.CompleteAsync();

        Assert.True(result.Sequence > before);
        Assert.Equal("", test.Get("z"));
        Assert.Equal(result.Sequence, test.Store.LastAcknowledged);
    }

    [Fact]
    public async Task Lives_and_merges_are_respected_in_a_load()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        test.Store.CreateColumnFamily("s", new FamilySettings { Expires = true });
        test.Store.CreateColumnFamily("n", new FamilySettings { Merge = "add" });
        BulkLoadOptions options = new() { ColumnFamily = "s" };
        await using (BulkLoad load = test.Store.BeginBulkLoad(options, test.InRoot("s")))
        {
            load.Add(Bytes("short"), Bytes("1"), TimeSpan.FromSeconds(10));
            load.Add(Bytes("long"), Bytes("2"));
            await load.CompleteAsync();
        }

        await using (BulkLoad load = test.Store.BeginBulkLoad(options with { ColumnFamily = "n" }, test.InRoot("n")))
        {
            Assert.Throws<StorageException>(() => load.Add(Bytes("k"), Bytes("many")));
            load.Add(Bytes("k"), Bytes("40"));
            await load.CompleteAsync();
        }

        await test.WriteAsync(WriteOperation.Merge(Bytes("k"), Bytes("2"), "n"));
        time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal((null, "2"), (test.Get("short", "s"), test.Get("long", "s")));
        Assert.Equal("42", test.Get("k", "n"));
    }

    [Fact]
    public async Task A_load_that_is_given_up_or_refused_leaves_nothing()
    {
        await using TestStore test = new();
        await using (BulkLoad load = test.Store.BeginBulkLoad(_small, test.InRoot("bulk")))
        {
            for (int i = 0; i < 5000; i++)
            {
                load.Add(Bytes($"{i}"), new byte[50]);
            }

            using CancellationTokenSource stopped = new();
            await stopped.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => load.CompleteAsync(stopped.Token));
        }

        Assert.Empty(test.Store.Range());
        Assert.False(Directory.Exists(test.InRoot("bulk")));
        await using BulkLoad empty = test.Store.BeginBulkLoad(_small, test.InRoot("empty"));
        Assert.Throws<StorageException>(() => empty.Add([], Bytes("x")));
        Assert.Equal(new BulkLoadResult(0, 0, 0, test.Store.LastAcknowledged), await empty.CompleteAsync());
        Assert.Throws<StorageException>(() => test.Store.BeginBulkLoad(_small, test.InRoot("empty")));
        Assert.Throws<StorageException>(() => test.Store.BeginBulkLoad(
            _small with { MemoryBytes = 1 }, test.InRoot("x")));
        Assert.Equal(FailureKind.InvalidArgument, Assert.Throws<StorageException>(
            () => test.Store.Ingest(null, [])).Kind);
        File.WriteAllText(test.InRoot("no.sst"), "no table");
        Assert.Equal(FailureKind.InvalidArgument, Assert.Throws<StorageException>(
            () => test.Store.Ingest(null, [test.InRoot("no.sst")])).Kind);
        Assert.True((await test.WriteAsync(Put("a", "1"))).Applied);
    }

    [Fact]
    public async Task A_load_into_a_branch_of_a_database_is_in_its_snapshot_of_files_and_not_in_its_parent()
    {
        using TemporaryRoot root = new();
        await using DataRoot opened = await root.OpenAsync();
        Database shop = await opened.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("topic");
        await using (BulkLoad load = await shop.BeginBulkLoadAsync(BranchName.Parse("topic")))
        {
            load.Add(Bytes("b"), Bytes("2"));
            await load.CompleteAsync();
        }

        await shop.BranchAsync("below", "topic");

        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("topic"));
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("below"));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.DatabasePath, "building")));
    }

    private static void AssertHolds(LocalStore store, SortedDictionary<string, string> model) => Assert.Equal(
        model.Select(pair => $"{pair.Key}={pair.Value}"),
        store.Range().Select(entry => entry.ToEntry()).Select(entry => $"{Text(entry.Key)}={Text(entry.Value)}"));
}
