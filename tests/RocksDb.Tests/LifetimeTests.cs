using System.Reflection;
using System.Runtime.CompilerServices;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class LifetimeTests
{
    public static TheoryData<int> Seeds() => [.. Enumerable.Range(0, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Disposing_in_any_order_is_safe_and_frees_the_directory(int seed)
    {
        // Forty shuffles of nine objects; every object is the first one in some of them.
        const int Objects = 9;
        int[] order = [.. Enumerable.Range(0, Objects)];
        new Random(seed).Shuffle(order);
        int first = seed % Objects;
        (order[0], order[Array.IndexOf(order, first)]) = (first, order[0]);
        using TestStore store = new(open: false);
        BlockCache cache = new(1 << 20);
        RocksDatabase database = RocksDatabase.Open(
            store.Directory, new DatabaseOptions { CreateIfMissing = true, BlockCache = cache });
        database.Set("k", "v");
        database.Flush();
        ReadSnapshot snapshot = database.NewSnapshot();
        ReadOptions options = new() { Snapshot = snapshot, LowerBound = Bytes("a"), UpperBound = Bytes("z") };
        Iterator iterator = database.NewIterator(database.DefaultColumnFamily, options);
        PinnedValue pinned = database.GetPinned(database.DefaultColumnFamily, Bytes("k"));
        MultiGetResult many = database.MultiGet(database.DefaultColumnFamily, [Bytes("k")]);
        WriteBatch batch = new();
        batch.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("w"));
        WriteOptions unsynced = new();
        database.Write(batch, unsynced);
        IDisposable[] all = [database, iterator, snapshot, options, pinned, many, batch, cache, unsynced];

        HashSet<IDisposable> disposed = [];

        foreach (int index in order)
        {
            all[index].Dispose();
            all[index].Dispose(); // Twice is once.
            disposed.Add(all[index]);

            // Whatever is left of the readers still reads: they keep open what they need.
            if (!disposed.Contains(iterator))
            {
                Assert.Equal(["k"], iterator.Keys());
            }

            if (!disposed.Contains(pinned))
            {
                Assert.Equal(Bytes("v"), pinned.Span.ToArray());
            }

            if (!disposed.Contains(many))
            {
                Assert.True(many.TryGet(0, out ReadOnlySpan<byte> value));
                Assert.Equal(Bytes("v"), value.ToArray());
            }
        }

        using RocksDatabase again = RocksDatabase.Open(store.Directory, new DatabaseOptions());
        Assert.Equal("w", again.Text("k"));
    }

    [Fact]
    public void A_disposed_database_with_an_open_iterator_refuses_calls_and_keeps_its_lock()
    {
        using TestStore store = new();
        store.Put("k", "v");
        Iterator iterator = store.Database.NewIterator(store.Family);

        store.Database.Dispose();

        Assert.True(store.Database.IsDisposed);
        Assert.Throws<ObjectDisposedException>(() => store.Database.LatestSequence);
        Assert.Equal(["k"], iterator.Keys());
        RocksDbException held = Assert.Throws<RocksDbException>(() => RocksDatabase.Open(store.Directory, Creating()));
        Assert.Equal(RocksDbStatus.LockHeld, held.Status);
        iterator.Dispose();
        RocksDatabase.Open(store.Directory, Creating()).Dispose();
    }

    [Fact]
    public void Every_member_of_a_disposed_object_throws()
    {
        using TestStore store = new();
        RocksDatabase database = store.Database;
        database.Set("k", "v");
        ColumnFamily family = database.DefaultColumnFamily;
        Iterator iterator = database.NewIterator(family);
        ReadSnapshot snapshot = database.NewSnapshot();
        PinnedValue pinned = database.GetPinned(family, Bytes("k"));
        MultiGetResult many = database.MultiGet(family, [Bytes("k")]);
        BlockCache cache = new(1 << 20);
        WriteBatch batch = new();
        ReadOptions readOptions = new();
        WriteOptions writeOptions = new();
        foreach (IDisposable each in new IDisposable[]
                 {
                     iterator, snapshot, pinned, many, cache, batch, readOptions, writeOptions,
                 })
        {
            each.Dispose();
        }

        Assert.Throws<ObjectDisposedException>(() => database.Text("k", readOptions));
        Assert.Throws<ObjectDisposedException>(() => database.Delete(family, default, writeOptions));
        Assert.Throws<ObjectDisposedException>(() => database.Write(batch, WriteOptions.Buffered));
        Assert.Throws<ObjectDisposedException>(
            () => RocksDatabase.Open(
                store.Below("x"), new DatabaseOptions { CreateIfMissing = true, BlockCache = cache }));
        database.Dispose();
        AssertAllThrow(typeof(RocksDatabase), UseAfterDispose.Of(database, family, store.Below("checkpoint")));
        AssertAllThrow(typeof(Iterator), UseAfterDispose.Of(iterator));
        AssertAllThrow(typeof(WriteBatch), UseAfterDispose.Of(batch, family));
        AssertAllThrow(typeof(BlockCache), UseAfterDispose.Of(cache));
        AssertAllThrow(typeof(ReadOptions), UseAfterDispose.Of(readOptions));
        AssertAllThrow(typeof(PinnedValue), new(StringComparer.Ordinal) { ["Span"] = () => _ = pinned.Span.Length });
        AssertAllThrow(
            typeof(MultiGetResult), new(StringComparer.Ordinal) { ["TryGet"] = () => many.TryGet(0, out _) });
    }

    [Fact]
    public void Abandoned_objects_are_finalized_in_any_order_and_free_the_directory()
    {
        using TestStore store = new(open: false);

        Abandon(store.Directory);
        for (int i = 0; i < 10 && IsLocked(store.Directory); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(IsLocked(store.Directory));
    }

    [Fact]
    public void Abandoned_transactions_and_log_iterators_are_finalized_and_free_the_directory()
    {
        using TestStore store = new(open: false);

        AbandonTransactions(store.Directory);
        for (int i = 0; i < 10 && IsLocked(store.Directory); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(IsLocked(store.Directory));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AbandonTransactions(string directory)
    {
        RocksDatabase database = RocksDatabase.OpenPessimistic(directory, Creating());
        database.Set("k", "v");
        Transaction transaction = database.BeginTransaction(new WriteOptions(), new() { SetSnapshot = true });
        transaction.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("w"));
        ReadOptions options = new() { Snapshot = transaction.Snapshot };
        transaction.NewIterator(database.DefaultColumnFamily, options).SeekToFirst();
        Assert.True(database.GetUpdatesSince(1).MoveNext());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Abandon(string directory)
    {
        RocksDatabase database = RocksDatabase.Open(directory, Creating());
        database.Set("k", "v");
        ReadOptions options = new() { Snapshot = database.NewSnapshot() };
        database.NewIterator(database.DefaultColumnFamily, options).SeekToFirst();
        database.GetPinned(database.DefaultColumnFamily, Bytes("k"));
        database.MultiGet(database.DefaultColumnFamily, [Bytes("k")]);
    }

    private static bool IsLocked(string directory)
    {
        try
        {
            RocksDatabase.Open(directory, new DatabaseOptions()).Dispose();
            return false;
        }
        catch (RocksDbException failure) when (failure.Status == RocksDbStatus.LockHeld)
        {
            return true;
        }
    }

    private static bool Throws(Action use)
    {
        try
        {
            use();
            return false;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    /// <summary>The table must have every public member of the type that uses the native object.</summary>
    private static void AssertAllThrow(Type type, Dictionary<string, Action> uses)
    {
        string[] harmless =
        [
            "Dispose", "IsDisposed", "IsKeptOpen", "Path", "DefaultColumnFamily", "Count", "Found", "TransactionKind",
        ];
        const BindingFlags Own = BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        IEnumerable<string> properties = type.GetProperties(Own).Select(property => property.Name);
        IEnumerable<string> methods = type.GetMethods(Own).Where(method => !method.IsSpecialName).Select(m => m.Name);
        HashSet<string> known =
            new(uses.Keys.Select(use => use.Split(' ')[0]).Concat(harmless), StringComparer.Ordinal);
        string[] missing = [.. properties.Concat(methods).Where(name => !known.Contains(name))];
        Assert.Empty(missing);

        string[] silent = [.. uses.Where(use => !Throws(use.Value)).Select(use => $"{type.Name}.{use.Key}")];
        Assert.Empty(silent);
    }
}
