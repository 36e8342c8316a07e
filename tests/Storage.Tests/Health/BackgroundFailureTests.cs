using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Health;

/// <summary>What RocksDB fails at on threads of its own, with files that are really damaged.</summary>
public sealed class BackgroundFailureTests
{
    // StoreResources.CreateFamilyOptions: so many files at level 0 are compacted without being asked for.
    private const int FilesThatAreCompacted = 8;

    [Fact]
    public async Task A_compaction_that_RocksDB_began_and_failed_at_is_told_and_stops_writes_until_reopened()
    {
        await using TestStore test = new();
        Watcher watcher = new();
        using IDisposable subscription = test.Store.Events.Subscribe(watcher);
        for (int i = 1; i < FilesThatAreCompacted; i++)
        {
            await WriteAsync(test, i);
            test.Store.Flush();
        }

        DamageTables(test.Store.Directory);
        await WriteAsync(test, FilesThatAreCompacted);
        test.Store.SendFlush(); // Nobody waits for it, nor for the compaction behind it.

        StoreEvent told = await watcher.Told.Task.WaitAsync(Waiting.Deadline);
        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("b", "1")));

        Assert.Equal(StoreEventKind.BackgroundError, told.Kind);
        Assert.Equal(FailureKind.Corruption, told.Failure!.Kind);
        Assert.Contains("block checksum mismatch", told.Failure.Message, StringComparison.Ordinal);
        Assert.Equal(FailureKind.Poisoned, refused.Kind);
        Assert.Same(told.Failure, refused.InnerException);
        Assert.Equal(StoreCondition.Poisoned, test.Store.Examine().Condition);
    }

    [Fact]
    public async Task A_compaction_that_was_asked_for_fails_for_its_caller_and_stops_writes()
    {
        await using TestStore test = new();
        for (int i = 0; i < 2; i++)
        {
            await WriteAsync(test, i);
            test.Store.Flush();
        }

        DamageTables(test.Store.Directory);

        StorageException failure = Assert.Throws<StorageException>(() => test.Store.Compact(null, KeyRange.All));

        Assert.Equal(FailureKind.Poisoned, failure.Kind);
        Assert.Equal(FailureKind.Corruption, Assert.IsType<StorageException>(failure.InnerException).Kind);
        Assert.False(test.Store.Health.IsHealthy);
    }

    [MountingFact]
    public async Task A_flush_that_failed_stops_writes_and_the_store_goes_on_when_there_is_room_and_it_is_reopened()
    {
        using TemporaryDisk disk = new("16m");
        await using TestStore test = new(parent: disk.Path);
        await test.WriteAsync(Put("a", new string('x', 1 << 20)));
        string filler = Path.Combine(disk.Path, "filler");
        TemporaryDisk.Fill(filler);

        test.Store.SendFlush();
        await Waiting.UntilAsync(() => !test.Store.Health.IsHealthy, "the failed flush");
        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("b", "1")));
        File.Delete(filler);
        await test.ReopenAsync();
        await test.WriteAsync(Put("b", "1"));
        test.Store.Flush();

        Assert.Equal(FailureKind.Poisoned, refused.Kind);
        Assert.Equal(FailureKind.DiskFull, Assert.IsType<StorageException>(refused.InnerException).Kind);
        Assert.Equal((1 << 20, "1"), (test.Get("a")!.Length, test.Get("b")));
        Assert.True(test.Store.Health.IsHealthy);
    }

    // The same keys each time: files that overlap are read to be compacted, others are only moved.
    private static Task<WriteResult> WriteAsync(TestStore test, int round)
        => test.WriteAsync([.. Enumerable.Range(0, 100).Select(i => Put($"k{i:000}", $"{round}"))]);

    /// <summary>Changes the first bytes of every table, which are data; what is needed to open them is at the end.
    /// </summary>
    private static void DamageTables(string directory)
    {
        foreach (string table in Directory.GetFiles(directory, "*.sst"))
        {
            using FileStream file = new(table, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.Write([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        }
    }

    private sealed class Watcher : IObserver<StoreEvent>
    {
        public TaskCompletionSource<StoreEvent> Told { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnCompleted()
        {
            // The store was closed; a test that waits for more fails by its deadline.
        }

        public void OnError(Exception error) => throw error;

        public void OnNext(StoreEvent value)
        {
            if (value.Kind == StoreEventKind.BackgroundError)
            {
                Told.TrySetResult(value);
            }
        }
    }
}
