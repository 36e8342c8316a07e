using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Contract;

/// <content>Ranges, pages and counts.</content>
public abstract partial class StoreContract
{
    private static readonly string[] _alphabet = ["a", "b", "ba", "c", "d", "e"];

    private static readonly (string From, string To)[] _shapes =
    [
        ("", ""), ("b", ""), ("", "d"), ("b", "d"), ("b", "b"), ("bb", "bc"), ("d", "b"), ("a", "e"), ("e", "f"),
        ("f", "g"), ("0", "a"), ("b", "ba"),
    ];

    /// <summary>Every shape with every combination of its ends and direction.</summary>
    public static TheoryData<string, string, bool, bool, bool> Ranges()
    {
        TheoryData<string, string, bool, bool, bool> all = [];
        foreach ((string from, string to) in _shapes)
        {
            for (int bits = 0; bits < 8; bits++)
            {
                all.Add(from, to, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0);
            }
        }

        return all;
    }

    public static TheoryData<int, bool, int> Pages()
    {
        TheoryData<int, bool, int> all = [];
        foreach (int limit in (int[])[1, 2, 3, 5, 6, 7])
        {
            foreach (int bytes in (int[])[1, 8, 1 << 20])
            {
                all.Add(limit, false, bytes);
                all.Add(limit, true, bytes);
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(Ranges))]
    public async Task A_range_holds_the_keys_between_its_ends(
        string from, string to, bool fromExclusive, bool toInclusive, bool reverse)
    {
        await FillAsync(_alphabet);
        KeyRange range = new(Bytes(from), Bytes(to), fromExclusive, toInclusive);
        string[] expected = [.. _alphabet.Where(key => IsIn(key, from, to, fromExclusive, toInclusive))];
        if (reverse)
        {
            Array.Reverse(expected);
        }

        ScanPage page = Store.Scan(new ScanRequest(null, range, reverse, 100, 1 << 20));
        long count = Store.Count(null, range);

        Assert.Equal(expected, Keys(page.Entries));
        Assert.Equal(expected.Select(key => "of " + key), page.Entries.Select(entry => Text(entry.Value)));
        Assert.False(page.HasMore);
        Assert.Equal(expected.Length, count);
        Assert.Equal(Store.Sequence, page.Sequence.Value);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Pages_put_together_are_the_whole_range(int limit, bool reverse, int maxBytes)
    {
        await FillAsync(_alphabet);
        List<string> keys = [];
        ScanRequest request = new(null, KeyRange.All, reverse, limit, maxBytes);

        ScanPage page;
        do
        {
            page = Store.Scan(request);
            Assert.InRange(page.Entries.Count, 1, limit);
            keys.AddRange(Keys(page.Entries));
            request = request with { ResumeAfter = page.Entries[^1].Key, HasResume = true };
        }
        while (page.HasMore);

        Assert.Equal(reverse ? _alphabet.Reverse() : _alphabet, keys);
    }

    [Theory]
    [InlineData("", "a b ba c d e")]
    [InlineData("b", "b ba")]
    [InlineData("ba", "ba")]
    [InlineData("bb", "")]
    [InlineData("z", "")]
    public async Task A_prefix_is_a_range(string prefix, string expected)
    {
        await FillAsync(_alphabet);

        ScanPage page = Store.Scan(All() with { Range = KeyRange.Prefix(Bytes(prefix)) });

        Assert.Equal(expected, string.Join(' ', Keys(page.Entries)));
    }

    [Theory]
    [InlineData(new byte[] { 0xFF }, 2)]
    [InlineData(new byte[] { 0xFF, 0xFF }, 1)]
    [InlineData(new byte[] { 0xFE }, 1)]
    [InlineData(new byte[] { 0x00 }, 2)]
    public async Task A_prefix_of_extreme_bytes_is_a_range_too(byte[] prefix, int expected)
    {
        await ApplyAsync(
            WriteOperation.Put(new byte[] { 0 }, default), WriteOperation.Put(new byte[] { 0, 0 }, default),
            WriteOperation.Put(new byte[] { 0xFE, 1 }, default), WriteOperation.Put(new byte[] { 0xFF }, default),
            WriteOperation.Put(new byte[] { 0xFF, 0xFF }, default));

        Assert.Equal(expected, Store.Count(null, KeyRange.Prefix(prefix)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Keys_come_without_values_when_only_they_are_asked_for(bool reverse)
    {
        await FillAsync("a", "b");

        ScanPage page = Store.Scan(All(reverse) with { KeysOnly = true });

        Assert.Equal(reverse ? ["b", "a"] : ["a", "b"], Keys(page.Entries));
        Assert.All(page.Entries, static entry => Assert.True(entry.Value.IsEmpty));
    }

    [Theory]
    [InlineData("a", "b ba c d e")]
    [InlineData("bb", "c d e")]
    [InlineData("e", "")]
    [InlineData("z", "")]
    [InlineData("0", "a b ba c d e")]
    public async Task A_page_goes_on_behind_a_key_whether_it_exists_or_not(string resume, string expected)
    {
        await FillAsync(_alphabet);

        ScanPage page = Store.Scan(All() with { ResumeAfter = Bytes(resume), HasResume = true });

        Assert.Equal(expected, string.Join(' ', Keys(page.Entries)));
    }

    [Fact]
    public async Task A_page_never_goes_on_outside_its_range()
    {
        await FillAsync(_alphabet);
        KeyRange range = new(Bytes("b"), Bytes("d"));

        ScanPage forward = Store.Scan(new ScanRequest(
            null, range, false, 100, 1 << 20, ResumeAfter: Bytes("0"), HasResume: true));
        ScanPage backward = Store.Scan(new ScanRequest(
            null, range, true, 100, 1 << 20, ResumeAfter: Bytes("z"), HasResume: true));

        Assert.Equal(["b", "ba", "c"], Keys(forward.Entries));
        Assert.Equal(["c", "ba", "b"], Keys(backward.Entries));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(-1, 1)]
    [InlineData(1, 0)]
    public void A_page_of_nothing_is_refused(int limit, int maxBytes) => Refused(
        FailureKind.InvalidArgument, () => Store.Scan(new ScanRequest(null, KeyRange.All, false, limit, maxBytes)));

    [Theory]
    [InlineData(0)]
    [InlineData(65537)]
    public void A_page_that_goes_on_behind_a_key_that_cannot_be_is_refused(int bytes) => Refused(
        FailureKind.InvalidArgument,
        () => Store.Scan(All() with { ResumeAfter = new byte[bytes], HasResume = true }));

    [Fact]
    public void A_range_with_a_bound_that_cannot_be_is_refused()
    {
        KeyRange range = new(new byte[65537], default);

        Refused(FailureKind.InvalidArgument, () => Store.Scan(All() with { Range = range }));
        Refused(FailureKind.InvalidArgument, () => Store.Count(null, range));
    }

    [Fact]
    public void An_empty_store_has_an_empty_range()
    {
        ScanPage page = Store.Scan(All());

        Assert.Empty(page.Entries);
        Assert.False(page.HasMore);
    }

    [Theory]
    [MemberData(nameof(Ranges))]
    public async Task A_range_shows_as_much_of_its_entries_as_was_asked_for(
        string from, string to, bool fromExclusive, bool toInclusive, bool reverse)
    {
        await FillAsync(_alphabet);
        string[] keys = [.. _alphabet.Where(key => IsIn(key, from, to, fromExclusive, toInclusive))];
        RangeOptions whole = new()
        {
            Range = new KeyRange(Bytes(from), Bytes(to), fromExclusive, toInclusive),
            Reverse = reverse,
        };
        foreach ((int offset, int? limit) in ((int, int?)[])[(0, null), (0, 0), (0, 2), (1, null), (2, 3), (9, 1)])
        {
            string[] expected =
                [.. (reverse ? keys.Reverse() : keys).Skip(offset).Take(limit ?? int.MaxValue)];
            foreach (RangeContent content in Enum.GetValues<RangeContent>())
            {
                RangeOptions options = whole with { Offset = offset, Limit = limit, Content = content };

                IReadOnlyList<KeyValueEntry> entries = Store.Range(options);
                IReadOnlyList<KeyValueEntry> later = await Store.RangeAsync(options);

                Assert.Equal(Shown(expected, content), entries.Select(Show));
                Assert.Equal(Shown(expected, content), later.Select(Show));
            }
        }

        static IEnumerable<string> Shown(string[] keys, RangeContent content) => keys.Select(key => content switch
        {
            RangeContent.All => $"{key}=of {key}",
            RangeContent.KeysOnly => $"{key}=",
            _ => $"=of {key}",
        });

        static string Show(KeyValueEntry entry) => $"{Text(entry.Key)}={Text(entry.Value)}";
    }

    [Fact]
    public void A_range_that_cannot_be_is_refused()
    {
        RangeOptions[] all =
        [
            new() { Offset = -1 }, new() { Limit = -1 }, new() { ReadaheadBytes = -1 },
            new() { Content = (RangeContent)9 }, new() { Tailing = true, Reverse = true },
            new() { Range = new KeyRange(new byte[65537], default) },
        ];

        Assert.All(all, options => Refused(FailureKind.InvalidArgument, () => Store.Range(options)));
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.Range(new RangeOptions { ColumnFamily = "missing" }));
    }

    private static bool IsIn(string key, string from, string to, bool fromExclusive, bool toInclusive)
    {
        int lower = from.Length == 0 ? 1 : string.CompareOrdinal(key, from);
        int upper = to.Length == 0 ? -1 : string.CompareOrdinal(key, to);
        return (fromExclusive ? lower > 0 : lower >= 0) && (toInclusive ? upper <= 0 : upper < 0);
    }
}
