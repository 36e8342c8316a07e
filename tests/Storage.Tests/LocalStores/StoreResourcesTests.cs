using Microsoft.Extensions.Options;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class StoreResourcesTests
{
    [Fact]
    public async Task Past_the_budget_the_largest_memtables_are_flushed()
    {
        ManualTime time = new();
        await using TestStore test = new(
            options =>
            {
                options.MemtableBudgetBytes = 8 << 20;
                options.MemtableBytes = 8 << 20;
                options.MaxRequestBytes = 8 << 20;
            },
            time);
        await using LocalStore small = test.Open("small", create: true);
        await WriteAsync(small, Put("k", "v"));
        LocalStore[] large = [.. Enumerable.Range(0, 3).Select(i => test.Open($"large{i}", create: true))];
        foreach (LocalStore store in large)
        {
            await WriteAsync(store, WriteOperation.Put(Bytes("k"), new byte[4 << 20]));
        }

        test.Resources.RunUpkeep();
        await Waiting.UntilAsync(
            () => large.Count(store => store.GetStatistics().MemtableBytes < 1 << 20) >= 2
                && test.Resources.MemtableBytes <= 8 << 20,
            "two flushes and memory within the budget");

        Assert.Equal(0, small.GetStatistics().BackgroundFlushes);
        foreach (LocalStore store in large)
        {
            await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task Many_stores_that_hold_little_stay_within_the_budget_and_nothing_is_flushed()
    {
        const int Stores = 40;
        await using TestStore test = new(
            options =>
            {
                options.MemtableBudgetBytes = 8 << 20;
                options.MemtableBytes = 8 << 20; // Of which RocksDB would take an eighth for the first entry.
                options.MaxRequestBytes = 8 << 20;
            },
            new ManualTime());
        LocalStore[] stores = [.. Enumerable.Range(0, Stores).Select(i => test.Open($"branch{i}", create: true))];
        foreach (LocalStore store in stores)
        {
            await WriteAsync(store, Put("k", "v"));
        }

        test.Resources.RunUpkeep();
        foreach (LocalStore store in stores)
        {
            await WriteAsync(store, Put("l", "v"));
        }

        test.Resources.RunUpkeep();

        Assert.InRange(test.Resources.MemtableBytes, 1, Stores * (128L << 10));
        Assert.All(stores, store => Assert.Equal(0, store.GetStatistics().BackgroundFlushes));
        foreach (LocalStore store in stores)
        {
            await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_store_that_went_quiet_is_flushed_so_that_it_opens_without_a_long_replay()
    {
        ManualTime time = new();
        await using TestStore test = new(time: time);
        await test.WriteAsync(WriteOperation.Put(Bytes("k"), new byte[1 << 20]));

        test.Resources.RunUpkeep();
        Assert.Equal(0, test.Store.GetStatistics().BackgroundFlushes);
        test.Resources.RunUpkeep();
        await Waiting.UntilAsync(() => test.Store.GetStatistics().BackgroundFlushes > 0, "a background flush");

        Assert.Equal(0, test.Store.TailBytes);
    }

    [Fact]
    public async Task A_store_that_is_written_slowly_is_flushed_before_its_tail_is_long()
    {
        ManualTime time = new();
        await using TestStore test = new(options => options.MemtableBytes = 64 << 20, time);
        for (int i = 0; i < 4; i++)
        {
            long before = test.Store.TailBytes;
            await test.WriteAsync(WriteOperation.Put(Bytes($"k{i}"), new byte[(1 << 20) + (1 << 10)]));

            // The writer counts a group's bytes after it has answered the group.
            await Waiting.UntilAsync(() => test.Store.TailBytes > before, "the bytes of the write");

            Assert.Equal(0, test.Store.GetStatistics().BackgroundFlushes);
            test.Resources.RunUpkeep();
        }

        await Waiting.UntilAsync(() => test.Store.GetStatistics().BackgroundFlushes > 0, "a background flush");

        Assert.Equal(0, test.Store.TailBytes);
    }

    [Fact]
    public async Task What_was_replayed_at_opening_counts_as_unflushed()
    {
        await using TestStore test = new(time: new ManualTime());
        await test.WriteAsync(WriteOperation.Put(Bytes("k"), new byte[100_000]));

        await test.ReopenAsync();

        Assert.InRange(test.Store.TailBytes, 100_000, 110_000);
    }

    [Fact]
    public async Task Open_stores_are_counted()
    {
        await using TestStore test = new();
        LocalStore second = test.Open("second", create: true);
        Assert.Equal(2, test.Resources.OpenStores);

        await second.DisposeAsync();

        Assert.Equal(1, test.Resources.OpenStores);
    }

    [Theory]
    [InlineData(1_048_576, 256, 512)]
    [InlineData(20_000, 256, 58)]
    [InlineData(1024, 256, 16)]
    public void Each_store_gets_its_share_of_the_open_files(long processLimit, int stores, int expected)
    {
        StorageOptions options = new() { MaxOpenStores = stores };

        Assert.Equal(expected, StoreResources.MaxOpenFiles(options, processLimit));
    }

    [Fact]
    public void The_defaults_are_valid_once_a_data_root_is_given()
    {
        StorageOptions options = new() { DataRoot = "/data" };

        Assert.True(new StorageOptionsValidator().Validate(null, options).Succeeded);
        Assert.True(new StorageOptionsRules().Validate(null, options).Succeeded);
        Assert.Contains(
            "DataRoot",
            new StorageOptionsValidator().Validate(null, new StorageOptions()).FailureMessage,
            StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_field_out_of_its_range_is_refused_by_name(string field, Action<StorageOptions> spoil)
    {
        StorageOptions options = new() { DataRoot = "/data" };
        spoil(options);

        ValidateOptionsResult result = new StorageOptionsValidator().Validate(null, options);

        Assert.Contains(field, result.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Fields_that_contradict_each_other_are_refused_with_their_values()
    {
        StorageOptions options = new()
        {
            DataRoot = "/data",
            MemtableBytes = 512L << 20,
            MaxRequestBytes = 128 << 20,
        };

        ValidateOptionsResult result = new StorageOptionsRules().Validate(null, options);

        Assert.Equal(2, result.Failures!.Count());
    }

    public static TheoryData<string, Action<StorageOptions>> Wrong => new()
    {
        { nameof(StorageOptions.BlockCacheBytes), options => options.BlockCacheBytes = 1 },
        { nameof(StorageOptions.MemtableBudgetBytes), options => options.MemtableBudgetBytes = 0 },
        { nameof(StorageOptions.MemtableBytes), options => options.MemtableBytes = 0 },
        { nameof(StorageOptions.MaxOpenStores), options => options.MaxOpenStores = 0 },
        { nameof(StorageOptions.StoreIdleTimeout), options => options.StoreIdleTimeout = TimeSpan.Zero },
        { nameof(StorageOptions.MaxBranchesPerDatabase), options => options.MaxBranchesPerDatabase = 0 },
        { nameof(StorageOptions.MaxBranchDepth), options => options.MaxBranchDepth = 0 },
        { nameof(StorageOptions.WriteQueueCapacity), options => options.WriteQueueCapacity = 0 },
        { nameof(StorageOptions.WriteGroupMaxBytes), options => options.WriteGroupMaxBytes = 0 },
        { nameof(StorageOptions.MaxRequestBytes), options => options.MaxRequestBytes = 0 },
        { nameof(StorageOptions.WriteTimeout), options => options.WriteTimeout = TimeSpan.Zero },
    };

    [Fact]
    public async Task The_block_cache_grows_and_shrinks_while_stores_are_open()
    {
        await using TestStore test = new();
        byte[] value = new byte[64 << 10];
        new Random(1).NextBytes(value);
        for (int i = 0; i < 64; i++)
        {
            await test.WriteAsync(WriteOperation.Put(Bytes($"k{i:00}"), value));
        }

        test.Store.Flush();
        Assert.Equal(64, test.Store.Range().Count());
        long before = test.Resources.BlockCacheUsageBytes;

        test.Resources.BlockCacheBytes = 1 << 20;

        Assert.Equal(1 << 20, test.Resources.BlockCacheBytes);
        Assert.InRange(before, 3L << 20, 8L << 20);
        Assert.InRange(test.Resources.BlockCacheUsageBytes, 0, 1 << 20);
        Assert.Throws<ArgumentOutOfRangeException>(() => test.Resources.BlockCacheBytes = (1 << 20) - 1);
        Assert.Equal(64, test.Store.Range().Count());
    }
}
