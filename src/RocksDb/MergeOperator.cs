using System.Buffers;

namespace Branching.RocksDb;

/// <summary>
/// How a column family joins the operands of <see cref="RocksDatabase.Merge"/> with the value of their key.
/// </summary>
/// <remarks>
/// RocksDB calls it while reading, flushing and compacting, from several threads at once: it must be thread-safe, quick
/// and must not use the database it serves. The same inputs must give the same result for ever, since RocksDB joins
/// operands when it likes. A database is opened with the same operator each time, see
/// <see cref="ColumnFamilyOptions.MergeOperator"/>.
/// An operator that fails makes the read fail with <see cref="RocksDbStatus.MergeFailed"/>; when a flush or a
/// compaction needs the answer, RocksDB stops that and refuses writes until the database is opened anew. So a robust
/// operator gives malformed values a meaning, and <see cref="RequireOperand"/> keeps malformed operands out.
/// Source: <c>rocksdb/merge_operator.h</c>, <c>rocksdb_mergeoperator_create</c> in <c>rocksdb/c.h</c>.
/// </remarks>
public abstract class MergeOperator
{
    private volatile Exception? _lastFailure;

    /// <summary>
    /// Adds eight-byte little-endian signed integers. The sum wraps around at 64 bits (it is the only rule by which the
    /// order of joining cannot matter); an absent value, and one that is not eight bytes long, counts as zero; operands
    /// of another length are refused.
    /// </summary>
    public static MergeOperator Int64Add { get; } = new Int64AddMergeOperator();

    /// <summary>
    /// The name stored with the data. Never change it while there is data: 1 to 100 letters, digits, points, dashes and
    /// underscores.
    /// </summary>
    public abstract string Name { get; }

    /// <summary>The newest exception one of the methods threw, on whatever thread; for diagnosis.</summary>
    public Exception? LastFailure => _lastFailure;

    /// <summary>Appends operands to the value, in the order they were written.</summary>
    /// <param name="delimiter">Goes between two parts, also after an empty value that exists, but not before the first
    /// part; at most 32 bytes. It is part of the operator's name.</param>
    public static MergeOperator Append(ReadOnlySpan<byte> delimiter = default) =>
        new AppendMergeOperator(delimiter);

    /// <summary>Joins operands with the value of the key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="exists">Whether the key has a value.</param>
    /// <param name="existing">That value.</param>
    /// <param name="operands">At least one, oldest first.</param>
    /// <param name="result">Receives the new value.</param>
    /// <returns><see langword="false"/> when they cannot be joined: the merge fails.</returns>
    public abstract bool TryMerge(
        ReadOnlySpan<byte> key,
        bool exists,
        ReadOnlySpan<byte> existing,
        MergeOperands operands,
        IBufferWriter<byte> result);

    /// <summary>Joins operands into one operand that means the same, without knowing the value.</summary>
    /// <param name="key">The key.</param>
    /// <param name="operands">At least two, oldest first.</param>
    /// <param name="result">Receives the one operand.</param>
    /// <returns><see langword="false"/>, the default, when that is not possible: they are kept apart.</returns>
    public virtual bool TryCombine(ReadOnlySpan<byte> key, MergeOperands operands, IBufferWriter<byte> result) => false;

    /// <summary>Refuses a malformed operand before it is written. The default takes any.</summary>
    /// <exception cref="ArgumentException">It is malformed.</exception>
    public virtual void RequireOperand(ReadOnlySpan<byte> operand)
    {
    }

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    internal void Remember(Exception failure) => _lastFailure = failure;
}

/// <summary>The operands of one key, oldest first. Valid during the call that brings it.</summary>
public readonly unsafe ref struct MergeOperands
{
    private readonly byte** _pointers;
    private readonly nuint* _lengths;
    private readonly ReadOnlySpan<ReadOnlyMemory<byte>> _managed;

    /// <summary>Operands that are not RocksDB's: to merge without a database.</summary>
    public MergeOperands(ReadOnlySpan<ReadOnlyMemory<byte>> operands)
    {
        _managed = operands;
        Count = operands.Length;
    }

    internal MergeOperands(byte** pointers, nuint* lengths, int count)
    {
        _pointers = pointers;
        _lengths = lengths;
        Count = count;
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>The operand at <paramref name="index"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such operand.</exception>
    public ReadOnlySpan<byte> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return _pointers is null
                ? _managed[index].Span
                : new ReadOnlySpan<byte>(_pointers[index], checked((int)_lengths[index]));
        }
    }
}
