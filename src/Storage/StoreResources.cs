using System.Globalization;
using Branching.RocksDb;
using Branching.RocksDb.Files;
using Branching.Storage.Transactions;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>What all stores of a process share: cache, memtable budget, writers, upkeep. Thread-safe.</summary>
/// <remarks>
/// The memtable budget is kept with RocksDB's write buffer manager where the native library offers one. Where it does
/// not, the sum of the stores' memtables is measured about once a second and after every eighth of the budget written,
/// and when it passes the budget the largest memtables are flushed in the background.
/// </remarks>
public sealed class StoreResources : IDisposable
{
    // Writers block in fsync, not on a core: the number limits concurrent fsyncs, not work.
    private const int MaxWriterThreads = 32;

    // Of all stores together: a node has many stores, and few of them are written at a time.
    private const int Flushes = 1;
    private const int Compactions = 1;

    private const long LeastBlockCacheBytes = 1L << 20; // As StorageOptions has it.

    // 8 bytes each in the kernel.
    private const int MaxReservedDescriptors = 1 << 16;

    private static readonly TimeSpan _upkeepInterval = TimeSpan.FromSeconds(1);

    private readonly ILogger _logger;
    private readonly BlockCache _cache;
    private readonly ExpiryFilter _expiry;
    private readonly WriteBufferManager? _memtables;
    private readonly HashSet<LocalStore> _stores = [];
    private readonly Dictionary<string, long> _tickersOfClosed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _checkpointTargets = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly ITimer _timer;
    private readonly UpkeepWork _upkeep;
    private readonly int _maxOpenFiles;
    private long _writtenSinceMeasured;
    private int _upkeepSent;
    private bool _disposed;

    /// <summary>Loads the native library and takes the shared memory.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="logger">Where upkeep reports.</param>
    /// <param name="time">The clock of the upkeep.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.NativeLibraryMissing"/>: librocksdb was not found or is too old.
    /// </exception>
    public StoreResources(StorageOptions options, ILogger logger, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        ArgumentNullException.ThrowIfNull(time);
        Options = options;
        Merges = new MergeCatalog(options.OwnMerges);
        _logger = logger;
        _expiry = new ExpiryFilter(time);
        LoadLibrary(options);
        StartBackgroundThreads();
        _cache = new BlockCache(options.BlockCacheBytes);
        _memtables = WriteBufferManager.IsSupported
            ? new WriteBufferManager(2 * options.MemtableBudgetBytes, chargeTo: null, allowStall: false)
            : null;
        long files = ProcessFileLimit();
        _maxOpenFiles = MaxOpenFiles(options, files);
        LocalFiles.TryReserveDescriptors((int)Math.Min(files, MaxReservedDescriptors));
        Threads = new WriteThreads(MaxWriterThreads);
        Events = new StoreEvents("all stores", logger, all: null);
        _upkeep = new UpkeepWork(this);
        _timer = time.CreateTimer(
            static state => ((StoreResources)state!).SendUpkeep(), this, _upkeepInterval, _upkeepInterval);
    }

    /// <summary>The options all stores follow.</summary>
    public StorageOptions Options { get; }

    /// <summary>Bytes in the block cache now.</summary>
    public long BlockCacheUsageBytes => _cache.UsageBytes;

