using System.Buffers;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreExpiryTests(ITestOutputHelper output)
{
    private const string Sessions = "sessions";

    private static readonly FamilySettings _expiring = new() { Expires = true };

    [Fact]
    public async Task An_expired_key_is_nowhere_although_nothing_was_compacted()
    {
        ManualTime time = new();
        await using TestStore test = Opened(time);
        await test.WriteAsync(Lives("a", "1", 10), Lives("b", "2", 20), Put("c", "3", Sessions));

        time.Advance(TimeSpan.FromSeconds(10));

        Assert.Null(test.Get("a", Sessions));
        Assert.Equal(("2", "3"), (test.Get("b", Sessions), test.Get("c", Sessions)));
        Assert.False(test.Store.Exists(Sessions, Bytes("a")));
        Assert.True(test.Store.TryGetFromMemory(Sessions, Bytes("a"), new ArrayBufferWriter<byte>(), out bool found));
        Assert.False(found);
        Assert.Equal([false, true], test.Store.MultiExists(Sessions, [Bytes("a"), Bytes("b")]));
        Assert.Equal([null, 1], test.Store.MultiGetLength(Sessions, [Bytes("a"), Bytes("b")]));
        Assert.Null(test.Store.MultiGet(Sessions, [Bytes("a")])[0]);
        Assert.Equal("2", Text(test.Store.MultiGet(Sessions, [Bytes("b")])[0]!.Value));
        Assert.Equal(2, test.Store.Count(Sessions, KeyRange.All, default));
        Assert.Equal(["b", "c"], Keys(test.Store.Scan(All() with { ColumnFamily = Sessions }).Entries));
        RangeOptions range = new() { ColumnFamily = Sessions };
        Assert.Equal(["2", "3"], test.Store.Range(range).Select(entry => Text(entry.ToEntry().Value)));
        Assert.Equal(
            ["c", "b"], test.Store.Range(range with { Reverse = true }).Select(entry => Text(entry.ToEntry().Key)));
        Assert.Single(test.Store.Range(range with { Offset = 1 }));
    }

    [Fact]
    public async Task A_time_to_live_is_told_and_a_default_holds_where_none_is_given()
    {
        ManualTime time = new();
        await using TestStore test = Opened(time, new FamilySettings
        {
            Expires = true,
            DefaultTimeToLive = TimeSpan.FromMinutes(1),
        });
        await test.WriteAsync(
            Lives("own", "1", 10), Put("default", "2", Sessions),
            Put("never", "3", Sessions) with { TimeToLive = Timeout.InfiniteTimeSpan });
        time.Advance(TimeSpan.FromSeconds(4));

        Assert.True(test.Store.TryGetTimeToLive(Sessions, Bytes("own"), out TimeSpan? own));
        Assert.True(test.Store.TryGetTimeToLive(Sessions, Bytes("default"), out TimeSpan? byDefault));
        Assert.True(test.Store.TryGetTimeToLive(Sessions, Bytes("never"), out TimeSpan? never));

        Assert.Equal(TimeSpan.FromSeconds(6), own);
        Assert.Equal(TimeSpan.FromSeconds(56), byDefault);
        Assert.Null(never);
        Assert.False(test.Store.TryGetTimeToLive(Sessions, Bytes("absent"), out _));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.False(test.Store.TryGetTimeToLive(Sessions, Bytes("default"), out _));
        Assert.Equal("3", test.Get("never", Sessions));
    }

    [Fact]
    public async Task Conditions_and_takes_do_not_see_an_expired_key()
    {
        ManualTime time = new();
        await using TestStore test = Opened(time);
        await test.WriteAsync(Lives("a", "1", 10), Lives("b", "2", 20));
        Assert.True((await test.WriteAsync([Equal("a", "1", Sessions)], Lives("a", "1", 10))).Applied);
        time.Advance(TimeSpan.FromSeconds(10));

        Assert.False((await test.WriteAsync([Present("a", Sessions)], Put("x", "1"))).Applied);
        Assert.False((await test.WriteAsync([Equal("a", "1", Sessions)], Put("x", "1"))).Applied);
        Assert.False((await test.Store.TakeAsync(Sessions, Bytes("a"), new ArrayBufferWriter<byte>())).Applied);
        ArrayBufferWriter<byte> taken = new();
        Assert.True((await test.Store.TakeAsync(Sessions, Bytes("b"), taken)).Applied);
        Assert.Equal("2", Text(taken.WrittenMemory));
        Assert.True((await test.WriteAsync([Absent("a", Sessions)], Lives("a", "new", 10))).Applied);
        Assert.Equal("new", test.Get("a", Sessions));
    }

    [Fact]
    public async Task A_merge_starts_afresh_on_an_expired_key_and_keeps_the_life_of_a_living_one()
    {
        ManualTime time = new();
        await using TestStore test = Opened(time, new FamilySettings
        {
            Merge = "add",
            Expires = true,
            DefaultTimeToLive = TimeSpan.FromSeconds(10),
        });
        WriteOperation one = WriteOperation.Merge(Bytes("n"), Bytes("1"), Sessions);
        await test.WriteAsync(one);
        time.Advance(TimeSpan.FromSeconds(6));
        await test.WriteAsync(one);
        Assert.Equal("2", test.Get("n", Sessions));
        Assert.True(test.Store.TryGetTimeToLive(Sessions, Bytes("n"), out TimeSpan? left));
        Assert.Equal(TimeSpan.FromSeconds(4), left);

        time.Advance(TimeSpan.FromSeconds(4));
        Assert.Null(test.Get("n", Sessions));
        await test.WriteAsync(one);

        Assert.Equal("1", test.Get("n", Sessions));
        await test.WriteAsync(one with { TimeToLive = TimeSpan.FromSeconds(30) });
        Assert.True(test.Store.TryGetTimeToLive(Sessions, Bytes("n"), out left));
        Assert.Equal(TimeSpan.FromSeconds(30), left);
    }

    [Fact]
    public async Task Lives_go_on_after_reopening_and_in_a_branch_and_each_goes_its_own_way()
    {
        ManualTime time = new();
        await using TestStore test = Opened(time);
        await test.WriteAsync(Lives("a", "1", 10), Lives("b", "2", 100));
        time.Advance(TimeSpan.FromSeconds(5));
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        await test.ReopenAsync();
        await using LocalStore branch = test.Open("branch");
        await WriteAsync(branch, Lives("a", "again", 100));

        time.Advance(TimeSpan.FromSeconds(5));

        Assert.Null(test.Get("a", Sessions));
        Assert.Equal("2", test.Get("b", Sessions));
        Assert.Equal(("again", "2"), (Get(branch, "a", Sessions), Get(branch, "b", Sessions)));
        Assert.True(branch.Expires(Sessions) && !branch.Expires(null));
    }

    [Fact]
    public async Task A_clock_that_is_put_back_brings_no_key_back_while_the_store_is_open()
    {
        SteppedTime time = new();
        await using TestStore test = Opened(time);
        await test.WriteAsync(Lives("a", "1", 10));
        time.Now += TimeSpan.FromSeconds(10);
        Assert.Null(test.Get("a", Sessions));

        time.Now -= TimeSpan.FromHours(1);

        Assert.Null(test.Get("a", Sessions));
        await test.WriteAsync(Lives("b", "1", 10));
        Assert.True(test.Store.TryGetTimeToLive(Sessions, Bytes("b"), out TimeSpan? left));
        Assert.Equal(TimeSpan.FromSeconds(10), left);
    }

    [Fact]
    public async Task A_compaction_removes_what_has_expired()
    {
        ManualTime time = new();
        await using TestStore test = Opened(time);
        await test.WriteAsync([.. Enumerable.Range(0, 500).Select(i => Lives($"{i:000}", new string('v', 50), 10))]);
        await test.WriteAsync(Put("stays", "1", Sessions));
        test.Store.Flush();
        Assert.Equal(501, test.Store.CountEntries(Sessions).MostKeys);
        time.Advance(TimeSpan.FromSeconds(10));

        test.Store.Compact(Sessions, KeyRange.All);

        Assert.Equal(1, test.Store.CountEntries(Sessions).MostKeys);
        Assert.Equal("1", test.Get("stays", Sessions));
    }

    [Fact]
    public async Task Expiring_families_behave_like_a_dictionary_with_a_clock()
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        Random random = new(Seed);
        ManualTime time = new();
        await using TestStore test = Opened(time, new FamilySettings { Merge = "append", Expires = true });
        SortedDictionary<string, (string Value, long Until)> model = new(StringComparer.Ordinal);
        int steps = Rounds.Of("BRANCHING_MODEL_STEPS", 1500);
        for (int step = 0; step < steps; step++)
        {
            string key = $"k{random.Next(40):00}";
            long now = time.GetUtcNow().ToUnixTimeMilliseconds();
            foreach (string gone in model.Where(e => e.Value.Until <= now).Select(e => e.Key).ToArray())
            {
                model.Remove(gone);
            }

            switch (random.Next(12))
            {
                case < 4:
                    int lives = random.Next(1, 50);
                    await test.WriteAsync(Lives(key, $"{step}", lives));
                    model[key] = ($"{step}", now + (lives * 1000));
                    break;
                case < 6:
                    await test.WriteAsync(WriteOperation.Merge(Bytes(key), Bytes("+"), Sessions));
                    bool there = model.TryGetValue(key, out (string Value, long Until) old);
                    model[key] = there ? (old.Value + "+", old.Until) : ("+", long.MaxValue);
                    break;
                case 6:
                    await test.WriteAsync(Delete(key, Sessions));
                    model.Remove(key);
                    break;
                case 7:
                    time.Advance(TimeSpan.FromSeconds(random.Next(10)));
                    break;
                case 8 when step % 5 == 0:
                    test.Store.Compact(Sessions, KeyRange.All);
                    break;
                case 9 when step % 20 == 0:
                    await test.ReopenAsync();
                    break;
                case 10:
                    string? found = test.Get(key, Sessions);
                    Assert.Equal(model.TryGetValue(key, out var value) ? value.Value : null, found);
                    break;
                default:
                    Assert.Equal(
                        model.Select(e => $"{e.Key}={e.Value.Value}"),
                        test.Store.Range(new RangeOptions { ColumnFamily = Sessions }).Select(e => e.ToEntry())
                            .Select(e => $"{Text(e.Key)}={Text(e.Value)}"));
                    break;
            }
        }
    }

    private static TestStore Opened(TimeProvider time, FamilySettings? settings = null)
    {
        TestStore test = new(time: time);
        test.Store.CreateColumnFamily(Sessions, settings ?? _expiring);
        return test;
    }

    private static WriteOperation Lives(string key, string value, int seconds) =>
        Put(key, value, Sessions) with { TimeToLive = TimeSpan.FromSeconds(seconds) };

    /// <summary>A clock that a test puts where it likes; it never rings.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddDays(20_000);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
