using Branching.Storage.Bulk;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

/// <summary>Keyed locks, shared buffers, record versions and events of a store.</summary>
public sealed class CoordinationTests
{
    [Fact]
    public async Task A_keyed_lock_is_given_in_order_of_arrival()
    {
        await using TestStore test = new();
        KeyedLock locks = test.Store.Locks;
        Assert.True(locks.TryTake(Bytes("k"), out KeyedLockHolder? first));
        Task<KeyedLockHolder> second = locks.TakeAsync(Bytes("k"), Waiting.Deadline).AsTask();
        Task<KeyedLockHolder> third = locks.TakeAsync(Bytes("k"), Waiting.Deadline).AsTask();

        Assert.True(locks.IsHeld(Bytes("k")));
        Assert.False(locks.IsHeld(Bytes("other")));
        Assert.False(locks.TryTake(Bytes("k"), out _));
        first.Dispose();
        first.Dispose();
        KeyedLockHolder held = await second.WaitAsync(Waiting.Deadline);
        Assert.False(third.IsCompleted);
        Assert.True(held.IsHeld);
        Assert.False(first.IsHeld);
        held.Dispose();
        (await third.WaitAsync(Waiting.Deadline)).Dispose();

        Assert.Equal(0, locks.Count);
    }

    [Fact]
    public async Task A_keyed_lock_is_released_however_the_action_ends()
    {
        await using TestStore test = new();
        KeyedLock locks = test.Store.Locks;

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await locks.WithLockAsync(
            Bytes("k"), Waiting.Deadline, _ => throw new InvalidOperationException("no")));
        await locks.WithLockAsync(Bytes("k"), Waiting.Deadline, _ =>
        {
            Assert.True(locks.IsHeld(Bytes("k")));
            return ValueTask.CompletedTask;
        });

