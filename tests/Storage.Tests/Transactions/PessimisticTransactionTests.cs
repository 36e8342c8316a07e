using System.Buffers;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

public sealed class PessimisticTransactionTests
{
    private static readonly StoreTransactionOptions _options = new()
    {
        Mode = TransactionMode.Pessimistic,
        Durability = Durability.Buffered,
        LockTimeout = TimeSpan.FromSeconds(60),
    };

    [Fact]
    public async Task A_locked_key_makes_the_next_one_wait_until_its_holder_has_ended()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("n", "1"));
        using StoreTransaction first = test.Store.BeginTransaction(_options);
        using StoreTransaction second = test.Store.BeginTransaction(_options);
        Assert.Equal("1", await GetForUpdateAsync(first, "n"));

        Task<string?> waiting = GetForUpdateAsync(second, "n");
        await first.PutAsync(null, Bytes("n"), Bytes("2"));
        Assert.False(waiting.IsCompleted);
        Assert.True((await first.CommitAsync()).Committed);

        Assert.Equal("2", await waiting.WaitAsync(Waiting.Deadline));
        await second.PutAsync(null, Bytes("n"), Bytes("3"));
        Assert.True((await second.CommitAsync()).Committed);
        Assert.Equal("3", test.Get("n"));
    }

    [Fact]
    public async Task A_plain_write_and_an_optimistic_commit_wait_for_a_locked_key()
    {
        await using TestStore test = new();
        using StoreTransaction holder = test.Store.BeginTransaction(_options);
        await holder.PutAsync(null, Bytes("n"), Bytes("1"));
        using StoreTransaction optimistic = test.Store.BeginTransaction(
            new StoreTransactionOptions { Durability = Durability.Buffered, LockTimeout = Waiting.Deadline });
        await optimistic.PutAsync(null, Bytes("n"), Bytes("optimistic"));

        Task<WriteResult> plain = test.WriteAsync(Put("n", "plain"));
        Task<WriteResult> range = test.WriteAsync(WriteOperation.DeleteRange(Bytes("x"), Bytes("z")));
        Task<CommitResult> commit = optimistic.CommitAsync().AsTask();
        Assert.True((await range.WaitAsync(Waiting.Deadline)).Applied);
        Assert.False(plain.IsCompleted || commit.IsCompleted);
        Assert.True((await holder.CommitAsync()).Committed);

        Assert.True((await plain.WaitAsync(Waiting.Deadline)).Applied);
        Assert.False((await commit.WaitAsync(Waiting.Deadline)).Committed);
        Assert.Equal("plain", test.Get("n"));
    }

    [Fact]
    public async Task A_removed_range_waits_for_the_locks_in_it()
    {
        await using TestStore test = new();
        using StoreTransaction holder = test.Store.BeginTransaction(_options);
        await holder.PutAsync(null, Bytes("n"), Bytes("1"));

        Task<WriteResult> range = test.WriteAsync(WriteOperation.DeleteRange(Bytes("a"), Bytes("z")));
        Assert.False(range.IsCompleted);
        Assert.True((await holder.CommitAsync()).Committed);

        Assert.True((await range.WaitAsync(Waiting.Deadline)).Applied);
        Assert.Null(test.Get("n"));
    }

    [Fact]
    public async Task A_lock_that_is_not_free_in_time_says_who_has_it()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        using StoreTransaction holder = test.Store.BeginTransaction(_options);
        using StoreTransaction impatient = test.Store.BeginTransaction(_options with { LockTimeout = TimeSpan.Zero });
        using StoreTransaction patient = test.Store.BeginTransaction(
            _options with { LockTimeout = TimeSpan.FromSeconds(5) });
        await holder.PutAsync(null, Bytes("n"), Bytes("1"));

        StorageException atOnce = await Assert.ThrowsAsync<StorageException>(
            async () => await impatient.PutAsync(null, Bytes("n"), Bytes("2")));
        Task later = patient.PutAsync(null, Bytes("n"), Bytes("2")).AsTask();
        await Waiting.UntilAsync(() => time.Waiting > 0, "a waiter");
        time.Advance(TimeSpan.FromSeconds(6));
        StorageException inTime = await Assert.ThrowsAsync<StorageException>(() => later.WaitAsync(Waiting.Deadline));

        Assert.All([atOnce, inTime], failure => Assert.Equal(FailureKind.LockTimedOut, failure.Kind));
        Assert.Equal(holder.Id, atOnce.Conflict!.Other);
        Assert.Equal(holder.Id, inTime.Conflict!.Other);
        Assert.True((await holder.CommitAsync()).Committed);
    }

    [Fact]
    public async Task A_circle_of_waiting_transactions_is_refused_with_the_circle()
    {
        await using TestStore test = new();
        using StoreTransaction a = test.Store.BeginTransaction(_options);
        using StoreTransaction b = test.Store.BeginTransaction(_options);
        using StoreTransaction c = test.Store.BeginTransaction(_options);
        await a.PutAsync(null, Bytes("1"), Bytes("a"));
        await b.PutAsync(null, Bytes("2"), Bytes("b"));
        await c.PutAsync(null, Bytes("3"), Bytes("c"));
        Task aWaits = a.PutAsync(null, Bytes("2"), Bytes("a")).AsTask();
        Task bWaits = b.PutAsync(null, Bytes("3"), Bytes("b")).AsTask();

        StorageException deadlock = await Assert.ThrowsAsync<StorageException>(
            async () => await c.PutAsync(null, Bytes("1"), Bytes("c")));

        Assert.Equal(FailureKind.Deadlock, deadlock.Kind);
        Assert.Equal(
            [(c.Id, "1"), (a.Id, "2"), (b.Id, "3")],
            deadlock.Conflict!.Circle.Select(step => (step.Transaction, Text(step.Key))));
        c.RollBack();
        await bWaits.WaitAsync(Waiting.Deadline);
        Assert.True((await b.CommitAsync()).Committed);
        await aWaits.WaitAsync(Waiting.Deadline);
        Assert.True((await a.CommitAsync()).Committed);
        Assert.Equal(("a", "a", "b"), (test.Get("1"), test.Get("2"), test.Get("3")));
    }

    [Fact]
    public async Task Shared_locks_go_together_and_two_that_both_want_more_are_a_circle()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("n", "1"));
        using StoreTransaction a = test.Store.BeginTransaction(_options);
        using StoreTransaction b = test.Store.BeginTransaction(_options);
        Assert.Equal("1", await GetForUpdateAsync(a, "n", LockMode.Shared));
        Assert.Equal("1", await GetForUpdateAsync(b, "n", LockMode.Shared));

        Task aWaits = a.PutAsync(null, Bytes("n"), Bytes("a")).AsTask();
        StorageException deadlock = await Assert.ThrowsAsync<StorageException>(
            async () => await b.PutAsync(null, Bytes("n"), Bytes("b")));
        b.RollBack();
        await aWaits.WaitAsync(Waiting.Deadline);

        Assert.Equal(FailureKind.Deadlock, deadlock.Kind);
        Assert.True((await a.CommitAsync()).Committed);
    }

    [Fact]
    public async Task Waiting_is_fair_and_can_be_cancelled()
    {
        await using TestStore test = new();
        using StoreTransaction holder = test.Store.BeginTransaction(_options);
        using StoreTransaction cancelled = test.Store.BeginTransaction(_options);
        using StoreTransaction second = test.Store.BeginTransaction(_options);
        using StoreTransaction third = test.Store.BeginTransaction(_options);
        using CancellationTokenSource stop = new();
        await holder.PutAsync(null, Bytes("n"), Bytes("1"));
        Task first = cancelled.PutAsync(null, Bytes("n"), Bytes("x"), stop.Token).AsTask();
        Task next = second.PutAsync(null, Bytes("n"), Bytes("2")).AsTask();
        Task last = third.PutAsync(null, Bytes("n"), Bytes("3")).AsTask();

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        holder.RollBack();
        await next.WaitAsync(Waiting.Deadline);
        Assert.False(last.IsCompleted);
        second.RollBack();
        await last.WaitAsync(Waiting.Deadline);

        Assert.True((await third.CommitAsync()).Committed);
        Assert.Equal("3", test.Get("n"));
    }

    [Fact]
    public async Task When_its_time_is_over_the_locks_are_free_and_the_commit_is_refused()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        using StoreTransaction slow = test.Store.BeginTransaction(
            _options with { Expiration = TimeSpan.FromSeconds(3) });
        using StoreTransaction next = test.Store.BeginTransaction(_options);
        await slow.PutAsync(null, Bytes("n"), Bytes("slow"));
        Task waits = next.PutAsync(null, Bytes("n"), Bytes("next")).AsTask();

        time.Advance(TimeSpan.FromSeconds(4));
        await waits.WaitAsync(Waiting.Deadline);
        StorageException expired = await Assert.ThrowsAsync<StorageException>(async () => await slow.CommitAsync());

        Assert.Equal(FailureKind.TransactionEnded, expired.Kind);
        Assert.Equal(StoreTransactionState.Expired, slow.State);
        Assert.True((await next.CommitAsync()).Committed);
        Assert.Equal("next", test.Get("n"));
    }

    [Fact]
    public async Task With_a_snapshot_a_key_that_changed_since_is_a_conflict_when_it_is_locked()
    {
        await using TestStore test = new();
        using StoreTransaction transaction = test.Store.BeginTransaction(_options with { Snapshot = true });
        await test.WriteAsync(Put("n", "theirs"));

        StorageException conflict = await Assert.ThrowsAsync<StorageException>(
            async () => await transaction.PutAsync(null, Bytes("n"), Bytes("mine")));

        Assert.Equal(FailureKind.TransactionConflict, conflict.Kind);
        Assert.Equal(ConflictKind.Written, conflict.Conflict!.Kind);
    }

    [Fact]
    public async Task Going_back_to_a_savepoint_gives_back_the_locks_taken_since()
    {
        await using TestStore test = new();
        using StoreTransaction first = test.Store.BeginTransaction(_options);
        using StoreTransaction second = test.Store.BeginTransaction(_options with { LockTimeout = TimeSpan.Zero });
        await first.PutAsync(null, Bytes("kept"), Bytes("1"));
        await GetForUpdateAsync(first, "shared", LockMode.Shared);
        Savepoint savepoint = first.SetSavepoint();
        await first.PutAsync(null, Bytes("taken"), Bytes("1"));
        await first.PutAsync(null, Bytes("shared"), Bytes("1"));

        first.RollBackTo(savepoint);

        await second.PutAsync(null, Bytes("taken"), Bytes("2"));
        await GetForUpdateAsync(second, "shared", LockMode.Shared);
        await Assert.ThrowsAsync<StorageException>(
            async () => await second.PutAsync(null, Bytes("kept"), Bytes("2")));
        await Assert.ThrowsAsync<StorageException>(
            async () => await second.PutAsync(null, Bytes("shared"), Bytes("2")));
    }

    [Fact]
    public async Task A_write_that_began_before_the_first_lock_breaks_it_and_is_not_lost()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        using StoreTransaction transaction = await LockTooLateAsync(test, commit, Put("n", "early"));
        await transaction.PutAsync(null, Bytes("n"), Bytes("late"));
        CommitResult result = await transaction.CommitAsync();

        Assert.Equal(ConflictKind.LockBroken, result.Conflict!.Kind);
        Assert.Equal("early", test.Get("n"));
    }

    [Fact]
    public async Task What_only_reads_under_locks_is_refused_when_one_of_them_was_broken()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        using StoreTransaction transaction = await LockTooLateAsync(
            test, commit, Put("n", "early"), Put("m", "early"));
        Assert.Equal("early", await GetForUpdateAsync(transaction, "m"));
        CommitResult result = await transaction.CommitAsync();

        // No moment had both of what it read.
        Assert.False(result.Committed);
        Assert.Equal(ConflictKind.LockBroken, result.Conflict!.Kind);
    }

    [Fact]
    public async Task Closing_the_store_fails_those_who_wait_for_a_lock()
    {
        await using TestStore test = new();
        using StoreTransaction holder = test.Store.BeginTransaction(_options);
        using StoreTransaction waiter = test.Store.BeginTransaction(_options);
        await holder.PutAsync(null, Bytes("n"), Bytes("1"));
        Task waits = waiter.PutAsync(null, Bytes("n"), Bytes("2")).AsTask();
        Task<WriteResult> plain = test.WriteAsync(Put("n", "3"));

        await test.Store.DisposeAsync().AsTask().WaitAsync(Waiting.Deadline);

        Assert.Equal(FailureKind.Closed, (await Assert.ThrowsAsync<StorageException>(() => waits)).Kind);
        Assert.Equal(FailureKind.Closed, (await Assert.ThrowsAsync<StorageException>(() => plain)).Kind);
        Assert.Equal(
            FailureKind.Closed,
            (await Assert.ThrowsAsync<StorageException>(async () => await holder.CommitAsync())).Kind);
    }

    /// <summary>A transaction that locked the key "n", which was absent, while a write had begun that was applied
    /// since.</summary>
    private static async Task<StoreTransaction> LockTooLateAsync(
        TestStore test, TestCommit commit, params WriteOperation[] early)
    {
        using (test.Store.BeginTransaction(_options))
        {
            // Once, so that the store remembers writes from here on.
        }

        commit.Hold();
        Task<WriteResult> blocker = test.WriteAsync(Put("x", "1"));
        await commit.EnteredAsync();
        Task<WriteResult> write = test.WriteAsync(early);
        StoreTransaction transaction = test.Store.BeginTransaction(_options);
        Assert.Null(await GetForUpdateAsync(transaction, "n"));
        commit.Release();
        await Task.WhenAll(blocker, write);
        return transaction;
    }

    private static async Task<string?> GetForUpdateAsync(
        StoreTransaction transaction, string key, LockMode mode = LockMode.Exclusive)
    {
        ArrayBufferWriter<byte> value = new();
        return await transaction.GetForUpdateAsync(null, Bytes(key), value, mode) ? Text(value.WrittenMemory) : null;
    }
}
