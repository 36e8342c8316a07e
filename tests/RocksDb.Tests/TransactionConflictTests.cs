using System.Buffers;
using System.Diagnostics;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

/// <summary>Who loses when transactions meet, and what they are told.</summary>
public sealed class TransactionConflictTests
{
    private static readonly TimeSpan _atOnce = TimeSpan.Zero;

    [Fact]
    public void An_optimistic_commit_fails_when_a_key_it_wrote_has_changed_inside_or_outside_a_transaction()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Optimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        using Transaction first = database.BeginTransaction(WriteOptions.Buffered);
        using Transaction second = database.BeginTransaction(WriteOptions.Buffered);
        first.Put(family, Bytes("k"), Bytes("1"));
        second.Put(family, Bytes("k"), Bytes("2"));
        using Transaction third = database.BeginTransaction(WriteOptions.Buffered);
        third.Put(family, Bytes("l"), Bytes("3"));
        database.Set("l", "outside");

        first.Commit();
        RocksDbException inside = Assert.Throws<RocksDbException>(second.Commit);
        RocksDbException outside = Assert.Throws<RocksDbException>(third.Commit);

        Assert.Equal(RocksDbStatus.Busy, inside.Status);
        Assert.Equal(RocksDbStatus.Busy, outside.Status);
        Assert.Equal(TransactionState.Failed, second.State);
        Assert.Contains(
            "roll it back",
            Assert.Throws<InvalidOperationException>(second.Commit).Message,
            StringComparison.Ordinal);
        second.Rollback();
        Assert.Equal("1", database.Text("k"));
        Assert.Equal("outside", database.Text("l"));
    }

    [Fact]
    public void An_optimistic_read_conflicts_only_when_it_was_for_an_update()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Optimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        using Transaction reader = database.BeginTransaction(WriteOptions.Buffered);
        using Transaction updater = database.BeginTransaction(WriteOptions.Buffered);
        TransactionTests.Text(reader, family, "k");
        reader.Put(family, Bytes("r"), Bytes("1"));
        Assert.False(updater.TryGetForUpdate(family, Bytes("k"), new ArrayBufferWriter<byte>()));
        updater.Put(family, Bytes("u"), Bytes("1"));

        database.Set("k", "new");

        reader.Commit();
        Assert.Equal(RocksDbStatus.Busy, Assert.Throws<RocksDbException>(updater.Commit).Status);
        Assert.Equal("1", database.Text("r"));
        Assert.Null(database.Text("u"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_snapshot_makes_writes_since_the_beginning_a_conflict(bool setSnapshot)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Optimistic);
        using Transaction transaction = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { SetSnapshot = setSnapshot });
        database.Set("k", "since");
        transaction.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("own"));

        if (setSnapshot)
        {
            Assert.Equal(RocksDbStatus.Busy, Assert.Throws<RocksDbException>(transaction.Commit).Status);
        }
        else
        {
            transaction.Commit();
        }

        Assert.Equal(setSnapshot ? "since" : "own", database.Text("k"));
    }

    [Fact]
    public void A_lock_held_by_another_transaction_times_out_and_is_free_after_its_end()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        using Transaction holder = database.BeginTransaction(WriteOptions.Buffered);
        holder.Put(family, Bytes("k"), Bytes("held"));
        using Transaction other = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { LockTimeout = _atOnce });

        RocksDbException write = Assert.Throws<RocksDbException>(() => other.Put(family, Bytes("k"), default));
        RocksDbException read = Assert.Throws<RocksDbException>(() =>
            other.TryGetForUpdate(family, Bytes("k"), new ArrayBufferWriter<byte>()));
        Assert.Null(TransactionTests.Text(other, family, "k")); // A plain read waits for nobody.
        other.Put(family, Bytes("free"), Bytes("1")); // It goes on without what failed.
        holder.Commit();
        other.Put(family, Bytes("k"), Bytes("mine"));
        other.Commit();

        Assert.Equal(RocksDbStatus.LockTimedOut, write.Status);
        Assert.Equal(RocksDbStatus.LockTimedOut, read.Status);
        Assert.Equal("mine", database.Text("k"));
        Assert.Equal("1", database.Text("free"));
    }

    [Fact]
    public async Task A_waiter_gets_the_lock_when_the_holder_ends()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        Transaction holder = database.BeginTransaction(WriteOptions.Buffered);
        holder.Put(family, Bytes("k"), Bytes("held"));
        using Transaction waiter = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { LockTimeout = Deadline });
        using ManualResetEventSlim begun = new();

        Task waiting = Task.Run(() =>
        {
            begun.Set();
            waiter.Put(family, Bytes("k"), Bytes("waited"));
            waiter.Commit();
        });
        Assert.True(begun.Wait(Deadline));
        holder.Dispose();

        await waiting.WaitAsync(Deadline);
        Assert.Equal("waited", database.Text("k"));
    }

    [Fact]
    public void Writes_outside_transactions_wait_for_locks_too()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = RocksDatabase.OpenPessimistic(
            store.Directory, Creating(), new LockOptions { WriteLockTimeout = TimeSpan.FromMilliseconds(1) });
        using Transaction holder = database.BeginTransaction(WriteOptions.Buffered);
        holder.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("held"));
        using WriteBatch batch = new();
        batch.Put(database.DefaultColumnFamily, Bytes("k"), default);

        RocksDbException put = Assert.Throws<RocksDbException>(() => database.Set("k", "v"));
        RocksDbException many = Assert.Throws<RocksDbException>(() => database.Write(batch, WriteOptions.Buffered));
        RocksDbException range = Assert.Throws<RocksDbException>(() => database.DeleteRange(
            database.DefaultColumnFamily, Bytes("a"), Bytes("z"), WriteOptions.Buffered));
        database.Set("free", "v");

        Assert.Equal(RocksDbStatus.LockTimedOut, put.Status);
        Assert.Equal(RocksDbStatus.LockTimedOut, many.Status);
        Assert.Equal(RocksDbStatus.NotSupported, range.Status);
        Assert.False(database.IsKeptOpen);
        holder.Rollback();
        database.Set("k", "v");
    }

    [Fact]
    public void Shared_locks_go_together_and_keep_writers_out()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        database.Set("k", "v");
        TransactionOptions atOnce = new() { LockTimeout = _atOnce };
        using Transaction first = database.BeginTransaction(WriteOptions.Buffered, atOnce);
        using Transaction second = database.BeginTransaction(WriteOptions.Buffered, atOnce);
        using Transaction writer = database.BeginTransaction(WriteOptions.Buffered, atOnce);
        ArrayBufferWriter<byte> value = new();

        Assert.True(first.TryGetForUpdate(family, Bytes("k"), value, exclusive: false));
        Assert.True(second.TryGetForUpdate(family, Bytes("k"), value, exclusive: false));

        Assert.Equal(2, value.WrittenCount);
        Assert.Equal(
            RocksDbStatus.LockTimedOut,
            Assert.Throws<RocksDbException>(() => writer.Put(family, Bytes("k"), default)).Status);
        first.Rollback();
        second.Rollback();
        writer.Put(family, Bytes("k"), Bytes("w"));
    }

    [Fact]
    public async Task Waiting_in_a_circle_is_a_deadlock_for_one_and_the_other_goes_on()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        TransactionOptions options = new() { DetectDeadlocks = true, LockTimeout = Deadline };
        using Transaction first = database.BeginTransaction(WriteOptions.Buffered, options);
        using Transaction second = database.BeginTransaction(WriteOptions.Buffered, options);
        first.Put(family, Bytes("a"), Bytes("first"));
        second.Put(family, Bytes("b"), Bytes("second"));
        long began = Stopwatch.GetTimestamp();

        Task<RocksDbStatus> one = Task.Run(() => Cross(first, "b"));
        Task<RocksDbStatus> two = Task.Run(() => Cross(second, "a"));

        RocksDbStatus[] ends = await Task.WhenAll(one, two).WaitAsync(Deadline);

        Assert.Single(ends, RocksDbStatus.Deadlock);
        Assert.Single(ends, RocksDbStatus.Ok);
        Assert.True(Stopwatch.GetElapsedTime(began) < Deadline); // Found, not waited for.
        Assert.Equal(database.Text("a"), database.Text("b"));

        RocksDbStatus Cross(Transaction transaction, string key)
        {
            try
            {
                transaction.Put(family, Bytes(key), Bytes(transaction == first ? "first" : "second"));
                transaction.Commit();
                return RocksDbStatus.Ok;
            }
            catch (RocksDbException e)
            {
                transaction.Rollback();
                return e.Status;
            }
        }
    }

    [Fact]
    public void A_pessimistic_snapshot_refuses_a_key_that_changed_since()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        using Transaction transaction = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { SetSnapshot = true });
        database.Set("k", "since");

        RocksDbException failure = Assert.Throws<RocksDbException>(() =>
            transaction.Put(database.DefaultColumnFamily, Bytes("k"), default));

        Assert.Equal(RocksDbStatus.Busy, failure.Status);
        transaction.Put(database.DefaultColumnFamily, Bytes("l"), default);
        transaction.Commit();
    }

    [Fact]
    public void A_rollback_to_a_save_point_releases_the_locks_taken_since()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        using Transaction holder = database.BeginTransaction(WriteOptions.Buffered);
        using Transaction other = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { LockTimeout = _atOnce });
        holder.Put(family, Bytes("before"), default);
        holder.SetSavePoint();
        holder.Put(family, Bytes("since"), default);

        holder.RollbackToSavePoint();

        other.Put(family, Bytes("since"), default);
        Assert.Throws<RocksDbException>(() => other.Put(family, Bytes("before"), default));
    }

    [Fact]
    public void The_limit_of_locks_is_an_answer_of_its_own()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = RocksDatabase.OpenPessimistic(
            store.Directory, Creating(), new LockOptions { MaxLocks = 2, Stripes = 1 });
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        transaction.Put(database.DefaultColumnFamily, Bytes("a"), default);
        transaction.Put(database.DefaultColumnFamily, Bytes("b"), default);

        RocksDbException failure = Assert.Throws<RocksDbException>(() =>
            transaction.Put(database.DefaultColumnFamily, Bytes("c"), default));

        Assert.Equal(RocksDbStatus.LockLimit, failure.Status);
        transaction.Commit();
        Assert.Equal("", database.Text("b"));
    }

    [Fact]
    public void An_expired_transaction_loses_its_locks_and_cannot_commit()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        ColumnFamily family = database.DefaultColumnFamily;
        using Transaction old = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { Expiration = TimeSpan.FromMilliseconds(1) });
        using Transaction young = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { LockTimeout = Deadline });
        old.Put(family, Bytes("k"), Bytes("old"));

        young.Put(family, Bytes("k"), Bytes("young")); // Waits until the other one is old enough.
        RocksDbException expired = Assert.Throws<RocksDbException>(old.Commit);
        old.Rollback();
        young.Commit();

        Assert.Equal(RocksDbStatus.Expired, expired.Status);
        Assert.Equal("young", database.Text("k"));
    }

    [Fact]
    public void Options_out_of_range_are_refused_by_name()
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, TransactionKind.Pessimistic);
        Refused("DeadlockDetectionDepth", new TransactionOptions { DeadlockDetectionDepth = 0 });
        Refused("LockTimeout", new TransactionOptions { LockTimeout = TimeSpan.FromMilliseconds(-1) });
        Refused("Expiration", new TransactionOptions { Expiration = TimeSpan.Zero });
        Refused("MaxWriteBytes", new TransactionOptions { MaxWriteBytes = -1 });
        RefusedLocks("MaxLocks", new LockOptions { MaxLocks = 0 });
        RefusedLocks("Stripes", new LockOptions { Stripes = 0 });
        RefusedLocks("TransactionLockTimeout", new LockOptions { TransactionLockTimeout = -Deadline });
        RefusedLocks("WriteLockTimeout", new LockOptions { WriteLockTimeout = -Deadline });

        void Refused(string option, TransactionOptions options) => Assert.Contains(
            option,
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                database.BeginTransaction(WriteOptions.Buffered, options)).Message,
            StringComparison.Ordinal);

        void RefusedLocks(string option, LockOptions options) => Assert.Contains(
            option,
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                RocksDatabase.OpenPessimistic(store.Below("other"), Creating(), options)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TransactionKind.Optimistic)]
    [InlineData(TransactionKind.Pessimistic)]
    public void Concurrent_increments_with_retries_lose_none(TransactionKind kind)
    {
        const int Workers = 4;
        const int Each = 100;
        using TestStore store = new(open: false);
        using RocksDatabase database = TransactionTests.Open(store, kind);
        ColumnFamily family = database.DefaultColumnFamily;
        database.Put(family, Bytes("k"), MergeTests.Encoded(0), WriteOptions.Buffered);

        Parallel.For(0, Workers, new ParallelOptions { MaxDegreeOfParallelism = Workers }, _ =>
        {
            for (int done = 0; done < Each;)
            {
                using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
                ArrayBufferWriter<byte> value = new(8);
                try
                {
                    Assert.True(transaction.TryGetForUpdate(family, Bytes("k"), value));
                    long next = BitConverter.ToInt64(value.WrittenSpan) + 1;
                    transaction.Put(family, Bytes("k"), MergeTests.Encoded(next));
                    transaction.Commit();
                    done++;
                }
                catch (RocksDbException e) when (e.Status is RocksDbStatus.Busy or RocksDbStatus.LockTimedOut)
                {
                    continue; // Lost a race: try again.
                }
            }
        });

        using PinnedValue total = database.GetPinned(family, Bytes("k"));
        Assert.Equal(Workers * Each, BitConverter.ToInt64(total.Span));
    }
}
