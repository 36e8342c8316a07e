using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreScanTests
{
    [Theory]
    [InlineData(false, false, false, "b c d")]
    [InlineData(false, true, false, "b c d e")]
    [InlineData(true, false, false, "c d")]
    [InlineData(true, true, false, "c d e")]
    [InlineData(false, false, true, "d c b")]
    [InlineData(false, true, true, "e d c b")]
    [InlineData(true, false, true, "d c")]
    [InlineData(true, true, true, "e d c")]
    public async Task A_range_holds_its_bounds_as_asked(bool fromExclusive, bool toInclusive, bool reverse, string keys)
    {
        await using TestStore test = new();
        await PutAllAsync(test, "a", "b", "c", "d", "e", "f");
        KeyRange range = new(Bytes("b"), Bytes("e"), fromExclusive, toInclusive);

        ScanPage page = test.Store.Scan(new ScanRequest(null, range, reverse, 100, 1000));

        Assert.Equal(keys, string.Join(' ', Keys(page.Entries)));
        Assert.False(page.HasMore);
        Assert.Equal(page.Entries.Count, test.Store.Count(null, range, CancellationToken.None));
    }

    [Theory]
    [InlineData("", "", "a b c")]
    [InlineData("b", "", "b c")]
    [InlineData("", "b", "a")]
    [InlineData("b", "b", "")]
    [InlineData("c", "a", "")]
    [InlineData("aa", "ab", "")]
    [InlineData("x", "", "")]
    public async Task Open_empty_and_inverted_ranges_hold_what_they_say(string from, string to, string keys)
    {
        await using TestStore test = new();
        await PutAllAsync(test, "a", "b", "c");
        KeyRange range = new(Bytes(from), Bytes(to));

        string[] forward = Keys(test.Store.Scan(new ScanRequest(null, range, false, 100, 1000)).Entries);
        string[] backward = Keys(test.Store.Scan(new ScanRequest(null, range, true, 100, 1000)).Entries);

        Assert.Equal(keys, string.Join(' ', forward));
        Assert.Equal(forward, backward.Reverse(), StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_single_key_is_a_range_with_both_bounds_in()
    {
        await using TestStore test = new();
        await PutAllAsync(test, "a", "b", "c");

        ScanPage page = test.Store.Scan(
            new ScanRequest(null, new KeyRange(Bytes("b"), Bytes("b"), ToInclusive: true), false, 9, 9));

        Assert.Equal(["b"], Keys(page.Entries));
    }

    [Theory]
    [InlineData(new byte[] { 1 }, 3)]
    [InlineData(new byte[] { 1, 0xFF }, 2)]
    [InlineData(new byte[] { 0xFF }, 3)]
    [InlineData(new byte[] { 0xFF, 0xFF }, 1)]
    [InlineData(new byte[] { 7 }, 0)]
    [InlineData(new byte[0], 8)]
    public async Task A_prefix_holds_every_key_that_begins_with_it(byte[] prefix, int expected)
    {
        await using TestStore test = new();
        byte[][] keys = [[0], [1], [1, 0xFF], [1, 0xFF, 0xFF], [2], [0xFF], [0xFF, 0xFE], [0xFF, 0xFF]];
        await test.WriteAsync([.. keys.Select(key => WriteOperation.Put(key, Bytes("v")))]);

        ScanPage page = test.Store.Scan(new ScanRequest(null, KeyRange.Prefix(prefix), false, 100, 1000));

        Assert.Equal(expected, page.Entries.Count);
        Assert.All(page.Entries, entry => Assert.True(entry.Key.Span.StartsWith(prefix)));
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 3)]
    [InlineData(true, 1)]
    [InlineData(true, 7)]
    public async Task Pages_joined_are_the_whole_range(bool reverse, int limit)
    {
        await using TestStore test = new();
        string[] keys = [.. Enumerable.Range(0, 25).Select(i => $"k{i:00}")];
        await PutAllAsync(test, keys);
        List<string> seen = [];
        ScanRequest request = new(null, new KeyRange(Bytes("k01"), Bytes("k23"), true, true), reverse, limit, 1 << 20);

        ScanPage page;
        do
        {
            page = test.Store.Scan(request);
            Assert.InRange(page.Entries.Count, 1, limit);
            seen.AddRange(Keys(page.Entries));
            request = request with { HasResume = true, ResumeAfter = page.Entries[^1].Key };
        }
        while (page.HasMore);

        string[] expected = keys[2..24];
        Assert.Equal(reverse ? [.. expected.Reverse()] : expected, seen, StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_page_ends_with_the_entry_that_reaches_its_bytes()
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 9).Select(i => Put($"{i}", new string('v', 99)))]);

        ScanPage page = test.Store.Scan(All() with { MaxBytes = 250 });
        ScanPage smallest = test.Store.Scan(All() with { MaxBytes = 1 });
        ScanPage keysOnly = test.Store.Scan(All() with { MaxBytes = 250, KeysOnly = true });

        Assert.Equal(3, page.Entries.Count);
        Assert.True(page.HasMore);
        Assert.Single(smallest.Entries);
        Assert.Equal(9, keysOnly.Entries.Count);
        Assert.All(keysOnly.Entries, entry => Assert.True(entry.Value.IsEmpty));
    }

    [Fact]
    public async Task A_resume_key_outside_the_range_does_not_widen_it()
    {
        await using TestStore test = new();
        await PutAllAsync(test, "a", "b", "c", "d");
        ScanRequest request = new(null, new KeyRange(Bytes("b"), Bytes("d")), false, 9, 99, HasResume: true);

        ScanPage forward = test.Store.Scan(request with { ResumeAfter = Bytes("a") });
        ScanPage backward = test.Store.Scan(request with { ResumeAfter = Bytes("z"), Reverse = true });
        ScanPage past = test.Store.Scan(request with { ResumeAfter = Bytes("z") });

        Assert.Equal(["b", "c"], Keys(forward.Entries));
        Assert.Equal(["c", "b"], Keys(backward.Entries));
        Assert.Empty(past.Entries);
    }

    [Fact]
    public async Task A_cursor_shows_the_store_as_it_was_when_it_was_opened()
    {
        await using TestStore test = new();
        await PutAllAsync(test, "a", "c", "e");
        WriteResult before = await test.WriteAsync(Put("a", "old"));
        using ScanCursor cursor = test.Store.OpenCursor(All());
        List<KeyValueEntry> entries = [];

        bool more = cursor.ReadPage(1, 1000, entries);
        await test.WriteAsync(Put("b", "new"), Delete("c"), Put("e", "new"));
        test.Store.Flush();
        while (more)
        {
            more = cursor.ReadPage(1, 1000, entries);
        }

        Assert.Equal(before.Sequence, cursor.Sequence);
        Assert.Equal(["a", "c", "e"], Keys(entries));
        Assert.Equal("e", Text(entries[2].Value));
    }

    [Fact]
    public async Task Closing_the_store_closes_its_cursors()
    {
        await using TestStore test = new();
        await PutAllAsync(test, "a", "b");
        ScanCursor cursor = test.Store.OpenCursor(All());
        cursor.ReadPage(1, 1000, []);
        Assert.Equal(1, test.Store.GetStatistics().OpenCursors);

        await test.ReopenAsync();

        StorageException failure = Assert.Throws<StorageException>(() => cursor.ReadPage(1, 1000, []));
        Assert.Equal(FailureKind.Closed, failure.Kind);
        cursor.Dispose();
        cursor.Dispose();
        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
    }

    [Fact]
    public async Task A_disposed_cursor_says_so()
    {
        await using TestStore test = new();
        ScanCursor cursor = test.Store.OpenCursor(All());

        cursor.Dispose();

        Assert.Throws<ObjectDisposedException>(() => cursor.ReadPage(1, 1, []));
        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
    }

    [Fact]
    public async Task Counting_stops_when_cancelled()
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 10_000).Select(i => Put($"k{i}", ""))]);
        using CancellationTokenSource cancel = new();
        await cancel.CancelAsync();

        Assert.Throws<OperationCanceledException>(() => test.Store.Count(null, KeyRange.All, cancel.Token));
        Assert.Equal(10_000, test.Store.Count(null, KeyRange.All, CancellationToken.None));
    }

    [Fact]
    public async Task An_estimate_is_near_the_count_also_after_deletes()
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 4000).Select(i => Put($"k{i:0000}", "v"))]);
        test.Store.Flush();
        await test.WriteAsync([.. Enumerable.Range(0, 2000).Select(i => Delete($"k{i:0000}"))]);
        test.Store.Flush();

        long estimate = test.Store.EstimateCount(null);

        Assert.Equal(2000, test.Store.Count(null, KeyRange.All, CancellationToken.None));
        Assert.InRange(estimate, 1000, 4000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_estimate_of_a_reopened_store_counts_what_is_in_tables_and_in_memory(bool reopened)
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 3000).Select(i => Put($"k{i:0000}", "v"))]);
        test.Store.Flush();
        await test.WriteAsync([.. Enumerable.Range(0, 500).Select(i => Delete($"k{i:0000}"))]);
        test.Store.Flush();
        await test.WriteAsync([.. Enumerable.Range(3000, 70).Select(i => Put($"k{i:0000}", "v")), Delete("k2999")]);
        if (reopened)
        {
            await test.ReopenAsync();
        }

        long estimate = test.Store.EstimateCount(null);

        Assert.Equal(2569, test.Store.Count(null, KeyRange.All, CancellationToken.None));
        Assert.Equal(2569, estimate);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public async Task A_page_of_nothing_is_refused(int limit, long bytes)
    {
        await using TestStore test = new();

        StorageException failure = Assert.Throws<StorageException>(
            () => test.Store.Scan(new ScanRequest(null, KeyRange.All, false, limit, bytes)));

        Assert.Equal(FailureKind.InvalidArgument, failure.Kind);
    }

    [Fact]
    public async Task Deleting_a_range_of_a_million_keys_takes_the_memory_of_one_operation()
    {
        const int Count = 1_000_000, Batch = 20_000;
        await using TestStore test = new(time: new ManualTime());
        for (int i = 0; i < Count; i += Batch)
        {
            await test.WriteAsync(
                [.. Enumerable.Range(i, Batch).Select(k => WriteOperation.Put(Bytes($"k{k:000000}"), default))]);
        }

        test.Store.Flush();
        ulong before = test.Store.LastAcknowledged.Value;
        long memory = test.Store.MeasureMemtables().All;
        WriteResult result = await test.WriteAsync(WriteOperation.DeleteRange(Bytes("k000001"), Bytes("k999999")));

        Assert.Equal(before + 1, result.Sequence.Value);
        Assert.InRange(test.Store.MeasureMemtables().All - memory, 0, 64 << 10);
        Assert.InRange(test.Store.TailBytes, 0, 1 << 10);
        Assert.Equal(["k000000", "k999999"], Keys(test.Store.Scan(All()).Entries));
        test.Store.CreateCheckpoint(test.InRoot("branch"));
        await using LocalStore branch = test.Open("branch");
        Assert.Equal(2, branch.Count(null, KeyRange.All, CancellationToken.None));
    }

    private static Task<WriteResult> PutAllAsync(TestStore test, params string[] keys) =>
        test.WriteAsync([.. keys.Select(key => Put(key, key))]);
}
