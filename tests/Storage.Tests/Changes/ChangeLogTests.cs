using Branching.RocksDb;
using Branching.Storage.Changes;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Changes;

/// <summary>What the change log has, and where reading begins.</summary>
public sealed class ChangeLogTests
{
    [Fact]
    public async Task A_store_keeps_no_log_unless_it_is_switched_on()
    {
        await using TestStore store = new();
        await store.WriteAsync(TestStore.Put("a", "1"));

        StorageException failure = Assert.Throws<StorageException>(() => store.Store.Changes);

        Assert.False(store.Store.HasChangeLog);
        Assert.Equal(FailureKind.ChangeLogOff, failure.Kind);
    }

    [Fact]
    public async Task Every_batch_is_there_in_order_with_its_sequences_and_operations()
    {
        await using LoggedStore logged = new();
        logged.Store.CreateColumnFamily("users");
        await logged.PutAsync("a", "1", Durability.Sync);
        await logged.WriteAsync(
            Durability.Buffered, TestStore.Put("b", "2", "users"), TestStore.Delete("a"),
            WriteOperation.DeleteRange(TestStore.Bytes("c"), TestStore.Bytes("d")));
        await logged.PutAsync("e", "");

        List<Change> changes = logged.Read();

        Assert.Equal(
            ["1 put a=1", "2 put users:b=2, delete a, delete-range c d", "5 put e="], LoggedStore.Show(changes));
        Assert.Equal([1ul, 4, 5], changes.Select(change => change.Last.Value));
        Assert.Equal(logged.Store.LastAcknowledged, logged.Log.End);
    }

    [Fact]
    public async Task A_request_whose_precondition_fails_leaves_no_entry()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1");
        WriteRequest refused = new([TestStore.Put("b", "2")], [TestStore.Absent("a")], Durability.Sync);

        WriteResult result = await logged.Store.WriteAsync(refused, CancellationToken.None);

