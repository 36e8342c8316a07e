using System.Buffers;
using System.Globalization;
using Xunit.Abstractions;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

/// <summary>Eight threads use transactions, operators and log iterators of a database while it is disposed. More
/// rounds: BRANCHING_ROUNDS; a seed: BRANCHING_SEED.</summary>
public sealed class TransactionTeardownTests(ITestOutputHelper output)
{
    private const int Threads = 8;

    [Theory]
    [InlineData(TransactionKind.Optimistic)]
    [InlineData(TransactionKind.Pessimistic)]
    public async Task Disposing_under_eight_threads_ends_every_one_of_them_with_an_exception_and_no_crash(
        TransactionKind kind)
    {
        int rounds = Setting("BRANCHING_ROUNDS", 2);
        int seed = Setting("BRANCHING_SEED", Random.Shared.Next());
        output.WriteLine($"BRANCHING_SEED={seed}");
        using TestStore store = new(open: false);

        for (int round = 0; round < rounds; round++)
        {
            RocksDatabase database = TransactionTests.Open(store, kind);
            using CountdownEvent busy = new(Threads);
            Task[] threads = [.. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
                () =>
                {
                    Random random = new(HashCode.Combine(seed, round, thread));
                    UntilClosed(() => UseOnce(database, random), busy);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
            Assert.True(busy.Wait(Deadline));

            database.Dispose();
            await Task.WhenAll(threads).WaitAsync(Deadline);
        }

        using RocksDatabase again = TransactionTests.Open(store, kind);
        Assert.True(again.LatestSequence > 0);
    }

    [Theory]
    [InlineData(TransactionKind.Optimistic)]
    [InlineData(TransactionKind.Pessimistic)]
    public async Task Dropping_a_family_under_transactions_ends_them_with_an_exception_and_no_crash(
        TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, kind);
        for (int round = 0; round < 2; round++)
        {
            ColumnFamily family = database.CreateColumnFamily("f");
            using CountdownEvent busy = new(Threads);
            Task[] threads = [.. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
                () =>
                {
                    Random random = new(HashCode.Combine(round, thread));
                    UntilClosed(() => Transact(database, family, random), busy);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
            Assert.True(busy.Wait(Deadline));

            database.DropColumnFamily(family);
            await Task.WhenAll(threads).WaitAsync(Deadline);
        }

        database.Set("k", "still writable");
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value)
            ? value
            : otherwise;

    /// <summary>Returns when the one end is met that there may be.</summary>
    private static void UntilClosed(Action use, CountdownEvent busy)
    {
        const int Enough = 10;
        try
        {
            for (int uses = 1; true; uses++)
            {
                Tolerating(use);
                if (uses == Enough)
                {
                    busy.Signal();
                }
            }
        }
        catch (ObjectDisposedException)
        {
            return;
        }
    }

    /// <summary>Losing a race is no failure; anything but these is.</summary>
    private static void Tolerating(Action use)
    {
        try
        {
            use();
        }
        catch (RocksDbException e) when (e.Status is RocksDbStatus.Busy or RocksDbStatus.LockTimedOut
            or RocksDbStatus.TryAgain or RocksDbStatus.Deadlock)
        {
            return; // Another transaction was faster.
        }
    }

    private static void UseOnce(RocksDatabase database, Random random)
    {
        byte[] key = [(byte)random.Next(20)];
        switch (random.Next(6))
        {
            case 0:
                Tolerating(() => database.Merge(database.DefaultColumnFamily, key, key, WriteOptions.Buffered));
                break;
            case 1:
                using (WalIterator log = database.GetUpdatesSince(database.LatestSequence))
                {
                    log.MoveNext();
                }

                break;
            case 2:
                _ = MemoryUsage.Of([database], []);
                database.ApproximateSizes(database.DefaultColumnFamily, [(key, Bytes("z"))]);
                break;
            default:
                Transact(database, database.DefaultColumnFamily, random);
                break;
        }
    }

    private static void Transact(RocksDatabase database, ColumnFamily family, Random random)
    {
        byte[] key = [(byte)random.Next(20)];
        TransactionOptions options = new()
        {
            SetSnapshot = random.Next(2) == 0,
            DetectDeadlocks = true,
            LockTimeout = TimeSpan.FromMilliseconds(5),
        };
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered, options);
        transaction.Put(family, key, key);
        transaction.SetSavePoint();
        transaction.Merge(family, [(byte)random.Next(20)], key);
        ArrayBufferWriter<byte> value = new();
        transaction.TryGetForUpdate(family, [(byte)random.Next(20)], value);
        using (TransactionIterator iterator = transaction.NewIterator(family))
        {
            for (iterator.SeekToFirst(); iterator.IsValid; iterator.Next())
            {
                Assert.False(iterator.Key.IsEmpty);
            }
        }

        if (random.Next(3) == 0)
        {
            transaction.RollbackToSavePoint();
        }

        if (random.Next(4) != 0)
        {
            transaction.Commit();
        }
    }
}
