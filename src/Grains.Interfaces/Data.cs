namespace Branching.Grains;

/// <summary>When a write is answered.</summary>
public enum WriteDurability
{
    /// <summary>After the write is on the local disk (fsync). The default.</summary>
    Sync = 0,

    /// <summary>After the write is in the operating system's cache: it survives the process, not a power
    /// loss.</summary>
    Buffered = 1,
}

/// <summary>What a write operation does to its key.</summary>
public enum WriteOperationKind
{
    /// <summary>Stores the value under the key.</summary>
    Put = 0,

    /// <summary>Removes the key; removing an absent key is no error.</summary>
    Delete = 1,

    /// <summary>Removes every key from <see cref="WriteOperation.Key"/> up to, not including,
    /// <see cref="WriteOperation.Value"/>.</summary>
    DeleteRange = 2,

    /// <summary>Joins the value with the one that is there, by the column family's merge operator.</summary>
    Merge = 3,

    /// <summary>Puts the value behind the one that is there; an absent key gets it as its value.</summary>
    Append = 4,
}

/// <summary>What must be true of a key for a write to be applied.</summary>
public enum WritePreconditionKind
{
    /// <summary>The key has no value.</summary>
    KeyAbsent = 0,

    /// <summary>The key has a value.</summary>
    KeyPresent = 1,

    /// <summary>The key's value equals the given one, byte for byte.</summary>
    ValueEquals = 2,
}

/// <summary>One operation of a write. Keys: 1 to 65,536 bytes. Values: any bytes, also none.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Key">The key; of a range the first one.</param>
/// <param name="Value">The value; of a range the first key that stays.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
/// <param name="TimeToLive">How long the key lives from now on, in a column family whose keys expire; at least 1 ms, or
/// <see cref="Timeout.InfiniteTimeSpan"/> for ever. Zero: a put takes the family's default, a merge or an append leaves
/// what the key has.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.write-operation")]
public readonly record struct WriteOperation(
    [property: Id(0)] WriteOperationKind Kind,
    [property: Id(1)] ReadOnlyMemory<byte> Key,
    [property: Id(2)] ReadOnlyMemory<byte> Value,
    [property: Id(3)] string? ColumnFamily = null,
    [property: Id(4)] TimeSpan TimeToLive = default);

/// <summary>One condition of a write.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.write-precondition")]
public readonly record struct WritePrecondition(
    [property: Id(0)] WritePreconditionKind Kind,
    [property: Id(1)] ReadOnlyMemory<byte> Key,
    [property: Id(2)] ReadOnlyMemory<byte> Value,
    [property: Id(3)] string? ColumnFamily = null);

/// <summary>Asks for the value of one key.</summary>
/// <param name="Key">1 to 65,536 bytes.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.get-request")]
public readonly record struct GetRequest(
    [property: Id(0)] ReadOnlyMemory<byte> Key,
    [property: Id(1)] string? ColumnFamily = null);

/// <summary>The value of one key; an absent key differs from an empty value.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.get-response")]
public readonly record struct GetResponse(
    [property: Id(0)] bool Found,
    [property: Id(1)] ReadOnlyMemory<byte> Value);

/// <summary>Asks about keys of one column family without their values, as of one moment.</summary>
/// <param name="Keys">1 to 100,000 of 1 to 65,536 bytes.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.inspect-request")]
public sealed record InspectRequest(
    [property: Id(0)] IReadOnlyList<ReadOnlyMemory<byte>> Keys,
    [property: Id(1)] string? ColumnFamily = null);

/// <summary>What is known of one key.</summary>
/// <param name="Exists">Whether it has a value.</param>
/// <param name="ValueBytes">The length of that value; 0 without one.</param>
/// <param name="TimeToLive">What is left of its life; null: it does not expire, or does not exist.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.key-inspection")]
public readonly record struct KeyInspection(
    [property: Id(0)] bool Exists,
    [property: Id(1)] long ValueBytes,
    [property: Id(2)] TimeSpan? TimeToLive = null);

/// <summary>In the order of the keys that were asked about.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.inspect-response")]
public sealed record InspectResponse([property: Id(0)] IReadOnlyList<KeyInspection> Keys);

