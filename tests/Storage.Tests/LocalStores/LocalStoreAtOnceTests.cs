using System.Collections.Concurrent;
using Branching.RocksDb;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

/// <summary>Which writes the caller's own thread commits, and that they keep their place among the others.</summary>
public sealed class LocalStoreAtOnceTests
{
    [Fact]
    public async Task An_uncontended_buffered_write_is_committed_by_its_caller_and_a_synced_one_is_not()
    {
        ThreadCommit commit = new();
        await using TestStore test = new(seams: new LocalStoreSeams { Commit = commit });

        ValueTask<WriteResult> buffered = test.Store.WriteAsync(Buffered(Put("a", "1")), default);

        Assert.True(buffered.IsCompletedSuccessfully);
        Assert.Equal(1UL, (await buffered).Sequence.Value);
        await test.Store.WriteAsync(new WriteRequest([Put("b", "1")]), default);
        Assert.Equal("1", test.Get("a"));
        Assert.Equal(["at once", "waiting"], commit.Steps);
        Assert.NotEqual(Environment.CurrentManagedThreadId, commit.LastWaitingThread);
    }

    [Fact]
    public async Task A_large_request_and_one_with_preconditions_go_to_a_writer_thread()
    {
        ThreadCommit commit = new();
        await using TestStore test = new(seams: new LocalStoreSeams { Commit = commit });

        await test.WriteAsync(WriteOperation.Put(Bytes("large"), new byte[65 << 10]));
        await test.WriteAsync([Absent("a")], Put("a", "1"));

        Assert.Equal(["waiting", "waiting"], commit.Steps);
    }

    [Fact]
    public async Task A_write_that_would_have_to_wait_for_RocksDB_is_handed_to_a_writer_thread()
    {
        ThreadCommit commit = new() { Refuses = true };
        // The clock stands still: on a busy machine the second write would come long after the refusal.
        await using TestStore test = new(time: new ManualTime(), seams: new LocalStoreSeams { Commit = commit });

        WriteResult first = await test.WriteAsync(Put("a", "1"), Put("b", "1"));
        commit.Refuses = false;
        WriteResult second = await test.WriteAsync(Put("c", "1")); // Soon after a refusal nobody asks RocksDB again.

        Assert.Equal((2UL, 3UL), (first.Sequence.Value, second.Sequence.Value));
        Assert.Equal(["refused", "waiting", "waiting"], commit.Steps);
        Assert.Equal("1", test.Get("b"));
        Assert.Equal(2, test.Store.GetStatistics().WriteGroups);
    }

    [Fact]
    public async Task RocksDB_refuses_to_make_a_caller_wait_when_its_memtables_are_full()
    {
        await using TestStore test = new();
        using RocksDatabase database = RocksDatabase.Open(
            test.InRoot("full"),
            new DatabaseOptions
            {
                CreateIfMissing = true,
                DefaultColumnFamily = new ColumnFamilyOptions { WriteBufferBytes = 64 << 10, MaxWriteBufferNumber = 2 },
            });
        IWriteCommit commit = LocalStoreSeams.Real.Commit;
        using WriteBatch batch = new();

        // A memtable is filled by two writes and takes a file and its fsync to be emptied.
        int taken = 0;
        bool more = true;
        for (; more && taken < 10_000; taken += more ? 1 : 0)
        {
            batch.Clear();
            batch.Put(database.DefaultColumnFamily, Bytes($"k{taken}"), new byte[40 << 10]);
            more = commit.TryCommitAtOnce(database, batch);
        }

        Assert.False(more);
        Assert.True(database.Contains(database.DefaultColumnFamily, Bytes($"k{taken - 1}")));
        Assert.False(database.Contains(database.DefaultColumnFamily, Bytes($"k{taken}")));
        commit.Commit(database, batch, sync: false);
        Assert.True(database.Contains(database.DefaultColumnFamily, Bytes($"k{taken}")));
    }

