using System.Globalization;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

public sealed class TransactionRetryTests
{
    private static readonly StoreTransactionOptions _options = new() { Durability = Durability.Buffered };

    [Fact]
    public async Task A_body_that_lost_runs_again_and_the_attempt_number_rises()
    {
        await using TestStore test = new();
        List<int> attempts = [];

        TransactionOutcome<string> outcome = await test.Store.TransactionAsync(
            async (transaction, attempt, token) =>
            {
                attempts.Add(attempt);
                await transaction.PutAsync(null, Bytes("n"), Bytes($"mine {attempt}"), token);
                if (attempt < 3)
                {
                    await test.WriteAsync(Put("n", $"theirs {attempt}"));
                }

                return "done";
            },
            _options);

        Assert.Equal([1, 2, 3], attempts);
        Assert.Equal(("done", true, 3), (outcome.Value, outcome.Committed, outcome.Attempts));
        Assert.Equal("mine 3", test.Get("n"));
    }

    [Fact]
    public async Task After_as_many_attempts_as_allowed_the_last_conflict_is_thrown()
    {
        await using TestStore test = new();
        int attempts = 0;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => test.Store.TransactionAsync(
            async (transaction, attempt, token) =>
            {
                attempts = attempt;
                await transaction.PutAsync(null, Bytes("n"), Bytes("mine"), token);
                await test.WriteAsync(Put("n", "theirs"));
            },
            _options with { MaxAttempts = 4 }));

        Assert.Equal(4, attempts);
        Assert.Equal(FailureKind.TransactionConflict, failure.Kind);
        Assert.True(failure.IsTransient);
        Assert.Equal("n", Text(failure.Conflict!.Key));
        Assert.Equal("theirs", test.Get("n"));
    }

    [Fact]
    public async Task What_the_body_throws_ends_the_transaction_and_is_not_tried_again()
    {
        await using TestStore test = new();
        int runs = 0;

        await Assert.ThrowsAsync<InvalidOperationException>(() => test.Store.TransactionAsync(
            async (transaction, _, token) =>
            {
                runs++;
                await transaction.PutAsync(null, Bytes("n"), Bytes("mine"), token);
                throw new InvalidOperationException("no");
            },
            _options));
        await Assert.ThrowsAsync<InvalidOperationException>(() => test.Store.TransactionAsync(
            async (transaction, _, token) =>
            {
                await transaction.PutAsync(null, Bytes("kept"), Bytes("yes"), token);
                await transaction.CommitAsync(token);
                throw new InvalidOperationException("after the commit");
            },
            _options));
        TransactionOutcome<bool> given = await test.Store.TransactionAsync(
            async (transaction, _, token) =>
            {
                await transaction.PutAsync(null, Bytes("n"), Bytes("mine"), token);
                transaction.RollBack();
            },
            _options);

        Assert.Equal(1, runs);
        Assert.False(given.Committed);
        Assert.Null(test.Get("n"));
        Assert.Equal("yes", test.Get("kept"));
        Assert.Empty(test.Store.OpenTransactions);
    }

    [Fact]
    public async Task A_victim_of_a_circle_waits_until_the_other_has_ended_and_then_runs_at_once()
    {
        await using TestStore test = new();
        StoreTransactionOptions options = _options with
        {
            Mode = TransactionMode.Pessimistic,
            LockTimeout = Waiting.Deadline,
        };
        using StoreTransaction other = test.Store.BeginTransaction(options);
        await other.PutAsync(null, Bytes("a"), Bytes("other"));
        TaskCompletionSource lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int attempts = 0;
        Task<TransactionOutcome<bool>> victim = test.Store.TransactionAsync(
            async (transaction, attempt, token) =>
            {
                attempts = attempt;
                await transaction.PutAsync(null, Bytes("b"), Bytes("victim"), token);
                if (attempt == 1)
                {
                    Task otherWaits = other.PutAsync(null, Bytes("b"), Bytes("other"), token).AsTask();
                    Assert.False(otherWaits.IsCompleted);
                    lost.SetResult();
                    StorageException deadlock = await Assert.ThrowsAsync<StorageException>(
                        async () => await transaction.PutAsync(null, Bytes("a"), Bytes("victim"), token));
                    transaction.RollBack();
                    await otherWaits;
                    throw deadlock;
                }

                await transaction.PutAsync(null, Bytes("a"), Bytes("victim"), token);
            },
            options);

        await lost.Task.WaitAsync(Waiting.Deadline);
        Assert.False(victim.IsCompleted);
        await Waiting.UntilAsync(async () => await CommitIfFreeAsync(other), "the commit of the other one");
        TransactionOutcome<bool> outcome = await victim.WaitAsync(Waiting.Deadline);

        Assert.True(outcome.Committed);
        Assert.Equal(2, attempts);
        Assert.Equal(("victim", "victim"), (test.Get("a"), test.Get("b")));
    }

    [Theory]
    [InlineData(TransactionMode.Optimistic)]
    [InlineData(TransactionMode.Pessimistic)]
    public async Task A_storm_of_increments_of_one_key_loses_none(TransactionMode mode)
    {
        const int Writers = 8, Rounds = 25;
        await using TestStore test = new();
        StoreTransactionOptions options = _options with
        {
            Mode = mode,
            MaxAttempts = 10_000,
            LockTimeout = Waiting.Deadline,
        };

        int[] attempts = await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
        {
            int sum = 0;
            for (int round = 0; round < Rounds; round++)
            {
                sum += (await test.Store.TransactionAsync(
                    (transaction, _, token) => IncrementAsync(transaction, token), options)).Attempts;
            }

            return sum;
        }))).WaitAsync(Waiting.Deadline);

        Assert.Equal((Writers * Rounds).ToString(CultureInfo.InvariantCulture), test.Get("n"));
        Assert.True(attempts.Sum() >= Writers * Rounds);
        if (mode == TransactionMode.Pessimistic)
        {
            Assert.Equal(Writers * Rounds, attempts.Sum());
        }
    }

    [Fact]
    public async Task Cancelling_ends_the_attempts_and_leaves_nothing_open()
    {
        await using TestStore test = new();
        using CancellationTokenSource stop = new();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Store.TransactionAsync(
            async (transaction, attempt, token) =>
            {
                await transaction.PutAsync(null, Bytes("n"), Bytes("mine"), token);
                await test.WriteAsync(Put("n", "theirs"));
                if (attempt == 3)
                {
                    await stop.CancelAsync();
                }
            },
            _options,
            stop.Token));

        Assert.Empty(test.Store.OpenTransactions);
        Assert.Equal("theirs", test.Get("n"));
    }

    private static async Task<bool> CommitIfFreeAsync(StoreTransaction transaction)
    {
        try
        {
            return (await transaction.CommitAsync()).Committed;
        }
        catch (InvalidOperationException)
        {
            return false; // Its write still waits for the lock.
        }
    }

    private static async Task IncrementAsync(StoreTransaction transaction, CancellationToken cancellationToken)
    {
        System.Buffers.ArrayBufferWriter<byte> value = new();
        bool found = await transaction.GetForUpdateAsync(
            null, Bytes("n"), value, cancellationToken: cancellationToken);
        int n = found ? int.Parse(Text(value.WrittenMemory), CultureInfo.InvariantCulture) : 0;
        await transaction.PutAsync(
            null, Bytes("n"), Bytes((n + 1).ToString(CultureInfo.InvariantCulture)), cancellationToken);
    }
}
