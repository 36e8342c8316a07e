namespace Branching.Grains;

/// <summary>A key of a store.</summary>
/// <param name="Key">1 to 65,536 bytes.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.store-key")]
public readonly record struct StoreKey(
    [property: Id(0)] ReadOnlyMemory<byte> Key,
    [property: Id(1)] string? ColumnFamily = null);

/// <summary>Asks for values, of any column families, as of one moment, and for what a commit needs to depend on
/// them.</summary>
/// <param name="Keys">The keys; none: only the token is wanted.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.transaction-read-request")]
public sealed record TransactionReadRequest([property: Id(0)] IReadOnlyList<StoreKey> Keys);

/// <summary>Values of one moment.</summary>
/// <param name="Values">In the order of the keys that were asked for.</param>
/// <param name="Sequence">The sequence at which all of them were read.</param>
/// <param name="Token">Names the database, its epoch, the store and its opening; opaque. All reads of one transaction
/// have the same one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.transaction-read-response")]
public sealed record TransactionReadResponse(
    [property: Id(0)] IReadOnlyList<GetResponse> Values,
    [property: Id(1)] ulong Sequence,
    [property: Id(2)] ReadOnlyMemory<byte> Token);

/// <summary>A key on which a commit depends.</summary>
/// <param name="Key">1 to 65,536 bytes.</param>
/// <param name="Sequence">The sequence at which it was read; the commit is refused if it was written after it.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.transaction-read")]
public readonly record struct TransactionRead(
    [property: Id(0)] ReadOnlyMemory<byte> Key,
    [property: Id(1)] ulong Sequence,
    [property: Id(2)] string? ColumnFamily = null);

/// <summary>A range on which a commit depends.</summary>
/// <param name="From">Its first key, at most 65,537 bytes; empty: the beginning of the family.</param>
/// <param name="To">The first key behind it, at most 65,537 bytes; empty: the family's end.</param>
/// <param name="Sequence">The sequence at which it was read; the commit is refused if anything in it was written after
/// that.</param>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.transaction-range")]
public readonly record struct TransactionRange(
    [property: Id(0)] ReadOnlyMemory<byte> From,
    [property: Id(1)] ReadOnlyMemory<byte> To,
    [property: Id(2)] ulong Sequence,
    [property: Id(3)] string? ColumnFamily = null);

/// <summary>A transaction whole: applied in one atomic step if nothing it read was written since, else not at
/// all.</summary>
/// <param name="Id">Chosen by the client, once for each commit: sent again after a lost answer, the same answer
/// comes.</param>
/// <param name="Token">What the reads answered.</param>
/// <param name="Reads">What must not have been written since; none: only writes.</param>
/// <param name="Operations">What is written; none: only the reads are checked.</param>
/// <param name="Durability">When the answer is given.</param>
/// <param name="IsRepeated">Whether it was sent before without an answer.</param>
/// <param name="Ranges">Ranges in which nothing must have been written since, at most
/// <see cref="OptimisticTransaction.MaxRanges"/>. Null or empty: none.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.commit-request")]
public sealed record CommitRequest(
    [property: Id(0)] Guid Id,
    [property: Id(1)] ReadOnlyMemory<byte> Token,
    [property: Id(2)] IReadOnlyList<TransactionRead> Reads,
    [property: Id(3)] IReadOnlyList<WriteOperation> Operations,
    [property: Id(4)] WriteDurability Durability = WriteDurability.Sync,
    [property: Id(5)] bool IsRepeated = false,
    [property: Id(6)] IReadOnlyList<TransactionRange>? Ranges = null);

/// <summary>Why a commit was refused.</summary>
public enum CommitConflictKind
{
    /// <summary>The key was written after it was read.</summary>
    Written = 0,

    /// <summary>The read is older than the store remembers writes, or than its last drop of a column family; whether
    /// the key changed is not known.</summary>
    TooOld = 1,

    /// <summary>Another transaction held a lock of the key too long.</summary>
    LockTimedOut = 2,

    /// <summary>Waiting for a lock of the key would have closed a circle.</summary>
    Deadlock = 3,

    /// <summary>A locked key was written all the same.</summary>
    LockBroken = 4,
}

/// <summary>What a commit lost against.</summary>
/// <param name="Kind">Why.</param>
/// <param name="Key">The key.</param>
/// <param name="Sequence">The sequence of the write that won, where it is known; else 0.</param>
/// <param name="ColumnFamily">The family of the key.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.commit-conflict")]
public sealed record CommitConflict(
    [property: Id(0)] CommitConflictKind Kind,
    [property: Id(1)] ReadOnlyMemory<byte> Key,
    [property: Id(2)] ulong Sequence,
    [property: Id(3)] string ColumnFamily);

/// <summary>The outcome of a commit.</summary>
/// <param name="Committed">Whether everything was applied; otherwise nothing was.</param>
/// <param name="Sequence">The store's sequence number after the commit; 0 when it was refused.</param>
/// <param name="Conflict">What it lost against; null when it committed.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.commit-response")]
public sealed record CommitResponse(
    [property: Id(0)] bool Committed,
    [property: Id(1)] ulong Sequence,
    [property: Id(2)] CommitConflict? Conflict);
