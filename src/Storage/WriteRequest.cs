using Branching.Storage.Transactions;

namespace Branching.Storage;

/// <summary>What one operation of a write does.</summary>
public enum WriteKind
{
    /// <summary>Sets the value of a key.</summary>
    Put = 0,

    /// <summary>Removes a key; removing an absent key is not an error.</summary>
    Delete = 1,

    /// <summary>Removes every key from <c>Key</c> (inclusive) up to <c>Value</c> (exclusive), in one marker.</summary>
    DeleteRange = 2,

    /// <summary>Joins <c>Value</c> with the value that is there, by the family's merge operator.</summary>
    Merge = 3,

    /// <summary>Puts <c>Value</c> behind the value that is there; an absent key gets it as its value.</summary>
    Append = 4,
}

/// <summary>One operation of a write. The buffers belong to the caller and must not change until the answer.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="ColumnFamily">The column family, or <see langword="null"/> for the default one.</param>
/// <param name="Key">1 byte to 64 KiB; for <see cref="WriteKind.DeleteRange"/> the first key removed.</param>
/// <param name="Value">The value, possibly empty; for <see cref="WriteKind.DeleteRange"/> the first key kept.</param>
/// <param name="TimeToLive">
/// How long the key lives from now on, 1 ms or more, in a family whose keys expire;
/// <see cref="Timeout.InfiniteTimeSpan"/>: for ever. Zero, the default: a put takes the family's default, a merge or
/// an append leaves what the key has.
/// </param>
public readonly record struct WriteOperation(
    WriteKind Kind, string? ColumnFamily, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value,
    TimeSpan TimeToLive = default)
{
    /// <summary>Sets <paramref name="key"/> in the default column family.</summary>
    public static WriteOperation Put(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, string? columnFamily = null) =>
        new(WriteKind.Put, columnFamily, key, value);

    /// <summary>Removes <paramref name="key"/>.</summary>
    public static WriteOperation Delete(ReadOnlyMemory<byte> key, string? columnFamily = null) =>
        new(WriteKind.Delete, columnFamily, key, default);

    /// <summary>Removes every key of [<paramref name="from"/>, <paramref name="toExclusive"/>).</summary>
    public static WriteOperation DeleteRange(
        ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> toExclusive, string? columnFamily = null) =>
        new(WriteKind.DeleteRange, columnFamily, from, toExclusive);

    /// <summary>Joins <paramref name="operand"/> with the value of <paramref name="key"/>.</summary>
    public static WriteOperation Merge(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> operand, string? columnFamily = null) =>
        new(WriteKind.Merge, columnFamily, key, operand);

    /// <summary>Puts <paramref name="tail"/> behind the value of <paramref name="key"/>.</summary>
    public static WriteOperation Append(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> tail, string? columnFamily = null) =>
        new(WriteKind.Append, columnFamily, key, tail);
}

/// <summary>What must hold for a write to be applied.</summary>
public enum PreconditionKind
{
    /// <summary>The key has no value.</summary>
    KeyAbsent = 0,

    /// <summary>The key has a value, possibly empty.</summary>
    KeyPresent = 1,

    /// <summary>The key has exactly this value.</summary>
    ValueEquals = 2,
}

/// <summary>One condition, evaluated where writes are ordered: nothing can come between it and the write.</summary>
/// <param name="Kind">What must hold.</param>
/// <param name="ColumnFamily">The column family, or <see langword="null"/> for the default one.</param>
/// <param name="Key">1 byte to 64 KiB.</param>
/// <param name="Value">The value expected by <see cref="PreconditionKind.ValueEquals"/>; otherwise ignored.</param>
public readonly record struct Precondition(
    PreconditionKind Kind, string? ColumnFamily, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value);

/// <summary>Operations that are applied together or not at all.</summary>
/// <param name="Operations">Applied in this order; empty is allowed and only evaluates the preconditions.</param>
/// <param name="Preconditions">All must hold before any operation is applied.</param>
/// <param name="Durability">What the answer promises.</param>
public sealed record WriteRequest(
    IReadOnlyList<WriteOperation> Operations,
    IReadOnlyList<Precondition>? Preconditions = null,
    Durability Durability = Durability.Sync)
{
    /// <summary>
    /// Receives the value of the first precondition's key, as it is when the writer has found that it holds.
    /// </summary>
    internal System.Buffers.IBufferWriter<byte>? Taken { get; init; }

    /// <summary>What the writer asks before it applies the request; <see langword="null"/>: nothing.</summary>
    internal CommitCheck? Check { get; init; }
}

/// <summary>The answer to a write.</summary>
/// <param name="Applied">Whether the operations were applied; a failed precondition is no failure.</param>
/// <param name="Sequence">
/// When applied, the store's sequence right after this request; otherwise a sequence at which the condition failed.
/// </param>
/// <param name="FailedPrecondition">Index of the first precondition that did not hold; -1 when applied.</param>
public readonly record struct WriteResult(bool Applied, Sequence Sequence, int FailedPrecondition);
