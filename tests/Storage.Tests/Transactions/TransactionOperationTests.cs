using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

/// <summary>Removed ranges, merges and keys that expire inside of transactions.</summary>
public sealed class TransactionOperationTests
{
    private static readonly StoreTransactionOptions _options = new() { Durability = Durability.Buffered };

    private static readonly StoreTransactionOptions _locking = _options with { Mode = TransactionMode.Pessimistic };

    [Fact]
    public async Task A_removed_range_is_empty_for_the_transaction_apart_from_what_it_puts_there_afterwards()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"), Put("b", "1"), Put("c", "1"), Put("d", "1"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("bb"), Bytes("gone"));

        transaction.DeleteRange(null, Bytes("b"), Bytes("d"));
        await transaction.PutAsync(null, Bytes("cc"), Bytes("2"));

        Assert.Equal("1 - - - 2 1", Seen(transaction, "a", "b", "bb", "c", "cc", "d"));
        Assert.Equal(["a", "cc", "d"], Keys(transaction.Scan(All()).Entries));
        Assert.Equal(["d", "cc", "a"], Keys(transaction.Scan(All(reverse: true)).Entries));
        Assert.Equal(["a", "cc"], Keys(transaction.Scan(All(limit: 2)).Entries));
        Assert.Equal(["a", "b", "c", "d"], Keys(test.Store.Scan(All()).Entries));
        Assert.Equal((1, 1), (transaction.Count, transaction.RangeCount));

        Assert.True((await transaction.CommitAsync()).Committed);

