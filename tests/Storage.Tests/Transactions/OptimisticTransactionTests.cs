using System.Buffers;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

public sealed class OptimisticTransactionTests
{
    private static readonly StoreTransactionOptions _options = new() { Durability = Durability.Buffered };

    [Fact]
    public async Task What_a_transaction_wrote_it_reads_and_nobody_else_does_before_the_commit()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"), Put("b", "2"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);

        await transaction.PutAsync(null, Bytes("a"), Bytes("10"));
        await transaction.DeleteAsync(null, Bytes("b"));
        await transaction.PutAsync(null, Bytes("c"), Bytes("30"));

        Assert.Equal("10", Get(transaction, "a"));
        Assert.Null(Get(transaction, "b"));
        IReadOnlyList<ReadOnlyMemory<byte>?> several =
            transaction.MultiGet(null, [Bytes("c"), Bytes("b"), Bytes("nothing"), Bytes("a")]);
        Assert.Equal(["30", null, null, "10"], several.Select(value => value is { } bytes ? Text(bytes) : null));
        Assert.Equal(["a", "c"], Keys(transaction.Scan(All()).Entries));
        Assert.Equal("1", test.Get("a"));
        Assert.Null(test.Get("c"));

        CommitResult result = await transaction.CommitAsync();

        Assert.True(result.Committed);
        Assert.Equal(test.Store.LastAcknowledged, result.Sequence);
        Assert.Equal(("10", null, "30"), (test.Get("a"), test.Get("b"), test.Get("c")));
        Assert.Equal(StoreTransactionState.Committed, transaction.State);
        Assert.Empty(test.Store.OpenTransactions);
    }

    [Fact]
    public async Task A_key_that_was_written_meanwhile_is_a_conflict_that_is_reported_once()
    {
        await using TestStore test = new();
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("a"), Bytes("mine"));
        WriteResult other = await test.WriteAsync(Put("a", "theirs"));

        CommitResult result = await transaction.CommitAsync();

        Assert.False(result.Committed);
        Assert.NotNull(result.Conflict);
        Assert.Equal(ConflictKind.Written, result.Conflict.Kind);
        Assert.Equal("default", result.Conflict.ColumnFamily);
        Assert.Equal("a", Text(result.Conflict.Key));
        Assert.Equal(other.Sequence, result.Conflict.Written);
        Assert.Equal(transaction.Id, result.Conflict.Transaction);
        Assert.Equal("theirs", test.Get("a"));
        StorageException again = await Assert.ThrowsAsync<StorageException>(
            async () => await transaction.CommitAsync());
        Assert.Equal(FailureKind.TransactionEnded, again.Kind);
    }

    [Fact]
    public async Task A_snapshot_is_not_moved_by_what_others_commit()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"), Put("b", "1"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        using StoreTransaction newest = test.Store.BeginTransaction(_options with { Snapshot = false });

        await test.WriteAsync(Put("a", "2"), Delete("b"), Put("c", "2"));

        Assert.Equal("1", Get(transaction, "a"));
        Assert.Equal(["a", "b"], Keys(transaction.Scan(All()).Entries));
        Assert.Equal(["1", "1"], transaction.MultiGet(null, [Bytes("a"), Bytes("b")]).Select(v => Text(v!.Value)));
        Assert.Equal("2", Get(newest, "a"));
        Assert.Equal(["a", "c"], Keys(newest.Scan(All()).Entries));
        Assert.True((await transaction.CommitAsync()).Committed);
    }

    [Fact]
    public async Task A_key_read_for_update_counts_for_the_commit_and_one_just_read_does_not()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("read", "1"), Put("claimed", "1"));
        using StoreTransaction reader = test.Store.BeginTransaction(_options);
        using StoreTransaction strict = test.Store.BeginTransaction(_options with { ValidateReads = true });
        using StoreTransaction claimer = test.Store.BeginTransaction(_options);
        Assert.Equal("1", Get(reader, "read"));
        Assert.Equal("1", Get(strict, "read"));
        Assert.True(await claimer.GetForUpdateAsync(null, Bytes("claimed"), new ArrayBufferWriter<byte>()));

        await test.WriteAsync(Put("read", "2"), Put("claimed", "2"));

        Assert.True((await reader.CommitAsync()).Committed);
        Assert.Equal("read", Text((await strict.CommitAsync()).Conflict!.Key));
        Assert.Equal("claimed", Text((await claimer.CommitAsync()).Conflict!.Key));
    }

    [Fact]
    public async Task Without_a_snapshot_a_key_counts_from_its_first_use()
    {
        await using TestStore test = new();
        using StoreTransaction transaction = test.Store.BeginTransaction(_options with { Snapshot = false });
        await test.WriteAsync(Put("a", "before"));
        await transaction.PutAsync(null, Bytes("a"), Bytes("mine"));
        using StoreTransaction late = test.Store.BeginTransaction(_options with { Snapshot = false });
        await late.PutAsync(null, Bytes("b"), Bytes("mine"));
        await test.WriteAsync(Put("b", "after"));

        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.False((await late.CommitAsync()).Committed);
    }

    [Fact]
    public async Task Two_commits_that_meet_in_one_group_do_not_both_win()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        commit.Hold();
        Task<WriteResult> first = test.WriteAsync(Put("x", "1"));
        await commit.EnteredAsync();
        StoreTransaction[] transactions = await BeginWhileHeldAsync(test, commit, first);

        commit.Hold();
        Task<WriteResult> blocker = test.WriteAsync(Put("x", "2"));
        await commit.EnteredAsync();
        Task<CommitResult>[] commits = [.. transactions.Select(t => t.CommitAsync().AsTask())];
        commit.Release();
        CommitResult[] results = await Task.WhenAll(commits);

        Assert.True((await blocker).Applied);
        Assert.Single(results, result => result.Committed);
        Assert.Single(results, result => result.Conflict is { Kind: ConflictKind.Written });
    }

    [Fact]
    public async Task A_write_over_families_applies_nothing_when_one_was_dropped_meanwhile()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("one");
        test.Store.CreateColumnFamily("two");
        using StoreTransaction dropped = test.Store.BeginTransaction(_options);
        using StoreTransaction replaced = test.Store.BeginTransaction(_options);
        foreach (StoreTransaction transaction in (StoreTransaction[])[dropped, replaced])
        {
            await transaction.PutAsync("one", Bytes("a"), Bytes("1"));
            await transaction.PutAsync("two", Bytes("a"), Bytes("1"));
        }

        test.Store.DropColumnFamily("two");
        StorageException gone = await Assert.ThrowsAsync<StorageException>(async () => await dropped.CommitAsync());
        test.Store.CreateColumnFamily("two");
        StorageException other = await Assert.ThrowsAsync<StorageException>(
            async () => await replaced.CommitAsync());

        Assert.Equal(FailureKind.ColumnFamilyNotFound, gone.Kind);
        Assert.Equal(FailureKind.ColumnFamilyNotFound, other.Kind);
        Assert.Null(test.Get("a", "one"));
        Assert.Null(test.Get("a", "two"));
    }

    [Fact]
    public async Task A_transaction_ends_once()
    {
        await using TestStore test = new();
        using StoreTransaction committed = test.Store.BeginTransaction(_options);
        await committed.PutAsync(null, Bytes("a"), Bytes("1"));
        await committed.CommitAsync();
        using StoreTransaction aborted = test.Store.BeginTransaction(_options);
        await aborted.PutAsync(null, Bytes("b"), Bytes("1"));
        aborted.RollBack();
        aborted.RollBack();

        StorageException[] failures =
        [
            await Assert.ThrowsAsync<StorageException>(async () => await committed.CommitAsync()),
            Assert.Throws<StorageException>(committed.RollBack),
            await Assert.ThrowsAsync<StorageException>(async () => await aborted.CommitAsync()),
            Assert.Throws<StorageException>(() => aborted.Get(null, Bytes("a"))),
            await Assert.ThrowsAsync<StorageException>(
                async () => await aborted.PutAsync(null, Bytes("b"), Bytes("2"))),
        ];

        Assert.All(failures, failure => Assert.Equal(FailureKind.TransactionEnded, failure.Kind));
        Assert.Contains("committed at sequence", failures[0].Message, StringComparison.Ordinal);
        Assert.Equal("1", test.Get("a"));
        Assert.Null(test.Get("b"));
    }

    [Fact]
    public async Task Going_back_to_a_savepoint_takes_back_writes_and_claims_since_then()
    {
        await using TestStore test = new();
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("a"), Bytes("1"));
        Savepoint first = transaction.SetSavepoint();
        await transaction.PutAsync(null, Bytes("a"), Bytes("2"));
        await transaction.PutAsync(null, Bytes("b"), Bytes("2"));
        Savepoint second = transaction.SetSavepoint();
        await transaction.DeleteAsync(null, Bytes("a"));

        transaction.RollBackTo(second);
        Assert.Equal("2", Get(transaction, "a"));
        transaction.RollBackTo(first);
        Assert.Equal("1", Get(transaction, "a"));
        Assert.Null(Get(transaction, "b"));
        Assert.Throws<StorageException>(() => transaction.RollBackTo(second));
        transaction.Release(first);
        Assert.Throws<StorageException>(() => transaction.RollBackTo(first));
        await test.WriteAsync(Put("b", "theirs"));
        CommitResult result = await transaction.CommitAsync();

        Assert.True(result.Committed);
        Assert.Equal(("1", "theirs"), (test.Get("a"), test.Get("b")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_range_shows_the_store_with_the_own_writes_over_it(bool reverse)
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("b", "1"), Put("d", "1"), Put("f", "1"), Put("h", "1"));
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("a"), Bytes("2"));
        await transaction.PutAsync(null, Bytes("d"), Bytes("2"));
        await transaction.DeleteAsync(null, Bytes("f"));
        await transaction.PutAsync(null, Bytes("g"), Bytes("2"));
        await transaction.DeleteAsync(null, Bytes("nothing"));
        string[] expected = ["a=2", "b=1", "d=2", "g=2", "h=1"];

        List<string> found = [];
        ScanRequest request = All(reverse, limit: 2);
        ScanPage page;
        do
        {
            page = transaction.Scan(request);
            found.AddRange(page.Entries.Select(entry => $"{Text(entry.Key)}={Text(entry.Value)}"));
            request = request with { ResumeAfter = page.Entries[^1].Key, HasResume = true };
        }
        while (page.HasMore);

        Assert.Equal(reverse ? expected.Reverse() : expected, found);
        ScanRequest part = new(null, new KeyRange(Bytes("b"), Bytes("g"), true, false), reverse, 9, 1000);
        Assert.Equal(["d"], Keys(transaction.Scan(part).Entries));
    }

    [Fact]
    public async Task A_removed_range_is_a_conflict_for_the_keys_in_it_only()
    {
        await using TestStore test = new();
        using StoreTransaction inside = test.Store.BeginTransaction(_options);
        using StoreTransaction outside = test.Store.BeginTransaction(_options);
        await inside.PutAsync(null, Bytes("m"), Bytes("1"));
        await outside.PutAsync(null, Bytes("z"), Bytes("1"));

        await test.WriteAsync(WriteOperation.DeleteRange(Bytes("a"), Bytes("n")));

        Assert.Equal(ConflictKind.Written, (await inside.CommitAsync()).Conflict!.Kind);
        Assert.True((await outside.CommitAsync()).Committed);
    }

    [Fact]
    public async Task One_older_than_what_is_remembered_is_too_old_and_never_commits_over_a_write()
    {
        await using TestStore test = new(options => options.TransactionWindowBytes = 1 << 10);
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("k0"), Bytes("mine"));

        await test.WriteAsync([.. Enumerable.Range(0, 1000).Select(i => Put($"k{i}", "theirs"))]);
        CommitResult result = await transaction.CommitAsync();

        Assert.Equal(ConflictKind.TooOld, result.Conflict!.Kind);
        Assert.Equal("theirs", test.Get("k0"));
    }

    [Fact]
    public async Task Closing_the_store_ends_open_transactions_and_says_so()
    {
        await using TestStore test = new();
        LocalStore store = test.Store;
        StoreTransaction transaction = store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("a"), Bytes("1"));

        await test.ReopenAsync();
        StorageException commit = await Assert.ThrowsAsync<StorageException>(
            async () => await transaction.CommitAsync());
        StorageException read = Assert.Throws<StorageException>(() => transaction.Get(null, Bytes("a")));
        StorageException begin = Assert.Throws<StorageException>(() => store.BeginTransaction(_options));
        transaction.Dispose();

        Assert.Equal([FailureKind.Closed, FailureKind.Closed, FailureKind.Closed],
            [commit.Kind, read.Kind, begin.Kind]);
        Assert.Null(test.Get("a"));
    }

    [Fact]
    public async Task The_age_of_the_oldest_snapshot_is_told_while_one_is_held()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        Assert.Null(test.Store.OldestSnapshotAge);
        using StoreTransaction none = test.Store.BeginTransaction(_options with { Snapshot = false });
        time.Advance(TimeSpan.FromSeconds(1));
        using StoreTransaction first = test.Store.BeginTransaction(_options);
        time.Advance(TimeSpan.FromSeconds(2));
        using StoreTransaction second = test.Store.BeginTransaction(_options);

        Assert.Equal(TimeSpan.FromSeconds(2), test.Store.OldestSnapshotAge);
        Assert.Equal([none.Id, first.Id, second.Id], test.Store.OpenTransactions.Select(open => open.Id));
        first.RollBack();
        Assert.Equal(TimeSpan.Zero, test.Store.OldestSnapshotAge);
    }

    [Fact]
    public async Task One_that_becomes_too_large_refuses_the_write_and_commits_what_it_has()
    {
        await using TestStore test = new(options => options.MaxRequestBytes = 2048);
        using StoreTransaction transaction = test.Store.BeginTransaction(_options);
        await transaction.PutAsync(null, Bytes("a"), new byte[1500]);

        StorageException refused = await Assert.ThrowsAsync<StorageException>(
            async () => await transaction.PutAsync(null, Bytes("b"), new byte[1500]));

        Assert.Equal(FailureKind.RequestTooLarge, refused.Kind);
        Assert.True((await transaction.CommitAsync()).Committed);
        Assert.NotNull(test.Get("a"));
        Assert.Null(test.Get("b"));
    }

    [Fact]
    public async Task Options_outside_of_their_range_are_refused()
    {
        await using TestStore test = new();
        StoreTransactionOptions[] wrong =
        [
            new() { Mode = (TransactionMode)7 },
            new() { Durability = (Durability)7 },
            new() { LockTimeout = TimeSpan.FromTicks(-1) },
            new() { LockTimeout = TimeSpan.FromHours(2) },
            new() { Expiration = TimeSpan.Zero },
            new() { MaxAttempts = 0 },
            new() { MaxAttempts = 10_001 },
        ];

        Assert.All(wrong, options => Assert.Equal(
            FailureKind.InvalidArgument,
            Assert.Throws<StorageException>(() => test.Store.BeginTransaction(options)).Kind));
    }

    private static string? Get(StoreTransaction transaction, string key, string? family = null) =>
        transaction.Get(family, Bytes(key)) is { } value ? Text(value) : null;

    /// <summary>The first transaction of a store waits for the commit under way, so it is let go first.</summary>
    private static async Task<StoreTransaction[]> BeginWhileHeldAsync(
        TestStore test, TestCommit commit, Task<WriteResult> held)
    {
        commit.Release();
        await held;
        StoreTransaction[] transactions =
            [test.Store.BeginTransaction(_options), test.Store.BeginTransaction(_options)];
        foreach (StoreTransaction transaction in transactions)
        {
            await transaction.PutAsync(null, Bytes("a"), Bytes("1"));
        }

        return transactions;
    }
}
