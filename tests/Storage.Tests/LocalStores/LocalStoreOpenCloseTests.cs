using System.Buffers;
using Microsoft.Extensions.Logging.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreOpenCloseTests
{
    [Fact]
    public async Task Opening_what_does_not_exist_creates_nothing()
    {
        await using TestStore test = new();

        StorageException failure = Assert.Throws<StorageException>(() => test.Open("absent"));

        Assert.Equal(FailureKind.MissingStore, failure.Kind);
        Assert.False(Path.Exists(test.InRoot("absent")));
    }

    [Fact]
    public async Task A_store_without_CURRENT_is_refused_and_left_as_it_is()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("k", "v"));
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        File.Delete(Path.Combine(test.InRoot("branch"), "CURRENT"));
        string[] before = Directory.GetFiles(test.InRoot("branch"));

        StorageException failure = Assert.Throws<StorageException>(() => test.Open("branch"));

        Assert.Equal(FailureKind.Corruption, failure.Kind);
        Assert.Equal(before, Directory.GetFiles(test.InRoot("branch")), StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_store_with_a_corrupt_CURRENT_is_refused()
    {
        await using TestStore test = new();
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        File.WriteAllText(Path.Combine(test.InRoot("branch"), "CURRENT"), "nonsense");

        StorageException failure = Assert.Throws<StorageException>(() => test.Open("branch"));

        Assert.Equal(FailureKind.Corruption, failure.Kind);
        Assert.Contains("store 'branch'", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Creating_over_something_that_is_there_is_refused_untouched()
    {
        await using TestStore test = new();
        Directory.CreateDirectory(test.InRoot("taken"));
        File.WriteAllText(Path.Combine(test.InRoot("taken"), "mine"), "text");

        StorageException failure = Assert.Throws<StorageException>(() => test.Open("taken", create: true));

        Assert.Equal(FailureKind.UnknownStore, failure.Kind);
        Assert.Equal(["mine"],
            Directory.GetFiles(test.InRoot("taken")).Select(Path.GetFileName), StringComparer.Ordinal);
    }

    [Fact]
    public async Task An_open_store_is_locked_against_a_second_opening()
    {
        await using TestStore test = new();

        StorageException failure = Assert.Throws<StorageException>(() => test.Open("store"));

        Assert.Equal(FailureKind.Locked, failure.Kind);
    }

    [Fact]
    public async Task A_closed_store_refuses_every_call_and_may_be_closed_again()
    {
        await using TestStore test = new();
        LocalStore store = test.Store;
        await store.DisposeAsync();
        await store.DisposeAsync();
        Action[] calls =
        [
            () => store.TryGet(null, Bytes("k"), new ArrayBufferWriter<byte>()),
            () => store.TryGetFromMemory(null, Bytes("k"), new ArrayBufferWriter<byte>(), out _),
            () => store.MultiGet(null, [Bytes("k")]),
            () => store.Scan(All()),
            () => store.OpenCursor(All()),
            () => store.Count(null, KeyRange.All, CancellationToken.None),
            () => store.EstimateCount(null),
            () => store.CreateColumnFamily("x"),
            () => store.DropColumnFamily("x"),
            () => store.Flush(),
            () => store.Compact(null, KeyRange.All),
            () => store.CreateCheckpoint(test.InRoot("branch")),
            () => store.GetStatistics(),
        ];

        Assert.All(calls, call => Assert.Equal(FailureKind.Closed, Assert.Throws<StorageException>(call).Kind));
        StorageException write = await Assert.ThrowsAsync<StorageException>(() => WriteAsync(store, Put("k", "v")));
        Assert.Equal(FailureKind.Closed, write.Kind);
    }

    [Fact]
    public async Task Closing_answers_the_writes_that_wait()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        commit.Hold();
        Task<WriteResult> running = test.WriteAsync(Put("k0", "1"));
        await commit.EnteredAsync();
        Task<WriteResult>[] waiting = [.. Enumerable.Range(1, 30).Select(i => test.WriteAsync(Put($"k{i}", "1")))];

        ValueTask closing = test.Store.DisposeAsync();
        commit.Release();
        await closing;

        Assert.True((await running).Applied);
        Assert.All(await Task.WhenAll(waiting), result => Assert.True(result.Applied));
        await test.ReopenAsync();
        Assert.Equal(31, test.Store.Count(null, KeyRange.All, CancellationToken.None));
    }

    [Fact]
    public async Task Opening_for_one_write_each_does_not_heap_up_logs()
    {
        await using TestStore test = new();
        for (int i = 0; i < 20; i++)
        {
            await test.WriteAsync(Put($"k{i}", "1"));
            await test.ReopenAsync();
            Assert.InRange(Directory.GetFiles(test.InRoot("store"), "*.log").Length, 1, 9);
        }

        Assert.Equal(20, test.Store.Count(null, KeyRange.All, CancellationToken.None));
    }

    [Fact]
    public async Task Closing_under_load_ends_every_call_with_an_answer_or_Closed_and_loses_nothing()
    {
        const int Rounds = 4, Writers = 6;
        await using TestStore test = new(options => options.MemtableBytes = 64 << 10);
        int[] acknowledged = new int[Writers];
        for (int round = 0; round < Rounds; round++)
        {
            LocalStore store = test.Store;
            int started = 0, name = round;
            List<Task> load = [];
            load.AddRange(Enumerable.Range(0, Writers).Select(w => Task.Run(() => UntilClosedAsync(async () =>
            {
                int next = acknowledged[w] + 1;
                await WriteAsync(store, Put($"w{w}", $"{next}"), Put($"w{w}-{next}", new string('v', 300)));
                acknowledged[w] = next;
                Interlocked.Increment(ref started);
            }))));
            load.Add(UntilClosedAsync(() => Get(store, "w0")));
            load.Add(UntilClosedAsync(() => store.MultiGet(null, [Bytes("w0"), Bytes("w1")])));
            load.Add(UntilClosedAsync(() => store.Scan(All(limit: 50))));
            load.Add(UntilClosedAsync(() => store.Count(null, KeyRange.All, CancellationToken.None)));
            load.Add(UntilClosedAsync(() => ReadThrough(store)));
            load.Add(UntilClosedAsync(() => store.GetStatistics()));
            load.Add(UntilClosedAsync(() => store.Compact(null, KeyRange.All)));
            int checkpoints = 0;
            load.Add(UntilClosedAsync(
                () => store.CreateCheckpoint(test.InRoot($"branch{name}-{checkpoints++}"))));
            await Waiting.UntilAsync(() => Volatile.Read(ref started) >= 200, "two hundred writes");

            await store.DisposeAsync();
            await Task.WhenAll(load).WaitAsync(Waiting.Deadline);

            await test.ReopenAsync();
            // On a busy machine a writer may not have had its turn before the others made two hundred writes.
            Assert.All(Enumerable.Range(0, Writers), w => Assert.Equal(
                acknowledged[w] == 0 ? null : $"{acknowledged[w]}", test.Get($"w{w}")));
        }
    }

    [Fact]
    public async Task Bytes_written_survive_a_process_that_never_closed_the_store()
    {
        // A copy of the open directory is what a killed process leaves: nothing was closed or flushed.
        await using TestStore test = new();
        await test.WriteAsync(Put("k", "v"));
        Directory.CreateDirectory(test.InRoot("killed"));
        foreach (string file in Directory.GetFiles(test.InRoot("store")))
        {
            File.Copy(file, Path.Combine(test.InRoot("killed"), Path.GetFileName(file)));
        }

        await using LocalStore recovered = LocalStore.Open(
            test.InRoot("killed"), "killed", test.Resources, create: false, NullLogger.Instance, TimeProvider.System);

        Assert.Equal("v", Get(recovered, "k"));
    }

    private static void ReadThrough(LocalStore store)
    {
        using ScanCursor cursor = store.OpenCursor(All());
        while (cursor.ReadPage(20, 1 << 20, []))
        {
        }
    }

    // On a thread of its own: blocking calls would leave no thread of the pool to the writers for many seconds.
    private static Task UntilClosedAsync(Action call) => Task.Factory.StartNew(
        () => UntilClosedAsync(() =>
        {
            call();
            return Task.CompletedTask;
        }),
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

    private static async Task UntilClosedAsync(Func<Task> call)
    {
        try
        {
            while (true)
            {
                await call();
            }
        }
        catch (StorageException e)
        {
            Assert.Equal(FailureKind.Closed, e.Kind);
        }
    }
}
