using Branching.Storage.Changes;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Changes;

/// <summary>Rotation, retention, purge and consumers.</summary>
public sealed class ChangeRetentionTests
{
    private static readonly ChangeLogSettings _small = ChangeLogSettings.Default with { RotateBytes = 4096 };

    [Fact]
    public async Task Files_are_ended_by_size_and_by_age()
    {
        ManualTime time = new();
        await using LoggedStore logged = new(time, settings: _small with { RotateAfter = TimeSpan.FromHours(1) });
        await FillAsync(logged, 10);
        int bySize = logged.Files.Length;
        time.Advance(TimeSpan.FromHours(2));
        await logged.PutAsync("late", "1");

        Assert.InRange(bySize, 2, 4);
        Assert.Equal(bySize + 1, logged.Files.Length);
        Assert.Equal(11, logged.Read().Count);
        Assert.Equal(
            logged.Files.Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal),
            logged.Files.Select(file => Path.GetFileName(file)));
    }

    [Fact]
    public async Task Retention_keeps_to_size_age_and_number()
    {
        ManualTime time = new();
        await using LoggedStore logged = new(time, settings: _small with { KeepBytes = null, KeepFor = null });
        await FillAsync(logged, 40);
        int all = logged.Files.Length;

        logged.Log.Maintain();
        int untouched = logged.Files.Length;
        logged.Log.Set(_small with { KeepBytes = null, KeepFor = null, KeepFiles = 5 });
        logged.Log.Maintain();
        int byNumber = logged.Files.Length;
        logged.Log.Set(_small with { KeepBytes = 12_000, KeepFor = null });
        logged.Log.Maintain();
        long bySize = logged.Log.GetStatistics().Bytes;
        time.Advance(TimeSpan.FromDays(8));
        logged.Log.Set(_small);
        logged.Log.Maintain();

        Assert.True(all > 7);
        Assert.Equal(all, untouched);
        Assert.Equal(5, byNumber);
        Assert.InRange(bySize, 1, 12_000);
        Assert.Single(logged.Files);
        ChangeLogStatistics left = logged.Log.GetStatistics();
        Assert.Equal(40ul, left.Last.Value);
        Assert.Equal(left.First, logged.Read()[0].First);
    }

    [Fact]
    public async Task A_purge_removes_by_age_sequence_and_name_and_counts_the_entries()
    {
        ManualTime time = new();
        await using LoggedStore logged = new(time, settings: _small);
        await FillAsync(logged, 20);
        string[] files = logged.Files;
        ulong second = ulong.Parse(
            Path.GetFileNameWithoutExtension(files[1]), System.Globalization.CultureInfo.InvariantCulture);
        time.Advance(TimeSpan.FromHours(1));

        ChangePurgeResult byName = logged.Log.Purge(new ChangePurge(ThroughFile: Path.GetFileName(files[0])));
        ChangePurgeResult none = logged.Log.Purge(new ChangePurge(Through: new Sequence(second)));
        await logged.ReopenAsync();
        ChangePurgeResult byAge = logged.Log.Purge(new ChangePurge(OlderThan: time.GetUtcNow()));

        Assert.Equal((1, (long)second - 1), (byName.Files, byName.Entries));
        Assert.Equal(0, none.Files);
        Assert.Equal(files.Length - 2, byAge.Files);
        Assert.Equal(20 - logged.Read().Count, (int)(byName.Entries + byAge.Entries));
        Assert.Equal(
            FailureKind.ChangesGone,
            Assert.Throws<StorageException>(() => logged.Read(ChangeStart.At(new Sequence(1)))).Kind);
        Assert.Equal(
            FailureKind.InvalidArgument,
            Assert.Throws<StorageException>(() => logged.Log.Purge(new ChangePurge(ThroughFile: "none"))).Kind);
    }

    [Fact]
    public async Task A_consumer_keeps_what_it_has_not_acknowledged_also_after_a_reopen()
    {
        await using LoggedStore logged = new(settings: _small);
        (ChangeConsumer created, bool isNew) = logged.Log.CreateConsumer("indexer", ChangeStart.First);
        await FillAsync(logged, 20);
        logged.Log.Acknowledge("indexer", logged.Log.PositionOf(new Sequence(9)));
        await logged.ReopenAsync();

        ChangePurgeResult purged = logged.Log.Purge(new ChangePurge(Through: new Sequence(20)));
        ChangeConsumer consumer = Assert.Single(logged.Log.ListConsumers());

        Assert.True(isNew);
        Assert.Equal(0ul, created.Acknowledged.Value);
        Assert.Equal("indexer", purged.KeptFor);
        Assert.Equal((9ul, 11ul), (consumer.Acknowledged.Value, consumer.Lag));
        Assert.True(logged.Log.GetStatistics().First.Value <= 10);
        Assert.Equal(11, logged.Read(ChangeStart.OfConsumer("indexer")).Count);
        logged.Log.RemoveConsumer("indexer");
        Assert.Null(logged.Log.Purge(new ChangePurge(Through: new Sequence(20))).KeptFor);
        Assert.Single(logged.Files);
    }

    [Fact]
    public async Task Acknowledging_goes_forward_only_and_never_beyond_the_end()
    {
        await using LoggedStore logged = new();
        await FillAsync(logged, 3);
        logged.Log.CreateConsumer("c", ChangeStart.First);

        Assert.Equal(2ul, logged.Log.Acknowledge("c", new Sequence(2)).Acknowledged.Value);
        Assert.Equal(2ul, logged.Log.Acknowledge("c", new Sequence(1)).Acknowledged.Value);
        Assert.False(logged.Log.CreateConsumer("c", ChangeStart.First).IsNew);
        Assert.Equal(
            FailureKind.ChangePositionInvalid,
            Assert.Throws<StorageException>(() => logged.Log.Acknowledge("c", new Sequence(4))).Kind);
        Assert.Equal(
            FailureKind.ConsumerNotFound,
            Assert.Throws<StorageException>(() => logged.Log.Acknowledge("d", new Sequence(1))).Kind);
        Assert.Equal(
            FailureKind.InvalidName,
            Assert.Throws<StorageException>(() => logged.Log.CreateConsumer("a/b", ChangeStart.First)).Kind);
    }

    [Fact]
    public async Task A_consumer_that_lags_too_far_is_dropped_and_told_so()
    {
        ChangeLogSettings settings = _small with { KeepFiles = 2, DropConsumersBehindBytes = 10_000 };
        await using LoggedStore logged = new(settings: settings);
        logged.Log.CreateConsumer("dead", ChangeStart.First);
        logged.Log.CreateConsumer("alive", ChangeStart.First);
        await FillAsync(logged, 30);
        logged.Log.Acknowledge("alive", new Sequence(30));

        ChangePurgeResult result = logged.Log.Purge(new ChangePurge(Through: new Sequence(30)));
        await logged.ReopenAsync();

        Assert.Equal(["dead"], result.DroppedConsumers);
        Assert.Null(result.KeptFor);
        ChangeConsumer dead = logged.Log.ListConsumers()[1];
        Assert.NotNull(dead.DroppedAt);
        Assert.Contains("dropped", dead.Problem, StringComparison.Ordinal);
        Assert.Equal(
            FailureKind.ConsumerDropped,
            Assert.Throws<StorageException>(() => logged.Read(ChangeStart.OfConsumer("dead"))).Kind);
        Assert.Equal(
            FailureKind.ConsumerDropped,
            Assert.Throws<StorageException>(() => logged.Log.Acknowledge("dead", new Sequence(30))).Kind);
        Assert.Empty(logged.Read(ChangeStart.OfConsumer("alive")));
    }

    [Fact]
    public async Task A_damaged_state_is_refused_and_left_as_it_is()
    {
        await using LoggedStore logged = new();
        logged.Log.CreateConsumer("c", ChangeStart.First);
        logged.Store.DisableChangeLog();
        string state = Path.Combine(logged.Directory, "state.json");
        byte[] bytes = await File.ReadAllBytesAsync(state);
        bytes[^30] ^= 1;
        await File.WriteAllBytesAsync(state, bytes);

        StorageException failure = Assert.Throws<StorageException>(logged.Enable);

        Assert.Equal(FailureKind.Corruption, failure.Kind);
        Assert.Contains(state, failure.Message, StringComparison.Ordinal);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(state));
        Assert.Contains(ChangeLogValidator.Validate(logged.Directory).Damage, damage => damage.File == state);
    }

    [Fact]
    public async Task Consumers_readers_purges_and_writes_at_once_lose_nothing()
    {
        await using LoggedStore logged = new(settings: _small with { KeepFiles = 2 });
        const int Writes = 300;
        string[] names = ["a", "b", "c"];
        foreach (string name in names)
        {
            logged.Log.CreateConsumer(name, ChangeStart.First);
        }

        using CancellationTokenSource stop = new(Waiting.Deadline);
        Task purging = Task.Run(async () =>
        {
            while (logged.Log.ListConsumers().Any(consumer => consumer.Acknowledged.Value < Writes))
            {
                logged.Log.Maintain();
                logged.Log.Purge(new ChangePurge(Through: new Sequence(Writes)));
                await Task.Yield();
                stop.Token.ThrowIfCancellationRequested();
            }
        });
        Task<List<string>>[] reading = [.. names.Select(name => ConsumeAsync(logged, name, Writes, stop.Token))];
        await FillAsync(logged, Writes);
        List<string>[] read = await Task.WhenAll(reading);
        await purging;

        string[] expected = [.. Enumerable.Range(0, Writes).Select(i => $"k{i}")];
        Assert.All(read, keys => Assert.Equal(expected, keys));
        logged.Log.Purge(new ChangePurge(Through: new Sequence(Writes)));
        Assert.Single(logged.Files);
    }

    private static async Task<List<string>> ConsumeAsync(
        LoggedStore logged, string name, int count, CancellationToken stop)
    {
        List<string> keys = [];
        await foreach (Change change in logged.Log.ReadAsync(
            ChangeStart.OfConsumer(name), follow: true, cancellationToken: stop))
        {
            keys.Add(TestStore.Text(change.Operations[0].Key));
            if (keys.Count % 50 == 0 || keys.Count == count)
            {
                await Task.Run(() => logged.Log.Acknowledge(name, change.Last), stop);
            }

            if (keys.Count == count)
            {
                break;
            }
        }

        return keys;
    }

    private static async Task FillAsync(LoggedStore logged, int count)
    {
        string value = new('x', 1000);
        for (int i = 0; i < count; i++)
        {
            await logged.PutAsync($"k{i}", value);
        }
    }
}