/// <summary>Asks for the value of one key, and removes the key in the same step.</summary>
/// <param name="Key">1 to 65,536 bytes.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
/// <param name="Durability">When the answer is given.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.take-request")]
public readonly record struct TakeRequest(
    [property: Id(0)] ReadOnlyMemory<byte> Key,
    [property: Id(1)] string? ColumnFamily = null,
    [property: Id(2)] WriteDurability Durability = WriteDurability.Sync);

/// <summary>Asks to remove everything that a range holds, step by step.</summary>
/// <param name="Range">The keys.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
/// <param name="BatchKeys">Keys removed in one step. Range: 1 to 1,000,000.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.clear-request")]
public sealed record ClearRequest(
    [property: Id(0)] KeyRange Range,
    [property: Id(1)] string? ColumnFamily = null,
    [property: Id(2)] int BatchKeys = 10_000);

/// <summary>What was removed.</summary>
/// <param name="Removed">Keys.</param>
/// <param name="Steps">Writes that removed them.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.clear-response")]
public readonly record struct ClearResponse([property: Id(0)] long Removed, [property: Id(1)] int Steps);

/// <summary>A column family, and what is fixed about it for as long as it exists.</summary>
/// <param name="Name">1 to 64 characters of <c>[A-Za-z0-9._-]</c>.</param>
/// <param name="Merge">Name of its merge operator: <c>add</c>, <c>add-int64</c>, <c>append</c>, or one that the node
/// was started with. Null: it takes no merges.</param>
/// <param name="Expires">Whether its keys can expire.</param>
/// <param name="DefaultTimeToLive">How long a key lives that is put without a time of its own. Null: for ever.</param>
/// <param name="EstimatedKeys">About how many keys it holds; not looked at when it is created.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.column-family")]
public sealed record ColumnFamilyDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] string? Merge = null,
    [property: Id(2)] bool Expires = false,
    [property: Id(3)] TimeSpan? DefaultTimeToLive = null,
    [property: Id(4)] long EstimatedKeys = 0);

/// <summary>Asks for the values of several keys of one column family, as of one moment.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.multi-get-request")]
public sealed record MultiGetRequest(
    [property: Id(0)] IReadOnlyList<ReadOnlyMemory<byte>> Keys,
    [property: Id(1)] string? ColumnFamily = null);

/// <summary>The values in the order of the keys that were asked for.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.multi-get-response")]
public sealed record MultiGetResponse([property: Id(0)] IReadOnlyList<GetResponse> Values);

/// <summary>Several operations applied all together or not at all.</summary>
/// <param name="Operations">Applied in this order. At least one.</param>
/// <param name="Preconditions">All must hold, or nothing is applied. Null or empty: none.</param>
/// <param name="Durability">When the answer is given.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.write-request")]
public sealed record WriteRequest(
    [property: Id(0)] IReadOnlyList<WriteOperation> Operations,
    [property: Id(1)] IReadOnlyList<WritePrecondition>? Preconditions = null,
    [property: Id(2)] WriteDurability Durability = WriteDurability.Sync);

/// <summary>The outcome of a write.</summary>
/// <param name="Applied">False when a precondition did not hold; then nothing was changed.</param>
/// <param name="Sequence">The store's sequence number after the write; 0 when nothing was applied.</param>
/// <param name="FailedPrecondition">Index of the first precondition that did not hold, or -1.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.write-response")]
public readonly record struct WriteResponse(
    [property: Id(0)] bool Applied,
    [property: Id(1)] ulong Sequence,
    [property: Id(2)] int FailedPrecondition);

/// <summary>A range of keys in byte order. An empty <see cref="From"/> or <see cref="To"/> means no bound on that
/// side.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.key-range")]
public readonly record struct KeyRange(
    [property: Id(0)] ReadOnlyMemory<byte> From,
    [property: Id(1)] ReadOnlyMemory<byte> To,
    [property: Id(2)] bool FromExclusive = false,
    [property: Id(3)] bool ToInclusive = false)
{
    /// <summary>Every key.</summary>
    public static KeyRange All => default;

    /// <summary>Every key that begins with <paramref name="prefix"/>.</summary>
    public static KeyRange Prefix(ReadOnlyMemory<byte> prefix)
    {
        // The first key after all keys with the prefix: the prefix with its last byte below 255 raised by one.
        ReadOnlySpan<byte> bytes = prefix.Span;
        int last = bytes.LastIndexOfAnyExcept(byte.MaxValue);
        if (last < 0)
        {
            return new KeyRange(prefix, default);
        }

        byte[] to = bytes[..(last + 1)].ToArray();
        to[last]++;
        return new KeyRange(prefix, to);
    }
}

