using System.Buffers.Binary;
using System.Text;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

/// <summary>The log, statistics, background work and rarer read options.</summary>
public sealed class BackgroundTests
{
    [Fact]
    public void The_log_is_read_batch_by_batch_from_a_sequence_on()
    {
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, WalTimeToLive = Deadline });
        store.Put("a", "1");
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("b"), Bytes("2"));
        batch.Delete(store.Family, Bytes("a"));
        store.Database.Write(batch, WriteOptions.Buffered);
        store.Database.Flush(); // The log is rolled and archived, not deleted.
        store.Put("c", "3");

        using WalIterator all = store.Database.GetUpdatesSince(1);
        using WalIterator tail = store.Database.GetUpdatesSince(4);

        Assert.Equal(["1:1", "2:2", "4:1"], Walk(all));
        Assert.Equal(5ul, all.NextSequence);
        Assert.False(all.MoveNext());
        Assert.Equal(["4:1"], Walk(tail));
    }

    [Fact]
    public void A_batch_of_the_log_is_what_was_written_and_can_be_written_elsewhere()
    {
        using TestStore store = new();
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("k"), Bytes("v"));
        store.Database.Write(batch, WriteOptions.Buffered);
        using WalIterator log = store.Database.GetUpdatesSince(1);

        Assert.Throws<InvalidOperationException>(() => log.Data.Length);
        Assert.Equal(0, log.Count);
        Assert.True(log.MoveNext());

        // A header of sequence and count, then the entries: all but the sequence is as the batch had it.
        const int SequenceBytes = sizeof(ulong);
        Assert.Equal(1ul, BinaryPrimitives.ReadUInt64LittleEndian(log.Data));
        Assert.Equal(batch.Data[SequenceBytes..].ToArray(), log.Data[SequenceBytes..].ToArray());
    }

    [Fact]
    public void A_log_from_the_future_has_nothing_and_one_that_is_gone_begins_later()
    {
        using TestStore store = new();
        store.Put("a", "1");
        using WalIterator future = store.Database.GetUpdatesSince(100);
        Assert.False(future.MoveNext());
        Assert.Equal(100ul, future.NextSequence);

        store.Database.Flush();
        store.Put("b", "2");
        store.Database.Flush();
        store.Put("c", "3");

        // RocksDB deletes the logs that the flushes have made obsolete a moment later.
        Assert.True(SpinWait.SpinUntil(
            () => Directory.GetFiles(store.Directory, "*.log").Length == 1, TimeSpan.FromSeconds(30)));
        string[] seen = [];
        RocksDbStatus status = RocksDbStatus.Ok;
        try
        {
            using WalIterator gone = store.Database.GetUpdatesSince(1);
            seen = Walk(gone);
        }
        catch (RocksDbException e)
        {
            status = e.Status;
        }

        Assert.True(seen is ["3:1"] || status is RocksDbStatus.Corruption or RocksDbStatus.TryAgain);
    }

    [Fact]
    public void A_log_iterator_keeps_its_database_open_and_is_disposed_in_any_order()
    {
        using TestStore store = new();
        store.Put("a", "1");
        WalIterator log = store.Database.GetUpdatesSince(1);
        Assert.True(log.MoveNext());

        store.Database.Dispose();
        Assert.Equal(1, log.Count);
        Assert.Throws<ObjectDisposedException>(() => store.Database.GetUpdatesSince(1));
        Assert.Equal(
            RocksDbStatus.LockHeld, Assert.Throws<RocksDbException>(() => store.Open()).Status);
        log.Dispose();
        log.Dispose();

        Assert.Throws<ObjectDisposedException>(() => log.MoveNext());
        Assert.Throws<ObjectDisposedException>(() => log.Data.Length);
        store.Open();
    }

    [Fact]
    public void Statistics_are_counters_and_distributions_by_name()
    {
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, StatisticsEnabled = true });
        store.Put("k", "v");
        Assert.Equal("v", store.Get("k"));
        Assert.Null(store.Get("absent"));

        StatisticsSnapshot statistics = store.Database.GetStatisticsSnapshot()!;

        Assert.Equal(1ul, statistics.Tickers["rocksdb.number.keys.written"]);
        Assert.Equal(2ul, statistics.Tickers["rocksdb.number.keys.read"]);
        Assert.Equal(2ul, statistics.Histograms["rocksdb.db.get.micros"].Count);
        Assert.True(statistics.Tickers.Count > 100);
        Assert.True(statistics.Histograms.Count > 30);

        // Every line of the text is one of the two.
        string[] lines = store.Database.GetStatistics()!.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(lines.Length, statistics.Tickers.Count + statistics.Histograms.Count);
        using TestStore without = new();
        Assert.Null(without.Database.GetStatisticsSnapshot());
    }

    [Fact]
    public void The_text_of_statistics_is_read_and_other_text_is_skipped()
    {
        StatisticsSnapshot statistics = StatisticsSnapshot.Parse(
            "a.b COUNT : 18446744073709551615\n"
            + "h P50 : 0.500000 P95 : 9.5 P99 : 99 P100 : 100.000000 COUNT : 3 SUM : 12\r\n"
            + "half P50 : 0.5 P95 : 1\nnegative COUNT : -1\nword COUNT : many\nlonger COUNT : 1 2\n\n COUNT : 1\n"
            + ":::\n");

        Assert.Equal(ulong.MaxValue, Assert.Single(statistics.Tickers).Value);
        HistogramSnapshot histogram = Assert.Single(statistics.Histograms).Value;
        Assert.Equal(new HistogramSnapshot(0.5, 9.5, 99, 100, 3, 12), histogram);
        Assert.Equal(4, histogram.Average);
        Assert.Equal(0, default(HistogramSnapshot).Average);
        Assert.Empty(StatisticsSnapshot.Parse("").Tickers);
    }

    [Fact]
    public void Damaged_text_of_statistics_never_throws()
    {
        const string Text =
            "rocksdb.x COUNT : 7\nrocksdb.y P50 : 1.0 P95 : 2.0 P99 : 3.0 P100 : 4.0 COUNT : 5 SUM : 6\n";
        Random random = new(42);
        for (int round = 0; round < 2_000; round++)
        {
            StringBuilder damaged = new(Text);
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                int at = random.Next(damaged.Length);
                _ = random.Next(3) switch
                {
                    0 => damaged.Remove(at, 1),
                    1 => damaged.Insert(at, (char)random.Next(1, 128)),
                    _ => damaged.Replace(damaged[at], (char)random.Next(1, 128), at, 1),
                };
            }

            StatisticsSnapshot read = StatisticsSnapshot.Parse(damaged.ToString());
            Assert.InRange(read.Tickers.Count + read.Histograms.Count, 0, 8);
        }

        Assert.Equal(7ul, StatisticsSnapshot.Parse(Text).Tickers["rocksdb.x"]);
    }

    [Fact]
    public void A_statistics_level_needs_a_newer_library_and_says_so()
    {
        using TestStore store = new(open: false);
        DatabaseOptions options = Creating();
        options.StatisticsEnabled = true;
        options.StatisticsLevel = StatisticsLevel.All;

        AssertSince(new Version(8, 6), "RocksDB 8.6", () => store.Open(options));
    }

    [Fact]
    public void Manual_compaction_is_refused_while_disabled_and_holds_nest()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Flush();
        store.Database.DisableManualCompaction();
        store.Database.DisableManualCompaction();
        store.Database.EnableManualCompaction();

        RocksDbException refused = Assert.Throws<RocksDbException>(() => store.Database.CompactRange(store.Family));
        store.Database.EnableManualCompaction();
        store.Database.CompactRange(store.Family);

        Assert.Equal(RocksDbStatus.Aborted, refused.Status);
        Assert.Throws<InvalidOperationException>(store.Database.EnableManualCompaction);
    }

    [Fact]
    public void A_database_that_compacts_on_close_leaves_one_file()
    {
        DatabaseOptions options = Creating();
        options.CompactOnClose = true;
        using TestStore store = new(options);
        for (int i = 0; i < 3; i++)
        {
            store.Put("a", $"v{i}");
            store.Put("z", $"v{i}"); // The files overlap, or they would be moved and not joined.
            store.Database.Flush();
        }

        int before = store.Database.GetLiveFiles().Count;
        store.Open();

        Assert.Equal(3, before);
        Assert.Single(store.Database.GetLiveFiles());
        Assert.Equal("v2", store.Get("a"));
    }

    [Fact]
    public void Files_that_do_not_overlap_are_moved_and_not_rewritten_by_a_compaction()
    {
        using TestStore store = new();
        foreach (string key in (string[])["a", "b"])
        {
            store.Put(key, "v");
            store.Database.Flush();
        }

        string[] before = Names(store);
        store.Database.CompactRange(store.Family);

        Assert.Equal(2, before.Length);
        Assert.Equal(before, Names(store));
        Assert.All(store.Database.GetLiveFiles(), static file => Assert.True(file.Level > 0));

        static string[] Names(TestStore store) =>
            [.. store.Database.GetLiveFiles().Select(static file => file.Name).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void A_close_with_compaction_disabled_compacts_nothing_and_closes()
    {
        DatabaseOptions options = Creating();
        options.CompactOnClose = true;
        using TestStore store = new(options);
        store.Put("k", "v");
        store.Database.DisableManualCompaction();

        store.Open();

        Assert.Equal("v", store.Get("k"));
    }

    [Fact]
    public void Background_threads_of_the_process_are_counted_and_changed()
    {
        int compaction = BackgroundThreads.Compaction;
        int flush = BackgroundThreads.Flush;
        try
        {
            BackgroundThreads.Compaction = compaction + 1;
            BackgroundThreads.Flush = flush + 1;

            Assert.Equal(compaction + 1, BackgroundThreads.Compaction);
            Assert.Equal(flush + 1, BackgroundThreads.Flush);
            Assert.Throws<ArgumentOutOfRangeException>(() => BackgroundThreads.Compaction = 0);
            Assert.Throws<ArgumentOutOfRangeException>(() => BackgroundThreads.Flush = 0);
        }
        finally
        {
            BackgroundThreads.Compaction = Math.Max(1, compaction);
            BackgroundThreads.Flush = Math.Max(1, flush);
        }
    }

    [Fact]
    public void Functions_of_newer_libraries_work_or_name_what_they_need()
    {
        using TestStore store = new();
        using ReadOptions asynchronous = new() { AsyncIo = true };

        AssertSince(new Version(11, 8), "RocksDB 11.8", () =>
        {
            store.Database.PauseBackgroundWork();
            store.Database.ContinueBackgroundWork();
        });
        AssertSince(new Version(7, 10), "RocksDB 7.10", () => store.Database.Text("k", asynchronous));
    }

    [Fact]
    public void An_iterator_gives_up_after_so_many_dead_entries()
    {
        using TestStore store = new();
        for (int i = 0; i < 50; i++)
        {
            store.Put($"k{i:D2}", "v");
            store.Database.Delete(store.Family, Bytes($"k{i:D2}"), WriteOptions.Buffered);
        }

        store.Put("z", "v");
        using ReadOptions limited = new() { MaxSkippableInternalKeys = 10 };
        using ReadOptions enough = new() { MaxSkippableInternalKeys = 1000 };
        using Iterator short_ = store.Database.NewIterator(store.Family, limited);
        using Iterator long_ = store.Database.NewIterator(store.Family, enough);

        Assert.Equal(
            RocksDbStatus.Incomplete, Assert.Throws<RocksDbException>(short_.SeekToFirst).Status);
        Assert.Equal(["z"], long_.Keys());
    }

    [Fact]
    public void A_read_after_its_deadline_times_out_when_it_needs_the_disk()
    {
        DatabaseOptions options = Creating();
        options.NoBlockCache = true;
        using TestStore store = new(options);
        store.Put("k", "v");
        store.Database.Flush();
        store.Put("memory", "v");
        using ReadOptions past = new() { Deadline = DateTimeOffset.UnixEpoch.AddSeconds(1) };
        using ReadOptions future = new()
        {
            Deadline = TimeProvider.System.GetUtcNow() + Deadline,
            IoTimeout = Deadline,
            PurgeInBackground = true,
        };

        Assert.Equal("v", store.Database.Text("k", future));
        Assert.Equal("v", store.Database.Text("memory", past));
        Assert.Equal(
            RocksDbStatus.TimedOut, Assert.Throws<RocksDbException>(() => store.Database.Text("k", past)).Status);
        Assert.Throws<ArgumentOutOfRangeException>(() => past.IoTimeout = -Deadline);
        Assert.Throws<ArgumentOutOfRangeException>(() => past.MaxSkippableInternalKeys = -1);
    }

    [Fact]
    public void Table_properties_are_a_map()
    {
        using TestStore store = new();
        store.Put("a", "1");
        store.Put("b", "2");
        store.Database.Flush();

        IReadOnlyDictionary<string, string> map = store.Database.GetMapProperty(
            store.Family, "rocksdb.aggregated-table-properties");

        Assert.Equal("2", map["# entries"]);
        Assert.Empty(store.Database.GetMapProperty(store.Family, "rocksdb.no-such-property"));
    }

    private static string[] Walk(WalIterator log)
    {
        List<string> batches = [];
        while (log.MoveNext())
        {
            batches.Add($"{log.Sequence}:{log.Count}");
        }

        return [.. batches];
    }

    private static void AssertSince(Version version, string name, Action use)
    {
        if (RocksDbLibrary.NativeVersion >= version)
        {
            use();
            return;
        }

        RocksDbException failure = Assert.Throws<RocksDbException>(use);
        Assert.Equal(RocksDbStatus.NotSupported, failure.Status);
        Assert.Contains(name, failure.Message, StringComparison.Ordinal);
    }
}
