namespace Branching.Storage.Transactions;

/// <summary>When a transaction learns of another one's writes.</summary>
public enum TransactionMode
{
    /// <summary>Nothing is locked; the commit is refused when a key was written meanwhile.</summary>
    Optimistic = 0,

    /// <summary>A key is locked when it is written or read for update; others wait.</summary>
    Pessimistic = 1,
}

/// <summary>How a key is locked.</summary>
public enum LockMode
{
    /// <summary>Nobody else may lock or write it.</summary>
    Exclusive = 0,

    /// <summary>Others may lock it in this mode too; nobody may write it.</summary>
    Shared = 1,
}

/// <summary>How a transaction behaves. Immutable; thread-safe.</summary>
public sealed record StoreTransactionOptions
{
    /// <summary>The options of a transaction that was given none.</summary>
    public static StoreTransactionOptions Default { get; } = new();

    /// <summary>When conflicts show. Default: optimistic.</summary>
    public TransactionMode Mode { get; init; }

    /// <summary>
    /// Whether reads show the store as it was when the transaction began, apart from its own writes. Default
    /// (<see langword="null"/>): yes when optimistic, no when pessimistic, where a key that is locked cannot change.
    /// </summary>
    public bool? Snapshot { get; init; }

    /// <summary>
    /// Whether the commit also requires that no key that was read, by <c>TryGet</c> or <c>MultiGet</c>, was written
    /// meanwhile. Then transactions on single keys are serializable. Ranges are not covered: a key that appears in one
    /// is no conflict. Default: no, only written keys and those read for update count.
    /// </summary>
    public bool ValidateReads { get; init; }

    /// <summary>What an answered commit promises. Default: <see cref="Durability.Sync"/>.</summary>
    public Durability Durability { get; init; }

    /// <summary>How long one lock is waited for. Range: zero (not at all) to 1 hour. Default: 1 s.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After this time the locks of a pessimistic transaction are taken away and it can no longer commit.
    /// Default (<see langword="null"/>): never. Range: 1 ms to 1 day.
    /// </summary>
    public TimeSpan? Expiration { get; init; }

    /// <summary>How often <c>TransactionAsync</c> runs its body at most. Range: 1 to 10,000. Default: 16.</summary>
    public int MaxAttempts { get; init; } = 16;

    /// <summary>
    /// Whether an attempt that lost waits, without polling, until the one it lost to has ended and those that lost
    /// before it have had their turn, and then runs at once. Default: yes; otherwise it runs again immediately.
    /// </summary>
    public bool CoordinatedRetry { get; init; } = true;

    internal bool UsesSnapshot => Snapshot ?? Mode == TransactionMode.Optimistic;

    internal void Check()
    {
        if (Mode is not (TransactionMode.Optimistic or TransactionMode.Pessimistic))
        {
            throw Refused($"its mode {(int)Mode} is unknown");
        }

        if (Durability is not (Durability.Sync or Durability.Buffered))
        {
            throw Refused($"its durability {(int)Durability} is unknown");
        }

        if (LockTimeout < TimeSpan.Zero || LockTimeout > TimeSpan.FromHours(1))
        {
            throw Refused($"LockTimeout is {LockTimeout}; it is from 0 to 1 hour");
        }

        if (Expiration is { } expiration
            && (expiration < TimeSpan.FromMilliseconds(1) || expiration > TimeSpan.FromDays(1)))
        {
            throw Refused($"Expiration is {expiration}; it is from 1 ms to 1 day");
        }

        if (MaxAttempts is < 1 or > 10_000)
        {
            throw Refused($"MaxAttempts is {MaxAttempts}; it is from 1 to 10,000");
        }
    }

    private static StorageException Refused(string why) =>
        new(FailureKind.InvalidArgument, $"A transaction was not begun: {why}.");
}
