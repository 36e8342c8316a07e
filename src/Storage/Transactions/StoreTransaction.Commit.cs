namespace Branching.Storage.Transactions;

public sealed partial class StoreTransaction
{
    /// <summary>Applies everything in one atomic step, or nothing. The transaction has ended, whatever comes.</summary>
    /// <remarks>
    /// A lost race is an answer. On return with <see cref="Durability.Sync"/> the writes are fsynced. Cancelled before
    /// the writer took it, nothing was applied; afterwards the outcome is awaited.
    /// </remarks>
    /// <param name="cancellationToken">Withdraws the commit while it waits for its turn.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.TransactionEnded"/>: it was committed or rolled back before.
    /// <see cref="FailureKind.ColumnFamilyNotFound"/>: a family it used was dropped; nothing was applied. Others as
    /// <see cref="LocalStore.WriteAsync"/>.
    /// </exception>
    public async ValueTask<CommitResult> CommitAsync(CancellationToken cancellationToken = default)
    {
        using Use use = BeginCommit();
        try
        {
            CommitResult result = await ApplyAsync(cancellationToken).ConfigureAwait(false);
            CommittedAt = result.Committed ? result.Sequence : default;
            Volatile.Write(
                ref _state, (int)(result.Committed ? StoreTransactionState.Committed : StoreTransactionState.Lost));
            _store.Raise(result.Committed ? StoreEventKind.Committed : StoreEventKind.RolledBack, this);
            return result;
        }
        catch
        {
            Volatile.Write(ref _state, (int)StoreTransactionState.Failed);
            throw;
        }
        finally
        {
            GiveBack();
            if (State == StoreTransactionState.Committed)
            {
                _store.Raise(StoreEventKind.AfterCommit, this);
            }
        }
    }

    private Use BeginCommit()
    {
        Use use = Begin("committed");
        int before = Interlocked.CompareExchange(
            ref _state, (int)StoreTransactionState.Committing, (int)StoreTransactionState.Active);
        if (before == (int)StoreTransactionState.Active)
        {
            return use;
        }

        use.Dispose();
        throw Ended("committed");
    }

    private async ValueTask<CommitResult> ApplyAsync(CancellationToken cancellationToken)
    {
        _store.Raise(StoreEventKind.BeforeCommit, this);
        if (_changes.IsEmpty && !_hooks.Locks.IsHolder(_owner))
        {
            _store.ThrowIfClosed();
            return new CommitResult(true, _store.LastAcknowledged, null);
        }

        WriteOperation[] operations = _changes.ToOperations();
        bool optimistic = Options.Mode == TransactionMode.Optimistic;
        bool locks = !optimistic || _hooks.IsLocking;
        if (optimistic && locks
            && await LockWritesAsync(operations, cancellationToken).ConfigureAwait(false) is { } conflict)
        {
            return new CommitResult(false, _store.LastAcknowledged, conflict);
        }

        TransactionCheck check = new(_hooks, _changes, Id) { Owner = locks ? _owner : null };
        WriteRequest request = new(operations, null, Options.Durability) { Check = check };
        WriteResult result = await _store.SubmitAsync(request, cancellationToken).ConfigureAwait(false);
        return new CommitResult(result.Applied, result.Sequence, check.Conflict);
    }

    /// <summary>While others lock, what an optimistic transaction writes waits for them like any write.</summary>
    private async ValueTask<TransactionConflict?> LockWritesAsync(
        WriteOperation[] operations, CancellationToken cancellationToken)
    {
        try
        {
            await _store.LockAsync(_owner, operations, Options.LockTimeout, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (StorageException e) when (e.Conflict is not null)
        {
            return e.Conflict;
        }
    }
}
