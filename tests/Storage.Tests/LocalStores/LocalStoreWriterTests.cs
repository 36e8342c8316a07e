using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreWriterTests
{
    [Fact]
    public async Task Waiting_sync_writers_share_one_fsync()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        commit.Hold();
        Task<WriteResult> first = WriteSyncAsync(test, "first");
        await commit.EnteredAsync();
        Task<WriteResult>[] waiting = [.. Enumerable.Range(0, 64).Select(i => WriteSyncAsync(test, $"k{i}"))];

        commit.Release();
        ulong firstSequence = (await first).Sequence.Value;
        List<ulong> sequences = [];
        foreach (Task<WriteResult> answer in waiting)
        {
            sequences.Add((await answer).Sequence.Value);
        }

        StoreStatistics statistics = test.Store.GetStatistics();
        Assert.Equal(2, statistics.SyncGroups);
        Assert.Equal(2, statistics.WriteGroups);
        Assert.Equal(65, statistics.WriteRequests);
        Assert.Equal(Enumerable.Range(1, 64).Select(i => firstSequence + (ulong)i), sequences);
    }

    [Fact]
    public async Task A_group_of_buffered_writes_is_not_fsynced()
    {
        await using TestStore test = new();

        await test.WriteAsync(Put("a", "1"));
        await test.WriteAsync(Put("b", "1"));
        await WriteSyncAsync(test, "c");

        StoreStatistics statistics = test.Store.GetStatistics();
        Assert.Equal(3, statistics.WriteGroups);
        Assert.Equal(1, statistics.SyncGroups);
    }

    [Fact]
    public async Task A_group_ends_at_its_limit_of_bytes()
    {
        using TestCommit commit = new();
        await using TestStore test = new(options => options.WriteGroupMaxBytes = 1024, seams: commit.Seams);
        commit.Hold();
        Task<WriteResult> first = test.WriteAsync(Put("first", "1"));
        await commit.EnteredAsync();
        Task<WriteResult>[] waiting =
            [.. Enumerable.Range(0, 4).Select(i => test.WriteAsync(WriteOperation.Put(Bytes($"k{i}"), new byte[510])))];

        commit.Release();
        await first;
        foreach (Task<WriteResult> answer in waiting)
        {
            await answer;
        }

        Assert.Equal(3, commit.Calls); // One for the first, then two pairs of 1024 bytes each.
    }

    [Fact]
    public async Task Cancelled_before_the_writer_took_it_a_write_is_withdrawn()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        using CancellationTokenSource cancel = new();
        commit.Hold();
        Task<WriteResult> first = test.WriteAsync(Put("first", "1"));
        await commit.EnteredAsync();
        Task<WriteResult> second = test.Store.WriteAsync(new WriteRequest([Put("second", "1")]), cancel.Token).AsTask();

        await cancel.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(async () => await second);
        commit.Release();
        Assert.True((await first).Applied);
        await test.WriteAsync(Put("third", "1"));
        Assert.Null(test.Get("second"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await test.Store.WriteAsync(new WriteRequest([Put("late", "1")]), cancel.Token));
    }

    [Fact]
    public async Task Cancelled_after_the_writer_took_it_a_write_has_the_outcome_of_its_commit()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        using CancellationTokenSource cancel = new();
        commit.Hold();
        Task<WriteResult> write = test.Store.WriteAsync(new WriteRequest([Put("k", "v")]), cancel.Token).AsTask();
        await commit.EnteredAsync();

        await cancel.CancelAsync();
        commit.Release();

        Assert.True((await write).Applied);
        Assert.Equal("v", test.Get("k"));
    }

    [Fact]
    public async Task A_write_that_finds_no_room_until_the_deadline_is_refused_as_overloaded()
    {
        using TestCommit commit = new();
        ManualTime time = new();
        await using TestStore test = new(options => options.WriteQueueCapacity = 2, time, commit.Seams);
        commit.Hold();
        Task<WriteResult> running = test.WriteAsync(Put("running", "1"));
        await commit.EnteredAsync();
        Task<WriteResult>[] queued = [test.WriteAsync(Put("q1", "1")), test.WriteAsync(Put("q2", "1"))];

        Task<WriteResult> tooMany = test.WriteAsync(Put("tooMany", "1"));
        Assert.False(tooMany.IsCompleted);
        time.Advance(test.Resources.Options.WriteTimeout);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => tooMany);
        Assert.Equal(FailureKind.Overloaded, failure.Kind);
        Assert.True(failure.IsTransient);
        commit.Release();
        Assert.True((await running).Applied);
        foreach (Task<WriteResult> answer in queued)
        {
            await AnswerOrTimeOutAsync(answer);
        }

        Assert.Null(test.Get("tooMany"));
    }

    [Fact]
    public async Task A_write_that_found_no_room_goes_on_when_there_is_room()
    {
        using TestCommit commit = new();
        await using TestStore test = new(options => options.WriteQueueCapacity = 1, seams: commit.Seams);
        commit.Hold();
        List<Task<WriteResult>> writes = [test.WriteAsync(Put("k0", "1"))];
        await commit.EnteredAsync();
        writes.AddRange(Enumerable.Range(1, 20).Select(i => test.WriteAsync(Put($"k{i}", "1"))));

        commit.Release();
        WriteResult[] results = await Task.WhenAll(writes);

        Assert.All(results, result => Assert.True(result.Applied));
        Assert.Equal(21, test.Store.Count(null, KeyRange.All, CancellationToken.None));
    }

    [Fact]
    public async Task The_queue_is_bounded_in_bytes_but_lets_one_request_of_any_legal_size_in()
    {
        using TestCommit commit = new();
        ManualTime time = new();
        await using TestStore test = new(options => options.WriteQueueBytes = 1000, time, commit.Seams);
        commit.Hold();
        Task<WriteResult> running = test.WriteAsync(Put("running", "1"));
        await commit.EnteredAsync();
        Task<WriteResult> large = test.WriteAsync(WriteOperation.Put(Bytes("large"), new byte[2000]));

        Task<WriteResult> tooMuch = test.WriteAsync(Put("small", "1"));
        time.Advance(test.Resources.Options.WriteTimeout);

        Assert.Equal(FailureKind.Overloaded, (await Assert.ThrowsAsync<StorageException>(() => tooMuch)).Kind);
        commit.Release();
        await running;
        await AnswerOrTimeOutAsync(large);
    }

    [Fact]
    public async Task A_write_that_does_not_get_its_turn_in_time_is_withdrawn()
    {
        using TestCommit commit = new();
        ManualTime time = new();
        await using TestStore test = new(time: time, seams: commit.Seams);
        commit.Hold();
        Task<WriteResult> running = test.WriteAsync(Put("running", "1"));
        await commit.EnteredAsync();
        Task<WriteResult> stuck = test.WriteAsync(Put("stuck", "1"));

        time.Advance(test.Resources.Options.WriteTimeout + TimeSpan.FromSeconds(1));

        StorageException failure = await Assert.ThrowsAsync<StorageException>(async () => await stuck);
        Assert.Equal(FailureKind.TimedOut, failure.Kind);
        commit.Release();
        Assert.True((await running).Applied);
        await test.WriteAsync(Put("after", "1"));
        Assert.Null(test.Get("stuck"));
    }

    [Fact]
    public async Task Many_stores_write_at_the_same_time_on_the_shared_writers()
    {
        const int Stores = 40, Writes = 50;
        await using TestStore test = new();
        LocalStore[] stores = [.. Enumerable.Range(0, Stores).Select(i => test.Open($"s{i}", create: true))];

        await Task.WhenAll(stores.Select((store, s) => Task.Run(async () =>
        {
            for (int i = 0; i < Writes; i++)
            {
                await WriteAsync(store, Put($"k{i}", $"{s}"));
            }
        })));

        Assert.All(stores, store => Assert.Equal(Writes, store.Count(null, KeyRange.All, CancellationToken.None)));
        foreach (LocalStore store in stores)
        {
            await store.DisposeAsync();
        }
    }

    private static Task<WriteResult> WriteSyncAsync(TestStore test, string key) =>
        test.Store.WriteAsync(new WriteRequest([Put(key, "1")]), CancellationToken.None).AsTask();

    // Moving the clock past the deadline also withdraws what the writer had not taken yet.
    private static async Task AnswerOrTimeOutAsync(Task<WriteResult> answer)
    {
        try
        {
            Assert.True((await answer).Applied);
        }
        catch (StorageException e)
        {
            Assert.Equal(FailureKind.TimedOut, e.Kind);
        }
    }
}