    /// <summary>Most bytes the block cache keeps, 1 MiB or more. It may change while stores are open: it shrinks at
    /// once, but for what is being read. At first <see cref="StorageOptions.BlockCacheBytes"/>.</summary>
    /// <remarks>A store with a cache of its own (<see cref="StoreTuning.BlockCacheBytes"/>) keeps it.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">It is less.</exception>
    public long BlockCacheBytes
    {
        get => _cache.CapacityBytes;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, LeastBlockCacheBytes);
            _cache.CapacityBytes = value;
        }
    }

    /// <summary>Stores open now.</summary>
    public int OpenStores
    {
        get
        {
            lock (_lock)
            {
                return _stores.Count;
            }
        }
    }

    /// <summary>Memory of all stores' unflushed writes, in bytes.</summary>
    public long MemtableBytes => Stores().Sum(store => store.MeasureMemtables().All);

    /// <summary>What the stores count; <see langword="null"/>: nobody asked for it.</summary>
    internal Instruments? Instruments { get; set; }

    /// <summary>
    /// What happens in all stores of a process. Of writes without a transaction only those of stores whose own
    /// <see cref="LocalStore.Events"/> were asked for.
    /// </summary>
    public StoreEvents Events { get; }

    internal WriteThreads Threads { get; }

    /// <summary>The merge operators that stores may need.</summary>
    internal MergeCatalog Merges { get; }

    /// <summary>How one store is opened.</summary>
    /// <param name="create">Whether it is made.</param>
    /// <param name="tuning">What of it differs from the others.</param>
    /// <param name="ownCache">Its own block cache, if it has one.</param>
    internal DatabaseOptions CreateDatabaseOptions(
        bool create, StoreTuning? tuning = null, BlockCache? ownCache = null) => new()
        {
            CreateIfMissing = create,
            ErrorIfExists = create,

            // A family's name says which operator it needs, so no file has to be read to compare.
            AllowOtherMergeOperator = true,
            BlockCache = ownCache ?? _cache,
            WriteBufferManager = _memtables,
            MaxOpenFiles = Math.Min(tuning?.MaxOpenFilesPerStore ?? int.MaxValue, _maxOpenFiles),
            StatisticsEnabled = Options.Statistics != StatisticsLevel.DisableAll,
            StatisticsLevel = Options.Statistics,
            MaxBackgroundJobs = Flushes + Compactions,

            // More would take every processor at once from those who write to the parent of the branch that is opened.
            MaxFileOpeningThreads = 1,
            DefaultColumnFamily = CreateFamilyOptions(tuning),

            // A branch is opened with its parent's log; flushing what it replays would be most of its creation.
            AvoidFlushDuringRecovery = true,

            // A column family that nobody writes to must not keep the log of all others alive.
            MaxTotalWalBytes = 4 * MemtableBytesOf(tuning),

            // Writing back early keeps the fsync of a small write from paying for a large one before it.
            BytesPerSync = 1 << 20,
            WalBytesPerSync = 1 << 20,
            InfoLogLevel = InfoLogLevel.Warn,
            KeepLogFileNum = 2,
            MaxLogFileBytes = 1 << 20,
            MaxManifestFileBytes = 8 << 20,
        };

    /// <summary>The families of an existing store, each with what was fixed when it was created.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.MergeOperatorMissing"/>.</exception>
    internal IReadOnlyList<ColumnFamilyDescriptor> DescribeFamilies(
        string directory, string label, StoreTuning? tuning) =>
    [
        .. RocksDatabase.ListColumnFamilies(directory).Select(native => new ColumnFamilyDescriptor(
            native, CreateFamilyOptions(tuning, Merges.TraitsOf(FamilyIdentity.Parse(native), label)))),
    ];

    /// <summary>How one column family is opened or created.</summary>
    /// <param name="tuning">What of its store differs from the others.</param>
    /// <param name="traits">What is fixed about it; <see langword="null"/>: nothing.</param>
    internal ColumnFamilyOptions CreateFamilyOptions(StoreTuning? tuning = null, FamilyTraits? traits = null) => new()
    {
        MergeOperator = traits?.Operator,
        CompactionFilter = traits is { Expires: true } ? _expiry : null,
        Compression = tuning?.Compression ?? Options.Compression,
        WriteBufferBytes = MemtableBytesOf(tuning),

        // Every open branch has a memtable, most of them all but empty: at RocksDB's own 1 MiB, 256 would take the
        // whole budget of the node, and be flushed again and again to keep it.
        ArenaBlockBytes = 64 << 10,
        MaxWriteBufferNumber = 4,
        BloomBitsPerKey = 10,

        // Hundreds of stores share one budget, so indexes and filters count against it like everything else.
        CacheIndexAndFilterBlocks = true,

        // An import fills a memtable about every second; eight of them are merged at once, and writers are slowed
        // down only when compaction is a minute behind.
        Level0FileNumCompactionTrigger = 8,
        Level0SlowdownWritesTrigger = 40,
        Level0StopWritesTrigger = 64,
        TargetFileBytes = 64L << 20,
        MaxBytesForLevelBase = 256L << 20,
    };

    // It may have been recorded on a node with a larger budget.
    private long MemtableBytesOf(StoreTuning? tuning) =>
        Math.Min(tuning?.MemtableBytes ?? Options.MemtableBytes, Options.MemtableBudgetBytes);

    /// <summary>Counts bytes written by any store; measures the memtables when much was written.</summary>
    internal void NoteWritten(long bytes)
    {
        if (Interlocked.Add(ref _writtenSinceMeasured, bytes) > Options.MemtableBudgetBytes / 8)
        {
            Volatile.Write(ref _writtenSinceMeasured, 0);
            SendUpkeep();
        }
    }

    internal void Add(LocalStore store)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _stores.Add(store);
        }
    }

    /// <summary>Reserves a directory for one checkpoint: two in the same place would wipe each other.</summary>
    internal bool TryReserve(string directory)
    {
        lock (_lock)
        {
            return _checkpointTargets.Add(Path.GetFullPath(directory));
        }
    }

    internal void Release(string directory)
    {
        lock (_lock)
        {
            _checkpointTargets.Remove(Path.GetFullPath(directory));
        }
    }

    internal void Remove(LocalStore store)
    {
        lock (_lock)
        {
            _stores.Remove(store);
        }
    }

    /// <summary>Keeps what a store counted that is about to be closed: a sum of counters must not fall.</summary>
    internal void NoteClosed(StatisticsSnapshot? counted)
    {
        if (counted is null)
        {
            return;
        }

        lock (_lock)
        {
            foreach ((string ticker, ulong value) in counted.Tickers)
            {
                _tickersOfClosed[ticker] = _tickersOfClosed.GetValueOrDefault(ticker) + (long)value;
            }
        }
    }

    /// <summary>RocksDB's counters of the stores that were closed, in sum.</summary>
    internal IReadOnlyDictionary<string, long> TickersOfClosedStores()
    {
        lock (_lock)
        {
            return new Dictionary<string, long>(_tickersOfClosed, StringComparer.Ordinal);
        }
    }

    /// <summary>Gives the shared memory back. Dispose the stores first; those still open keep what they use.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        _timer.Dispose();
        Threads.Dispose();
        _memtables?.Dispose();
        _cache.Dispose();
    }

    /// <summary>Runs the periodic upkeep once, now.</summary>
    internal void RunUpkeep()
    {
        Volatile.Write(ref _upkeepSent, 0);
        LocalStore[] stores = Stores();
        foreach (LocalStore store in stores)
        {
            store.Maintain();
        }

        KeepMemtableBudget(stores);
    }

    // Three quarters of the limit, divided by the stores that may be open; the rest is for logs, sockets and copies.
    internal static int MaxOpenFiles(StorageOptions options, long processLimit)
    {
        long share = processLimit / 4 * 3 / options.MaxOpenStores;
        return (int)Math.Clamp(share, 16, options.MaxOpenFilesPerStore);
    }

    /// <summary>Flushes the largest memtables of all stores when they pass the budget together.</summary>
    /// <remarks>
    /// RocksDB's own budget for several databases flushes whichever of them is written to next, however little it
    /// holds: beside many open branches that is one tiny table file after the other. So that is only a net, for what is
    /// written faster than it is looked at here.
    /// </remarks>
    private void KeepMemtableBudget(LocalStore[] stores)
    {
        List<(LocalStore Store, long Active)> measured = new(stores.Length);
        long all = 0, active = 0;
        foreach (LocalStore store in stores)
        {
            (long storeAll, long storeActive) = store.MeasureMemtables();
            measured.Add((store, storeActive));
            all += storeAll;
            active += storeActive;
        }

        if (all <= Options.MemtableBudgetBytes)
        {
            return;
        }

        // What is being flushed already shrinks by itself; half of the budget is left for new writes.
        int flushed = 0;
        foreach ((LocalStore store, long storeActive) in measured.OrderByDescending(entry => entry.Active))
        {
            if (active <= Options.MemtableBudgetBytes / 2)
            {
                break;
            }

            store.SendFlush();
            active -= storeActive;
            flushed++;
        }

        _logger.MemtableBudgetPassed(all, Options.MemtableBudgetBytes, flushed);
    }

    /// <summary>The stores open now.</summary>
    internal IReadOnlyList<LocalStore> ListStores() => Stores();

    private LocalStore[] Stores()
    {
        lock (_lock)
        {
            return [.. _stores];
        }
    }

    private void SendUpkeep()
    {
        if (Interlocked.Exchange(ref _upkeepSent, 1) == 0)
        {
            Threads.Add(_upkeep);
        }
    }

    private static void LoadLibrary(StorageOptions options)
    {
        if (options.NativeLibrary is { Length: > 0 } path)
        {
            RocksDbLibrary.PreferredPath = path;
        }

        try
        {
            RocksDbLibrary.EnsureLoaded();
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or NotSupportedException
            or RocksDbException)
        {
            throw new StorageException(FailureKind.NativeLibraryMissing, e.Message, e);
        }
    }

    /// <summary>Lets RocksDB start its threads before any store is opened, which happens at a low priority.</summary>
    private static void StartBackgroundThreads()
    {
        Thread start = new(static () =>
        {
            TimeSlices.TryUseLong(); // They inherit it: a flush or compaction is not to hold up those who write.
            BackgroundThreads.Flush = Math.Max(BackgroundThreads.Flush, Flushes);
            BackgroundThreads.Compaction = Math.Max(BackgroundThreads.Compaction, Compactions);
        });
        start.Start();
        start.Join();
    }

    /// <summary>Files this process may open; a cautious guess where the system does not say.</summary>
    private static long ProcessFileLimit()
    {
        const long Cautious = 4096;
        const string Row = "Max open files";
        try
        {
            string? line = File.ReadLines("/proc/self/limits").FirstOrDefault(
                row => row.StartsWith(Row, StringComparison.Ordinal));
            string? soft = line?[Row.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
            bool known = long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long limit);
            return known ? limit : Cautious;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not Linux, or /proc is hidden: the guess is below what systems allow by default.
            return Cautious;
        }
    }

    private sealed class UpkeepWork(StoreResources resources) : IWriteWork
    {
        public bool Run(WriteGroup group)
        {
            resources.RunUpkeep();
            return false;
        }
    }
}
