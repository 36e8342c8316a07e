using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Contract;

/// <content>Single keys, batches and several keys at once.</content>
public abstract partial class StoreContract
{
    private static readonly Dictionary<string, byte[]> _keys = new()
    {
        ["one zero byte"] = [0],
        ["two zero bytes"] = [0, 0],
        ["the highest byte"] = [0xFF],
        ["a zero byte in the middle"] = [1, 0, 1],
        ["text"] = Bytes("key"),
        ["text beyond ASCII"] = Bytes("clé 🗝"),
        ["the longest key"] = [.. Enumerable.Repeat((byte)'k', 65536)],
    };

    private static readonly Dictionary<string, byte[]> _values = new()
    {
        ["nothing"] = [],
        ["one zero byte"] = [0],
        ["text"] = Bytes("value"),
        ["4 KiB"] = [.. Enumerable.Range(0, 4096).Select(i => (byte)i)],
        ["1 MiB"] = [.. Enumerable.Range(0, 1 << 20).Select(i => (byte)(i * 7))],
    };

    public static TheoryData<string, string> KeysAndValues()
    {
        TheoryData<string, string> all = [];
        foreach (string key in _keys.Keys)
        {
            foreach (string value in _values.Keys)
            {
                all.Add(key, value);
            }
        }

        return all;
    }

    /// <summary>Every sequence of three of: put 1, put 2, delete, delete the range around the key.</summary>
    public static TheoryData<string> Batches()
    {
        TheoryData<string> all = [];
        const string Steps = "12dr";
        foreach (char first in Steps)
        {
            foreach (char second in Steps)
            {
                foreach (char third in Steps)
                {
                    all.Add($"{first}{second}{third}");
                }
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(KeysAndValues))]
    public async Task A_key_has_the_value_that_was_put_until_it_is_deleted(string keyName, string valueName)
    {
        (byte[] key, byte[] value) = (_keys[keyName], _values[valueName]);

        await ApplyAsync(WriteOperation.Put(key, value));
        byte[]? put = Store.Get(null, key);
        await ApplyAsync(WriteOperation.Put(key, Bytes("second")));
        byte[]? overwritten = Store.Get(null, key);
        await ApplyAsync(WriteOperation.Delete(key));
        byte[]? deleted = Store.Get(null, key);

        Assert.Equal(value, put);
        Assert.Equal(Bytes("second"), overwritten);
        Assert.Null(deleted);
    }

    [Theory]
    [MemberData(nameof(Batches))]
    public async Task A_batch_is_applied_in_its_order(string steps)
    {
        await ApplyAsync(Put("key", "0"));
        WriteOperation[] operations = [.. steps.Select(step => step switch
        {
            'd' => Delete("key"),
            'r' => WriteOperation.DeleteRange(Bytes("k"), Bytes("l")),
            _ => Put("key", step.ToString()),
        })];

        WriteResult result = await ApplyAsync(operations);

        Assert.Equal(steps[^1] is 'd' or 'r' ? null : steps[^1].ToString(), Get("key"));
        Assert.Equal(Store.Sequence, result.Sequence.Value);
    }

    [Theory]
    [InlineData("a|b", "1|2")]
    [InlineData("b|a", "2|1")]
    [InlineData("a|a|a", "1|1|1")]
    [InlineData("a|zz|b", "1|-|2")]
    [InlineData("zz", "-")]
    [InlineData("empty|a", "|1")]
    public async Task Several_keys_are_answered_in_the_order_asked(string keys, string expected)
    {
        await ApplyAsync(Put("a", "1"), Put("b", "2"), Put("empty", ""));

        IReadOnlyList<ReadOnlyMemory<byte>?> values = Store.MultiGet(
            null, [.. keys.Split('|').Select(key => (ReadOnlyMemory<byte>)Bytes(key))]);

        Assert.Equal(expected, string.Join('|', values.Select(value => value is { } found ? Text(found) : "-")));
    }

    [Fact]
    public void No_keys_give_no_values() => Assert.Empty(Store.MultiGet(null, []));

    [Fact]
    public async Task An_empty_value_differs_from_an_absent_key()
    {
        await ApplyAsync(Put("empty", ""));

        Assert.Equal("", Get("empty"));
        Assert.Null(Get("absent"));
        Assert.Equal(1, Store.Count(null, KeyRange.All));
    }

    [Fact]
    public async Task Everything_is_there_after_it_was_opened_again()
    {
        Store.CreateFamily("second");
        await ApplyAsync(Put("a", "1"), Put("b", ""), Put("a", "in second", "second"), Delete("b"));
        ulong sequence = Store.Sequence;

        await Store.ReopenAsync();

        Assert.Equal(("1", null, "in second"), (Get("a"), Get("b"), Get("a", "second")));
        Assert.Equal(sequence, Store.Sequence);
        Assert.Equal(["default", "second"], Store.Families);
    }

    [Theory]
    [InlineData("a", "z", "")]
    [InlineData("a", "a", "a b c d e")]
    [InlineData("b", "d", "a d e")]
    [InlineData("b", "c", "a c d e")]
    [InlineData("bb", "cc", "a b d e")]
    [InlineData("e", "f", "a b c d")]
    [InlineData("f", "z", "a b c d e")]
    [InlineData("0", "a", "a b c d e")]
    [InlineData("0", "b", "b c d e")]
    [InlineData("0", "zzz", "")]
    public async Task A_range_is_deleted_without_its_end(string from, string to, string left)
    {
        await FillAsync("a", "b", "c", "d", "e");

        await ApplyAsync(WriteOperation.DeleteRange(Bytes(from), Bytes(to)));

        Assert.Equal(left, string.Join(' ', Keys(Store.Scan(All()).Entries)));
        Assert.Equal(left.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length, Store.Count(null, KeyRange.All));
    }

    [Fact]
    public async Task A_key_put_after_its_range_was_deleted_is_there()
    {
        await FillAsync("a", "b", "c");

        await ApplyAsync(WriteOperation.DeleteRange(Bytes("a"), Bytes("z")), Put("b", "new"));

        Assert.Equal((null, "new", null), (Get("a"), Get("b"), Get("c")));
    }
}
