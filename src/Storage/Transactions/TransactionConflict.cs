namespace Branching.Storage.Transactions;

/// <summary>Why a transaction lost against another write.</summary>
public enum ConflictKind
{
    /// <summary>The key was written after the transaction read it.</summary>
    Written = 0,

    /// <summary>The transaction is older than the store remembers writes, or, sent whole, than its last drop of a
    /// column family; whether the key changed is not known.</summary>
    TooOld = 1,

    /// <summary>Another one held the lock until the time was over.</summary>
    LockTimedOut = 2,

    /// <summary>The lock would have closed a circle of transactions that wait for each other.</summary>
    Deadlock = 3,

    /// <summary>
    /// A write that began before the first locking transaction did, or one that takes no locks, changed a locked key.
    /// </summary>
    LockBroken = 4,
}

/// <summary>One step of a circle: a transaction, and the key it waits for.</summary>
/// <param name="Transaction">Its id.</param>
/// <param name="ColumnFamily">The family of the key.</param>
/// <param name="Key">The key whose lock it waits for.</param>
public readonly record struct LockWait(ulong Transaction, string ColumnFamily, ReadOnlyMemory<byte> Key);

/// <summary>What a transaction lost against. It changed nothing and has ended, or is to be rolled back.</summary>
/// <param name="Kind">Why.</param>
/// <param name="ColumnFamily">The family of the key.</param>
/// <param name="Key">The key.</param>
public sealed record TransactionConflict(ConflictKind Kind, string ColumnFamily, ReadOnlyMemory<byte> Key)
{
    /// <summary>The id of the transaction that lost; 0 for a plain write and for a commit sent whole.</summary>
    public ulong Transaction { get; init; }

    /// <summary>
    /// For <see cref="ConflictKind.Written"/>: the sequence of the write that won; for
    /// <see cref="ConflictKind.TooOld"/>: up to where the store has forgotten.
    /// </summary>
    public Sequence Written { get; init; }

    /// <summary>The id of the transaction or write that holds the lock; 0 when the other one has ended.</summary>
    public ulong Other { get; init; }

    /// <summary>The circle of a deadlock, beginning with the transaction that lost; otherwise empty.</summary>
    public IReadOnlyList<LockWait> Circle { get; init; } = [];

    /// <summary>Completes when the other one has ended.</summary>
    internal Task OtherEnded { get; init; } = Task.CompletedTask;

    /// <summary>The conflict in words, without a stop.</summary>
    internal string Describe()
    {
        string key = $"key {FamilyKey.Show(Key.Span)} of column family '{ColumnFamily}'";
        return Kind switch
        {
            ConflictKind.Written => $"{key} was written at sequence {Written}, after it was read",
            ConflictKind.TooOld =>
                $"whether {key} was written meanwhile is not known any more, the store has forgotten writes " +
                $"up to sequence {Written}",
            ConflictKind.LockTimedOut => $"{key} is locked by {Who(Other)}, which did not end in time",
            ConflictKind.Deadlock => $"waiting for {key} would close the circle " +
                string.Join(" → ", Circle.Select(step => $"{Who(step.Transaction)} waits for " +
                    FamilyKey.Show(step.Key.Span))),
            _ => $"{key} was written although this transaction had locked it",
        };
    }

    private static string Who(ulong id) => $"transaction {id}";
}

/// <summary>The answer to a commit.</summary>
/// <param name="Committed">Whether everything was applied; otherwise nothing was.</param>
/// <param name="Sequence">The store's sequence right after the transaction; of the refusal when it lost.</param>
/// <param name="Conflict">What it lost against; <see langword="null"/> when it committed.</param>
public readonly record struct CommitResult(bool Committed, Sequence Sequence, TransactionConflict? Conflict);

/// <summary>What became of a body that was run as a transaction.</summary>
/// <typeparam name="T">What the body answers.</typeparam>
/// <param name="Value">The answer of the last attempt.</param>
/// <param name="Committed">Whether it committed; otherwise the body rolled back.</param>
/// <param name="Sequence">The store's sequence right after the commit.</param>
/// <param name="Attempts">How often the body ran, from 1.</param>
public readonly record struct TransactionOutcome<T>(T Value, bool Committed, Sequence Sequence, int Attempts);
