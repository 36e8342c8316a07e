using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class CompactionFilterTests
{
    [Fact]
    public void A_filter_keeps_removes_and_changes_values_when_they_are_compacted()
    {
        RuleFilter filter = new();
        using TestStore store = Filled(filter);

        Assert.Equal((string?[])["keep", "drop", "turn"], Values(store));
        store.Database.CompactRange(store.Family);

        Assert.Equal((string?[])["keep", null, "turned"], Values(store));
        Assert.Null(filter.LastFailure);
        Assert.True(filter.Calls >= 3);
    }

    [Fact]
    public void A_filter_that_throws_keeps_the_value_and_remembers_the_exception()
    {
        RuleFilter filter = new() { Thrown = new FormatException("no") };
        using TestStore store = Filled(filter);

        store.Database.CompactRange(store.Family);

        Assert.Equal((string?[])["keep", "drop", "turn"], Values(store));
        Assert.Same(filter.Thrown, filter.LastFailure);
        store.Put("d", "still writable");
    }

    [Fact]
    public void A_decision_that_is_none_keeps_the_value()
    {
        using TestStore store = Filled(new RuleFilter { Odd = (CompactionDecision)99 });

        store.Database.CompactRange(store.Family);

        Assert.Equal("drop", store.Get("b"));
    }

    [Fact]
    public void A_database_is_opened_and_closed_with_and_without_a_filter()
    {
        using TestStore store = Filled(new RuleFilter());

        store.Open();
        store.Database.CompactRange(store.Family);
        Assert.Equal("drop", store.Get("b"));

        store.Open(With(new RuleFilter()));
        store.Put("b2", "drop");
        store.Database.Flush();
        store.Database.CompactRange(store.Family);
        Assert.Null(store.Get("b2"));
    }

    [Fact]
    public void A_filter_serves_compactions_of_several_families_at_once_while_others_write()
    {
        RuleFilter filter = new();
        DatabaseOptions options = With(filter);
        options.MaxBackgroundJobs = 4;
        options.DefaultColumnFamily.WriteBufferBytes = 64 << 10;
        options.DefaultColumnFamily.Level0FileNumCompactionTrigger = 2;
        using TestStore store = new(options);
        RocksDatabase database = store.Database;
        ColumnFamily[] families =
            [database.CreateColumnFamily("f"), database.CreateColumnFamily("g"), database.DefaultColumnFamily];

        Parallel.For(0, families.Length, index =>
        {
            for (int i = 0; i < 1_500; i++)
            {
                database.Set(families[index], $"k{i:D5}", i % 3 == 0 ? "drop" : "keep" + new string('x', 200));
            }

            database.Flush(families[index]);
            database.CompactRange(families[index]);
        });

        foreach (ColumnFamily family in families)
        {
            using Iterator iterator = database.NewIterator(family);
            Assert.Equal(1_000, iterator.Keys().Length);
        }
    }

    [Fact]
    public async Task Disposing_while_a_filter_runs_is_safe()
    {
        using ManualResetEventSlim entered = new();
        using ManualResetEventSlim leave = new();
        RuleFilter filter = new()
        {
            OnCall = () =>
            {
                entered.Set();
                Assert.True(leave.Wait(Deadline));
            },
        };
        using TestStore store = Filled(filter);
        RocksDatabase database = store.Database;

        Task compaction = Task.Run(() => database.CompactRange(database.DefaultColumnFamily));
        Assert.True(entered.Wait(Deadline));
        Task disposal = Task.Run(database.Dispose);
        leave.Set();

        await Task.WhenAll(compaction, disposal).WaitAsync(Deadline);

        Assert.True(database.IsDisposed);
    }

    [Fact]
    public void A_filter_is_let_go_when_its_database_is_closed()
    {
        WeakReference letGo = CompactAndClose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.False(letGo.IsAlive);
    }

    [Fact]
    public void An_unfit_name_fails_the_open()
    {
        using TestStore store = new(open: false);

        Assert.Throws<ArgumentException>(() => store.Open(With(new RuleFilter("no name"))));
    }

    private static DatabaseOptions With(CompactionFilter filter) => new()
    {
        CreateIfMissing = true,
        DefaultColumnFamily = new ColumnFamilyOptions { CompactionFilter = filter },
    };

    private static string?[] Values(TestStore store) => [store.Get("a"), store.Get("b"), store.Get("c")];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference CompactAndClose()
    {
        RuleFilter filter = new();
        using TestStore store = Filled(filter);
        store.Database.CompactRange(store.Family);
        Assert.Null(store.Get("b"));
        return new WeakReference(filter);
    }

    private static TestStore Filled(CompactionFilter filter)
    {
        TestStore store = new(With(filter));
        store.Put("a", "keep");
        store.Put("b", "drop");
        store.Put("c", "turn");
        store.Database.Flush();
        return store;
    }

    /// <summary>Removes "drop", changes "turn" to "turned".</summary>
    private sealed class RuleFilter(string name = "test.rule") : CompactionFilter
    {
        private int _calls;

        public override string Name => name;

        public Exception? Thrown { get; init; }

        public CompactionDecision Odd { get; init; } = CompactionDecision.Remove;

        public Action? OnCall { get; init; }

        public int Calls => Volatile.Read(ref _calls);

        public override CompactionDecision Decide(
            int level, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, IBufferWriter<byte> replacement)
        {
            Interlocked.Increment(ref _calls);
            OnCall?.Invoke();
            if (Thrown is { } failure)
            {
                throw failure;
            }

            switch (Encoding.UTF8.GetString(value))
            {
                case "drop":
                    return Odd;
                case "turn":
                    replacement.Write("turned"u8);
                    return CompactionDecision.Change;
                default:
                    replacement.Write("ignored"u8);
                    return CompactionDecision.Keep;
            }
        }
    }
}
