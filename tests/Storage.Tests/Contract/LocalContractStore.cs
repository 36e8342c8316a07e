using System.Buffers;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Contract;

/// <summary>The store on RocksDB.</summary>
public sealed class LocalContractStore : IContractStore
{
    private readonly ManualTime _time = new();
    private readonly TestStore _test;

    public LocalContractStore() => _test = new TestStore(options => options.MemtableBytes = 1 << 20, _time);

    public ulong Sequence => _test.Store.LastAcknowledged.Value;

    public IReadOnlyList<string> Families => _test.Store.ColumnFamilies;

    public Task<WriteResult> WriteAsync(WriteRequest request) =>
        _test.Store.WriteAsync(request, CancellationToken.None).AsTask();

    public byte[]? Get(string? family, byte[] key)
    {
        ArrayBufferWriter<byte> value = new();
        return _test.Store.TryGet(family, key, value) ? value.WrittenSpan.ToArray() : null;
    }

    public IReadOnlyList<ReadOnlyMemory<byte>?> MultiGet(string? family, IReadOnlyList<ReadOnlyMemory<byte>> keys) =>
        _test.Store.MultiGet(family, keys);

    public ScanPage Scan(ScanRequest request) => _test.Store.Scan(request);

    public long Count(string? family, KeyRange range) => _test.Store.Count(family, range, CancellationToken.None);

    public Task<WriteResult> PutAsync(
        string? family, byte[] key, byte[] value, PutMode mode, TimeSpan timeToLive = default) =>
        _test.Store.PutAsync(family, key, value, mode, timeToLive, Durability.Buffered).AsTask();

    public async Task<byte[]?> TakeAsync(string? family, byte[] key)
    {
        ArrayBufferWriter<byte> value = new();
        WriteResult result = await _test.Store.TakeAsync(family, key, value, Durability.Buffered);
        return result.Applied ? value.WrittenSpan.ToArray() : null;
    }

    public bool Exists(string? family, byte[] key) => _test.Store.Exists(family, key);

    public long? Length(string? family, byte[] key) =>
        _test.Store.TryGetLength(family, key, out long length) ? length : null;

    public (bool Found, TimeSpan? Left) TimeToLive(string? family, byte[] key) =>
        (_test.Store.TryGetTimeToLive(family, key, out TimeSpan? left), left);

    public IReadOnlyList<KeyValueEntry> Range(RangeOptions options) =>
        [.. _test.Store.Range(options).Select(entry => entry.ToEntry())];

    public async Task<IReadOnlyList<KeyValueEntry>> RangeAsync(RangeOptions options)
    {
        List<KeyValueEntry> entries = [];
        await foreach (KeyValueEntry entry in _test.Store.RangeAsync(options))
        {
            entries.Add(entry);
        }

        return entries;
    }

    public void CreateFamily(string name, FamilySettings? settings = null) =>
        _test.Store.CreateColumnFamily(name, settings);

    public void DropFamily(string name) => _test.Store.DropColumnFamily(name);

    public void Advance(TimeSpan by) => _time.Advance(by);

    public Task ReopenAsync() => _test.ReopenAsync();

    public ValueTask DisposeAsync() => _test.DisposeAsync();
}
