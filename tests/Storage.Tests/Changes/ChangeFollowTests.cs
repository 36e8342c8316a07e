using Branching.Storage.Changes;
using Branching.Storage.Tests.LocalStores;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Changes;

/// <summary>Following a log, and what its replay gives.</summary>
public sealed class ChangeFollowTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_follower_gets_every_batch_once_and_in_order_while_many_write()
    {
        await using LoggedStore logged = new(settings: ChangeLogSettings.Default with { RotateBytes = 16 << 10 });
        const int Writers = 4, Each = 100;
        using CancellationTokenSource deadline = new(Waiting.Deadline);
        Task<List<Change>> following = FollowAsync(logged, Writers * Each, deadline.Token);

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (int i = 0; i < Each; i++)
            {
                await logged.WriteAsync(
                    i % 5 == 0 ? Durability.Sync : Durability.Buffered,
                    TestStore.Put($"{writer}", $"{i}"), TestStore.Put($"{writer}-{i}", new string('v', 100)));
            }
        })));
        List<Change> followed = await following;

        Assert.Equal(
            Enumerable.Range(0, Writers * Each).Select(i => ((ulong)(2 * i) + 1, (ulong)(2 * i) + 2)),
            followed.Select(change => (change.First.Value, change.Last.Value)));
        for (int writer = 0; writer < Writers; writer++)
        {
            Assert.Equal(
                Enumerable.Range(0, Each).Select(i => $"put {writer}={i}"),
                followed.Select(change => LoggedStore.Show(change.Operations[0]))
                    .Where(text => text.StartsWith($"put {writer}=", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task A_follower_that_is_cancelled_or_whose_store_closes_ends()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1");
        using CancellationTokenSource cancel = new();
        await using IAsyncEnumerator<Change> cancelled = logged.Log
            .ReadAsync(ChangeStart.Now, follow: true, cancellationToken: cancel.Token).GetAsyncEnumerator();
        await using IAsyncEnumerator<Change> closed = logged.Log
            .ReadAsync(ChangeStart.First, follow: true).GetAsyncEnumerator();
        Assert.True(await closed.MoveNextAsync());
        ValueTask<bool> first = cancelled.MoveNextAsync();
        ValueTask<bool> second = closed.MoveNextAsync();
        Task<bool> secondEnd = second.AsTask();

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.AsTask());
        Assert.False(secondEnd.IsCompleted);
        await logged.Store.DisposeAsync();

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => secondEnd.WaitAsync(Waiting.Deadline));
        Assert.Equal(FailureKind.Closed, failure.Kind);
    }

    [Fact]
    public async Task The_replay_of_the_log_equals_the_store()
    {
        output.WriteLine($"BRANCHING_SEED={TestStore.Seed}");
        Random random = new(TestStore.Seed);
        await using LoggedStore logged = new(settings: ChangeLogSettings.Default with { RotateBytes = 8 << 10 });
        logged.Store.CreateColumnFamily("other");
        for (int i = 0; i < 400; i++)
        {
            WriteOperation[] operations = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => Operation(random))];
            await logged.WriteAsync(random.Next(8) == 0 ? Durability.Sync : Durability.Buffered, operations);
            if (random.Next(100) == 0)
            {
                await logged.ReopenAsync();
            }
        }

        SortedDictionary<string, string> model = new(StringComparer.Ordinal);
        ulong next = 1;
        foreach (Change change in logged.Read(pageBytes: random.Next(1, 5000)))
        {
            Assert.Equal(next, change.First.Value);
            next = change.Last.Value + 1;
            foreach (ChangeOperation operation in change.Operations)
            {
                Apply(model, operation);
            }
        }

        Assert.Equal(logged.Store.LastAcknowledged.Value + 1, next);
        Assert.Equal(Content(logged.Store), model.Select(pair => $"{pair.Key}={pair.Value}"));
    }

    [Fact]
    public async Task Appending_takes_no_fresh_memory_for_each_write()
    {
        const int Writes = 2000;
        await using LoggedStore logged = new();
        await using TestStore plain = new();
        WriteRequest request = new([TestStore.Put("key", "value")], null, Durability.Buffered);
        async Task<long> MeasureAsync(LocalStore store)
        {
            for (int i = 0; i < 200; i++)
            {
                await store.WriteAsync(request, CancellationToken.None);
            }

            // A buffered write is committed by its caller, so all it takes is counted on this thread.
            int thread = Environment.CurrentManagedThreadId;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Writes; i++)
            {
                await store.WriteAsync(request, CancellationToken.None);
            }

            long taken = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            return taken;
        }

        long off = await MeasureAsync(plain.Store);
        long on = await MeasureAsync(logged.Store);

        output.WriteLine($"{Writes} writes take {off} bytes without the log, {on} with it");
        Assert.True(on - off < Writes, $"{Writes} writes take {off} bytes without the log, {on} with it");
    }

    private static async Task<List<Change>> FollowAsync(LoggedStore logged, int count, CancellationToken stop)
    {
        List<Change> followed = [];
        await foreach (Change change in logged.Log.ReadAsync(
            ChangeStart.First, follow: true, cancellationToken: stop))
        {
            followed.Add(change);
            if (followed.Count == count)
            {
                break;
            }
        }

        return followed;
    }

    private static WriteOperation Operation(Random random)
    {
        string? family = random.Next(3) == 0 ? "other" : null;
        string key = $"k{random.Next(60):00}";
        return random.Next(10) switch
        {
            0 => WriteOperation.DeleteRange(
                TestStore.Bytes(key), TestStore.Bytes(key + "5"), family),
            1 or 2 => TestStore.Delete(key, family),
            _ => TestStore.Put(key, new string('v', random.Next(40)), family),
        };
    }

    private static void Apply(SortedDictionary<string, string> model, ChangeOperation operation)
    {
        string family = operation.ColumnFamily + ":";
        string key = family + TestStore.Text(operation.Key);
        switch (operation.Kind)
        {
            case ChangeOperationKind.Put:
                model[key] = TestStore.Text(operation.Value);
                break;
            case ChangeOperationKind.Delete:
                model.Remove(key);
                break;
            default:
                string end = family + TestStore.Text(operation.Value);
                foreach (string doomed in model.Keys.Where(k => string.CompareOrdinal(k, key) >= 0
                    && string.CompareOrdinal(k, end) < 0).ToArray())
                {
                    model.Remove(doomed);
                }

                break;
        }
    }

    private static List<string> Content(LocalStore store)
    {
        List<string> content = [];
        foreach (string family in store.ColumnFamilies)
        {
            content.AddRange(store
                .Scan(new ScanRequest(family, KeyRange.All, false, 10_000, long.MaxValue)).Entries
                .Select(entry => $"{family}:{TestStore.Text(entry.Key)}={TestStore.Text(entry.Value)}"));
        }

        return content;
    }
}
