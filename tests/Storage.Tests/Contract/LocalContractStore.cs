using System.Buffers;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Contract;

/// <summary>The store on RocksDB.</summary>
public sealed class LocalContractStore : IContractStore
{
    private readonly TestStore _test = new(options => options.MemtableBytes = 1 << 20);

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

    public void CreateFamily(string name) => _test.Store.CreateColumnFamily(name);

    public void DropFamily(string name) => _test.Store.DropColumnFamily(name);

    public Task ReopenAsync() => _test.ReopenAsync();

    public ValueTask DisposeAsync() => _test.DisposeAsync();
}
