using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage.Transactions;

/// <summary>A key that a commit depends on.</summary>
/// <param name="ColumnFamily">The column family, or <see langword="null"/> for the default one.</param>
/// <param name="Key">1 byte to 64 KiB.</param>
/// <param name="Sequence">The sequence at which it was read: the commit is refused if it was written after it.</param>
public readonly record struct KeyRead(string? ColumnFamily, ReadOnlyMemory<byte> Key, Sequence Sequence);

/// <summary>A range that a commit depends on.</summary>
/// <param name="ColumnFamily">The column family, or <see langword="null"/> for the default one.</param>
/// <param name="From">Its first key, up to one byte longer than a key; empty: the beginning of the family.</param>
/// <param name="To">The first key behind it, up to one byte longer than a key; empty: the family's end.</param>
/// <param name="Sequence">The sequence at which it was read: the commit is refused if anything in it was written
/// after it.</param>
public readonly record struct RangeRead(
    string? ColumnFamily, ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> To, Sequence Sequence);

/// <summary>
/// A transaction whose reads and writes were gathered elsewhere, without anything held in the store meanwhile.
/// </summary>
/// <param name="Id">Chosen by who gathers it, once: a commit asked for again is answered as before.</param>
/// <param name="Life">The opening of the store in which it read: <see cref="TransactionReads.Life"/>.</param>
/// <param name="Reads">What must not have been written since; none: only writes.</param>
/// <param name="Operations">What is written; none: only the reads are checked.</param>
/// <param name="Durability">What the answer promises.</param>
/// <param name="IsRepeated">Whether it was sent before and no answer came.</param>
/// <param name="Ranges">Ranges in which nothing must have been written since, of scans by
/// <see cref="LocalStore.ScanForCommit"/>; <see langword="null"/>: none. Each one costs the writer a look at every key
/// that it remembers.</param>
public sealed record ReadSetCommit(
    Guid Id,
    Guid Life,
    IReadOnlyList<KeyRead> Reads,
    IReadOnlyList<WriteOperation> Operations,
    Durability Durability = Durability.Sync,
    bool IsRepeated = false,
    IReadOnlyList<RangeRead>? Ranges = null)
{
    /// <summary>Whether it depends on anything.</summary>
    internal bool HasReads => Reads.Count > 0 || Ranges is { Count: > 0 };

    /// <summary>That nothing is known of what was written since it read; only of one that depends on something.
    /// </summary>
    internal TransactionConflict TooOld(Sequence written)
    {
        (string? family, ReadOnlyMemory<byte> key) = Reads.Count > 0
            ? (Reads[0].ColumnFamily, Reads[0].Key)
            : (Ranges![0].ColumnFamily, Ranges[0].From);
        return new TransactionConflict(ConflictKind.TooOld, family ?? LocalStore.DefaultColumnFamily, key)
        {
            Written = written,
        };
    }
}

/// <summary>Values of one moment, with what a later commit needs to depend on them.</summary>
/// <param name="Values">One entry for each key, in order; <see langword="null"/> where the key is absent.</param>
/// <param name="Sequence">The sequence of the moment.</param>
/// <param name="Life">This opening of the store; another one once a column family was dropped.</param>
public sealed record TransactionReads(
    IReadOnlyList<ReadOnlyMemory<byte>?> Values, Sequence Sequence, Guid Life);

/// <summary>
/// The outcomes of the last commits that were sent whole, so that one whose answer was lost can be asked for again.
/// Thread-safe; bounded.
/// </summary>
internal sealed class CommitMemory
{
    private const int Capacity = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Task<CommitResult>> _outcomes = [];
    private readonly Queue<Guid> _order = new();
    private ulong _forgottenUpTo;

    /// <summary>The outcome of a commit that was begun before; otherwise it begins now.</summary>
    /// <param name="id">The commit.</param>
    /// <param name="begin">Begins it; called at most once, outside of every lock.</param>
    /// <param name="isNew">Whether it began now.</param>
    public Task<CommitResult> GetOrBegin(Guid id, Func<Task<CommitResult>> begin, out bool isNew)
    {
        TaskCompletionSource<CommitResult> source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_outcomes.TryGetValue(id, out Task<CommitResult>? before))
            {
                isNew = false;
                return before;
            }

            isNew = true;
            _outcomes.Add(id, source.Task);
            _order.Enqueue(id);
            ForgetOldest();
        }

        _ = FollowAsync(id, begin, source);
        return source.Task;
    }

    /// <summary>Whether a commit that read at <paramref name="sequence"/> may have been forgotten.</summary>
    public bool MayHaveForgotten(Guid id, ulong sequence)
    {
        lock (_lock)
        {
            return !_outcomes.ContainsKey(id) && _forgottenUpTo > sequence;
        }
    }

    private async Task FollowAsync(
        Guid id, Func<Task<CommitResult>> begin, TaskCompletionSource<CommitResult> source)
    {
        try
        {
            source.SetResult(await begin().ConfigureAwait(false));
        }
        catch (Exception e)
        {
            // Asked again it is tried again, unless the first try may have been applied.
            if (AppliedNothing(e))
            {
                lock (_lock)
                {
                    _outcomes.Remove(id);
                }
            }

            source.SetException(e);
            _ = source.Task.Exception;
        }
    }

    public static bool AppliedNothing(Exception e) => e is OperationCanceledException
        || e is StorageException
        {
            Kind: FailureKind.InvalidArgument or FailureKind.RequestTooLarge or FailureKind.ColumnFamilyNotFound
                or FailureKind.Closed or FailureKind.Overloaded or FailureKind.TimedOut or FailureKind.Poisoned
                or FailureKind.LockTimedOut or FailureKind.Deadlock,
        };

    [SuppressMessage("Performance", "CA1849", Justification = "Only of tasks that are completed.")]
    private void ForgetOldest()
    {
        while (_order.Count > Capacity && _order.TryDequeue(out Guid oldest))
        {
            if (_outcomes.Remove(oldest, out Task<CommitResult>? outcome) && outcome.IsCompletedSuccessfully
                && outcome.GetAwaiter().GetResult() is { Committed: true } committed)
            {
                _forgottenUpTo = Math.Max(_forgottenUpTo, committed.Sequence.Value);
            }
        }
    }
}
