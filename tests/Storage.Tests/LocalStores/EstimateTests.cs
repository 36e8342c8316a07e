using System.Globalization;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

/// <summary>Estimates beside the truth, wherever keys can be and with everything that removes them.</summary>
public sealed class EstimateTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_estimate_of_a_part_that_is_not_flushed_is_of_that_part(bool reopened)
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 1200, 20);
        await FillAsync(test, "b", 2800, 20);
        if (reopened)
        {
            await test.ReopenAsync();
        }

        Assert.Equal(new CountEstimate(1200, IsExact: true), Estimate(test, "a"));
        Assert.Equal(new CountEstimate(2800, IsExact: true), Estimate(test, "b"));
    }

    [Fact]
    public async Task A_large_part_that_is_not_flushed_is_counted()
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 30_000, 5);
        await FillAsync(test, "b", 15_000, 5);

        Assert.Equal(new CountEstimate(30_000, IsExact: true), Estimate(test, "a"));
        Assert.Equal(new CountEstimate(15_000, IsExact: true), Estimate(test, "b"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_clearing_an_estimate_counts_what_is_left(bool flushed)
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 20_000, 20);
        test.Store.Flush();
        await test.Store.ClearAsync(null, KeyRange.All, durability: Durability.Buffered);
        if (flushed)
        {
            test.Store.Flush();
        }

        Assert.Equal(0, test.Store.EstimateCount(null));
        Assert.Equal(new CountEstimate(0, IsExact: true), test.Store.EstimateCount(null, KeyRange.All));
    }

    [Theory]
    [InlineData(0, 30_000)]
    [InlineData(15_000, 45_000)]
    [InlineData(30_000, 60_000)]
    public async Task After_clearing_one_half_an_estimate_is_near_the_other(int from, int to)
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 60_000, 20);
        test.Store.Flush();
        await test.Store.ClearAsync(null, new KeyRange(Key("a", from), Key("a", to)), durability: Durability.Buffered);
        test.Store.Flush();

        long exact = test.Store.Count(null, KeyRange.All, CancellationToken.None);
        long estimate = test.Store.EstimateCount(null);

        Assert.Equal(30_000, exact);
        Assert.InRange(estimate, 30_000 * 0.8, 30_000 * 1.2);
    }

    [Fact]
    public async Task Estimates_of_parts_of_tables_are_near_the_truth_where_values_differ_in_length()
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 60_000, 10);
        await FillAsync(test, "b", 20_000, 400);
        test.Store.Flush();

        Assert.InRange(Estimate(test, "a").Keys, 60_000 * 0.8, 60_000 * 1.2);
        Assert.InRange(Estimate(test, "b").Keys, 20_000 * 0.8, 20_000 * 1.2);
    }

    [Fact]
    public async Task What_is_not_flushed_takes_room_too()
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 4000, 100);
        long all = test.Store.MeasureRange(null, KeyRange.All);
        long half = test.Store.MeasureRange(null, new KeyRange(Key("a", 2000), default));

        Assert.InRange(all, 4000 * 100, 4000 * 400);
        Assert.InRange(half, all * 0.4, all * 0.6);
    }

    [Fact]
    public async Task What_is_not_flushed_takes_about_as_much_as_its_first_keys_say()
    {
        await using TestStore test = new();
        await FillAsync(test, "a", 30_000, 100);

        Assert.InRange(test.Store.MeasureRange(null, KeyRange.All), 30_000 * 100, 30_000 * 400);
    }

    private static CountEstimate Estimate(TestStore test, string prefix)
        => test.Store.EstimateCount(null, KeyRange.Prefix(Bytes(prefix)));

    private static byte[] Key(string prefix, int number)
        => Bytes(prefix + number.ToString("D6", CultureInfo.InvariantCulture));

    private static async Task FillAsync(TestStore test, string prefix, int keys, int valueBytes)
    {
        // What can be compressed would make the sizes of tables say little.
        Random random = new(keys);
        for (int from = 0; from < keys; from += 1000)
        {
            await test.WriteAsync([.. Enumerable.Range(from, Math.Min(1000, keys - from)).Select(i =>
            {
                byte[] value = new byte[valueBytes];
                random.NextBytes(value);
                return WriteOperation.Put(Key(prefix, i), value);
            })]);
        }
    }
}
