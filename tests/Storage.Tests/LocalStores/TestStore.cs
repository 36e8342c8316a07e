using System.Buffers;
using System.Globalization;
using System.Text;
using Branching.RocksDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.LocalStores;

/// <summary>One open store in a temporary directory of its own, with what the tests say most often.</summary>
internal sealed class TestStore : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly LocalStoreSeams _seams;

    /// <param name="configure">Changes the options before they are used.</param>
    /// <param name="time">The clock; the system's when absent.</param>
    /// <param name="seams">Steps that are replaced; the real ones when absent.</param>
    /// <param name="parent">Where the store's directory is made; among temporary files when absent.</param>
    public TestStore(
        Action<StorageOptions>? configure = null, TimeProvider? time = null, LocalStoreSeams? seams = null,
        string? parent = null)
    {
        Root = parent is null
            ? Directory.CreateTempSubdirectory("branching-store-").FullName
            : Directory.CreateDirectory(Path.Combine(parent, "branching-store")).FullName;
        StorageOptions options = new() { DataRoot = Root, BlockCacheBytes = 8 << 20 };
        configure?.Invoke(options);
        _time = time ?? TimeProvider.System;
        _seams = seams ?? LocalStoreSeams.Real;
        Resources = new StoreResources(options, NullLogger.Instance, _time);
        Store = Open("store", create: true, _seams);
    }

    public string Root { get; }

    public StoreResources Resources { get; }

    public LocalStore Store { get; private set; }

    public static int Seed { get; } =
        int.TryParse(
            Environment.GetEnvironmentVariable("BRANCHING_SEED"), CultureInfo.InvariantCulture, out int seed)
            ? seed
            : Random.Shared.Next();

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    public static WriteOperation Put(string key, string value, string? family = null) =>
        WriteOperation.Put(Bytes(key), Bytes(value), family);

    public static WriteOperation Delete(string key, string? family = null) =>
        WriteOperation.Delete(Bytes(key), family);

    public static Precondition Absent(string key, string? family = null) =>
        new(PreconditionKind.KeyAbsent, family, Bytes(key), default);

    public static Precondition Present(string key, string? family = null) =>
        new(PreconditionKind.KeyPresent, family, Bytes(key), default);

    public static Precondition Equal(string key, string value, string? family = null) =>
        new(PreconditionKind.ValueEquals, family, Bytes(key), Bytes(value));

    public static string? Get(LocalStore store, string key, string? family = null)
    {
        ArrayBufferWriter<byte> value = new();
        return store.TryGet(family, Bytes(key), value) ? Encoding.UTF8.GetString(value.WrittenSpan) : null;
    }

    public static Task<WriteResult> WriteAsync(LocalStore store, params WriteOperation[] operations) =>
        store.WriteAsync(new WriteRequest(operations, null, Durability.Buffered), CancellationToken.None).AsTask();

    public static string[] Keys(IEnumerable<KeyValueEntry> entries) => [.. entries.Select(entry => Text(entry.Key))];

    public static ScanRequest All(bool reverse = false, int limit = 1_000_000) =>
        new(null, KeyRange.All, reverse, limit, long.MaxValue);

    public string? Get(string key, string? family = null) => Get(Store, key, family);

    public Task<WriteResult> WriteAsync(params WriteOperation[] operations) => WriteAsync(Store, operations);

    public Task<WriteResult> WriteAsync(Precondition[] preconditions, params WriteOperation[] operations) =>
        Store.WriteAsync(
            new WriteRequest(operations, preconditions, Durability.Buffered), CancellationToken.None).AsTask();

    /// <summary>Opens another store of the same process, for example a checkpoint.</summary>
    public LocalStore Open(string name, bool create = false, LocalStoreSeams? seams = null) => LocalStore.Open(
        InRoot(name), $"store '{name}'", Resources, create, NullLogger.Instance, _time, seams ?? LocalStoreSeams.Real);

    public string InRoot(string name) => Path.Combine(Root, name);

    public async Task ReopenAsync(LocalStoreSeams? seams = null)
    {
        await Store.DisposeAsync();
        Store = Open("store", seams: seams ?? _seams);
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        Resources.Dispose();
        Directory.Delete(Root, recursive: true);
    }
}

/// <summary>A commit step that tests hold up, count and let fail.</summary>
internal sealed class TestCommit : IWriteCommit, IDisposable
{
    private readonly SemaphoreSlim _entered = new(0);
    private readonly ManualResetEventSlim _mayGoOn = new(initialState: true);
    private int _calls;

    public LocalStoreSeams Seams => new() { Commit = this };

    /// <summary>What the nth commit (from 1) throws; <see langword="null"/>: it succeeds.</summary>
    public Func<int, Exception?> Fault { get; set; } = static _ => null;

    /// <summary>Whether a failing commit writes its batch before it fails, as a failed fsync does.</summary>
    public bool WritesBeforeFailing { get; set; }

    public int Calls => Volatile.Read(ref _calls);

    public static RocksDbException Failure(RocksDbStatus status) => new(status, "write", "test", $"injected {status}");

    public void Hold() => _mayGoOn.Reset();

    public void Release() => _mayGoOn.Set();

    /// <summary>Waits until a commit has begun.</summary>
    public async Task EnteredAsync() => Assert.True(await _entered.WaitAsync(Waiting.Deadline));

    public void Dispose()
    {
        _entered.Dispose();
        _mayGoOn.Dispose();
    }

    public void Commit(RocksDatabase database, WriteBatch batch, bool sync)
    {
        int call = Interlocked.Increment(ref _calls);
        _entered.Release();
        Assert.True(_mayGoOn.Wait(Waiting.Deadline));
        Exception? fault = Fault(call);
        if (fault is null || WritesBeforeFailing)
        {
            database.Write(batch, sync ? WriteOptions.Sync : WriteOptions.Buffered);
        }

        if (fault is not null)
        {
            throw fault;
        }
    }
}
