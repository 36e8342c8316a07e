using System.ComponentModel.DataAnnotations;
using Branching.RocksDb;
using Microsoft.Extensions.Options;

namespace Branching.Storage;

/// <summary>How a node stores data.</summary>
public sealed class StorageOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Storage";

    /// <summary>Directory of the data root, on a local file system; created when absent. No default.</summary>
    [Required, MinLength(1)]
    public string DataRoot { get; set; } = "";

    /// <summary>Block cache shared by all stores, in bytes. Default: 256 MiB.</summary>
    [Range(1L << 20, 1L << 42)]
    public long BlockCacheBytes { get; set; } = 256L << 20;

    /// <summary>Memory for unflushed writes of all stores together, in bytes. Default: 256 MiB.</summary>
    [Range(1L << 20, 1L << 42)]
    public long MemtableBudgetBytes { get; set; } = 256L << 20;

    /// <summary>Unflushed writes at which one store writes a table file, in bytes. Default: 16 MiB.</summary>
    [Range(64L << 10, 1L << 32)]
    public long MemtableBytes { get; set; } = 16L << 20;

    /// <summary>Stores open at the same time; more are closed, least recently used first. Default: 256.</summary>
    [Range(1, 100_000)]
    public int MaxOpenStores { get; set; } = 256;

    /// <summary>
    /// Table files one store keeps open. Default: 512; less when the process may not open that many for every store.
    /// </summary>
    [Range(16, 1_000_000)]
    public int MaxOpenFilesPerStore { get; set; } = 512;

    /// <summary>A store that nobody used for this long is closed. Default: 5 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan StoreIdleTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Branches one database may have, the main store included. Default: 100,000.</summary>
    [Range(1, 10_000_000)]
    public int MaxBranchesPerDatabase { get; set; } = 100_000;

    /// <summary>How many branches may follow each other from the main store. Default: 64.</summary>
    [Range(1, 10_000)]
    public int MaxBranchDepth { get; set; } = 64;

    /// <summary>Branches one database creates at the same time; more wait. Default: 8.</summary>
    [Range(1, 1024)]
    public int MaxBranchCreationsInFlight { get; set; } = 8;

    /// <summary>Write requests that wait for one store; more wait for room. Default: 4096.</summary>
    [Range(1, 1_000_000)]
    public int WriteQueueCapacity { get; set; } = 4096;

    /// <summary>Bytes of write requests that wait for one store; more wait for room. Default: 64 MiB.</summary>
    [Range(1L << 10, 1L << 40)]
    public long WriteQueueBytes { get; set; } = 64L << 20;

    /// <summary>Write requests are joined into one commit up to this many bytes. Default: 4 MiB.</summary>
    [Range(1L << 10, 1L << 30)]
    public long WriteGroupMaxBytes { get; set; } = 4L << 20;

    /// <summary>Keys and values of one request, in bytes; more is refused. Default: 4 MiB.</summary>
    [Range(1 << 10, 1 << 30)]
    public int MaxRequestBytes { get; set; } = 4 << 20;

    /// <summary>
    /// How long a write may wait for room and for its turn; then it is withdrawn, unapplied. Default: 10 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Memory in which a store remembers its recent writes for its transactions, from the first one on, in bytes: about
    /// 18 bytes for each key. A transaction that is older than what is remembered has to be run again. Default: 1 MiB.
    /// </summary>
    [Range(1L << 10, 1L << 31)]
    public long TransactionWindowBytes { get; set; } = 1L << 20;

    /// <summary>
    /// After a branch was made of a store, its unflushed writes are kept below this in the background, so that the next
    /// branch is made as fast: they are copied and replayed by every branch. In bytes. Default: 512 KiB.
    /// </summary>
    [Range(16L << 10, 1L << 32)]
    public long BranchedTailBytes { get; set; } = 512L << 10;

    /// <summary>How long after a branch was made the store is kept ready for the next. Default: 10 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "365.00:00:00")]
    public TimeSpan BranchedTailPeriod { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the closing of a store waits for readers of ranges to move on. Default: 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan RangeCloseTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Compression of table files. Default: LZ4.</summary>
    public Compression Compression { get; set; } = Compression.Lz4;

    /// <summary>
    /// What RocksDB counts and measures of itself, beside the store's own figures. Default: nothing. RocksDB before
    /// 8.6 knows no other than this and <see cref="StatisticsLevel.ExceptDetailedTimers"/>, and refuses to open.
    /// </summary>
    public StatisticsLevel Statistics { get; set; } = StatisticsLevel.DisableAll;

    /// <summary>Path of the native RocksDB library; <see langword="null"/> means the usual places.</summary>
    public string? NativeLibrary { get; set; }

    /// <summary>The user's merge operators.</summary>
    internal List<ValueMerge> OwnMerges { get; } = [];

    /// <summary>Makes a merge operator known, so that column families can be created with it and opened.</summary>
    /// <param name="merge">Thread-safe, and of a name that no other has.</param>
    /// <returns>The same options.</returns>
    public StorageOptions AddMerge(ValueMerge merge)
    {
        ArgumentNullException.ThrowIfNull(merge);
        OwnMerges.Add(merge);
        return this;
    }
}

/// <summary>Checks each field of <see cref="StorageOptions"/>.</summary>
[OptionsValidator]
public sealed partial class StorageOptionsValidator : IValidateOptions<StorageOptions>;

/// <summary>Checks the fields of <see cref="StorageOptions"/> against each other.</summary>
public sealed class StorageOptionsRules : IValidateOptions<StorageOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, StorageOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        List<string> failures = [];
        if (options.MemtableBytes > options.MemtableBudgetBytes)
        {
            failures.Add($"MemtableBytes ({options.MemtableBytes}) is greater than MemtableBudgetBytes " +
                $"({options.MemtableBudgetBytes}): one store alone would pass the budget of all.");
        }

        if (options.MaxRequestBytes > options.WriteQueueBytes)
        {
            failures.Add($"MaxRequestBytes ({options.MaxRequestBytes}) is greater than WriteQueueBytes " +
                $"({options.WriteQueueBytes}): the largest allowed request would never find room.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
