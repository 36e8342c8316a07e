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

    Task<WriteResult> PutAsync(string? family, byte[] key, byte[] value, PutMode mode, TimeSpan timeToLive = default);

    /// <summary>Removes a key; the value that it had, when it was there.</summary>
    Task<byte[]?> TakeAsync(string? family, byte[] key);

    bool Exists(string? family, byte[] key);

    /// <summary>The length of a value; <see langword="null"/>: the key is absent.</summary>
    long? Length(string? family, byte[] key);

    /// <summary>How long a key goes on living; not set: for ever.</summary>
    (bool Found, TimeSpan? Left) TimeToLive(string? family, byte[] key);

    IReadOnlyList<KeyValueEntry> Range(RangeOptions options);

    Task<IReadOnlyList<KeyValueEntry>> RangeAsync(RangeOptions options);

    void CreateFamily(string name, FamilySettings? settings = null);

    void DropFamily(string name);

    /// <summary>Lets time pass, by which keys expire.</summary>
    void Advance(TimeSpan by);

    /// <summary>Closes and opens again, where that means anything.</summary>
    Task ReopenAsync();
}
