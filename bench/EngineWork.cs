using System.Buffers;
using System.Diagnostics;
using Branching.RocksDb;
using Branching.Storage;
using Branching.Storage.Backups;
using Branching.Storage.Changes;
using Branching.Storage.Transactions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Bench;

/// <summary>Each operation of one local store, by one caller that waits for every answer, once per call.</summary>
/// <remarks>
/// The caller keeps its buffers: one request, its keys and the buffer of a read value serve every operation, so that
/// what is allocated is the store's own.
/// </remarks>
internal sealed class EngineWork : IDisposable
{
    /// <summary>The block cache of cold reads: room for the indexes and filters of a million records.</summary>
    public const long SmallCacheBytes = 8L << 20;

    public const int TransactionKeys = 10;

    private const int ChangesAtOnce = 100;

    private static readonly StoreTransactionOptions _transaction = new() { Durability = Durability.Buffered };

    private readonly string _directory;
    private readonly StoreResources _resources;
    private readonly long _written;
    private BackupDirectory? _backups;

    /// <param name="directory">Where the stores go.</param>
    /// <param name="records">Records of the store that is read.</param>
    /// <param name="written">Records that writes into empty stores choose from.</param>
    public EngineWork(string directory, long records, long written)
    {
        _directory = directory;
        _resources = Resources(DbBench.CacheBytes);
        _written = written;
        Records = records;
        Loaded = Path.Combine(directory, "engine-loaded");
    }

    public long Records { get; }

    /// <summary>The store that is only read; db_bench reads it as well.</summary>
    public string Loaded { get; }

    /// <summary>Bytes of each cold get that came from the disk.</summary>
    public Samples Fetched { get; } = new();

    /// <summary>The last backup.</summary>
    public BackupResult? LastBackup { get; private set; }

    private string Fresh => Cleared("engine-fresh");

    private string Changed => Path.Combine(_directory, "engine-changed");

    public async Task LoadAsync()
    {
        await using LocalStore store = Open(Loaded);
        await StoreBench.FillAsync(store, Records);
        store.Compact(columnFamily: null, KeyRange.All);
        store.CreateCheckpoint(Changed);
    }

    public async Task<Measured> PutAsync(long operations, int batch)
    {
        await using LocalStore store = Open(Fresh);
        return await PutAsync(store, _written, operations, batch);
    }

    public async Task<Measured> PutSyncedAsync(TimeSpan length)
    {
        await using LocalStore store = Open(Fresh);
        Writes writes = new(seed: 24, _written, batch: 1, Durability.Sync);
        long done = 0;
        Measuring measuring = Measuring.Begin();
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < length; done++)
        {
            await store.WriteAsync(writes.Next(), CancellationToken.None);
        }

