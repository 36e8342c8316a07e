using System.Text;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class CheckpointTests
{
    [Fact]
    public void Without_a_flush_the_log_is_carried_and_unflushed_writes_are_in_it()
    {
        using TestStore store = new();
        store.Put("flushed", "1");
        store.Database.Flush();
        store.Put("unflushed", "2");
        int tables = store.Database.GetLiveFiles().Count;
        string target = store.Below("checkpoint");

        store.Database.CreateCheckpoint(target, CheckpointFlush.Never);

        Assert.Equal(tables, store.Database.GetLiveFiles().Count);
        Assert.Equal(tables, Directory.GetFiles(target, "*.sst").Length);
        Assert.NotEmpty(Directory.GetFiles(target, "*.log"));
        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        Assert.Equal("1", copy.Text("flushed"));
        Assert.Equal("2", copy.Text("unflushed"));
        Assert.Equal(store.Database.LatestSequence, copy.LatestSequence);
    }

    [Fact]
    public void With_a_flush_everything_is_in_tables()
    {
        using TestStore store = new();
        store.Put("k", "v");
        string target = store.Below("checkpoint");

        store.Database.CreateCheckpoint(target, CheckpointFlush.Always);

        Assert.Single(store.Database.GetLiveFiles());
        Assert.Single(Directory.GetFiles(target, "*.sst"));
        Assert.DoesNotContain(Directory.GetFiles(target, "*.log"), log => new FileInfo(log).Length > 0);
        using RocksDatabase copy = RocksDatabase.OpenReadOnly(target, new DatabaseOptions());
        Assert.Equal("v", copy.Text("k"));
    }

    [Fact]
    public void A_log_that_is_still_in_memory_is_carried_too()
    {
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, ManualWalFlush = true });
        store.Put("k", "v");
        string target = store.Below("checkpoint");

        store.Database.CreateCheckpoint(target, CheckpointFlush.Never);

        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        Assert.Equal("v", copy.Text("k"));
    }

    [Theory]
    [InlineData(CheckpointFlush.Never, false)]
    [InlineData(CheckpointFlush.Always, true)]
    public void Unlogged_writes_are_in_it_only_with_a_flush(CheckpointFlush flush, bool there)
    {
        using TestStore store = new();
        using WriteOptions unlogged = new(disableWal: true);
        store.Database.Put(store.Family, Bytes("k"), Bytes("v"), unlogged);
        string target = store.Below("checkpoint");

        store.Database.CreateCheckpoint(target, flush);

        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        Assert.Equal(there, copy.Contains(copy.DefaultColumnFamily, Bytes("k")));
    }

    [Fact]
    public void An_existing_target_is_refused_and_left_alone()
    {
        using TestStore store = new();
        string target = store.Below("taken");
        Directory.CreateDirectory(target);
        File.WriteAllText(Path.Combine(target, "note"), "mine");
        string file = store.Below("file");
        File.WriteAllText(file, "mine");

        RocksDbException directory = Assert.Throws<RocksDbException>(
            () => store.Database.CreateCheckpoint(target, CheckpointFlush.Never));
        RocksDbException occupied = Assert.Throws<RocksDbException>(
            () => store.Database.CreateCheckpoint(file, CheckpointFlush.Never));

        Assert.Equal(RocksDbStatus.InvalidArgument, directory.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, occupied.Status);
        Assert.Contains(target, directory.Message, StringComparison.Ordinal);
        Assert.Equal("note", Path.GetFileName(Assert.Single(Directory.GetFileSystemEntries(target))));
    }

    [Fact]
    public void A_missing_parent_is_an_error_and_is_not_made()
    {
        using TestStore store = new();
        string target = Path.Combine(store.Below("absent"), "checkpoint");

        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => store.Database.CreateCheckpoint(target, CheckpointFlush.Never));

        Assert.Equal(RocksDbStatus.PathNotFound, failure.Status);
        Assert.False(Directory.Exists(store.Below("absent")));
    }

    [Theory]
    [InlineData(CheckpointFlush.Never)]
    [InlineData(CheckpointFlush.Always)]
    public void All_families_are_in_it(CheckpointFlush flush)
    {
        using TestStore store = new();
        ColumnFamily one = store.Database.CreateColumnFamily("one");
        ColumnFamily two = store.Database.CreateColumnFamily("two");
        store.Database.Set(one, "k", "1");
        store.Database.Flush(one); // Now two's write is in an older log than the newest.
        store.Database.Set(one, "l", "1");
        store.Database.Set(two, "k", "2");
        string target = store.Below("checkpoint");

        store.Database.CreateCheckpoint(target, flush);

        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        Assert.True(copy.TryGetColumnFamily("one", out ColumnFamily? copiedOne));
        Assert.True(copy.TryGetColumnFamily("two", out ColumnFamily? copiedTwo));
        Assert.Equal("1", copy.Text(copiedOne, "k"));
        Assert.Equal("1", copy.Text(copiedOne, "l"));
        Assert.Equal("2", copy.Text(copiedTwo, "k"));
    }

    [Theory]
    [InlineData(CheckpointFlush.Never)]
    [InlineData(CheckpointFlush.Always)]
    public void It_stays_the_same_when_the_source_is_cleared_and_compacted(CheckpointFlush flush)
    {
        using TestStore store = new();
        Fill(store.Database, "k", 500);
        store.Database.Flush();
        Fill(store.Database, "l", 500);
        string target = store.Below("checkpoint");
        store.Database.CreateCheckpoint(target, flush);

        store.Database.DeleteRange(store.Family, default, Bytes("z"), WriteOptions.Buffered);
        store.Database.Flush();
        store.Database.CompactRange(store.Family);
        store.Database.Dispose();
        RocksDatabase.Destroy(store.Directory);

        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        using Iterator iterator = copy.NewIterator(copy.DefaultColumnFamily);
        Assert.Equal(1000, iterator.Keys().Length);
        Assert.Equal("499", copy.Text("k0499"));
        Assert.Equal("499", copy.Text("l0499"));
    }

    [Fact]
    public void Writes_to_a_checkpoint_do_not_reach_its_source()
    {
        using TestStore store = new();
        store.Put("k", "source");
        string target = store.Below("checkpoint");
        store.Database.CreateCheckpoint(target, CheckpointFlush.Always);

        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        copy.Set("k", "copy");
        copy.Flush();
        copy.CompactRange(copy.DefaultColumnFamily);

        Assert.Equal("source", store.Get("k"));
        Assert.Equal("copy", copy.Text("k"));
    }

    [Theory]
    [InlineData(CheckpointFlush.Never)]
    [InlineData(CheckpointFlush.Always)]
    public void An_empty_store_has_an_empty_checkpoint(CheckpointFlush flush)
    {
        using TestStore store = new();
        string target = store.Below("checkpoint");

        store.Database.CreateCheckpoint(target, flush);

        using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());
        using Iterator iterator = copy.NewIterator(copy.DefaultColumnFamily);
        Assert.Empty(iterator.Keys());
        copy.Set("k", "v");
        Assert.Equal("v", copy.Text("k"));
    }

    [Theory]
    [InlineData(CheckpointFlush.Never)]
    [InlineData(CheckpointFlush.Always)]
    public void A_checkpoint_of_a_checkpoint_of_a_checkpoint_has_it_all(CheckpointFlush flush)
    {
        using TestStore store = new();
        RocksDatabase current = store.Database;
        List<RocksDatabase> opened = [];
        for (int generation = 0; generation < 4; generation++)
        {
            current.Set($"g{generation}", $"{generation}");
            string target = store.Below($"generation{generation}");
            current.CreateCheckpoint(target, flush);
            current = RocksDatabase.Open(target, new DatabaseOptions());
            opened.Add(current);
        }

        using Iterator iterator = current.NewIterator(current.DefaultColumnFamily);
        Assert.Equal(["g0", "g1", "g2", "g3"], iterator.Keys());
        iterator.Dispose();
        opened.ForEach(database => database.Dispose());
    }

    [Theory]
    [InlineData(CheckpointFlush.Never)]
    [InlineData(CheckpointFlush.Always)]
    public async Task It_is_a_moment_while_eight_writers_write(CheckpointFlush flush)
    {
        // Writer w puts w-a and then w-b, both the number of the round: at any moment a is b or b + 1.
        const int Writers = 8;
        using TestStore store = new();
        RocksDatabase database = store.Database;
        using CancellationTokenSource stop = new();
        using CountdownEvent started = new(Writers);
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(w => Task.Factory.StartNew(
            () =>
            {
                for (int round = 1; !stop.IsCancellationRequested; round++)
                {
                    database.Set($"{w}-a", $"{round}");
                    database.Set($"{w}-b", $"{round}");
                    if (round == 1)
                    {
                        started.Signal();
                    }
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        Assert.True(started.Wait(Deadline));

        for (int i = 0; i < 5; i++)
        {
            string target = store.Below($"checkpoint{i}");
            ulong before = database.LatestSequence;
            database.CreateCheckpoint(target, flush);
            ulong after = database.LatestSequence;
            using RocksDatabase copy = RocksDatabase.Open(target, new DatabaseOptions());

            // A write under way is in the log before it is counted, so each writer may have one more in the copy.
            Assert.InRange(copy.LatestSequence, before, after + Writers);
            for (int w = 0; w < Writers; w++)
            {
                int a = int.Parse(copy.Text($"{w}-a")!, System.Globalization.CultureInfo.InvariantCulture);
                int b = int.Parse(copy.Text($"{w}-b")!, System.Globalization.CultureInfo.InvariantCulture);
                Assert.InRange(a - b, 0, 1);
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers).WaitAsync(Deadline);
    }

    private static void Fill(RocksDatabase database, string prefix, int count)
    {
        using WriteBatch batch = new();
        for (int i = 0; i < count; i++)
        {
            batch.Put(database.DefaultColumnFamily, Bytes($"{prefix}{i:D4}"), Encoding.UTF8.GetBytes($"{i}"));
        }

        database.Write(batch, WriteOptions.Buffered);
    }
}
