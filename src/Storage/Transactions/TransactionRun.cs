namespace Branching.Storage.Transactions;

/// <summary>A body that is run as a transaction until it commits or has lost too often.</summary>
internal sealed class TransactionRun<T>(
    LocalStore store, StoreHooks hooks, Func<StoreTransaction, int, CancellationToken, Task<T>> body,
    StoreTransactionOptions options)
{
    private KeyedLockHolder? _turn;

    public async Task<TransactionOutcome<T>> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (int attempt = 1; ; attempt++)
            {
                (TransactionOutcome<T>? outcome, TransactionConflict? conflict) =
                    await AttemptAsync(attempt, cancellationToken).ConfigureAwait(false);
                if (outcome is { } done)
                {
                    return done;
                }

                if (attempt == options.MaxAttempts)
                {
                    throw StorageException.From(
                        conflict!, FailureKind.TransactionConflict, $"a transaction of {store.Label}", attempt);
                }

                await WaitForTurnAsync(conflict!, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _turn?.Dispose();
        }
    }

    private async Task<(TransactionOutcome<T>? Outcome, TransactionConflict? Conflict)> AttemptAsync(
        int attempt, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using StoreTransaction transaction = store.BeginTransaction(options);
        try
        {
            T value = await body(transaction, attempt, cancellationToken).ConfigureAwait(false);
            switch (transaction.State)
            {
                case StoreTransactionState.Committed:
                case StoreTransactionState.RolledBack:
                case StoreTransactionState.Lost:
                    bool committed = transaction.State == StoreTransactionState.Committed;
                    return (new TransactionOutcome<T>(value, committed, transaction.CommittedAt, attempt), null);
                default:
                    CommitResult result = await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                    return result.Committed
                        ? (new TransactionOutcome<T>(value, true, result.Sequence, attempt), null)
                        : (null, result.Conflict);
            }
        }
        catch (StorageException e) when (e.Conflict is { } conflict && conflict.Transaction == transaction.Id)
        {
            return (null, conflict);
        }
    }

    /// <summary>
    /// Waits until the other one has ended, and for its turn among those that lost for the same key. Without it,
    /// many that want one key would mostly make each other lose again.
    /// </summary>
    private async ValueTask WaitForTurnAsync(TransactionConflict conflict, CancellationToken cancellationToken)
    {
        if (!options.CoordinatedRetry)
        {
            return;
        }

        // A turn that is held is given back first: who holds one and waits for another could wait in a circle.
        _turn?.Dispose();
        _turn = null;
        try
        {
            await conflict.OtherEnded.WaitAsync(options.LockTimeout, store.Time, cancellationToken)
                .ConfigureAwait(false);
            _turn = await hooks.Turns.TakeAsync(
                new FamilyKey(FamilyNumber(conflict), conflict.Key), options.LockTimeout, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The other one takes its time; the attempt finds out for itself whether it still is in the way.
            _turn = null;
        }
        catch (StorageException e) when (e.Kind == FailureKind.LockTimedOut)
        {
            // Those that lost before it take their time; then it tries beside them.
            _turn = null;
        }
    }

    private uint FamilyNumber(TransactionConflict conflict) =>
        store.TryFamilyOf(conflict.ColumnFamily, out uint family) ? family : 0;
}
