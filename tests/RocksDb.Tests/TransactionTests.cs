using System.Buffers;
using System.Text;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

/// <summary>What both kinds of transaction have in common.</summary>
public sealed class TransactionTests
{
    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_commit_applies_puts_merges_and_deletes_of_several_families(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily other = database.CreateColumnFamily("other");
        database.Set("old", "1");
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);

        transaction.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("v"));
        transaction.Put(other, Bytes("k"), Bytes("w"));
        transaction.Merge(other, Bytes("k"), Bytes("x"));
        transaction.Delete(database.DefaultColumnFamily, Bytes("old"));

        Assert.Null(database.Text("k"));
        Assert.Equal("1", database.Text("old"));
        Assert.Equal("v", Text(transaction, database.DefaultColumnFamily, "k"));
        Assert.Equal("w,x", Text(transaction, other, "k"));
        Assert.Null(Text(transaction, database.DefaultColumnFamily, "old"));
        transaction.Commit();
        Assert.Equal(TransactionState.Committed, transaction.State);
        Assert.Equal("v", database.Text("k"));
        Assert.Equal("w,x", database.Text(other, "k"));
        Assert.Null(database.Text("old"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_rollback_or_a_disposal_applies_nothing(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        using Transaction rolledBack = database.BeginTransaction(WriteOptions.Buffered);
        rolledBack.Put(database.DefaultColumnFamily, Bytes("a"), Bytes("1"));
        rolledBack.Rollback();
        rolledBack.Rollback(); // Again is allowed.
        Transaction disposed = database.BeginTransaction(WriteOptions.Buffered);
        disposed.Put(database.DefaultColumnFamily, Bytes("a"), Bytes("2"));

        disposed.Dispose();
        disposed.Dispose();

        Assert.Null(database.Text("a"));
        Assert.Equal(TransactionState.RolledBack, rolledBack.State);
        Assert.Equal(TransactionState.RolledBack, disposed.State);
        database.Set("a", "3"); // No lock is left.
        Assert.Equal("3", database.Text("a"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Save_points_stack_are_rolled_back_to_and_are_forgotten(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily family = database.DefaultColumnFamily;
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);

        transaction.Put(family, Bytes("k"), Bytes("1"));
        transaction.SetSavePoint();
        transaction.Put(family, Bytes("k"), Bytes("2"));
        transaction.SetSavePoint();
        transaction.Put(family, Bytes("k"), Bytes("3"));
        transaction.SetSavePoint();
        transaction.Put(family, Bytes("k"), Bytes("4"));
        transaction.RollbackToSavePoint();
        Assert.Equal("3", Text(transaction, family, "k"));
        transaction.PopSavePoint();
        Assert.Equal("3", Text(transaction, family, "k"));
        transaction.RollbackToSavePoint(); // To the first one: the second was popped.

        Assert.Equal("1", Text(transaction, family, "k"));
        Assert.Equal(
            RocksDbStatus.NotFound, Assert.Throws<RocksDbException>(transaction.RollbackToSavePoint).Status);
        Assert.Equal(RocksDbStatus.NotFound, Assert.Throws<RocksDbException>(transaction.PopSavePoint).Status);
        transaction.Commit();
        Assert.Equal("1", database.Text("k"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_multi_get_sees_the_transactions_own_writes(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        database.Set("a", "1");
        database.Set("b", "2");
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        transaction.Put(database.DefaultColumnFamily, Bytes("a"), Bytes("own"));
        transaction.Put(database.DefaultColumnFamily, Bytes("empty"), default);

        byte[]?[] values = transaction.MultiGet(
            database.DefaultColumnFamily, [Bytes("a"), Bytes("absent"), Bytes("b"), Bytes("empty")]);

        Assert.Equal([Bytes("own"), null, Bytes("2"), []], values);
        Assert.Empty(transaction.MultiGet(database.DefaultColumnFamily, []));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_iterator_joins_the_database_with_the_transactions_writes_within_its_bounds(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily family = database.DefaultColumnFamily;
        foreach (string key in (string[])["a", "c", "e", "g"])
        {
            database.Set(key, "db");
        }

        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        foreach (string key in (string[])["b", "d", "f", "h"])
        {
            transaction.Put(family, Bytes(key), Bytes("own"));
        }

        transaction.Delete(family, Bytes("c"));
        using TransactionIterator all = transaction.NewIterator(family);
        using ReadOptions bounds = new() { LowerBound = Bytes("b"), UpperBound = Bytes("f") };
        using TransactionIterator some = transaction.NewIterator(family, bounds);

        Assert.Equal("abdefgh", Forward(all));
        Assert.Equal("hgfedba", Backward(all));
        Assert.Equal("bde", Forward(some));
        Assert.Equal("edb", Backward(some));
        some.Seek(Bytes("a"));
        Assert.Equal("b", Encoding.UTF8.GetString(some.Key));
        some.SeekForPrev(Bytes("z"));
        Assert.Equal("e", Encoding.UTF8.GetString(some.Key));
        some.Seek(Bytes("f"));
        Assert.False(some.IsValid);
        Assert.Throws<InvalidOperationException>(() => some.Key.Length);
        Assert.Throws<InvalidOperationException>(some.Next);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_iterator_merges_the_transactions_operands_and_tells_when_the_operator_fails(TransactionKind kind)
    {
        PickyOperator picky = new();
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind, picky);
        ColumnFamily family = database.DefaultColumnFamily;
        database.Set("a", "1");
        database.Set("m", "2");
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        transaction.Merge(family, Bytes("m"), Bytes("+"));
        transaction.Merge(family, Bytes("x"), Bytes("bad"));
        transaction.Put(family, Bytes("z"), Bytes("3"));
        using TransactionIterator iterator = transaction.NewIterator(family);

        iterator.Seek(Bytes("m"));
        Assert.Equal("2+", Encoding.UTF8.GetString(iterator.Value));
        RocksDbException failure = Assert.Throws<RocksDbException>(iterator.Next);
        Assert.Equal(RocksDbStatus.MergeFailed, failure.Status);
        Assert.False(iterator.IsValid);
        Assert.Equal(
            RocksDbStatus.MergeFailed,
            Assert.Throws<RocksDbException>(() => Text(transaction, family, "x")).Status);
        iterator.Seek(Bytes("y"));
        Assert.Equal("3", Encoding.UTF8.GetString(iterator.Value));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_iterator_goes_on_after_writes_in_its_transaction(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily family = database.DefaultColumnFamily;
        for (char key = 'a'; key <= 'f'; key++)
        {
            database.Set(key.ToString(), "db");
        }

        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        using TransactionIterator iterator = transaction.NewIterator(family);
        StringBuilder seen = new();
        for (iterator.SeekToFirst(); iterator.IsValid; iterator.Next())
        {
            // Deletes where it stands and adds right behind, each time with a batch that grows and moves.
            string key = Encoding.UTF8.GetString(iterator.Key);
            seen.Append(key);
            transaction.Delete(family, iterator.Key);
            if (key.Length == 1)
            {
                transaction.Put(family, Bytes(key + "x"), new byte[5_000]);
            }

            Assert.Throws<InvalidOperationException>(() => iterator.Value.Length);
            Assert.Equal(key, Encoding.UTF8.GetString(iterator.Key));
        }

        Assert.Equal("aaxbbxccxddxeexffx", seen.ToString());
        iterator.SeekToFirst();
        Assert.False(iterator.IsValid);
        transaction.Put(family, Bytes("m"), Bytes("1"));
        transaction.Put(family, Bytes("o"), Bytes("1"));
        iterator.SeekToLast();
        transaction.Delete(family, Bytes("o"));
        iterator.Prev();
        Assert.Equal("m", Encoding.UTF8.GetString(iterator.Key));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_iterator_ends_with_its_transaction_and_with_a_rollback_to_a_save_point(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily family = database.DefaultColumnFamily;
        database.Set("a", "1");
        Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        transaction.SetSavePoint();
        transaction.Put(family, Bytes("b"), Bytes("2"));
        TransactionIterator first = transaction.NewIterator(family);
        first.SeekToFirst();

        transaction.RollbackToSavePoint();
        Assert.All(UsesOf(first), static use => Assert.Throws<InvalidOperationException>(use));
        TransactionIterator second = transaction.NewIterator(family);
        Assert.Equal("a", Forward(second));
        transaction.Commit();
        Assert.All(UsesOf(second), static use => Assert.Throws<InvalidOperationException>(use));
        transaction.Dispose();
        Assert.All(UsesOf(second), static use => Assert.Throws<ObjectDisposedException>(use));
        database.Dispose();
        second.Dispose();
        first.Dispose();

        Open(store, kind).Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_has_ended_refuses_every_use(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        Transaction committed = database.BeginTransaction(WriteOptions.Buffered);
        committed.Commit();
        Transaction rolledBack = database.BeginTransaction(WriteOptions.Buffered);
        rolledBack.Rollback();
        Transaction disposed = database.BeginTransaction(WriteOptions.Buffered);
        disposed.Dispose();

        ColumnFamily family = database.DefaultColumnFamily;
        Assert.All(UsesOf(committed, family), static use => Assert.Throws<InvalidOperationException>(use));
        Assert.All(UsesOf(rolledBack, family), static use => Assert.Throws<InvalidOperationException>(use));
        Assert.All(UsesOf(disposed, family), static use => Assert.Throws<ObjectDisposedException>(use));
        Assert.Throws<InvalidOperationException>(committed.Rollback);
        Assert.Throws<ObjectDisposedException>(disposed.Rollback);
        committed.Dispose();
        rolledBack.Dispose();
    }

    [Theory]
    [MemberData(nameof(KindsAndSeeds))]
    public void Disposing_database_transaction_iterator_and_options_in_any_order_is_safe(TransactionKind kind, int seed)
    {
        using TestStore store = new(open: false);
        RocksDatabase database = Open(store, kind);
        database.Set("k", "v");
        WriteOptions write = new();
        Transaction transaction = database.BeginTransaction(write, new TransactionOptions { SetSnapshot = true });
        transaction.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("w"));
        ReadOptions read = new() { Snapshot = transaction.Snapshot, UpperBound = Bytes("z") };
        TransactionIterator iterator = transaction.NewIterator(database.DefaultColumnFamily, read);
        iterator.SeekToFirst();
        Iterator plain = database.NewIterator(database.DefaultColumnFamily, read);
        IDisposable[] all = [database, write, transaction, transaction.Snapshot!, read, iterator, plain];
        new Random(seed).Shuffle(all);

        foreach (IDisposable each in all)
        {
            each.Dispose();
            each.Dispose();
        }

        using RocksDatabase again = Open(store, kind);
        Assert.Equal("v", again.Text("k"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_family_dropped_under_a_transaction_fails_its_commit_and_nothing_else(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily family = database.CreateColumnFamily("f");
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        transaction.Put(family, Bytes("k"), Bytes("v"));
        transaction.Put(database.DefaultColumnFamily, Bytes("k"), Bytes("v"));

        database.DropColumnFamily(family);

        Assert.Throws<ObjectDisposedException>(transaction.Commit);
        Assert.Throws<ObjectDisposedException>(() => transaction.Put(family, Bytes("l"), default));
        transaction.Rollback();
        Assert.Null(database.Text("k"));
        database.Set("k", "w");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_transaction_in_use_refuses_a_second_thread_and_survives_disposal(TransactionKind kind)
    {
        // The operator runs inside the read, which gives a moment to step in.
        using ManualResetEventSlim entered = new();
        using ManualResetEventSlim leave = new();
        WaitingOperator waiting = new(entered, leave);
        using TestStore store = new(open: false);
        RocksDatabase database = Open(store, kind, waiting);
        database.Merge(database.DefaultColumnFamily, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
        Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        ArrayBufferWriter<byte> value = new();

        Task<bool> reading = Task.Run(() => transaction.TryGet(database.DefaultColumnFamily, Bytes("k"), value));
        Assert.True(entered.Wait(Deadline));
        Assert.Throws<InvalidOperationException>(() =>
            transaction.Put(database.DefaultColumnFamily, Bytes("k"), default));
        Assert.Throws<InvalidOperationException>(transaction.Commit);
        transaction.Dispose();
        Assert.Throws<ObjectDisposedException>(transaction.Commit);
        database.Dispose();
        leave.Set();

        Assert.True(await reading.WaitAsync(Deadline));
        Assert.Equal(TransactionState.RolledBack, transaction.State);
        Open(store, kind, waiting).Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_operation_of_a_plain_database_works_beside_transactions(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        ColumnFamily family = database.CreateColumnFamily("f");
        database.Set(family, "a", "1");
        database.Merge(family, Bytes("a"), Bytes("2"), WriteOptions.Sync);
        using WriteBatch batch = new();
        batch.Put(family, Bytes("b"), Bytes("3"));
        batch.Delete(family, Bytes("absent"));
        database.Write(batch, WriteOptions.Buffered);
        database.Delete(family, Bytes("none"), WriteOptions.Buffered);
        using ReadSnapshot snapshot = database.NewSnapshot();
        using ReadOptions atSnapshot = new() { Snapshot = snapshot };
        database.Flush();
        database.FlushWal(sync: true);
        database.CompactRange(family);
        database.CreateCheckpoint(store.Below("copy"), CheckpointFlush.Never);
        using MultiGetResult many = database.MultiGet(family, [Bytes("a"), Bytes("b")]);
        using Iterator iterator = database.NewIterator(family, atSnapshot);
        using WalIterator log = database.GetUpdatesSince(1);

        Assert.Equal(kind, database.TransactionKind);
        Assert.Equal("1,2", database.Text(family, "a"));
        Assert.Equal(["a", "b"], iterator.Keys());
        Assert.True(many.TryGet(1, out _));
        Assert.True(database.LatestSequence >= 5);
        Assert.NotNull(database.GetProperty(family, "rocksdb.stats"));
        Assert.True(database.TryGetIntProperty("rocksdb.num-snapshots", out _));
        Assert.NotEmpty(database.GetLiveFiles());
        Assert.True(database.ApproximateSize(family, Bytes("a"), Bytes("z")) > 0);
        Assert.True(MemoryUsage.Of([database], []).MemtableBytes > 0);
        database.SetOptions(family, new Dictionary<string, string> { ["write_buffer_size"] = "131072" });
        database.DropColumnFamily(family);
        using RocksDatabase copy = RocksDatabase.Open(store.Below("copy"), Options(MergeOperator.Append(Bytes(","))));
        Assert.True(copy.TryGetColumnFamily("f", out ColumnFamily? copied));
        Assert.Equal("3", copy.Text(copied, "b"));
    }

    [Fact]
    public void A_database_opened_without_transactions_begins_none()
    {
        using TestStore store = new();

        InvalidOperationException failure = Assert.Throws<InvalidOperationException>(() =>
            store.Database.BeginTransaction(WriteOptions.Buffered));

        Assert.Contains("OpenOptimistic", failure.Message, StringComparison.Ordinal);
        Assert.Equal(TransactionKind.None, store.Database.TransactionKind);
        store.Database.Dispose();
        Assert.Throws<ObjectDisposedException>(() => store.Database.BeginTransaction(WriteOptions.Buffered));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_opening_that_fails_says_why(TransactionKind kind)
    {
        using TestStore store = new(open: false);

        RocksDbException absent = Assert.Throws<RocksDbException>(() => OpenWith(store, kind, new DatabaseOptions()));
        using RocksDatabase database = Open(store, kind);
        RocksDbException held = Assert.Throws<RocksDbException>(() => Open(store, kind));

        Assert.Equal(RocksDbStatus.PathNotFound, absent.Status);
        Assert.Equal(RocksDbStatus.LockHeld, held.Status);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Reads_and_writes_in_a_transaction_allocate_nothing(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        using Transaction transaction = database.BeginTransaction(WriteOptions.Buffered);
        ArrayBufferWriter<byte> value = new(64);
        byte[] key = Bytes("k");
        Exercise(10);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Exercise(100);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Exercise(int rounds)
        {
            for (int i = 0; i < rounds; i++)
            {
                value.ResetWrittenCount();
                transaction.Put(database.DefaultColumnFamily, key, key);
                transaction.TryGet(database.DefaultColumnFamily, key, value);
                transaction.TryGetForUpdate(database.DefaultColumnFamily, key, value);
                transaction.Delete(database.DefaultColumnFamily, key);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_snapshot_reads_at_the_moment_the_transaction_began(TransactionKind kind)
    {
        using TestStore store = new(open: false);
        using RocksDatabase database = Open(store, kind);
        database.Set("k", "before");
        using Transaction transaction = database.BeginTransaction(
            WriteOptions.Buffered, new TransactionOptions { SetSnapshot = true });
        using Transaction without = database.BeginTransaction(WriteOptions.Buffered);

        database.Set("k", "after");

        using ReadOptions atSnapshot = new() { Snapshot = transaction.Snapshot };
        Assert.Equal(1ul, transaction.Snapshot!.Sequence);
        Assert.Null(without.Snapshot);
        Assert.Equal("before", Text(transaction, database.DefaultColumnFamily, "k", atSnapshot));
        Assert.Equal("after", Text(transaction, database.DefaultColumnFamily, "k"));
        transaction.Dispose();
        Assert.Throws<ObjectDisposedException>(() => database.Text("k", atSnapshot));
    }

    public static TheoryData<TransactionKind> Kinds() => [TransactionKind.Optimistic, TransactionKind.Pessimistic];

    public static TheoryData<TransactionKind, int> KindsAndSeeds()
    {
        TheoryData<TransactionKind, int> data = [];
        for (int seed = 0; seed < 15; seed++)
        {
            data.Add(seed % 2 == 0 ? TransactionKind.Optimistic : TransactionKind.Pessimistic, seed);
        }

        return data;
    }

    internal static RocksDatabase Open(TestStore store, TransactionKind kind, MergeOperator? mergeOperator = null) =>
        OpenWith(store, kind, Options(mergeOperator ?? MergeOperator.Append(Bytes(","))));

    internal static string? Text(
        Transaction transaction, ColumnFamily family, string key, ReadOptions? options = null)
    {
        ArrayBufferWriter<byte> value = new();
        return transaction.TryGet(family, Bytes(key), value, options)
            ? Encoding.UTF8.GetString(value.WrittenSpan)
            : null;
    }

    private static DatabaseOptions Options(MergeOperator mergeOperator) => MergeTests.With(mergeOperator);

    private static RocksDatabase OpenWith(TestStore store, TransactionKind kind, DatabaseOptions options) =>
        kind == TransactionKind.Optimistic
            ? RocksDatabase.OpenOptimistic(store.Directory, options)
            : RocksDatabase.OpenPessimistic(store.Directory, options);

    private static string Forward(TransactionIterator iterator)
    {
        StringBuilder keys = new();
        for (iterator.SeekToFirst(); iterator.IsValid; iterator.Next())
        {
            Assert.False(iterator.Value.IsEmpty);
            keys.Append(Encoding.UTF8.GetString(iterator.Key));
        }

        return keys.ToString();
    }

    private static string Backward(TransactionIterator iterator)
    {
        StringBuilder keys = new();
        for (iterator.SeekToLast(); iterator.IsValid; iterator.Prev())
        {
            keys.Append(Encoding.UTF8.GetString(iterator.Key));
        }

        return keys.ToString();
    }

    private static Action[] UsesOf(TransactionIterator iterator) =>
    [
        () => _ = iterator.IsValid, () => _ = iterator.Key.Length, () => _ = iterator.Value.Length,
        iterator.SeekToFirst, iterator.SeekToLast, () => iterator.Seek(default), () => iterator.SeekForPrev(default),
        iterator.Next, iterator.Prev,
    ];

    private static Action[] UsesOf(Transaction transaction, ColumnFamily family) =>
    [
        () => transaction.Put(family, default, default), () => transaction.Merge(family, default, default),
        () => transaction.Delete(family, default), transaction.Commit, transaction.SetSavePoint,
        transaction.RollbackToSavePoint, transaction.PopSavePoint, () => transaction.NewIterator(family),
        () => transaction.TryGet(family, default, new ArrayBufferWriter<byte>()),
        () => transaction.TryGetForUpdate(family, default, new ArrayBufferWriter<byte>()),
        () => transaction.MultiGet(family, [Bytes("k")]),
    ];

    /// <summary>Appends, but not "bad".</summary>
    private sealed class PickyOperator : MergeOperator
    {
        public override string Name => "test.picky";

        public override bool TryMerge(
            ReadOnlySpan<byte> key,
            bool exists,
            ReadOnlySpan<byte> existing,
            MergeOperands operands,
            IBufferWriter<byte> result)
        {
            result.Write(existing);
            result.Write(operands[0]);
            return !operands[0].SequenceEqual("bad"u8);
        }
    }

    private sealed class WaitingOperator(ManualResetEventSlim entered, ManualResetEventSlim leave) : MergeOperator
    {
        public override string Name => "test.waiting";

        public override bool TryMerge(
            ReadOnlySpan<byte> key,
            bool exists,
            ReadOnlySpan<byte> existing,
            MergeOperands operands,
            IBufferWriter<byte> result)
        {
            entered.Set();
            return leave.Wait(Deadline);
        }
    }
}
