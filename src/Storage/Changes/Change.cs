namespace Branching.Storage.Changes;

/// <summary>What an entry of the change log is. The numbers are stable: they travel.</summary>
public enum ChangeKind
{
    /// <summary>A batch that was committed.</summary>
    Batch = 0,

    /// <summary>Sequences of which the log knows only that they were there.</summary>
    Gap = 1,
}

/// <summary>Why sequences are a gap. The numbers are stable: they are stored.</summary>
public enum ChangeGapReason
{
    /// <summary>It is no gap.</summary>
    None = 0,

    /// <summary>They were written while the log was off, or past it: by an ingested file.</summary>
    NotLogged = 1,

    /// <summary>The store has them, the log had lost them with the power or by damage at its end.</summary>
    LostTail = 2,

    /// <summary>A frame of the log is damaged; only a reader that asked to go on is given this.</summary>
    Damaged = 3,
}

/// <summary>What one operation of a batch did. The numbers are stable: they travel.</summary>
public enum ChangeOperationKind
{
    /// <summary>The key got the value.</summary>
    Put = 0,

    /// <summary>The key was removed.</summary>
    Delete = 1,

    /// <summary>Every key from <c>Key</c> up to, not including, <c>Value</c> was removed.</summary>
    DeleteRange = 2,

    /// <summary>The value was given to the family's merge operator.</summary>
    Merge = 3,
}

/// <summary>One operation of a committed batch.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="ColumnFamily">Name of the column family at that time.</param>
/// <param name="Key">The key, or the first key of a range.</param>
/// <param name="Value">The value or operand; of a range the first key that was kept.</param>
/// <param name="ExpiresAt">When a key that was put ceases to live, UTC; <see langword="null"/>: never.</param>
public readonly record struct ChangeOperation(
    ChangeOperationKind Kind,
    string ColumnFamily,
    ReadOnlyMemory<byte> Key,
    ReadOnlyMemory<byte> Value,
    DateTimeOffset? ExpiresAt = null);

/// <summary>One entry of the change log: a committed batch, or a gap that says how far it reaches.</summary>
/// <param name="Kind">Which of both.</param>
/// <param name="First">The sequence of its first operation.</param>
/// <param name="Last">The sequence of its last operation: what the write was answered with.</param>
/// <param name="Time">When it was committed, UTC; never before that of an earlier entry of the log.</param>
/// <param name="Operations">In the order in which they were applied; empty for a gap.</param>
/// <param name="Gap">Why it is a gap.</param>
public sealed record Change(
    ChangeKind Kind, Sequence First, Sequence Last, DateTimeOffset Time, IReadOnlyList<ChangeOperation> Operations,
    ChangeGapReason Gap = ChangeGapReason.None)
{
    /// <summary>Keys and values, in bytes.</summary>
    public long Bytes { get; init; }
}

/// <summary>What of a change log cannot be read.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Where in it the unreadable part begins, in bytes.</param>
/// <param name="First">The first sequence that cannot be read.</param>
/// <param name="Last">
/// The last one; <see langword="null"/> at the end of the log, where only the store knows it.
/// </param>
/// <param name="Reason">What is wrong with the bytes.</param>
public sealed record ChangeDamage(string File, long Offset, Sequence First, Sequence? Last, string Reason);