/// <summary>Asks for one page of a range.</summary>
/// <param name="Range">The keys wanted.</param>
/// <param name="Limit">Most entries to answer. Range: 1 to 100,000. Fewer are answered when the page reaches the size
/// limit.</param>
/// <param name="Reverse">From the end of the range to its beginning.</param>
/// <param name="KeysOnly">Values are left empty.</param>
/// <param name="Continuation">Empty, or what the page before answered.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
/// <param name="Offset">Entries passed over at the beginning, 0 or more; ignored with a continuation.</param>
/// <param name="ForTransaction">Whether a commit is to depend on it: the answer has a token then, and from here on the
/// store remembers the keys that are written. <see cref="OptimisticTransaction"/> does it for clients.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.scan-request")]
public sealed record ScanRequest(
    [property: Id(0)] KeyRange Range,
    [property: Id(1)] int Limit = 1000,
    [property: Id(2)] bool Reverse = false,
    [property: Id(3)] bool KeysOnly = false,
    [property: Id(4)] ReadOnlyMemory<byte> Continuation = default,
    [property: Id(5)] string? ColumnFamily = null,
    [property: Id(6)] long Offset = 0,
    [property: Id(7)] bool ForTransaction = false);

/// <summary>A key with its value.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.entry")]
public readonly record struct Entry(
    [property: Id(0)] ReadOnlyMemory<byte> Key,
    [property: Id(1)] ReadOnlyMemory<byte> Value);

/// <summary>A page of a range.</summary>
/// <param name="Entries">In the order of the scan.</param>
/// <param name="Continuation">Empty at the end of the range; else the token for the next page, good for this store and
/// range only.</param>
/// <param name="Sequence">The sequence at which the page was read; 0 when the node is older and does not say.</param>
/// <param name="Token">As of <see cref="TransactionReadResponse"/>; empty unless it was asked for.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.scan-response")]
public sealed record ScanResponse(
    [property: Id(0)] IReadOnlyList<Entry> Entries,
    [property: Id(1)] ReadOnlyMemory<byte> Continuation,
    [property: Id(2)] ulong Sequence = 0,
    [property: Id(3)] ReadOnlyMemory<byte> Token = default);

/// <summary>Asks for a whole range as a stream of pages, all as of one moment.</summary>
/// <param name="Range">The keys wanted.</param>
/// <param name="Reverse">From the end of the range to its beginning.</param>
/// <param name="KeysOnly">Values are left empty.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
/// <param name="Offset">Entries passed over at the beginning, 0 or more.</param>
/// <param name="ValuesOnly">Keys are left empty.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.stream-request")]
public sealed record StreamRequest(
    [property: Id(0)] KeyRange Range,
    [property: Id(1)] bool Reverse = false,
    [property: Id(2)] bool KeysOnly = false,
    [property: Id(3)] string? ColumnFamily = null,
    [property: Id(4)] long Offset = 0,
    [property: Id(5)] bool ValuesOnly = false);

/// <summary>Asks how many keys a range has.</summary>
/// <param name="Range">The keys to count.</param>
/// <param name="Estimate">Answer at once, about right: for a whole column family from RocksDB's figures, for a range by
/// its share of the bytes. A range with few keys is counted all the same, and the answer says so.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.count-request")]
public sealed record CountRequest(
    [property: Id(0)] KeyRange Range,
    [property: Id(1)] bool Estimate = false,
    [property: Id(2)] string? ColumnFamily = null);

/// <summary>A number of keys.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.count-response")]
public readonly record struct CountResponse([property: Id(0)] long Count, [property: Id(1)] bool IsEstimate);

/// <summary>Asks how many bytes a range takes.</summary>
/// <param name="Range">The keys.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.measure-request")]
public sealed record MeasureRequest(
    [property: Id(0)] KeyRange Range,
    [property: Id(1)] string? ColumnFamily = null);
