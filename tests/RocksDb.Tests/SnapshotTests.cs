using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class SnapshotTests
{
    [Fact]
    public void A_snapshot_reads_its_moment_through_every_kind_of_read()
    {
        using TestStore store = new();
        store.Put("k", "before");
        store.Put("gone", "before");
        using ReadSnapshot snapshot = store.Database.NewSnapshot();
        using ReadOptions then = new() { Snapshot = snapshot };

        store.Put("k", "after");
        store.Put("new", "after");
        store.Database.Delete(store.Family, Bytes("gone"), WriteOptions.Buffered);
        store.Database.Flush();
        store.Database.CompactRange(store.Family);

        Assert.Equal("before", store.Database.Text("k", then));
        Assert.Null(store.Database.Text("new", then));
        using PinnedValue pinned = store.Database.GetPinned(store.Family, Bytes("gone"), then);
        Assert.Equal(Bytes("before"), pinned.Span.ToArray());
        using MultiGetResult many = store.Database.MultiGet(store.Family, [Bytes("k"), Bytes("new")], then);
        Assert.True(many.TryGet(0, out ReadOnlySpan<byte> value));
        Assert.Equal(Bytes("before"), value.ToArray());
        Assert.False(many.TryGet(1, out _));
        using Iterator iterator = store.Database.NewIterator(store.Family, then);
        Assert.Equal(["gone", "k"], iterator.Keys());
        Assert.Equal("after", store.Get("k"));
    }

    [Fact]
    public void Its_sequence_is_that_of_the_last_write_before_it()
    {
        using TestStore store = new();
        store.Put("a", "1");
        store.Put("b", "2");

        using ReadSnapshot snapshot = store.Database.NewSnapshot();
        store.Put("c", "3");

        Assert.Equal(2UL, snapshot.Sequence);
    }

    [Fact]
    public async Task Its_sequence_is_exact_while_others_write()
    {
        // Write number n puts the number n, so a snapshot at sequence s must read s.
        using TestStore store = new();
        RocksDatabase database = store.Database;
        using CancellationTokenSource stop = new();
        Task writer = Task.Run(() =>
        {
            for (ulong n = 1; !stop.IsCancellationRequested; n++)
            {
                database.Put(database.DefaultColumnFamily, "n"u8, BitConverter.GetBytes(n), WriteOptions.Buffered);
            }
        });

        for (int i = 0; i < 500; i++)
        {
            using ReadSnapshot snapshot = database.NewSnapshot();
            using ReadOptions then = new() { Snapshot = snapshot };
            using PinnedValue value = database.GetPinned(database.DefaultColumnFamily, "n"u8, then);
            Assert.Equal(snapshot.Sequence, value.Found ? BitConverter.ToUInt64(value.Span) : 0);
        }

        await stop.CancelAsync();
        await writer;
    }

    [Fact]
    public void A_snapshot_of_another_database_is_refused()
    {
        using TestStore store = new();
        using TestStore other = new();
        using ReadSnapshot foreign = other.Database.NewSnapshot();
        using ReadOptions options = new() { Snapshot = foreign };

        Assert.Throws<ArgumentException>(() => store.Database.Text("k", options));
        Assert.Throws<ArgumentException>(() => store.Database.NewIterator(store.Family, options));
    }

    [Fact]
    public void Reading_at_a_disposed_snapshot_is_an_exception()
    {
        using TestStore store = new();
        ReadSnapshot snapshot = store.Database.NewSnapshot();
        using ReadOptions options = new() { Snapshot = snapshot };
        Assert.Null(store.Database.Text("k", options));

        snapshot.Dispose();

        Assert.Throws<ObjectDisposedException>(() => store.Database.Text("k", options));
        options.Snapshot = null;
        Assert.Null(store.Database.Text("k", options));
    }
}
