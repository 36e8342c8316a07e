using System.Globalization;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Contract;

/// <content>Put modes, takes, appends, merges, and keys that expire.</content>
public abstract partial class StoreContract
{
    private const string Lasting = "lasting"; // Its keys may expire, and live for ever unless told.
    private const string Mortal = "mortal"; // Its keys live for a minute unless told.

    private static readonly string[] _states = ["absent", "deleted", "empty", "present", "expired"];

    private static readonly FamilySettings _mortal = new()
    {
        Expires = true,
        DefaultTimeToLive = TimeSpan.FromMinutes(1),
    };

    /// <summary>What the key is before, and the mode.</summary>
    public static TheoryData<string, PutMode> StatesAndModes()
    {
        TheoryData<string, PutMode> all = [];
        foreach (string state in _states)
        {
            foreach (PutMode mode in Enum.GetValues<PutMode>())
            {
                all.Add(state, mode);
            }
        }

        return all;
    }

    /// <summary>Every sequence of four of: put, merge, append, delete, delete the range around the key.</summary>
    public static TheoryData<string> Joins()
    {
        TheoryData<string> all = [];
        const string Steps = "pmadr";
        for (int number = 0; number < 625; number++)
        {
            all.Add(string.Concat(new[] { 125, 25, 5, 1 }.Select(power => Steps[number / power % 5])));
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(StatesAndModes))]
    public async Task A_put_is_done_as_its_mode_says(string state, PutMode mode)
    {
        string? family = await PrepareAsync(state);
        string? before = Get("key", family);
        ulong sequence = Store.Sequence;
        bool expected = mode switch
        {
            PutMode.OnlyIfAbsent => before is null,
            PutMode.OnlyIfPresent => before is not null,
            _ => true,
        };

        WriteResult result = await Store.PutAsync(family, Bytes("key"), Bytes("new"), mode);

        Assert.Equal((expected, expected ? -1 : 0), (result.Applied, result.FailedPrecondition));
        Assert.Equal(expected ? (mode == PutMode.Append ? before : "") + "new" : before, Get("key", family));
        Assert.Equal(sequence + (expected ? 1ul : 0), Store.Sequence);
    }

    [Fact]
    public void An_unknown_put_mode_is_refused() => Refused(
        FailureKind.InvalidArgument,
        () => Store.PutAsync(null, Bytes("key"), Bytes("new"), (PutMode)9).GetAwaiter().GetResult());

    [Theory]
    [InlineData("absent", null)]
    [InlineData("deleted", null)]
    [InlineData("empty", "")]
    [InlineData("present", "old")]
    [InlineData("expired", null)]
    public async Task A_taken_value_is_handed_out_once(string state, string? expected)
    {
        string? family = await PrepareAsync(state);
        ulong sequence = Store.Sequence;

        byte[]? first = await Store.TakeAsync(family, Bytes("key"));
        byte[]? second = await Store.TakeAsync(family, Bytes("key"));

        Assert.Equal(expected, first is null ? null : Text(first));
        Assert.Null(second);
        Assert.Null(Get("key", family));
        Assert.Equal(sequence + (expected is null ? 0ul : 1), Store.Sequence);
    }