        Assert.Equal(["a", "cc", "d"], Keys(test.Store.Scan(All()).Entries));
    }

    [Fact]
    public async Task What_others_write_into_a_removed_range_is_a_conflict_that_names_the_key()
    {
        await using TestStore test = new();
        await RemembersRangesAsync(test);
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        WriteResult before = await test.WriteAsync(Put("c", "since the snapshot"));
        transaction.DeleteRange(null, Bytes("b"), Bytes("d"));
        await transaction.PutAsync(null, Bytes("x"), Bytes("1"));

        CommitResult result = await transaction.CommitAsync();

        Assert.False(result.Committed);
        Assert.Equal((ConflictKind.Written, "c"), (result.Conflict!.Kind, Text(result.Conflict.Key)));
        Assert.Equal(before.Sequence, result.Conflict.Written);
        Assert.Equal(["c"], Keys(test.Store.Scan(All()).Entries));
    }

    [Theory]
    [InlineData("b", "c", true)]
    [InlineData("a", "b\0", true)]
    [InlineData("c", "z", true)]
    [InlineData("a", "b", false)]
    [InlineData("d", "e", false)]
    public async Task A_range_that_others_removed_is_a_conflict_where_the_two_meet(string from, string to, bool meet)
    {
        await using TestStore test = new();
        await RemembersRangesAsync(test);
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        transaction.DeleteRange(null, Bytes("b"), Bytes("d"));

        await test.WriteAsync(WriteOperation.DeleteRange(Bytes(from), Bytes(to)));

        Assert.Equal(!meet, (await transaction.CommitAsync()).Committed);
    }

    [Fact]
    public async Task Writes_beside_a_removed_range_and_in_other_families_are_no_conflict()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("second");
        await RemembersRangesAsync(test);
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        transaction.DeleteRange(null, Bytes("b"), Bytes("d"));

        await test.WriteAsync(Put("a", "1"), Put("d", "1"), Put("c", "1", "second"));

        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal(["a", "d"], Keys(test.Store.Scan(All()).Entries));
    }

    [Fact]
    public async Task A_transaction_older_than_the_memory_of_ranges_is_too_old_and_succeeds_when_it_runs_again()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("b", "1"));

        TransactionOutcome<bool> outcome = await test.Store.TransactionAsync(
            async (transaction, attempt, _) =>
            {
                if (attempt == 1)
                {
                    await test.WriteAsync(Put("elsewhere", "1"));
                }

                transaction.DeleteRange(null, Bytes("a"), Bytes("c"));
            },
            _options);

        Assert.Equal(2, outcome.Attempts);
        Assert.Equal(["elsewhere"], Keys(test.Store.Scan(All()).Entries));
    }

    [Fact]
    public async Task Going_back_to_a_savepoint_brings_the_range_back_with_what_was_written_in_it()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"), Put("b", "1"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("b"), Bytes("2"));
        Savepoint savepoint = transaction.SetSavepoint();
        transaction.DeleteRange(null, Bytes("a"), Bytes("z"));
        await transaction.PutAsync(null, Bytes("c"), Bytes("3"));

        transaction.RollBackTo(savepoint);
        await test.WriteAsync(Put("c", "theirs"));

        Assert.Equal("1 2 -", Seen(transaction, "a", "b", "c"));
        Assert.Equal((1, 0), (transaction.Count, transaction.RangeCount));
        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal(("1", "2", "theirs"), (test.Get("a"), test.Get("b"), test.Get("c")));
    }

    [Fact]
    public async Task A_pessimistic_transaction_refuses_to_remove_a_range_and_goes_on()
    {
        await using TestStore test = new();
        using StoreTransaction transaction = test.Store.BeginTransaction(_locking);
        await transaction.PutAsync(null, Bytes("a"), Bytes("1"));

        StorageException failure = Assert.Throws<StorageException>(
            () => transaction.DeleteRange(null, Bytes("a"), Bytes("z")));

        Assert.Equal(FailureKind.NotSupported, failure.Kind);
        Assert.Contains("Use an optimistic transaction", failure.Message, StringComparison.Ordinal);
        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal("1", test.Get("a"));
    }

    [Fact]
    public async Task A_transaction_that_locked_a_key_of_a_removed_range_keeps_it_until_it_has_ended()
    {
        await using TestStore test = new();
        await RemembersRangesAsync(test);
        using StoreTransaction locking = test.Store.BeginTransaction(_locking);
        await locking.PutAsync(null, Bytes("c"), Bytes("locked"));
        using StoreTransaction removing = test.Store.BeginTransaction(_options with { LockTimeout = TimeSpan.Zero });
        removing.DeleteRange(null, Bytes("b"), Bytes("d"));

        CommitResult refused = await removing.CommitAsync();

        Assert.Equal(ConflictKind.LockTimedOut, refused.Conflict!.Kind);
        Assert.True((await locking.CommitAsync()).Committed);
        Assert.Equal("locked", test.Get("c"));
    }

    [Theory]
    [InlineData(TransactionMode.Optimistic)]
    [InlineData(TransactionMode.Pessimistic)]
    public async Task Merges_are_seen_through_the_operator_and_committed(TransactionMode mode)
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sums", new FamilySettings { Merge = "add" });
        await test.WriteAsync(Put("stored", "5", "sums"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options with { Mode = mode });

        await transaction.MergeAsync("sums", Bytes("stored"), Bytes("2"));
        await transaction.MergeAsync("sums", Bytes("stored"), Bytes("-10"));
        await transaction.MergeAsync("sums", Bytes("absent"), Bytes("7"));
        await transaction.PutAsync("sums", Bytes("put"), Bytes("1"));
        await transaction.MergeAsync("sums", Bytes("put"), Bytes("1"));
        await transaction.DeleteAsync("sums", Bytes("deleted"));
        await transaction.MergeAsync("sums", Bytes("deleted"), Bytes("3"));

        Assert.Equal(
            ["7", "3", "2", "-3"],
            transaction.Scan(All() with { ColumnFamily = "sums" }).Entries.Select(entry => Text(entry.Value)));
        Assert.Equal("-3", Text(transaction.Get("sums", Bytes("stored"))));
        Assert.Equal("5", test.Get("stored", "sums"));
        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal(
            ("7", "3", "2", "-3"),
            (test.Get("absent", "sums"), test.Get("deleted", "sums"), test.Get("put", "sums"),
                test.Get("stored", "sums")));
    }

    [Fact]
    public async Task A_merge_into_a_key_of_a_removed_range_begins_without_a_value()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sums", new FamilySettings { Merge = "add" });
        await test.WriteAsync(Put("a", "5", "sums"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);

        transaction.DeleteRange("sums", Bytes("a"), Bytes("b"));
        await transaction.MergeAsync("sums", Bytes("a"), Bytes("2"));

        Assert.Equal("2", Text(transaction.Get("sums", Bytes("a"))));
        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal("2", test.Get("a", "sums"));
    }

    [Fact]
    public async Task A_merge_loses_against_a_merge_of_somebody_else_and_is_taken_back_by_a_savepoint()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sums", new FamilySettings { Merge = "add" });
        using StoreTransaction losing = test.Store.BeginTransaction(_options);
        using StoreTransaction sparing = test.Store.BeginTransaction(_options);
        await losing.MergeAsync("sums", Bytes("n"), Bytes("1"));
        await sparing.MergeAsync("sums", Bytes("other"), Bytes("1"));
        Savepoint savepoint = sparing.SetSavepoint();
        await sparing.MergeAsync("sums", Bytes("n"), Bytes("1"));
        await sparing.MergeAsync("sums", Bytes("other"), Bytes("1"));
        sparing.RollBackTo(savepoint);

        await test.WriteAsync(WriteOperation.Merge(Bytes("n"), Bytes("5"), "sums"));

        Assert.Equal("n", Text((await losing.CommitAsync()).Conflict!.Key));
        Assert.True((await sparing.CommitAsync()).Committed);
        Assert.Equal(("5", "1"), (test.Get("n", "sums"), test.Get("other", "sums")));
    }

    [Fact]
    public async Task What_a_family_does_not_take_is_refused_at_once_and_the_transaction_goes_on()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("sums", new FamilySettings { Merge = "add" });
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync("sums", Bytes("a"), Bytes("1"));

        await RefusedAsync(() => transaction.PutAsync("sums", Bytes("a"), Bytes("one")));
        await RefusedAsync(() => transaction.MergeAsync("sums", Bytes("a"), Bytes("one")));
        await RefusedAsync(() => transaction.MergeAsync(null, Bytes("a"), Bytes("1")));
        await RefusedAsync(() => transaction.PutAsync(null, Bytes("a"), Bytes("1"), TimeSpan.FromHours(1)));
        await RefusedAsync(() => transaction.PutAsync(null, Bytes("a"), Bytes("1"), TimeSpan.FromTicks(-1)));
        Assert.Throws<StorageException>(() => transaction.DeleteRange(null, Bytes("b"), Bytes("a")));
        Assert.Throws<StorageException>(() => transaction.DeleteRange(null, Bytes("b"), default));

        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal("1", test.Get("a", "sums"));
        Assert.Null(test.Get("a"));
    }

    [Fact]
    public async Task Keys_live_as_long_as_they_were_given_from_the_commit_on()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        test.Store.CreateColumnFamily(
            "lives", new FamilySettings { Expires = true, DefaultTimeToLive = TimeSpan.FromMinutes(10) });
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync("lives", Bytes("short"), Bytes("1"), TimeSpan.FromMinutes(1));
        await transaction.PutAsync("lives", Bytes("long"), Bytes("1"), Timeout.InfiniteTimeSpan);
        await transaction.PutAsync("lives", Bytes("default"), Bytes("1"));

        time.Advance(TimeSpan.FromMinutes(5));

        Assert.Equal("1", Text(transaction.Get("lives", Bytes("short"))));
        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.Equal(
            [TimeSpan.FromMinutes(10), null, TimeSpan.FromMinutes(1)], Lives(test, "default", "long", "short"));
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(test.Get("short", "lives"));
    }

    [Fact]
    public async Task A_merge_leaves_the_time_to_live_that_a_key_has_unless_it_is_given_one()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        test.Store.CreateColumnFamily("lives", new FamilySettings { Expires = true, Merge = "add" });
        TimeSpan hour = TimeSpan.FromHours(1);
        await WriteAsync(
            test.Store,
            new WriteOperation(WriteKind.Put, "lives", Bytes("stored"), Bytes("1"), hour),
            new WriteOperation(WriteKind.Put, "lives", Bytes("given"), Bytes("1"), hour));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);

        await transaction.MergeAsync("lives", Bytes("stored"), Bytes("1"));
        await transaction.MergeAsync("lives", Bytes("given"), Bytes("1"), 3 * hour);
        await transaction.PutAsync("lives", Bytes("own"), Bytes("1"), 2 * hour);
        await transaction.MergeAsync("lives", Bytes("own"), Bytes("1"));
        await transaction.MergeAsync("lives", Bytes("absent"), Bytes("2"));
        Assert.True((await transaction.CommitAsync()).Committed);

        Assert.Equal([null, 3 * hour, 2 * hour, hour], Lives(test, "absent", "given", "own", "stored"));
        Assert.Equal(
            ["2", "2", "2", "2"],
            new[] { "absent", "given", "own", "stored" }.Select(key => test.Get(key, "lives")));
    }

    /// <summary>After its first removal in a transaction a store remembers what is written into ranges.</summary>
    private static async Task RemembersRangesAsync(TestStore test)
    {
        using StoreTransaction first = test.Store.BeginTransaction(_options);
        first.DeleteRange(null, Bytes("0"), Bytes("1"));
        Assert.True((await first.CommitAsync()).Committed);
    }

    private static async Task RefusedAsync(Func<ValueTask> write)
    {
        StorageException failure = await Assert.ThrowsAsync<StorageException>(async () => await write());
        Assert.Equal(FailureKind.InvalidArgument, failure.Kind);
    }

    private static string Seen(StoreTransaction transaction, params string[] keys)
    {
        string one = string.Join(
            ' ', keys.Select(key => transaction.Get(null, Bytes(key)) is { } value ? Text(value) : "-"));
        IReadOnlyList<ReadOnlyMemory<byte>?> several =
            transaction.MultiGet(null, [.. keys.Select(key => (ReadOnlyMemory<byte>)Bytes(key))]);
        Assert.Equal(one, string.Join(' ', several.Select(value => value is { } bytes ? Text(bytes) : "-")));
        return one;
    }

    private static IEnumerable<TimeSpan?> Lives(TestStore test, params string[] keys) => keys.Select(key =>
    {
        Assert.True(test.Store.TryGetTimeToLive("lives", Bytes(key), out TimeSpan? left));
        return left;
    });
}