        Assert.False(locks.IsHeld(Bytes("k")));
    }

    [Fact]
    public async Task Waiting_for_a_keyed_lock_ends_with_the_time_with_a_token_and_with_the_store()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        KeyedLock locks = test.Store.Locks;
        using CancellationTokenSource stop = new();
        Assert.True(locks.TryTake(Bytes("k"), out KeyedLockHolder? holder));
        Task<KeyedLockHolder> late = locks.TakeAsync(Bytes("k"), TimeSpan.FromSeconds(3)).AsTask();
        Task<KeyedLockHolder> cancelled = locks.TakeAsync(Bytes("k"), Waiting.Deadline, stop.Token).AsTask();
        Task<KeyedLockHolder> closed = locks.TakeAsync(Bytes("k"), Waiting.Deadline).AsTask();

        time.Advance(TimeSpan.FromSeconds(4));
        StorageException tooLate = await Assert.ThrowsAsync<StorageException>(() => late);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.True(holder.IsHeld);
        await test.Store.DisposeAsync();
        StorageException gone = await Assert.ThrowsAsync<StorageException>(() => closed);

        Assert.Equal(FailureKind.LockTimedOut, tooLate.Kind);
        Assert.Equal(FailureKind.Closed, gone.Kind);
        Assert.False(holder.IsHeld);
        holder.Dispose();
        Assert.Equal(FailureKind.Closed, Assert.Throws<StorageException>(
            () => locks.TryTake(Bytes("k"), out _)).Kind);
    }

    [Fact]
    public async Task A_shared_buffer_is_one_for_all_and_tells_of_changes()
    {
        await using TestStore test = new();
        SharedBuffer buffer = test.Store.SharedBuffers.GetOrAdd(Bytes("k"), [1, 2, 3]);
        SharedBuffer same = test.Store.SharedBuffers.GetOrAdd(Bytes("k"), [9]);
        Task<long> waits = same.WaitAsync(same.Version, Waiting.Deadline).AsTask();
        Assert.False(waits.IsCompleted);

        long version = buffer.Change(bytes => bytes[0] = 7);

        Assert.Same(buffer, same);
        Assert.Equal(version, await waits.WaitAsync(Waiting.Deadline));
        Assert.Equal([7, 2, 3], same.Read(bytes => bytes.ToArray()));
        Assert.Equal(version + 1, buffer.Notify());
        Assert.Equal(version + 1, await same.WaitAsync(version, Waiting.Deadline));
    }

    [Fact]
    public async Task Waiting_for_a_shared_buffer_ends_with_the_time_its_removal_and_the_store()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        SharedBuffers buffers = test.Store.SharedBuffers;
        SharedBuffer removed = buffers.GetOrAdd(Bytes("removed"), [1]);
        SharedBuffer kept = buffers.GetOrAdd(Bytes("kept"), [1]);
        Task<long> late = kept.WaitAsync(0, TimeSpan.FromSeconds(1)).AsTask();
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(0, await late);
        Task<long> gone = removed.WaitAsync(0, Waiting.Deadline).AsTask();
        Task<long> closed = kept.WaitAsync(0, Waiting.Deadline).AsTask();

        Assert.True(buffers.Remove(Bytes("removed")));
        Assert.False(buffers.Remove(Bytes("removed")));
        StorageException first = await Assert.ThrowsAsync<StorageException>(() => gone);
        StorageException tooLarge = Assert.Throws<StorageException>(
            () => buffers.GetOrAdd(Bytes("large"), new byte[SharedBuffers.MaxTotalBytes]));
        await test.Store.DisposeAsync();
        StorageException second = await Assert.ThrowsAsync<StorageException>(() => closed);

        Assert.Equal(FailureKind.RequestTooLarge, tooLarge.Kind);
        Assert.Equal([FailureKind.Closed, FailureKind.Closed], [first.Kind, second.Kind]);
    }

    [Fact]
    public async Task A_copy_of_a_record_is_fresh_until_its_key_is_written()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("second");
        RecordVersions versions = test.Store.Versions;
        RecordVersion a = versions.Observe(null, Bytes("a"));
        RecordVersion b = versions.Observe(null, Bytes("b"));
        RecordVersion inSecond = versions.Observe("second", Bytes("a"));
        Assert.True(versions.IsFresh(null, Bytes("a"), a));

        await test.WriteAsync(Put("a", "1"));
        bool[] afterPut = [IsFresh(null, "a", a), IsFresh(null, "b", b), IsFresh("second", "a", inSecond)];
        RecordVersion again = versions.Observe(null, Bytes("a"));
        await test.WriteAsync(WriteOperation.DeleteRange(Bytes("x"), Bytes("y")));
        bool afterRange = IsFresh(null, "a", again);
        RecordVersion last = versions.Observe(null, Bytes("a"));
        test.Store.DropColumnFamily("second");
        await test.ReopenAsync();

        Assert.Equal([false, true, true], afterPut);
        Assert.False(afterRange);
        Assert.False(IsFresh("second", "a", inSecond));
        Assert.False(test.Store.Versions.IsFresh(null, Bytes("a"), last));
        Assert.False(versions.IsFresh(null, Bytes("a"), RecordVersion.None));

        bool IsFresh(string? family, string key, RecordVersion version) =>
            versions.IsFresh(family, Bytes(key), version);
    }

    [Fact]
    public async Task A_copy_read_while_its_key_is_written_is_never_fresh()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        RecordVersions versions = test.Store.Versions;
        RecordVersion before = versions.Observe(null, Bytes("a"));
        commit.Hold();
        Task<WriteResult> write = test.WriteAsync(Put("a", "1"));
        await commit.EnteredAsync();

        RecordVersion during = versions.Observe(null, Bytes("a"));
        bool beforeIsFresh = versions.IsFresh(null, Bytes("a"), before);
        bool duringIsFresh = versions.IsFresh(null, Bytes("a"), during);
        commit.Release();
        await write;

        Assert.False(beforeIsFresh);
        Assert.False(duringIsFresh);
        Assert.False(versions.IsFresh(null, Bytes("a"), during));
        Assert.True(versions.IsFresh(null, Bytes("a"), versions.Observe(null, Bytes("a"))));
    }

    [Fact]
    public async Task Who_sees_a_record_of_a_bulk_load_is_not_told_that_an_older_copy_is_fresh()
    {
        await using TestStore test = new();
        RecordVersions versions = test.Store.Versions;
        for (int round = 0; round < 50; round++)
        {
            await test.WriteAsync(Put("a", "old"));
            RecordVersion old = versions.Observe(null, Bytes("a"));
            await using BulkLoad load = test.Store.BeginBulkLoad(new BulkLoadOptions(), test.InRoot($"bulk{round}"));
            load.Add(Bytes("a"), Bytes("loaded"));
            Task<bool> reader = Task.Run(() =>
            {
                while (test.Get("a") != "loaded")
                {
                }

                return versions.IsFresh(null, Bytes("a"), old);
            });
            await load.CompleteAsync();

            Assert.False(await reader.WaitAsync(Waiting.Deadline), $"round {round}");
            Assert.True(versions.IsFresh(null, Bytes("a"), versions.Observe(null, Bytes("a"))));
        }
    }

    [Fact]
    public async Task Events_tell_of_transactions_in_order_and_of_writes_and_end_with_the_store()
    {
        await using TestStore test = new();
        Recorder recorder = new();
        Recorder all = new();
        using IDisposable ofAll = test.Resources.Events.Subscribe(all);
        using IDisposable subscription = test.Store.Events.Subscribe(recorder);
        using IDisposable failing = test.Store.Events.Subscribe(new Recorder { Fails = true });

        using (StoreTransaction committed = test.Store.BeginTransaction())
        {
            await committed.PutAsync(null, Bytes("a"), Bytes("1"));
            await committed.CommitAsync();
        }

        test.Store.BeginTransaction().Dispose();
        test.Store.Events.Notify("hello", Bytes("there"));
        await Waiting.UntilAsync(() => recorder.Kinds.Contains(StoreEventKind.Written), "the write");
        await test.Store.DisposeAsync();

        StoreEventKind[] expected =
        [
            StoreEventKind.TransactionBegan, StoreEventKind.BeforeCommit, StoreEventKind.Committed,
            StoreEventKind.AfterCommit, StoreEventKind.TransactionBegan, StoreEventKind.RolledBack,
            StoreEventKind.Notified,
        ];
        Assert.Equal(expected, recorder.Kinds.Where(kind => kind != StoreEventKind.Written));
        Assert.Equal(expected, all.Kinds.Where(kind => kind != StoreEventKind.Written));
        Assert.Equal("there", Text(recorder.Events.Single(e => e.Kind == StoreEventKind.Notified).Payload));
        Assert.True(recorder.IsCompleted);
        Assert.False(all.IsCompleted);
    }

    [Fact]
    public async Task A_failure_that_stops_writes_is_told_as_an_event()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        Recorder recorder = new();
        using IDisposable subscription = test.Store.Events.Subscribe(recorder);
        commit.Fault = _ => TestCommit.Failure(RocksDb.RocksDbStatus.IOError);

        await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")));
        await Waiting.UntilAsync(() => recorder.Events.Length > 0, "the failure");

        StoreEvent told = recorder.Events.Single();
        Assert.Equal(StoreEventKind.BackgroundError, told.Kind);
        Assert.Same(test.Store.Health.Cause, told.Failure);
    }

    private sealed class Recorder : IObserver<StoreEvent>
    {
        private readonly Lock _lock = new();
        private readonly List<StoreEvent> _events = [];

        public bool Fails { get; init; }

        public bool IsCompleted { get; private set; }

        public StoreEvent[] Events
        {
            get
            {
                lock (_lock)
                {
                    return [.. _events];
                }
            }
        }

        public StoreEventKind[] Kinds => [.. Events.Select(happened => happened.Kind)];

        public void OnCompleted() => IsCompleted = true;

        public void OnError(Exception error) => throw error;

        public void OnNext(StoreEvent value)
        {
            lock (_lock)
            {
                _events.Add(value);
            }

            if (Fails)
            {
                throw new InvalidOperationException("an observer that fails");
            }
        }
    }
}