    [Theory]
    [InlineData("absent", null)]
    [InlineData("deleted", null)]
    [InlineData("empty", 0)]
    [InlineData("present", 3)]
    [InlineData("expired", null)]
    public async Task A_value_has_a_length_when_it_is_there(string state, int? expected)
    {
        string? family = await PrepareAsync(state);

        Assert.Equal(expected, Store.Length(family, Bytes("key")));
        Assert.Equal(expected is not null, Store.Exists(family, Bytes("key")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65537)]
    public void A_key_that_cannot_be_is_not_looked_for(int bytes)
    {
        Refused(FailureKind.InvalidArgument, () => Store.Exists(null, new byte[bytes]));
        Refused(FailureKind.InvalidArgument, () => Store.Length(null, new byte[bytes]));
        Refused(FailureKind.InvalidArgument, () => Store.TimeToLive(null, new byte[bytes]));
    }

    [Theory]
    [MemberData(nameof(Joins))]
    public async Task Merges_and_appends_see_what_was_written_before_them(string steps)
    {
        FamilySettings adding = new() { Merge = "add" };
        Store.CreateFamily("adds", adding);
        Store.CreateFamily("adds-and-expires", adding with { Expires = true });
        Store.CreateFamily("joins", new FamilySettings { Merge = "append" });
        string[] families = ["adds", "adds-and-expires", "joins"];
        string?[] expected = new string?[families.Length];
        foreach (char step in steps)
        {
            for (int i = 0; i < families.Length; i++)
            {
                expected[i] = step switch
                {
                    'p' => "10",
                    'a' => expected[i] + "3",
                    'm' when i == 2 => expected[i] + "5",
                    'm' => $"{int.Parse(expected[i] ?? "0", CultureInfo.InvariantCulture) + 5}",
                    _ => null,
                };
            }
        }

        foreach (string family in families)
        {
            WriteOperation[] operations = [.. steps.Select(step => Step(step, family))];
            await ApplyAsync(operations); // In one write, and one by one.
            foreach (WriteOperation operation in operations)
            {
                await ApplyAsync(operation with { Key = Bytes("kez") });
            }
        }

        Assert.Equal(expected, families.Select(family => Get("key", family)));
        Assert.Equal(expected, families.Select(family => Get("kez", family)));
    }

    [Theory]
    [InlineData("add", "5|-3|10", "12")]
    [InlineData("add", "007|-0", "7")]
    [InlineData("add", "9223372036854775807|1", "-9223372036854775808")]
    [InlineData("add-int64", "\u0001\0\0\0\0\0\0\0|\u007F\0\0\0\0\0\0\0", "\u0080\0\0\0\0\0\0\0")]
    [InlineData("append", "a||bc", "abc")]
    [InlineData("append", "", "")]
    public async Task A_merge_joins_operands_in_their_order(string merge, string operands, string expected)
    {
        foreach (bool expires in (bool[])[false, true])
        {
            string family = $"{merge}-{expires}";
            Store.CreateFamily(family, new FamilySettings { Merge = merge, Expires = expires });
            foreach (string operand in operands.Split('|'))
            {
                await ApplyAsync(WriteOperation.Merge(Bytes("key"), Latin(operand), family));
            }

            await Store.ReopenAsync();

            Assert.Equal(Latin(expected), Store.Get(family, Bytes("key")));
            Assert.Equal(expected.Length, Store.Length(family, Bytes("key")));
            Assert.Equal(Latin(expected), Store.Range(new RangeOptions { ColumnFamily = family })[0].Value.ToArray());
        }
    }

    [Fact]
    public async Task A_condition_sees_the_merges_before_it()
    {
        Store.CreateFamily("adds", new FamilySettings { Merge = "add" });
        await ApplyAsync(Put("key", "1", "adds"), WriteOperation.Merge(Bytes("key"), Bytes("2"), "adds"));

        WriteResult wrong = await TryAsync([Equal("key", "1", "adds")], Put("key", "0", "adds"));
        WriteResult right = await TryAsync([Equal("key", "3", "adds")], Put("key", "7", "adds"));

        Assert.Equal((false, true, "7"), (wrong.Applied, right.Applied, Get("key", "adds")));
    }

    [Theory]
    [InlineData(WriteKind.Merge, null, "1", 0)] // No operator.
    [InlineData(WriteKind.Merge, Mortal, "1", 0)]
    [InlineData(WriteKind.Merge, "adds", "x", 0)] // No number.
    [InlineData(WriteKind.Merge, "adds", "", 0)]
    [InlineData(WriteKind.Put, "adds", "1.5", 0)]
    [InlineData(WriteKind.Put, "adds", "9223372036854775808", 0)]
    [InlineData(WriteKind.Append, "adds", "x", 0)]
    [InlineData(WriteKind.Put, null, "1", 1)] // Keys that do not expire.
    [InlineData(WriteKind.Append, "adds", "1", 1)]
    [InlineData(WriteKind.Put, null, "1", -1)] // For ever, -1 ms, is asked for of keys that do not expire either.
    [InlineData(WriteKind.Put, Mortal, "1", -2)]
    [InlineData(WriteKind.Delete, Mortal, "", 1)]
    [InlineData(WriteKind.DeleteRange, Mortal, "z", 1)]
    public Task What_a_family_does_not_take_is_refused_with_the_whole_write(
        WriteKind kind, string? family, string value, int milliseconds)
    {
        Store.CreateFamily(Mortal, _mortal);
        Store.CreateFamily("adds", new FamilySettings { Merge = "add" });
        WriteOperation wrong = new(
            kind, family, Bytes("key"), Bytes(value), TimeSpan.FromMilliseconds(milliseconds));

        return RefusedAsync(FailureKind.InvalidArgument, new WriteRequest([Put("a", "1"), wrong]));
    }

    /// <summary>The family, the seconds given to the key (0: none, -1: for ever), those that pass, those that are left
    /// (0: it is gone, -1: for ever).</summary>
    [Theory]
    [InlineData(Lasting, 10, 9, 1)]
    [InlineData(Lasting, 10, 10, 0)]
    [InlineData(Lasting, 10, 11, 0)]
    [InlineData(Lasting, 0, 1_000_000, -1)]
    [InlineData(Lasting, -1, 1_000_000, -1)]
    [InlineData(Mortal, 10, 9, 1)]
    [InlineData(Mortal, 10, 10, 0)]
    [InlineData(Mortal, 100, 61, 39)]
    [InlineData(Mortal, 0, 59, 1)]
    [InlineData(Mortal, 0, 60, 0)]
    [InlineData(Mortal, -1, 1_000_000, -1)]
    public async Task A_key_lives_as_long_as_it_was_given(string family, int seconds, int pass, int left)
    {
        Store.CreateFamily(Lasting, new FamilySettings { Expires = true });
        Store.CreateFamily(Mortal, _mortal);
        await ApplyAsync(Lives("key", "v", family, seconds), Lives("stays", "s", family, -1));

        Store.Advance(TimeSpan.FromSeconds(pass));
        await AssertLivesAsync();
        await Store.ReopenAsync();
        await AssertLivesAsync();

        async Task AssertLivesAsync()
        {
            bool lives = left != 0;
            string? expected = lives ? "v" : null;
            string[] keys = lives ? ["key", "stays"] : ["stays"];
            ReadOnlyMemory<byte>? several = Store.MultiGet(family, [Bytes("key")])[0];
            Assert.Equal((lives, left > 0 ? TimeSpan.FromSeconds(left) : null), Store.TimeToLive(family, Bytes("key")));
            Assert.Equal(expected, Get("key", family));
            Assert.Equal(expected, several is { } found ? Text(found) : null);
            Assert.Equal(lives ? 1 : null, Store.Length(family, Bytes("key")));
            Assert.Equal(lives, Store.Exists(family, Bytes("key")));
            Assert.Equal(keys, Keys(Store.Scan(All() with { ColumnFamily = family }).Entries));
            Assert.Equal(keys, Keys(Store.Range(new RangeOptions { ColumnFamily = family })));
            Assert.Equal(keys, Keys(await Store.RangeAsync(new RangeOptions { ColumnFamily = family })));
            Assert.Equal(keys.Length, Store.Count(family, KeyRange.All));
            Assert.Equal(lives, (await TryAsync([Present("key", family)])).Applied);
            Assert.Equal(lives, (await TryAsync([Equal("key", "v", family)])).Applied);
            Assert.Equal(!lives, (await TryAsync([Absent("key", family)])).Applied);
        }
    }

    /// <summary>What is done after 30 of 60 seconds, and how many of them the key has then.</summary>
    [Theory]
    [InlineData(WriteKind.Put, 0, 60)]
    [InlineData(WriteKind.Put, 10, 10)]
    [InlineData(WriteKind.Append, 0, 30)]
    [InlineData(WriteKind.Append, 10, 10)]
    [InlineData(WriteKind.Merge, 0, 30)]
    [InlineData(WriteKind.Merge, 100, 100)]
    public async Task A_put_begins_a_life_anew_and_what_adds_to_a_value_leaves_it(WriteKind kind, int given, int left)
    {
        Store.CreateFamily(Mortal, _mortal with { Merge = "append" });
        await ApplyAsync(Lives("key", "v", Mortal, 0));
        Store.Advance(TimeSpan.FromSeconds(30));

        await ApplyAsync(Lives("key", "w", Mortal, given) with { Kind = kind });

        Assert.Equal((true, TimeSpan.FromSeconds(left)), Store.TimeToLive(Mortal, Bytes("key")));
        Assert.Equal(kind == WriteKind.Put ? "w" : "vw", Get("key", Mortal));
    }

    [Theory]
    [InlineData(WriteKind.Append)]
    [InlineData(WriteKind.Merge)]
    public async Task What_adds_to_an_expired_value_begins_a_new_one(WriteKind kind)
    {
        Store.CreateFamily(Mortal, _mortal with { Merge = "append" });
        await ApplyAsync(Lives("key", "old", Mortal, 10));
        Store.Advance(TimeSpan.FromSeconds(10));

        await ApplyAsync(Lives("key", "new", Mortal, 0) with { Kind = kind });

        Assert.Equal((true, TimeSpan.FromMinutes(1)), Store.TimeToLive(Mortal, Bytes("key")));
        Assert.Equal("new", Get("key", Mortal));
    }

    private static byte[] Latin(string text) => System.Text.Encoding.Latin1.GetBytes(text);

    private static WriteOperation Lives(string key, string value, string family, int seconds) =>
        Put(key, value, family) with
        {
            TimeToLive = seconds < 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds),
        };

    private static WriteOperation Step(char step, string family) => step switch
    {
        'p' => Put("key", "10", family),
        'm' => WriteOperation.Merge(Bytes("key"), Bytes("5"), family),
        'a' => WriteOperation.Append(Bytes("key"), Bytes("3"), family),
        'd' => Delete("key", family),
        _ => WriteOperation.DeleteRange(Bytes("k"), Bytes("l"), family),
    };

    /// <summary>A family and a key that is as it is called.</summary>
    private async Task<string?> PrepareAsync(string state)
    {
        Store.CreateFamily(Mortal, _mortal);
        string? family = state == "expired" ? Mortal : null;
        await ApplyAsync(state switch
        {
            "absent" => [],
            "deleted" => [Put("key", "old"), Delete("key")],
            "empty" => [Put("key", "")],
            _ => [Put("key", "old", family)],
        });
        Store.Advance(TimeSpan.FromMinutes(1));
        return family;
    }
}
