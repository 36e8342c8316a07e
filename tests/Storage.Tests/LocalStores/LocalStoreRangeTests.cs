using System.Buffers;
using Branching.RocksDb;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreRangeTests(ITestOutputHelper output)
{
    private static readonly string[] _three = ["a", "b", "c", "d"];

    public static TheoryData<bool, bool, bool, string> Bounds => new()
    {
        { false, false, false, "b c" },
        { false, true, false, "b c d" },
        { true, false, false, "c" },
        { true, true, false, "c d" },
        { false, false, true, "c b" },
        { false, true, true, "d c b" },
        { true, false, true, "c" },
        { true, true, true, "d c" },
    };

    [Theory]
    [MemberData(nameof(Bounds))]
    public async Task Each_end_is_in_or_out_as_asked_in_both_directions(
        bool fromExclusive, bool toInclusive, bool reverse, string expected)
    {
        await using TestStore test = await FilledAsync(["a", "b", "c", "d", "e"]);
        RangeOptions options = new()
        {
            Range = new KeyRange(Bytes("b"), Bytes("d"), fromExclusive, toInclusive),
            Reverse = reverse,
        };

        string found = string.Join(' ', test.Store.Range(options).Select(KeyText));

        Assert.Equal(expected, found);
        Assert.Equal(expected, string.Join(' ', await KeysAsync(test.Store.RangeAsync(options))));
    }

    [Theory]
    [InlineData("b", "b", false, false, "")]
    [InlineData("b", "b", false, true, "b")]
    [InlineData("b", "b", true, true, "")]
    [InlineData("c", "a", false, true, "")]
    [InlineData("x", "", false, false, "")]
    [InlineData("", "a", false, false, "")]
    [InlineData("bb", "bc", false, true, "")]
    public async Task An_empty_range_has_no_entry_whatever_its_ends(
        string from, string to, bool fromExclusive, bool toInclusive, string expected)
    {
        await using TestStore test = await FilledAsync(["a", "b", "c"]);
        KeyRange range = new(Bytes(from), Bytes(to), fromExclusive, toInclusive);
        foreach (bool reverse in (ReadOnlySpan<bool>)[false, true])
        {
            RangeOptions options = new() { Range = range, Reverse = reverse };

            Assert.Equal(expected, string.Join(' ', test.Store.Range(options).Select(KeyText)));
        }

        Assert.Equal(expected.Length > 0 ? 1 : 0, test.Store.Count(null, range, default));
        Assert.Equal(
            new CountEstimate(expected.Length > 0 ? 1 : 0, IsExact: true), test.Store.EstimateCount(null, range));
    }

    [Fact]
    public async Task A_range_with_asynchronous_reading_is_the_same_or_says_what_it_needs()
    {
        await using TestStore test = await FilledAsync(["a", "b", "c"]);
        test.Store.Flush();
        RangeOptions options = new() { AsyncIo = true };

        if (RocksDbLibrary.NativeVersion >= new Version(7, 10))
        {
            Assert.Equal("a b c", string.Join(' ', test.Store.Range(options).Select(KeyText)));
        }
        else
        {
            StorageException failure = Assert.Throws<StorageException>(() => test.Store.Range(options).Count());
            Assert.Equal(FailureKind.NotSupported, failure.Kind);
            Assert.Contains("7.10", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Ranges_are_those_of_a_sorted_list()
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        Random random = new(Seed);
        byte[][] keys = [.. Enumerable.Range(0, 400).Select(_ => RandomKey(random)).DistinctBy(Convert.ToHexString)];
        await using TestStore test = new(options => options.MemtableBytes = 64 << 10);
        await test.WriteAsync([.. keys.Select(key => WriteOperation.Put(key, key))]);
        test.Store.Flush();
        Array.Sort(keys, static (x, y) => x.AsSpan().SequenceCompareTo(y));

        for (int round = 0; round < 300; round++)
        {
            RangeOptions options = RandomOptions(random, keys);
            IEnumerable<byte[]> expected = keys.Where(key => IsIn(options.Range, key));
            expected = options.Reverse ? expected.Reverse() : expected;
            long limit = options.Limit ?? long.MaxValue;
            string[] wanted = [.. expected.Skip((int)options.Offset).Take((int)Math.Min(limit, 1000))
                .Select(Convert.ToHexString)];

            Assert.Equal(wanted, test.Store.Range(options).Select(entry => Convert.ToHexString(entry.Key)));
            Assert.Equal(keys.Count(key => IsIn(options.Range, key)), test.Store.Count(null, options.Range, default));
            if (round % 10 == 0)
            {
                List<string> asynchronous = [];
                await foreach (KeyValueEntry entry in test.Store.RangeAsync(options))
                {
                    asynchronous.Add(Convert.ToHexString(entry.Value.Span));
                }

                Assert.Equal(wanted, asynchronous);
            }
        }
    }

    [Fact]
    public async Task A_query_reads_no_more_than_it_needs_and_gives_the_iterator_back()
    {
        await using TestStore test = await FilledAsync(Enumerable.Range(0, 1000).Select(i => $"{i:0000}"));
        int seen = 0;

        IEnumerable<string> query = test.Store.Range()
            .Where(entry => ++seen > 0 && entry.Key[^1] == '0')
            .Skip(1)
            .Take(3)
            .SelectMany(entry => new[] { KeyText(entry), "-" });

        Assert.Equal(0, seen);
        Assert.Equal(["0010", "-", "0020", "-", "0030", "-"], query);
        Assert.Equal(31, seen);
        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
    }

    [Fact]
    public async Task An_entry_is_gone_once_its_reader_has_moved()
    {
        await using TestStore test = await FilledAsync(_three);
        using RangeReader reader = test.Store.Range().GetEnumerator();
        Assert.Throws<InvalidOperationException>(() => reader.Current);
        Assert.True(reader.MoveNext());
        PinnedEntry first = reader.Current;
        KeyValueEntry copy = first.ToEntry();

        Assert.True(reader.MoveNext());

        Assert.Throws<InvalidOperationException>(() => first.Key.Length);
        Assert.Throws<InvalidOperationException>(() => first.Value.Length);
        Assert.Equal("a", Text(copy.Key));
        PinnedEntry second = reader.Current;
        reader.Dispose();
        Assert.Throws<InvalidOperationException>(() => second.Key.Length);
        Assert.False(reader.MoveNext());
    }

    [Fact]
    public async Task Only_what_is_asked_for_is_shown()
    {
        await using TestStore test = await FilledAsync(_three);

        Assert.All(
            test.Store.Range(new RangeOptions { Content = RangeContent.KeysOnly }),
            entry => Assert.Equal((1, 0), (entry.Key.Length, entry.Value.Length)));
        Assert.All(
            test.Store.Range(new RangeOptions { Content = RangeContent.ValuesOnly }),
            entry => Assert.Equal((0, 1), (entry.Key.Length, entry.Value.Length)));
        await foreach (KeyValueEntry entry in test.Store.RangeAsync(
            new RangeOptions { Content = RangeContent.ValuesOnly }))
        {
            Assert.Equal((0, 1), (entry.Key.Length, entry.Value.Length));
        }
    }

    [Fact]
    public async Task A_view_is_not_moved_by_writes()
    {
        await using TestStore test = await FilledAsync(_three);
        using StoreView view = test.Store.OpenView();
        await test.WriteAsync(Put("a", "new"), Delete("b"), Put("z", "z"));

        Assert.Equal(_three, test.Store.Range(new RangeOptions { View = view }).Select(KeyText));
        Assert.Equal(["a", "c", "d", "z"], test.Store.Range().Select(KeyText));
        ArrayBufferWriter<byte> value = new();
        Assert.True(test.Store.TryGetAt(view, null, Bytes("a"), value));
        Assert.Equal("a", Text(value.WrittenMemory));
        Assert.False(test.Store.TryGetAt(view, null, Bytes("z"), value));
        Assert.True(view.Sequence < test.Store.LastAcknowledged);
    }

    [Fact]
    public async Task A_tailing_range_goes_on_with_what_was_written_behind_it()
    {
        await using TestStore test = await FilledAsync(["a", "b"]);
        using RangeReader reader = test.Store.Range(new RangeOptions { Tailing = true }).GetEnumerator();
        Assert.True(reader.MoveNext() && reader.MoveNext());
        Assert.False(reader.MoveNext());

        await test.WriteAsync(Put("a0", "before"), Put("c", "behind"), Put("d", "behind"));

        Assert.True(reader.MoveNext());
        Assert.Equal("c", KeyText(reader.Current));
        Assert.True(reader.MoveNext());
        Assert.Equal("d", KeyText(reader.Current));
        Assert.False(reader.MoveNext());
    }

    [Fact]
    public async Task However_an_asynchronous_range_ends_its_iterator_is_given_back()
    {
        await using TestStore test = await FilledAsync(Enumerable.Range(0, 500).Select(i => $"{i:0000}"));
        using CancellationTokenSource stop = new();

        await foreach (KeyValueEntry entry in test.Store.RangeAsync())
        {
            break;
        }

        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (KeyValueEntry entry in test.Store.RangeAsync())
            {
                throw new InvalidDataException();
            }
        });
        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (KeyValueEntry entry in test.Store.RangeAsync(cancellationToken: stop.Token))
            {
                await stop.CancelAsync();
            }
        });
        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
        Assert.Equal(
            ["0003", "0004"],
            await test.Store.RangeAsync().Select(entry => Text(entry.Key)).Skip(3).Take(2).ToListAsync());
        Assert.Equal(0, test.Store.GetStatistics().OpenCursors);
    }

    [Fact]
    public async Task Closing_the_store_ends_its_ranges()
    {
        await using TestStore test = await FilledAsync(
            Enumerable.Range(0, 500).Select(i => $"{i:0000}"), Waiting.Deadline);
        await using IAsyncEnumerator<KeyValueEntry> asynchronous = test.Store.RangeAsync().GetAsyncEnumerator();
        Assert.True(await asynchronous.MoveNextAsync());
        using RangeReader reader = test.Store.Range().GetEnumerator();
        Assert.True(reader.MoveNext());
        PinnedEntry entry = reader.Current;

        Task closing = test.Store.DisposeAsync().AsTask();
        await Waiting.UntilAsync(() => Failure(() => test.Store.Exists(null, [1])) is not null, "the closing");

        // What it points to stays until the reader moves, and the closing waits for that.
        Assert.Equal("0000", KeyText(entry));
        Assert.False(closing.IsCompleted);
        Assert.Equal(FailureKind.Closed, Failure(() => reader.MoveNext()));
        await closing.WaitAsync(Waiting.Deadline);
        Assert.Equal(FailureKind.Closed, (await Assert.ThrowsAsync<StorageException>(async () =>
        {
            while (await asynchronous.MoveNextAsync())
            {
                // What was read before the closing is still handed out.
            }
        })).Kind);
        await test.ReopenAsync();
        Assert.Equal(500, test.Store.Range().Count());
    }

    [Fact]
    public async Task A_forgotten_reader_does_not_hold_up_the_closing_and_stays_safe()
    {
        await using TestStore test = await FilledAsync(_three);
        using RangeReader reader = test.Store.Range().GetEnumerator();
        Assert.True(reader.MoveNext());
        PinnedEntry entry = reader.Current;

        await test.Store.DisposeAsync().AsTask().WaitAsync(Waiting.Deadline);

        Assert.Equal("a", KeyText(entry));
        Assert.Equal(FailureKind.Closed, Failure(() => reader.MoveNext()));
        await test.ReopenAsync();
        Assert.Equal(4, test.Store.Range().Count());
    }

    [Fact]
    public async Task A_family_dropped_meanwhile_is_read_to_its_end()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("a", "1", "other"), Put("b", "2", "other"));
        RangeOptions options = new() { ColumnFamily = "other" };
        using RangeReader reader = test.Store.Range(options).GetEnumerator();
        Assert.True(reader.MoveNext());

        test.Store.DropColumnFamily("other");

        Assert.True(reader.MoveNext());
        Assert.False(reader.MoveNext());
        Assert.Equal(FailureKind.ColumnFamilyNotFound, Failure(() => test.Store.Range(options).Count()));
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused_before_anything_is_read()
    {
        await using TestStore test = new();
        await using TestStore other = new();
        using StoreView foreign = other.Store.OpenView();
        RangeOptions[] refused =
        [
            new() { Offset = -1 }, new() { Limit = -1 }, new() { ReadaheadBytes = -1 },
            new() { Tailing = true, Reverse = true }, new() { Content = (RangeContent)9 },
            new() { Range = new KeyRange(new byte[LocalStore.MaxKeyBytes + 1], default) },
        ];

        Assert.All(refused, options => Assert.Equal(
            FailureKind.InvalidArgument, Failure(() => test.Store.Range(options).GetType())));
        Assert.Equal(
            FailureKind.InvalidArgument, Failure(() => test.Store.Range(new RangeOptions { View = foreign }).Count()));
        Assert.Empty(test.Store.Range(new RangeOptions { Limit = 0 }));
    }

    [Fact]
    public async Task Any_bytes_are_keys_and_values_of_any_length_come_back()
    {
        await using TestStore test = new(options =>
        {
            options.MaxRequestBytes = 32 << 20;
        });
        byte[][] keys = [[0], [0, 0], [0, 1], [255], new byte[LocalStore.MaxKeyBytes], [.. new byte[8], 7]];
        byte[] large = new byte[16 << 20];
        new Random(1).NextBytes(large);
        await test.WriteAsync([.. keys.Select(key => WriteOperation.Put(key, default))]);
        await test.WriteAsync(WriteOperation.Put(Bytes("large"), large));

        Array.Sort(keys, static (x, y) => x.AsSpan().SequenceCompareTo(y));
        Assert.Equal(
            keys.Select(Convert.ToHexString),
            test.Store.Range().Where(entry => entry.Value.IsEmpty).Select(entry => Convert.ToHexString(entry.Key)));
        Assert.Single(test.Store.Range(), entry => entry.Value.SequenceEqual(large));
        Assert.True(test.Store.TryGetLength(null, Bytes("large"), out long length));
        Assert.Equal(large.Length, length);
        Assert.True(test.Store.Exists(null, [0]));
        Assert.Equal(
            [true, false], test.Store.MultiExists(null, [new byte[] { 0 }, new byte[] { 9 }]));
        Assert.Equal(FailureKind.InvalidArgument, Failure(() => test.Store.Exists(null, [])));
        Assert.Equal(FailureKind.InvalidArgument, (await Assert.ThrowsAsync<StorageException>(
            () => test.WriteAsync(WriteOperation.Put(default, large)))).Kind);
    }

    private static async Task<TestStore> FilledAsync(IEnumerable<string> keys, TimeSpan? closeTimeout = null)
    {
        TestStore test = new(options =>
            options.RangeCloseTimeout = closeTimeout ?? TimeSpan.FromMilliseconds(50));
        await test.WriteAsync([.. keys.Select(key => Put(key, key[..1]))]);
        return test;
    }

    private static FailureKind? Failure(Func<object> action)
    {
        try
        {
            action();
            return null;
        }
        catch (StorageException e)
        {
            return e.Kind;
        }
    }

    private static string KeyText(PinnedEntry entry) => System.Text.Encoding.UTF8.GetString(entry.Key);

    private static async Task<List<string>> KeysAsync(IAsyncEnumerable<KeyValueEntry> range) =>
        await range.Select(entry => Text(entry.Key)).ToListAsync();

    private static RangeOptions RandomOptions(Random random, byte[][] keys)
    {
        byte[] from = RandomBound(random, keys), to = RandomBound(random, keys);
        KeyRange range = random.Next(6) == 0
            ? KeyRange.Prefix(from)
            : new KeyRange(from, to, random.Next(2) == 0, random.Next(2) == 0);
        return new RangeOptions
        {
            Range = range,
            Reverse = random.Next(2) == 0,
            Offset = random.Next(3) == 0 ? random.Next(30) : 0,
            Limit = random.Next(3) == 0 ? random.Next(30) : null,
            FillCache = random.Next(2) == 0,
            ReadaheadBytes = random.Next(2) == 0 ? 0 : 64 << 10,
        };
    }

    private static byte[] RandomBound(Random random, byte[][] keys) => random.Next(5) switch
    {
        0 => [],
        1 => RandomKey(random),
        _ => keys[random.Next(keys.Length)],
    };

    // Few different bytes, so that keys are often prefixes of each other, and zero and 255 are among them.
    private static byte[] RandomKey(Random random)
    {
        byte[] key = new byte[random.Next(1, 6)];
        for (int i = 0; i < key.Length; i++)
        {
            key[i] = (byte)random.Next(4) switch { 0 => 0, 1 => 1, 2 => (byte)'a', _ => 255 };
        }

        return key;
    }

    private static bool IsIn(KeyRange range, byte[] key)
    {
        int low = key.AsSpan().SequenceCompareTo(range.From.Span), high = key.AsSpan().SequenceCompareTo(range.To.Span);
        return (range.From.IsEmpty || low > 0 || (low == 0 && !range.FromExclusive))
            && (range.To.IsEmpty || high < 0 || (high == 0 && range.ToInclusive));
    }
}
