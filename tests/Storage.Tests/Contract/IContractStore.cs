namespace Branching.Storage.Tests.Contract;

/// <summary>What the contract asks of a store; the real one and the model both answer it.</summary>
public interface IContractStore : IAsyncDisposable
{
    /// <summary>The sequence after the last write that was applied.</summary>
    ulong Sequence { get; }

    IReadOnlyList<string> Families { get; }

    Task<WriteResult> WriteAsync(WriteRequest request);

    byte[]? Get(string? family, byte[] key);

    IReadOnlyList<ReadOnlyMemory<byte>?> MultiGet(string? family, IReadOnlyList<ReadOnlyMemory<byte>> keys);

    ScanPage Scan(ScanRequest request);

    long Count(string? family, KeyRange range);

    void CreateFamily(string name);

    void DropFamily(string name);

    /// <summary>Closes and opens again, where that means anything.</summary>
    Task ReopenAsync();
}