        Assert.False(result.Applied);
        Assert.Equal(["1 put a=1"], LoggedStore.Show(logged.Read()));
    }

    [Fact]
    public async Task Concurrent_requests_are_entries_of_their_own()
    {
        await using LoggedStore logged = new();

        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => logged.WriteAsync(
            i % 2 == 0 ? Durability.Sync : Durability.Buffered, TestStore.Put($"k{i}", "1"),
            TestStore.Put($"l{i}", "2"))));
        List<Change> changes = logged.Read(pageBytes: 10);

        Assert.Equal(200, changes.Count);
        Assert.All(changes, change => Assert.Equal(2, change.Operations.Count));
        Assert.Equal(
            Enumerable.Range(0, 200).Select(i => (ulong)(2 * i) + 1), changes.Select(change => change.First.Value));
    }

    [Fact]
    public async Task Times_never_go_back_when_the_clock_does()
    {
        ManualTime time = new();
        await using LoggedStore logged = new(time);
        await logged.PutAsync("a", "1");
        time.Advance(TimeSpan.FromHours(1));
        await logged.PutAsync("b", "2");
        time.Advance(TimeSpan.FromHours(-2));
        await logged.PutAsync("c", "3");
        await logged.ReopenAsync();
        await logged.PutAsync("d", "4");

        List<Change> changes = logged.Read();

        Assert.Equal(changes.Select(change => change.Time).Order(), changes.Select(change => change.Time));
        Assert.Equal(changes[1].Time, changes[3].Time);
        Assert.Equal(TimeSpan.FromHours(1), changes[1].Time - changes[0].Time);
    }

    [Fact]
    public async Task Reading_begins_where_it_was_asked_to()
    {
        ManualTime time = new();
        await using LoggedStore logged = new(time);
        await logged.WriteAsync(Durability.Sync, TestStore.Put("a", "1"), TestStore.Put("b", "2"));
        time.Advance(TimeSpan.FromMinutes(1));
        DateTimeOffset middle = time.GetUtcNow();
        await logged.PutAsync("c", "3");
        time.Advance(TimeSpan.FromMinutes(1));
        await logged.PutAsync("d", "4");

        string[] From(ChangeStart start) => LoggedStore.Show(logged.Read(start));

        Assert.Equal(["1 put a=1, put b=2", "3 put c=3", "4 put d=4"], From(ChangeStart.First));
        Assert.Equal(["1 put a=1, put b=2", "3 put c=3", "4 put d=4"], From(ChangeStart.At(new Sequence(2))));
        Assert.Equal(["3 put c=3", "4 put d=4"], From(ChangeStart.Behind(new Sequence(2))));
        Assert.Equal(["3 put c=3", "4 put d=4"], From(ChangeStart.Since(middle)));
        Assert.Equal(["4 put d=4"], From(ChangeStart.Since(middle + TimeSpan.FromSeconds(1))));
        Assert.Empty(From(ChangeStart.Since(middle + TimeSpan.FromDays(1))));
        Assert.Empty(From(ChangeStart.Now));
        Assert.Equal(["4 put d=4"], From(ChangeStart.Behind(logged.Log.PositionOf(new Sequence(3)))));
    }

    [Fact]
    public async Task Reopened_the_log_goes_on_in_the_same_history()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1");
        ChangePosition position = logged.Log.PositionOf(new Sequence(1));

        await logged.ReopenAsync();
        await logged.PutAsync("b", "2");

        Assert.Equal(["1 put a=1", "2 put b=2"], LoggedStore.Show(logged.Read()));
        Assert.Equal(["2 put b=2"], LoggedStore.Show(logged.Read(ChangeStart.Behind(position))));
        Assert.Equal(position.History, logged.Log.PositionOf(new Sequence(2)).History);
        Assert.Single(logged.Files);
    }

    [Fact]
    public async Task What_was_written_while_the_log_was_off_is_a_gap()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1");
        logged.Store.DisableChangeLog();
        await logged.PutAsync("b", "2");
        await logged.PutAsync("c", "3");
        logged.Enable();
        await logged.PutAsync("d", "4");

        Assert.Equal(["1 put a=1", "2-3 gap NotLogged", "4 put d=4"], LoggedStore.Show(logged.Read()));
    }

    [Fact]
    public async Task A_log_begun_late_begins_where_the_store_is()
    {
        await using LoggedStore logged = new();
        logged.Store.DisableChangeLog();
        Directory.Delete(logged.Directory, recursive: true);
        await logged.PutAsync("a", "1");
        logged.Enable();
        await logged.PutAsync("b", "2");

        StorageException gone = Assert.Throws<StorageException>(() => logged.Read(ChangeStart.At(new Sequence(1))));

        Assert.Equal(FailureKind.ChangesGone, gone.Kind);
        Assert.Equal(["2 put b=2"], LoggedStore.Show(logged.Read()));
    }

    [Fact]
    public async Task A_dropped_family_keeps_its_name_in_the_log()
    {
        await using LoggedStore logged = new();
        logged.Store.CreateColumnFamily("old");
        await logged.WriteAsync(Durability.Buffered, TestStore.Put("a", "1", "old"));
        logged.Store.DropColumnFamily("old");
        logged.Store.CreateColumnFamily("new");
        await logged.WriteAsync(Durability.Buffered, TestStore.Put("a", "2", "new"));

        Assert.Equal(["1 put old:a=1", "2 put new:a=2"], LoggedStore.Show(logged.Read()));
    }

    [Fact]
    public async Task Positions_of_another_store_or_beyond_the_end_are_refused()
    {
        await using LoggedStore logged = new();
        await using LoggedStore other = new();
        await logged.PutAsync("a", "1");
        await other.PutAsync("a", "1");

        FailureKind KindOf(ChangeStart start) =>
            Assert.Throws<StorageException>(() => logged.Log.OpenReader(start)).Kind;

        Assert.Equal(
            FailureKind.ChangePositionInvalid, KindOf(ChangeStart.Behind(other.Log.PositionOf(new Sequence(1)))));
        Assert.Equal(
            FailureKind.ChangePositionInvalid, KindOf(ChangeStart.Behind(logged.Log.PositionOf(new Sequence(2)))));
        Assert.Equal(FailureKind.ChangePositionInvalid, KindOf(ChangeStart.Behind(new Sequence(2))));
        Assert.Equal(FailureKind.ConsumerNotFound, KindOf(ChangeStart.OfConsumer("nobody")));
    }

    [Fact]
    public async Task A_position_survives_its_text_and_no_changed_byte()
    {
        await using LoggedStore logged = new();
        ChangePosition position = logged.Log.PositionOf(new Sequence(42));
        byte[] bytes = position.ToBytes();

        Assert.True(ChangePosition.TryParse(position.ToString(), out ChangePosition again));
        Assert.Equal(position, again);
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(ChangePosition.TryParse(bytes, out _));
            bytes[i] ^= 1;
        }
    }

    [Fact]
    public async Task A_write_that_RocksDB_refuses_untouched_leaves_no_entry()
    {
        using TestCommit commit = new() { Fault = n => n == 2 ? TestCommit.Failure(RocksDbStatus.Busy) : null };
        await using LoggedStore logged = new(seams: commit.Seams);
        await logged.PutAsync("a", "1", Durability.Sync);

        await Assert.ThrowsAsync<StorageException>(() => logged.PutAsync("b", "2", Durability.Sync));
        await logged.PutAsync("c", "3", Durability.Sync);

        Assert.Equal(["1 put a=1", "2 put c=3"], LoggedStore.Show(logged.Read()));
        Assert.True(logged.Store.Health.IsHealthy);
    }

    [Theory]
    [InlineData(nameof(DiskStepKind.AppendFile), 5, FailureKind.Io)]
    [InlineData(nameof(DiskStepKind.AppendFile), 28, FailureKind.DiskFull)]
    [InlineData(nameof(DiskStepKind.FlushFile), 5, FailureKind.Io)]
    public async Task A_failed_append_or_flush_fails_the_group_and_poisons_the_store(
        string step, int errno, FailureKind kind)
    {
        bool failing = false;
        Disk disk = new()
        {
            BeforeStep = s =>
            {
                if (failing && s.Kind.ToString() == step)
                {
                    failing = false;
                    throw new IOException("injected", errno);
                }
            },
        };
        await using LoggedStore logged = new(disk: disk);
        await logged.PutAsync("a", "1", Durability.Sync);
        failing = true;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => logged.PutAsync("b", "2", Durability.Sync));
        StorageException later = await Assert.ThrowsAsync<StorageException>(
            () => logged.PutAsync("c", "3", Durability.Sync));

        Assert.Equal(kind, failure.Kind);
        Assert.Contains(logged.Files[0], failure.Message, StringComparison.Ordinal);
        Assert.Equal(FailureKind.Poisoned, later.Kind);
        Assert.Null(TestStore.Get(logged.Store, "b"));
        await logged.ReopenAsync();
        await logged.PutAsync("d", "4", Durability.Sync);
        Assert.Equal(["1 put a=1", "2 put d=4"], LoggedStore.Show(logged.Read()));
    }

    [Fact]
    public async Task Something_that_writes_past_the_writer_poisons_the_store()
    {
        using TestCommit commit = new() { Fault = _ => null };
        SecondWriter second = new();
        await using LoggedStore logged = new(seams: new LocalStoreSeams { Commit = second });
        await logged.PutAsync("a", "1", Durability.Sync);
        second.Twice = true;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => logged.PutAsync("b", "2", Durability.Sync));

        Assert.Equal(FailureKind.Internal, failure.Kind);
        Assert.False(logged.Store.Health.IsHealthy);
    }

    private sealed class SecondWriter : IWriteCommit
    {
        public bool Twice { get; set; }

        public void Commit(RocksDatabase database, WriteBatch batch, bool sync)
        {
            database.Write(batch, WriteOptions.Buffered);
            if (Twice)
            {
                database.Write(batch, WriteOptions.Buffered);
            }
        }
    }
}