        return measuring.End(done);
    }

    public async Task<Measured> GetAsync(long operations)
    {
        await using LocalStore store = Open(Loaded);
        ReadAll(store, KeyRange.All);
        return Get(store, operations);
    }

    public async Task<Measured> GetColdAsync(long operations)
    {
        using StoreResources fresh = Resources(SmallCacheBytes); // The block cache outlives its stores.
        await using LocalStore store = Open(Loaded, fresh);
        PageCache.Drop(Loaded);
        long? before = PageCache.BytesFetched();
        Measured measured = Get(store, operations);
        if (PageCache.BytesFetched() - before is { } fetched)
        {
            Fetched.Add((double)fetched / operations);
        }

        return measured;
    }

    public async Task<Measured> TransactAsync(long operations)
    {
        await using LocalStore store = Open(Changed);
        ReadAll(store, KeyRange.All);
        Workload workload = new(seed: 22);
        byte[][] keys = [.. Enumerable.Range(0, TransactionKeys).Select(_ => Workload.NewKey(0))];
        ArrayBufferWriter<byte> value = new(BenchOptions.ValueBytes);
        Measuring measuring = Measuring.Begin();
        for (long i = 0; i < operations; i++)
        {
            using StoreTransaction transaction = store.BeginTransaction(_transaction);
            foreach (byte[] key in keys)
            {
                Workload.SetKey(key, workload.Next(Records));
                value.ResetWrittenCount();
                Require(transaction.TryGet(columnFamily: null, key, value), "a record was not found");
                await transaction.PutAsync(columnFamily: null, key, workload.Value());
            }

            Require((await transaction.CommitAsync()).Committed, "a transaction without a rival lost");
        }

        return measuring.End(operations);
    }

    /// <summary>Operations are ranges.</summary>
    public async Task<Measured> RangeAsync(long operations, long length)
    {
        await using LocalStore store = Open(Loaded);
        ReadAll(store, KeyRange.All);
        Workload workload = new(seed: 23);
        byte[] from = Workload.NewKey(0);
        byte[] to = Workload.NewKey(0);
        Measuring measuring = Measuring.Begin();
        for (long i = 0; i < operations; i++)
        {
            long first = workload.Next(Records - length + 1);
            Workload.SetKey(from, first);
            Workload.SetKey(to, first + length);
            Require(ReadAll(store, new KeyRange(from, to)) == length, $"a range had not {length} entries");
        }

        return measuring.End(operations);
    }

    /// <summary>Each after a put, as checkpoints of a store in use are; only the checkpoint itself is timed.</summary>
    public async Task<Measured> CheckpointAsync(long operations)
    {
        await using LocalStore store = Open(Changed);
        Writes writes = new(seed: 25, Records, batch: 1, Durability.Buffered);
        TimeSpan took = TimeSpan.Zero;
        Measuring measuring = Measuring.Begin();
        for (long i = 0; i < operations; i++)
        {
            await store.WriteAsync(writes.Next(), CancellationToken.None);
            string target = Cleared("engine-checkpoint");
            long start = Stopwatch.GetTimestamp();
            store.CreateCheckpoint(target);
            took += Stopwatch.GetElapsedTime(start);
        }

        return measuring.End(operations, took);
    }

    public async Task<Measured> BackUpWholeAsync()
    {
        await using LocalStore store = Open(Changed);
        return await BackUpAsync(store, await OpenBackupsAsync("engine-backup-whole"));
    }

    /// <summary>Into a directory with a backup from before so many records changed.</summary>
    public async Task<Measured> BackUpChangesAsync(long changes)
    {
        await using LocalStore store = Open(Changed);
        if (_backups is null)
        {
            _backups = await OpenBackupsAsync("engine-backups");
            await BackUpAsync(store, _backups);
        }

        await PutAsync(store, Records, changes, ChangesAtOnce);
        store.Flush();
        return await BackUpAsync(store, _backups);
    }

    /// <summary>Puts, each its own request, with a change log or without one.</summary>
    public async Task<Measured> LogAsync(long operations, bool logged)
    {
        await using LocalStore store = Open(Fresh);
        if (logged)
        {
            store.EnableChangeLog(
                new ChangeLogPlace(
                    Cleared("engine-changes"), DatabaseId.New(TimeProvider.System), StoreId.New(TimeProvider.System)),
                ChangeLogSettings.Default);
        }

        return await PutAsync(store, _written, operations, batch: 1);
    }

    public void Dispose() => _resources.Dispose();

    private static async Task<Measured> PutAsync(LocalStore store, long records, long operations, int batch)
    {
        Writes writes = new(seed: 21, records, batch, Durability.Buffered);
        Measuring measuring = Measuring.Begin();
        for (long i = 0; i < operations; i += batch)
        {
            await store.WriteAsync(writes.Next(), CancellationToken.None);
        }

        return measuring.End(operations);
    }

    private Measured Get(LocalStore store, long operations)
    {
        Workload workload = new(seed: 26);
        ArrayBufferWriter<byte> value = new(BenchOptions.ValueBytes);
        long found = 0;
        Measuring measuring = Measuring.Begin();
        for (long i = 0; i < operations; i++)
        {
            value.ResetWrittenCount();
            found += store.TryGet(columnFamily: null, workload.Key(workload.Next(Records)), value) ? 1 : 0;
        }

        Measured measured = measuring.End(operations);
        Require(found == operations, $"only {found} of {operations} records were found in {Loaded}");
        return measured;
    }

    private static long ReadAll(LocalStore store, KeyRange range)
    {
        long seen = 0;
        long bytes = 0;
        foreach (PinnedEntry entry in store.Range(new RangeOptions { Range = range }))
        {
            seen++;
            bytes += entry.Key.Length + entry.Value.Length;
        }

        Require(bytes == seen * (BenchOptions.KeyBytes + BenchOptions.ValueBytes), $"{seen} entries had {bytes} bytes");
        return seen;
    }

    private async Task<Measured> BackUpAsync(LocalStore store, BackupDirectory backups)
    {
        Measuring measuring = Measuring.Begin();
        LastBackup = await backups.CreateAsync(store, new CreateBackup(), progress: null, CancellationToken.None);
        return measuring.End(operations: 1);
    }

    private Task<BackupDirectory> OpenBackupsAsync(string name) => BackupDirectory.OpenAsync(
        Cleared(name), create: true, options: null, NullLogger.Instance, TimeProvider.System, CancellationToken.None);

    private StoreResources Resources(long cacheBytes) => new(
        new StorageOptions
        {
            DataRoot = _directory,
            BlockCacheBytes = cacheBytes,
            MemtableBytes = DbBench.WriteBufferBytes,
            MemtableBudgetBytes = 4 * DbBench.WriteBufferBytes,
            Compression = Compression.None,
        },
        NullLogger.Instance,
        TimeProvider.System);

    private LocalStore Open(string path, StoreResources? resources = null) => LocalStore.Open(
        path, "the store under measurement", resources ?? _resources, create: !Directory.Exists(path),
        NullLogger.Instance, TimeProvider.System);

    private string Cleared(string name)
    {
        string path = Path.Combine(_directory, name);
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }

        return path;
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"The engine row is void: {otherwise}.");
        }
    }

    /// <summary>One request whose keys and values change from write to write.</summary>
    private sealed class Writes
    {
        private readonly Workload _workload;
        private readonly long _records;
        private readonly byte[][] _keys;
        private readonly WriteOperation[] _operations;
        private readonly WriteRequest _request;

        public Writes(int seed, long records, int batch, Durability durability)
        {
            _workload = new Workload(seed);
            _records = records;
            _keys = [.. Enumerable.Range(0, batch).Select(_ => Workload.NewKey(0))];
            _operations = new WriteOperation[batch];
            _request = new WriteRequest(_operations, Durability: durability);
        }

        /// <summary>The request; its buffers are the store's until it has answered.</summary>
        public WriteRequest Next()
        {
            for (int i = 0; i < _operations.Length; i++)
            {
                Workload.SetKey(_keys[i], _workload.Next(_records));
                _operations[i] = WriteOperation.Put(_keys[i], _workload.Value());
            }

            return _request;
        }
    }
}
