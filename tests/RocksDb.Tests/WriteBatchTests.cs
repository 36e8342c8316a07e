using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class WriteBatchTests
{
    [Fact]
    public void A_batch_applies_its_writes_in_order_across_families()
    {
        using TestStore store = new();
        ColumnFamily other = store.Database.CreateColumnFamily("other");
        store.Put("gone", "1");
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("k"), Bytes("first"));
        batch.Put(store.Family, Bytes("k"), Bytes("second"));
        batch.Put(other, Bytes("k"), Bytes("elsewhere"));
        batch.Delete(store.Family, Bytes("gone"));
        batch.Put(store.Family, Bytes("r1"), Bytes("1"));
        batch.DeleteRange(store.Family, Bytes("r"), Bytes("s"));

        store.Database.Write(batch, WriteOptions.Sync);

        Assert.Equal(6, batch.Count);
        Assert.Equal("second", store.Get("k"));
        Assert.Equal("elsewhere", store.Database.Text(other, "k"));
        Assert.Null(store.Get("gone"));
        Assert.Null(store.Get("r1"));
    }

    [Fact]
    public void Nothing_of_a_batch_is_visible_before_it_is_written()
    {
        using TestStore store = new();
        using WriteBatch batch = new();

        batch.Put(store.Family, Bytes("k"), Bytes("v"));

        Assert.Null(store.Get("k"));
    }

    [Fact]
    public void A_cleared_batch_is_empty_and_can_be_used_again()
    {
        using TestStore store = new();
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("k"), Bytes("v"));
        long filled = batch.DataBytes;

        batch.Clear();
        int cleared = batch.Count;
        long empty = batch.DataBytes;
        batch.Put(store.Family, Bytes("l"), Bytes("v"));
        store.Database.Write(batch, WriteOptions.Buffered);

        Assert.Equal(0, cleared);
        Assert.True(empty < filled);
        Assert.Null(store.Get("k"));
        Assert.Equal("v", store.Get("l"));
    }

    [Fact]
    public void Save_points_stack_and_roll_back()
    {
        using TestStore store = new();
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("a"), Bytes("1"));
        batch.SetSavePoint();
        batch.Put(store.Family, Bytes("b"), Bytes("1"));
        batch.SetSavePoint();
        batch.Put(store.Family, Bytes("c"), Bytes("1"));
        batch.PopSavePoint();

        batch.RollbackToSavePoint();

        Assert.Equal(1, batch.Count);
        RocksDbException rollback = Assert.Throws<RocksDbException>(batch.RollbackToSavePoint);
        RocksDbException pop = Assert.Throws<RocksDbException>(batch.PopSavePoint);
        Assert.Equal(RocksDbStatus.NotFound, rollback.Status);
        Assert.Equal(RocksDbStatus.NotFound, pop.Status);
    }

    [Fact]
    public void Data_for_the_log_alone_changes_no_key_and_is_not_counted()
    {
        using TestStore store = new();
        using WriteBatch batch = new();

        batch.PutLogData(Bytes("origin: test"));
        store.Database.Write(batch, WriteOptions.Buffered);

        Assert.Equal(0, batch.Count);
        Assert.Contains("origin: test", System.Text.Encoding.UTF8.GetString(batch.Data), StringComparison.Ordinal);
        Assert.Equal(0UL, store.Database.LatestSequence);
    }

    [Fact]
    public void A_batch_with_a_family_that_was_dropped_is_refused_whole()
    {
        using TestStore store = new();
        ColumnFamily dropped = store.Database.CreateColumnFamily("dropped");
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("k"), Bytes("v"));
        batch.Put(dropped, Bytes("k"), Bytes("v"));
        store.Database.DropColumnFamily(dropped);

        Assert.Throws<ObjectDisposedException>(() => store.Database.Write(batch, WriteOptions.Buffered));

        Assert.Null(store.Get("k"));
        store.Database.DropColumnFamily(store.Database.CreateColumnFamily("dropped")); // No writer was left inside.
    }

    [Fact]
    public void A_batch_of_many_families_counts_each_write()
    {
        using TestStore store = new();
        ColumnFamily[] families =
            [.. Enumerable.Range(0, 5).Select(i => store.Database.CreateColumnFamily($"f{i}")), store.Family];
        using WriteBatch batch = new();
        for (int i = 0; i < 30; i++)
        {
            batch.Put(families[i % families.Length], [(byte)i], [(byte)i]);
        }

        store.Database.Write(batch, WriteOptions.Buffered);

        Assert.All(Enumerable.Range(0, 30), i => Assert.True(
            store.Database.Contains(families[i % families.Length], [(byte)i])));
    }

    [Fact]
    public void A_batch_for_one_database_is_refused_by_another_until_it_is_cleared()
    {
        using TestStore one = new();
        using TestStore two = new();
        using WriteBatch batch = new();
        batch.Put(one.Family, Bytes("k"), Bytes("v"));

        Assert.Throws<ArgumentException>(() => two.Database.Write(batch, WriteOptions.Buffered));
        Assert.Throws<ArgumentException>(() => batch.Put(two.Family, Bytes("k"), Bytes("v")));
        batch.Clear();
        batch.Put(two.Family, Bytes("k"), Bytes("v"));
        two.Database.Write(batch, WriteOptions.Buffered);

        Assert.Equal("v", two.Get("k"));
    }

    [Fact]
    public void Empty_keys_and_values_go_through_a_batch()
    {
        using TestStore store = new();
        using WriteBatch batch = new();

        batch.Put(store.Family, default, default);
        batch.PutLogData(default);
        store.Database.Write(batch, WriteOptions.Buffered);
        bool there = store.Database.Contains(store.Family, default);
        batch.Clear();
        batch.Delete(store.Family, default);
        store.Database.Write(batch, WriteOptions.Buffered);

        Assert.True(there);
        Assert.False(store.Database.Contains(store.Family, default));
    }
}
