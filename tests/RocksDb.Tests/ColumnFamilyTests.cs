using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class ColumnFamilyTests
{
    [Fact]
    public void A_new_database_has_the_default_family_alone()
    {
        using TestStore store = new();

        Assert.Equal(["default"], Names(store.Database));
        Assert.Equal("default", store.Family.Name);
        Assert.Equal(0U, store.Family.Id);
        Assert.Equal("default", store.Family.ToString());
    }

    [Fact]
    public void Families_are_separate_and_all_of_them_open_again()
    {
        using TestStore store = new();
        ColumnFamily one = store.Database.CreateColumnFamily("one");
        ColumnFamily two = store.Database.CreateColumnFamily("zwei – 二");
        store.Database.Set(one, "k", "1");
        store.Database.Set(two, "k", "2");

        store.Open();

        Assert.Equal(["default", "one", "zwei – 二"], Names(store.Database));
        Assert.True(store.Database.TryGetColumnFamily("zwei – 二", out ColumnFamily? reopened));
        Assert.Equal("2", store.Database.Text(reopened, "k"));
        Assert.Null(store.Get("k"));
        Assert.False(store.Database.TryGetColumnFamily("three", out _));
        Assert.Equal(["default", "one", "zwei – 二"], RocksDatabase.ListColumnFamilies(store.Directory));
    }

    [Fact]
    public void A_dropped_family_is_gone_for_good_and_its_name_is_free()
    {
        using TestStore store = new();
        ColumnFamily family = store.Database.CreateColumnFamily("f");
        store.Database.Set(family, "k", "old");

        store.Database.DropColumnFamily(family);
        bool closed = family.IsClosed;
        ColumnFamily again = store.Database.CreateColumnFamily("f");

        Assert.True(closed);
        Assert.Throws<ObjectDisposedException>(() => store.Database.Text(family, "k"));
        Assert.Throws<ObjectDisposedException>(() => store.Database.DropColumnFamily(family));
        Assert.Null(store.Database.Text(again, "k"));
        Assert.NotEqual(family.Id, again.Id);
        store.Open();
        Assert.Equal(["default", "f"], Names(store.Database));
    }

    [Fact]
    public void Readers_of_a_dropped_family_finish()
    {
        using TestStore store = new();
        ColumnFamily family = store.Database.CreateColumnFamily("f");
        store.Database.Set(family, "a", "1");
        store.Database.Flush(family);
        store.Database.Set(family, "b", "2");
        using Iterator iterator = store.Database.NewIterator(family);
        using PinnedValue pinned = store.Database.GetPinned(family, Bytes("a"));

        store.Database.DropColumnFamily(family);
        store.Database.CompactRange(store.Family);

        Assert.Equal(["a", "b"], iterator.Keys());
        Assert.Equal(Bytes("1"), pinned.Span.ToArray());
        Assert.Throws<ObjectDisposedException>(iterator.Refresh);
    }

    [Fact]
    public void Creating_an_existing_family_and_dropping_the_default_one_are_invalid()
    {
        using TestStore store = new();
        store.Database.CreateColumnFamily("f");

        RocksDbException twice = Assert.Throws<RocksDbException>(() => store.Database.CreateColumnFamily("f"));
        RocksDbException drop = Assert.Throws<RocksDbException>(() => store.Database.DropColumnFamily(store.Family));

        Assert.Equal(RocksDbStatus.InvalidArgument, twice.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, drop.Status);
        Assert.Contains("'f'", twice.Message, StringComparison.Ordinal);
        Assert.False(store.Family.IsClosed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("with\0zero")]
    public void Names_that_cannot_cross_the_border_are_refused(string name)
    {
        using TestStore store = new();

        Assert.Throws<ArgumentException>(() => store.Database.CreateColumnFamily(name));
    }

    [Fact]
    public void A_family_of_another_database_is_refused_everywhere()
    {
        using TestStore store = new();
        using TestStore other = new();
        ColumnFamily foreign = other.Family;
        RocksDatabase database = store.Database;

        Assert.Throws<ArgumentException>(() => database.Text(foreign, "k"));
        Assert.Throws<ArgumentException>(() => database.Set(foreign, "k", "v"));
        Assert.Throws<ArgumentException>(() => database.GetPinned(foreign, default));
        Assert.Throws<ArgumentException>(() => database.MultiGet(foreign, []));
        Assert.Throws<ArgumentException>(() => database.NewIterator(foreign));
        Assert.Throws<ArgumentException>(() => database.Flush(foreign));
        Assert.Throws<ArgumentException>(() => database.CompactRange(foreign));
        Assert.Throws<ArgumentException>(() => database.DropColumnFamily(foreign));
        Assert.Throws<ArgumentException>(() => database.GetProperty(foreign, "rocksdb.stats"));
    }

    [Fact]
    public void Missing_families_are_made_when_asked_and_refused_when_not()
    {
        using TestStore store = new(open: false);
        DatabaseOptions creating = Creating();
        creating.CreateMissingColumnFamilies = true;
        ColumnFamilyDescriptor[] families = [new("a"), new("b", new ColumnFamilyOptions { BloomBitsPerKey = 0 })];
        using (RocksDatabase made = RocksDatabase.Open(store.Directory, creating, families))
        {
            Assert.Equal(["a", "b", "default"], Names(made));
        }

        RocksDbException missing = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, new DatabaseOptions(), [.. families, new("c")]));
        RocksDbException fewer = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, new DatabaseOptions(), [new("a")]));
        Assert.Throws<ArgumentException>(
            () => RocksDatabase.Open(store.Directory, new DatabaseOptions(), [new("a"), new("a")]));

        Assert.Equal(RocksDbStatus.InvalidArgument, missing.Status);
        Assert.Equal(RocksDbStatus.InvalidArgument, fewer.Status);
    }

    [Fact]
    public void Families_made_and_dropped_by_many_threads_are_all_accounted_for()
    {
        using TestStore store = new();
        RocksDatabase database = store.Database;

        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            ColumnFamily family = database.CreateColumnFamily($"f{i}");
            database.Set(family, "k", $"{i}");
            if (i % 2 == 0)
            {
                database.DropColumnFamily(family);
            }
        });

        string[] kept = [.. Enumerable.Range(0, 16).Where(i => i % 2 == 1).Select(i => $"f{i}").Append("default")];
        string[] listed = [.. RocksDatabase.ListColumnFamilies(store.Directory)];
        Array.Sort(kept, StringComparer.Ordinal);
        Array.Sort(listed, StringComparer.Ordinal);
        Assert.Equal(kept, Names(database));
        Assert.Equal(kept, listed);
    }

    private static string[] Names(RocksDatabase database) => [.. database.ColumnFamilies.Select(family => family.Name)];
}
