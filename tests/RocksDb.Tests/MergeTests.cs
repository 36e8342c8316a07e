using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using Branching.RocksDb.Interop;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class MergeTests
{
    [Fact]
    public void Sums_of_operands_are_read_from_memory_from_files_and_after_a_reopen()
    {
        using TestStore store = new(With(MergeOperator.Int64Add));
        Add(store, "counter", 5);
        Add(store, "counter", -7);
        Assert.Equal(-2, Number(store, "counter"));

        store.Database.Flush();
        Add(store, "counter", 100);
        Assert.Equal(98, Number(store, "counter"));

        store.Open(With(MergeOperator.Int64Add));
        Assert.Equal(98, Number(store, "counter"));

        store.Database.Flush();
        store.Database.CompactRange(store.Family);
        Assert.Equal(98, Number(store, "counter"));
    }

    [Theory]
    [InlineData(long.MaxValue, 1, long.MinValue)]
    [InlineData(long.MinValue, -1, long.MaxValue)]
    [InlineData(0, 0, 0)]
    public void A_sum_wraps_around_at_64_bits(long value, long operand, long sum)
    {
        using TestStore store = new(With(MergeOperator.Int64Add));
        store.Database.Put(store.Family, Bytes("k"), Encoded(value), WriteOptions.Buffered);

        Add(store, "k", operand);

        Assert.Equal(sum, Number(store, "k"));
    }

    [Fact]
    public void A_value_that_is_no_number_counts_as_zero_and_an_operand_that_is_none_is_refused()
    {
        using TestStore store = new(With(MergeOperator.Int64Add));
        store.Put("k", "seven");

        Add(store, "k", 7);
        ArgumentException refused = Assert.Throws<ArgumentException>(() =>
            store.Database.Merge(store.Family, Bytes("k"), Bytes("1"), WriteOptions.Buffered));

        Assert.Equal(7, Number(store, "k"));
        Assert.Contains("this one has 1", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "ab", "xab")]
    [InlineData(",", "a,b", "x,a,b")]
    public void Operands_are_appended_in_order_with_the_delimiter_between(string delimiter, string alone, string after)
    {
        using TestStore store = new(With(MergeOperator.Append(Bytes(delimiter))));
        store.Put("there", "x");
        foreach (string key in (string[])["there", "absent"])
        {
            store.Database.Merge(store.Family, Bytes(key), Bytes("a"), WriteOptions.Buffered);
            store.Database.Flush();
            store.Database.Merge(store.Family, Bytes(key), Bytes("b"), WriteOptions.Buffered);
        }

        Assert.Equal(alone, store.Get("absent"));
        Assert.Equal(after, store.Get("there"));
        store.Database.CompactRange(store.Family);
        Assert.Equal(alone, store.Get("absent"));
        Assert.Equal(after, store.Get("there"));
    }

    [Fact]
    public void A_batch_merges_puts_and_deletes_in_its_order()
    {
        using TestStore store = new(With(MergeOperator.Append(Bytes(","))));
        using WriteBatch batch = new();
        batch.Merge(store.Family, Bytes("k"), Bytes("lost"));
        batch.Delete(store.Family, Bytes("k"));
        batch.Merge(store.Family, Bytes("k"), Bytes("a"));
        batch.Merge(store.Family, Bytes("k"), Bytes("b"));

        store.Database.Write(batch, WriteOptions.Buffered);

        Assert.Equal(4, batch.Count);
        Assert.Equal("a,b", store.Get("k"));
    }

    [Fact]
    public void A_family_without_an_operator_refuses_before_anything_is_written()
    {
        using TestStore store = new();
        using WriteBatch batch = new();

        InvalidOperationException direct = Assert.Throws<InvalidOperationException>(() =>
            store.Database.Merge(store.Family, Bytes("k"), Bytes("v"), WriteOptions.Buffered));
        Assert.Throws<InvalidOperationException>(() => batch.Merge(store.Family, Bytes("k"), Bytes("v")));

        Assert.Contains("'default' has no merge operator", direct.Message, StringComparison.Ordinal);
        Assert.Null(store.Family.MergeOperator);
        Assert.Equal(0ul, store.Database.LatestSequence);
        store.Put("k", "v"); // RocksDB would have logged the operand and refused every write since.
    }

    [Fact]
    public unsafe void RocksDB_itself_logs_the_operand_of_a_batch_and_refuses_every_write_from_then_on()
    {
        using TestStore store = new();
        using WriteBatch batch = new();
        batch.Put(store.Family, Bytes("k"), default); // Tells the batch its family.
        fixed (byte* k = Bytes("k"))
        {
            Native.rocksdb_writebatch_merge_cf(batch.Handle, store.Family.Handle, k, 1, k, 1);
        }

        RocksDbException first = Assert.Throws<RocksDbException>(() =>
            store.Database.Write(batch, WriteOptions.Buffered));
        RocksDbException second = Assert.Throws<RocksDbException>(() => store.Put("k", "v"));

        Assert.Contains("merge_operator", first.Message, StringComparison.Ordinal);
        Assert.Contains("merge_operator", second.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_family_made_while_open_has_its_operator()
    {
        using TestStore store = new();
        ColumnFamily family = store.Database.CreateColumnFamily(
            "sums", new ColumnFamilyOptions { MergeOperator = MergeOperator.Append() });

        store.Database.Merge(family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
        store.Database.Merge(family, Bytes("k"), Bytes("b"), WriteOptions.Buffered);

        Assert.Equal("ab", store.Database.Text(family, "k"));
        Assert.Same(MergeOperator.Append().GetType(), family.MergeOperator!.GetType());
    }

    [Fact]
    public void Opening_without_the_operator_or_with_another_is_refused_by_name()
    {
        using TestStore store = new(With(MergeOperator.Append(Bytes(","))));
        store.Database.Merge(store.Family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
        store.Database.Dispose();

        RocksDbException without = Assert.Throws<RocksDbException>(() => store.Open());
        RocksDbException other = Assert.Throws<RocksDbException>(() => store.Open(With(MergeOperator.Int64Add)));
        RocksDbException readOnly = Assert.Throws<RocksDbException>(() =>
            RocksDatabase.OpenReadOnly(store.Directory, new DatabaseOptions()));

        Assert.All([without, other, readOnly], static failure =>
        {
            Assert.Equal(RocksDbStatus.InvalidArgument, failure.Status);
            Assert.Contains("merge operator 'branching.append.2c'", failure.Message, StringComparison.Ordinal);
        });
        Assert.Contains("with 'branching.int64-add'", other.Message, StringComparison.Ordinal);
        store.Open(With(MergeOperator.Append(Bytes(","))));
        Assert.Equal("a", store.Get("k"));
    }

    [Theory]
    [InlineData(WalRecoveryMode.AbsoluteConsistency)]
    [InlineData(WalRecoveryMode.PointInTime)]
    public void RocksDB_itself_fails_or_loses_the_log_when_it_replays_operands_without_an_operator(WalRecoveryMode mode)
    {
        // Why the binding compares the names: with the default mode RocksDB opens, and what follows is gone.
        using TestStore store = new(With(MergeOperator.Append()));
        store.Put("before", "v");
        store.Database.Merge(store.Family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
        store.Put("after", "v");
        store.Database.Dispose();
        DatabaseOptions options = new() { AllowOtherMergeOperator = true, WalRecoveryMode = mode };

        if (mode == WalRecoveryMode.AbsoluteConsistency)
        {
            Assert.Contains(
                "merge_operator",
                Assert.Throws<RocksDbException>(() => store.Open(options)).Message,
                StringComparison.Ordinal);
            return;
        }

        store.Open(options);
        Assert.Equal("v", store.Get("before"));
        Assert.Null(store.Get("after"));
    }

    [Fact]
    public void A_repair_needs_the_operator_too()
    {
        DatabaseOptions options = With(MergeOperator.Append(Bytes(",")));
        using TestStore store = new(options);
        store.Put("k", "a");
        store.Database.Merge(store.Family, Bytes("k"), Bytes("b"), WriteOptions.Buffered);
        store.Put("after", "v");
        store.Database.Dispose();
        File.Delete(Path.Combine(store.Directory, "CURRENT"));

        RocksDbException without = Assert.Throws<RocksDbException>(() => RocksDatabase.Repair(store.Directory));
        RocksDatabase.Repair(store.Directory, options.DefaultColumnFamily);

        Assert.Equal(RocksDbStatus.InvalidArgument, without.Status);
        Assert.StartsWith("repair failed", without.Message, StringComparison.Ordinal);
        store.Open(options);
        Assert.Equal("a,b", store.Get("k"));
        Assert.Equal("v", store.Get("after"));
    }

    [Fact]
    public void Another_operator_is_taken_when_that_is_said()
    {
        using TestStore store = new(With(MergeOperator.Append(Bytes(","))));
        store.Database.Dispose();

        DatabaseOptions other = With(MergeOperator.Int64Add);
        other.AllowOtherMergeOperator = true;
        store.Open(other);
        Add(store, "k", 3);

        Assert.Equal(3, Number(store, "k"));
    }

    [Fact]
    public void An_operator_that_throws_fails_the_read_with_its_exception_and_harms_nothing_else()
    {
        OddOperator odd = new() { OnMerge = static () => throw new FormatException("bad fruit") };
        using TestStore store = new(With(odd));
        store.Put("whole", "v");
        store.Database.Merge(store.Family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);

        RocksDbException get = Assert.Throws<RocksDbException>(() => store.Get("k"));
        RocksDbException many = Assert.Throws<RocksDbException>(() =>
            store.Database.MultiGet(store.Family, [Bytes("k")]));
        using Iterator iterator = store.Database.NewIterator(store.Family);
        RocksDbException scan = Assert.Throws<RocksDbException>(iterator.SeekToFirst);

        Assert.All([get, many, scan], static failure =>
        {
            Assert.Equal(RocksDbStatus.MergeFailed, failure.Status);
            Assert.Contains("bad fruit", failure.Message, StringComparison.Ordinal);
            Assert.IsType<FormatException>(failure.InnerException);
        });
        Assert.IsType<FormatException>(odd.LastFailure);
        Assert.Equal("v", store.Get("whole"));
        store.Put("other", "w");
        odd.OnMerge = static () => true;
        Assert.Equal("merged", store.Get("k"));
    }

    [Fact]
    public void An_operator_that_says_no_fails_the_read()
    {
        OddOperator odd = new() { OnMerge = static () => false };
        using TestStore store = new(With(odd));
        store.Database.Merge(store.Family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);

        RocksDbException failure = Assert.Throws<RocksDbException>(() => store.Get("k"));

        Assert.Equal(RocksDbStatus.MergeFailed, failure.Status);
        odd.OnMerge = static () => true;
    }

    [Fact]
    public void A_failed_compaction_refuses_writes_and_names_the_operator()
    {
        OddOperator odd = new() { OnMerge = static () => throw new FormatException("bad fruit") };
        using TestStore store = new(With(odd));
        store.Put("k", "base");
        store.Put("z", "v");
        store.Database.Flush();
        store.Database.Merge(store.Family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
        store.Put("a", "v"); // The files overlap, or they would be moved and not merged.
        store.Put("z", "w");
        store.Database.Flush();

        store.Database.CompactRange(store.Family);
        RocksDbException refused = Assert.Throws<RocksDbException>(() => store.Put("k", "v"));

        Assert.Equal(RocksDbStatus.Corruption, refused.Status);
        Assert.Contains("'test.odd'", refused.Message, StringComparison.Ordinal);
        Assert.IsType<FormatException>(refused.InnerException);
        odd.OnMerge = static () => true;
        store.Open(With(odd));
        Assert.Equal("merged", store.Get("k"));
        store.Put("k", "v");
    }

    [Fact]
    public void An_operator_that_throws_while_combining_keeps_the_operands_apart()
    {
        OddOperator odd = new() { OnCombine = static () => throw new FormatException("sour") };
        using TestStore store = new(With(odd));
        for (int i = 0; i < 3; i++)
        {
            store.Database.Merge(store.Family, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
            using ReadSnapshot kept = store.Database.NewSnapshot();
            store.Database.Flush();
        }

        store.Database.CompactRange(store.Family);

        Assert.Equal("merged", store.Get("k"));
    }

    [Fact]
    public void Merges_from_many_threads_all_count()
    {
        const int Writers = 4;
        const int Each = 2_000;
        DatabaseOptions options = With(MergeOperator.Int64Add);
        options.DefaultColumnFamily.WriteBufferBytes = 64 << 10; // Flushes and compactions merge meanwhile.
        using TestStore store = new(options);
        RocksDatabase database = store.Database;

        Parallel.For(0, Writers + 1, new ParallelOptions { MaxDegreeOfParallelism = Writers + 1 }, worker =>
        {
            for (int i = 0; i < Each; i++)
            {
                if (worker == Writers)
                {
                    Assert.InRange(Number(store, "k"), 0, Writers * Each);
                }
                else
                {
                    database.Merge(database.DefaultColumnFamily, Bytes("k"), Encoded(1), WriteOptions.Buffered);
                }
            }
        });

        Assert.Equal(Writers * Each, Number(store, "k"));
    }

    [Fact]
    public void Large_results_and_results_of_nothing_come_through()
    {
        using TestStore store = new(With(MergeOperator.Append()));
        byte[] large = new byte[3 << 20];
        new Random(1).NextBytes(large);
        store.Database.Merge(store.Family, Bytes("large"), large, WriteOptions.Buffered);
        store.Database.Merge(store.Family, Bytes("large"), large, WriteOptions.Buffered);
        store.Database.Merge(store.Family, Bytes("empty"), default, WriteOptions.Buffered);

        ArrayBufferWriter<byte> value = new();
        Assert.True(store.Database.TryGet(store.Family, Bytes("large"), value));

        Assert.Equal([.. large, .. large], value.WrittenSpan.ToArray());
        Assert.Equal("", store.Get("empty"));
    }

    [Fact]
    public void An_operator_is_let_go_when_its_database_is_closed()
    {
        using TestStore store = new(open: false);

        WeakReference letGo = OpenMergeAndClose(store);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.False(letGo.IsAlive);
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("a=b")]
    [InlineData("naïve")]
    public void An_operator_with_an_unfit_name_fails_the_open(string name)
    {
        using TestStore store = new(open: false);

        Assert.ThrowsAny<ArgumentException>(() => store.Open(With(new OddOperator(name))));

        Assert.Throws<ArgumentException>(() => MergeOperator.Append(new byte[33]));
    }

    [Fact]
    public void A_merge_allocates_nothing()
    {
        using TestStore store = new(With(MergeOperator.Int64Add));
        byte[] key = Bytes("k");
        byte[] one = Encoded(1);
        store.Database.Merge(store.Family, key, one, WriteOptions.Buffered);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            store.Database.Merge(store.Family, key, one, WriteOptions.Buffered);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(101, Number(store, "k"));
    }

    [Fact]
    public void Operators_merge_without_a_database_too()
    {
        ArrayBufferWriter<byte> result = new();

        bool merged = MergeOperator.Append(Bytes("-")).TryMerge(
            default, true, Bytes("a"), new MergeOperands([Bytes("b"), Bytes("c")]), result);

        Assert.True(merged);
        Assert.Equal("a-b-c", Encoding.UTF8.GetString(result.WrittenSpan));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MergeOperands([]).Count + new MergeOperands([])[0].Length);
    }

    [Fact]
    public void The_names_of_operators_do_not_change()
    {
        // They are in the options files of stores that exist.
        Assert.Equal("branching.int64-add", MergeOperator.Int64Add.Name);
        Assert.Equal("branching.append", MergeOperator.Append().Name);
        Assert.Equal("branching.append.2c20", MergeOperator.Append(Bytes(", ")).Name);
    }

    [Fact]
    public void An_options_file_names_the_operators_of_families()
    {
        Dictionary<string, string> stored = StoredMergeOperators.Parse(
        [
            "[DBOptions]", "  merge_operator=not here", "[CFOptions \"default\"]", "  merge_operator=nullptr",
            "[CFOptions \"a b\"]", "  merge_operator={id=x.y;more=1;}", "[CFOptions \"c\"]", "  merge_operator=plain",
            "[CFOptions \"d\"]", "  merge_operator=", "[TableOptions/BlockBasedTable \"c\"]", "  merge_operator=no",
        ]);

        Assert.Equal(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["a b"] = "x.y", ["c"] = "plain" }, stored);
    }

    [Fact]
    public void Of_several_options_files_the_one_with_the_highest_number_counts()
    {
        using TestStore store = new(open: false);
        Directory.CreateDirectory(store.Directory);
        foreach ((string name, string stored) in (IEnumerable<(string, string)>)
                 [("999999", "older"), ("1000000", "newest"), ("1000001.dbtmp", "unfinished"), ("000005", "oldest")])
        {
            File.WriteAllText(
                Path.Combine(store.Directory, "OPTIONS-" + name), $"[CFOptions \"f\"]\n  merge_operator={stored}\n");
        }

        Assert.Equal("newest", StoredMergeOperators.Read(store.Directory)["f"]);
        Assert.Empty(StoredMergeOperators.Read(store.Below("absent")));
    }

    internal static DatabaseOptions With(MergeOperator mergeOperator) => new()
    {
        CreateIfMissing = true,
        DefaultColumnFamily = new ColumnFamilyOptions { MergeOperator = mergeOperator },
    };

    internal static byte[] Encoded(long value)
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference OpenMergeAndClose(TestStore store)
    {
        OddOperator odd = new();
        using RocksDatabase database = RocksDatabase.Open(store.Directory, With(odd));
        database.CreateColumnFamily("f", new ColumnFamilyOptions { MergeOperator = odd });
        database.Merge(database.DefaultColumnFamily, Bytes("k"), Bytes("a"), WriteOptions.Buffered);
        Assert.Equal("merged", database.Text("k"));
        return new WeakReference(odd);
    }

    private static void Add(TestStore store, string key, long value) =>
        store.Database.Merge(store.Family, Bytes(key), Encoded(value), WriteOptions.Buffered);

    private static long Number(TestStore store, string key)
    {
        using PinnedValue value = store.Database.GetPinned(store.Family, Bytes(key));
        return value.Found ? BinaryPrimitives.ReadInt64LittleEndian(value.Span) : 0;
    }

    /// <summary>Does what the test says.</summary>
    private sealed class OddOperator(string name = "test.odd") : MergeOperator
    {
        public override string Name => name;

        public Func<bool> OnMerge { get; set; } = static () => true;

        public Func<bool> OnCombine { get; set; } = static () => false;

        public override bool TryMerge(
            ReadOnlySpan<byte> key,
            bool exists,
            ReadOnlySpan<byte> existing,
            MergeOperands operands,
            IBufferWriter<byte> result)
        {
            result.Write("merged"u8);
            return OnMerge();
        }

        public override bool TryCombine(
            ReadOnlySpan<byte> key, MergeOperands operands, IBufferWriter<byte> result) => OnCombine();
    }
}
