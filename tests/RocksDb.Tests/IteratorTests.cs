using System.Text;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class IteratorTests
{
    private static readonly string[] _keys = ["b", "d", "f", "h", "j"];

    public static TheoryData<string?, string?> Bounds()
    {
        TheoryData<string?, string?> bounds = [];
        string?[] places = [null, "", "a", "b", "c", "j", "z"];
        foreach (string? lower in places)
        {
            foreach (string? upper in places)
            {
                bounds.Add(lower, upper);
            }
        }

        return bounds;
    }

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Bounds_include_the_lower_and_exclude_the_upper_in_both_directions(string? lower, string? upper)
    {
        using TestStore store = Filled();
        using ReadOptions options = new()
        {
            LowerBound = lower is null ? null : Bytes(lower),
            UpperBound = upper is null ? null : Bytes(upper),
        };
        string[] expected = [.. _keys.Where(key =>
            (lower is null || string.CompareOrdinal(key, lower) >= 0)
            && (upper is null || string.CompareOrdinal(key, upper) < 0))];

        using Iterator iterator = store.Database.NewIterator(store.Family, options);

        string[] forward = Forward(iterator);
        string[] backward = Backward(iterator);
        Array.Reverse(backward);

        Assert.Equal(expected, forward);
        Assert.Equal(expected, backward);
    }

    [Theory]
    [InlineData("a", "b", null)]
    [InlineData("b", "b", "b")]
    [InlineData("c", "d", "b")]
    [InlineData("j", "j", "j")]
    [InlineData("k", null, "j")]
    [InlineData("", "b", null)]
    public void Seek_stops_at_the_key_or_after_and_seek_for_prev_at_the_key_or_before(
        string target, string? after, string? before)
    {
        using TestStore store = Filled();
        using Iterator iterator = store.Database.NewIterator(store.Family);

        iterator.Seek(Bytes(target));
        string? found = Here(iterator);
        iterator.SeekForPrev(Bytes(target));
        string? foundBefore = Here(iterator);

        Assert.Equal(after, found);
        Assert.Equal(before, foundBefore);
    }

    [Theory]
    [InlineData("a", "d", "h")]
    [InlineData("z", null, "h")]
    [InlineData("e", "f", "d")]
    public void Seeks_stay_within_the_bounds(string target, string? after, string? before)
    {
        using TestStore store = Filled();
        using ReadOptions options = new() { LowerBound = Bytes("d"), UpperBound = Bytes("i") };
        using Iterator iterator = store.Database.NewIterator(store.Family, options);

        iterator.Seek(Bytes(target));
        string? found = Here(iterator);
        iterator.SeekForPrev(Bytes(target));
        string? foundBefore = Here(iterator);

        Assert.Equal(after, found);
        Assert.Equal(target == "a" ? null : before, foundBefore);
    }

    [Fact]
    public void It_turns_around_in_the_middle()
    {
        using TestStore store = Filled();
        using Iterator iterator = store.Database.NewIterator(store.Family);

        iterator.Seek(Bytes("d"));
        iterator.Next();
        iterator.Next();
        iterator.Prev();

        Assert.Equal("f", Here(iterator));
        Assert.Equal("value of f", Encoding.UTF8.GetString(iterator.Value));
    }

    [Fact]
    public void It_sees_the_moment_it_was_opened_at_until_refreshed()
    {
        using TestStore store = Filled();
        using Iterator iterator = store.Database.NewIterator(store.Family);
        store.Put("a", "new");
        string[] before = Forward(iterator);

        iterator.Refresh();
        bool standing = iterator.IsValid;

        Assert.Equal(_keys, before);
        Assert.False(standing);
        Assert.Equal(["a", .. _keys], Forward(iterator));
    }

    [Fact]
    public void Changing_options_leaves_open_iterators_alone()
    {
        using TestStore store = Filled();
        using ReadOptions options = new() { UpperBound = Bytes("e") };
        using Iterator iterator = store.Database.NewIterator(store.Family, options);

        options.UpperBound = Bytes("i");
        using Iterator later = store.Database.NewIterator(store.Family, options);

        Assert.Equal(["b", "d"], Forward(iterator));
        Assert.Equal(["b", "d", "f", "h"], Forward(later));
    }

    [Fact]
    public void Bounds_are_copied_in_and_out()
    {
        byte[] bound = Bytes("b");
        using ReadOptions options = new() { LowerBound = bound };

        bound[0] = 0;
        options.LowerBound[0] = 1;

        Assert.Equal(Bytes("b"), options.LowerBound);
        Assert.Null(options.UpperBound);
    }

    [Fact]
    public void Moving_or_reading_where_there_is_no_key_is_an_exception()
    {
        using TestStore store = Filled();
        using Iterator iterator = store.Database.NewIterator(store.Family);

        Assert.False(iterator.IsValid);
        Assert.Throws<InvalidOperationException>(iterator.Next);
        Assert.Throws<InvalidOperationException>(iterator.Prev);
        Assert.Throws<InvalidOperationException>(() => iterator.Key.Length);
        Assert.Throws<InvalidOperationException>(() => iterator.Value.Length);
        iterator.SeekToLast();
        iterator.Next();
        Assert.False(iterator.IsValid);
        Assert.Throws<InvalidOperationException>(iterator.Next);
        iterator.ThrowIfFailed();
    }

    [Fact]
    public void A_tailing_iterator_sees_later_writes()
    {
        using TestStore store = Filled();
        using ReadOptions options = new() { Tailing = true };
        using Iterator iterator = store.Database.NewIterator(store.Family, options);
        iterator.Seek(Bytes("k"));
        bool before = iterator.IsValid;

        store.Put("k", "new");
        iterator.Seek(Bytes("k"));

        Assert.False(before);
        Assert.Equal("k", Here(iterator));
    }

    [Fact]
    public void Damage_met_while_moving_is_thrown_by_the_move()
    {
        using TestStore store = new();
        DatabaseOptions plain = Creating();
        plain.NoBlockCache = true;
        plain.DefaultColumnFamily.Compression = Compression.None; // So that the flipped byte is a byte of the block.
        store.Open(plain);
        for (int i = 0; i < 2000; i++)
        {
            store.Put($"key{i:D5}", new string('x', 100));
        }

        store.Database.Flush();
        string table = store.Database.GetLiveFiles().Single().Name;
        store.Database.Dispose();
        FlipByte(store.Directory + table, offset: 50_000);
        store.Open(plain);
        using Iterator iterator = store.Database.NewIterator(store.Family);

        RocksDbException failure = Assert.Throws<RocksDbException>(() => Forward(iterator));

        Assert.Equal(RocksDbStatus.Corruption, failure.Status);
        Assert.Equal(RocksDbStatus.Corruption, Assert.Throws<RocksDbException>(iterator.ThrowIfFailed).Status);
    }

    [Fact]
    public void Read_options_that_only_tune_do_not_change_the_answer()
    {
        using TestStore store = Filled();
        using ReadOptions options = new()
        {
            FillCache = false,
            VerifyChecksums = false,
            ReadaheadBytes = 1 << 20,
            TotalOrderSeek = true,
        };

        using Iterator iterator = store.Database.NewIterator(store.Family, options);

        Assert.Equal(_keys, Forward(iterator));
        Assert.Throws<ArgumentOutOfRangeException>(() => options.ReadaheadBytes = -1);
        Assert.Equal(1 << 20, options.ReadaheadBytes);
        Assert.True(options is { FillCache: false, VerifyChecksums: false, TotalOrderSeek: true, Tailing: false });
        Assert.False(options.MemoryTierOnly);
    }

    private static void FlipByte(string file, long offset)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = offset;
        int old = stream.ReadByte();
        stream.Position = offset;
        stream.WriteByte((byte)(old ^ 0xff));
    }

    private static TestStore Filled()
    {
        TestStore store = new();
        for (int i = 0; i < _keys.Length; i++)
        {
            store.Put(_keys[i], "value of " + _keys[i]);
            if (i == 2)
            {
                store.Database.Flush(); // Half from a table file, half from the memtable.
            }
        }

        return store;
    }

    private static string? Here(Iterator iterator) => iterator.IsValid ? Encoding.UTF8.GetString(iterator.Key) : null;

    private static string[] Forward(Iterator iterator) => iterator.Keys();

    private static string[] Backward(Iterator iterator)
    {
        List<string> keys = [];
        for (iterator.SeekToLast(); iterator.IsValid; iterator.Prev())
        {
            keys.Add(Encoding.UTF8.GetString(iterator.Key));
        }

        return [.. keys];
    }
}