    [Fact]
    public async Task A_failed_commit_at_once_is_answered_and_poisons_the_store()
    {
        ThreadCommit commit = new() { Fault = TestCommit.Failure(RocksDbStatus.NoSpace) };
        await using TestStore test = new(seams: new LocalStoreSeams { Commit = commit });

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")));

        Assert.Equal(FailureKind.DiskFull, failure.Kind);
        Assert.False(test.Store.Health.IsHealthy);
        Assert.Equal(
            FailureKind.Poisoned,
            (await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")))).Kind);
    }

    [Fact]
    public async Task Writes_of_every_sort_at_the_same_time_keep_one_order_and_lose_nothing()
    {
        const int Writers = 8, Each = 300;
        await using TestStore test = new();
        ConcurrentBag<ulong> sequences = [];

        Task families = Task.Run(() =>
        {
            for (int i = 0; i < 10; i++)
            {
                test.Store.CreateColumnFamily($"f{i}");
                test.Store.DropColumnFamily($"f{i}");
            }
        });
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (int i = 0; i < Each; i++)
            {
                Durability durability = (i + writer) % 50 == 0 ? Durability.Sync : Durability.Buffered;
                Precondition[]? conditions = i % 7 == 0 ? [Absent($"{writer}/{i}")] : null;
                WriteResult result = await test.Store.WriteAsync(
                    new WriteRequest([Put($"{writer}/{i}", "v")], conditions, durability), default);
                Assert.True(result.Applied);
                sequences.Add(result.Sequence.Value);
            }
        })));
        await families;

        Assert.Equal(Writers * Each, sequences.Distinct().Count());
        Assert.Equal(Writers * Each, test.Store.Count(null, KeyRange.All, CancellationToken.None));
        Assert.Equal(Writers * Each, test.Store.GetStatistics().WriteRequests);
        await test.ReopenAsync();
        Assert.Equal(Writers * Each, test.Store.Count(null, KeyRange.All, CancellationToken.None));
    }

    [Fact]
    public async Task Closing_waits_for_a_caller_that_writes_at_once()
    {
        ThreadCommit commit = new();
        await using TestStore test = new(seams: new LocalStoreSeams { Commit = commit });
        using SemaphoreSlim entered = new(0);
        using ManualResetEventSlim mayGoOn = new();
        commit.AtOnce = () =>
        {
            entered.Release();
            mayGoOn.Wait();
        };
        Task<WriteResult> write = Task.Run(() => test.WriteAsync(Put("a", "1")));
        Assert.True(await entered.WaitAsync(TimeSpan.FromSeconds(30)));
        Task<WriteResult> behind = test.Store.WriteAsync(Buffered(Put("b", "1")), default).AsTask();

        Task closing = test.Store.DisposeAsync().AsTask();

        Assert.False(behind.IsCompleted);
        Assert.False(closing.IsCompleted);
        mayGoOn.Set();
        Assert.True((await write).Applied);
        Assert.Equal(2UL, (await behind).Sequence.Value);
        await closing;
    }

    private static WriteRequest Buffered(params WriteOperation[] operations) =>
        new(operations, null, Durability.Buffered);

    private sealed class ThreadCommit : IWriteCommit
    {
        private readonly ConcurrentQueue<string> _steps = [];

        public string[] Steps => [.. _steps];

        public int LastWaitingThread { get; private set; }

        public bool Refuses { get; set; }

        public Exception? Fault { get; init; }

        public Action AtOnce { get; set; } = static () => { };

        public void Commit(RocksDatabase database, WriteBatch batch, bool sync)
        {
            _steps.Enqueue("waiting");
            LastWaitingThread = Environment.CurrentManagedThreadId;
            LocalStoreSeams.Real.Commit.Commit(database, batch, sync);
        }

        public bool TryCommitAtOnce(RocksDatabase database, WriteBatch batch)
        {
            _steps.Enqueue(Refuses ? "refused" : "at once");
            AtOnce();
            return Fault is null
                ? !Refuses && LocalStoreSeams.Real.Commit.TryCommitAtOnce(database, batch)
                : throw Fault;
        }
    }
}
