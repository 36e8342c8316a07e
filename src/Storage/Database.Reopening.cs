namespace Branching.Storage;

/// <content>Examining a branch's store, and opening it anew after what was wrong is mended.</content>
public sealed partial class Database
{
    /// <summary>Examines the store of a branch, opening it when needed. One that cannot be opened for damage is
    /// <see cref="StoreCondition.Damaged"/>.</summary>
    /// <exception cref="StorageException">As for <see cref="AcquireAsync"/>.</exception>
    public async Task<StoreHealthReport> ExamineAsync(BranchName branch, CancellationToken cancellationToken)
    {
        try
        {
            using StoreLease lease = await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
            return await Task.Run(lease.Store.Examine, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (IsDamage(e))
        {
            return new StoreHealthReport(
                LabelOf(branch), _files.StoreOf(GetBranch(branch).Id), StoreCondition.Damaged, [e.Message],
                NeedsRestart: false);
        }
    }

    /// <summary>
    /// Closes the store of a branch and opens it again, so that RocksDB recovers it, and proves that it takes writes.
    /// Callers wait meanwhile.
    /// </summary>
    /// <returns>How the store is now: it takes writes.</returns>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InUse"/>: it was used for longer than the deadline, and is as it was;
    /// <see cref="FailureKind.Poisoned"/>: only a restart of the node recovers it. Any other: it cannot be opened, or
    /// it is open and writes still fail; then it refuses them, or the next one fails in the same way.
    /// </exception>
    public async Task<StoreHealthReport> ReopenAsync(BranchName branch, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        _guard?.ThrowIfInvalid();
        BranchRecord record = GetBranch(branch);
        ThrowIfNotServed(record);
        if (_registry.TryGet(record.Id, out StoreSlot? slot)
            && !await slot.CloseForReopeningAsync(_registry.Deadline).ConfigureAwait(false))
        {
            throw new StorageException(
                FailureKind.InUse,
                $"{LabelOf(branch)} was not reopened: it was still in use after " +
                $"{_registry.Deadline.TotalSeconds:0.#} s. It is as it was; try again when its scans have ended.");
        }

        using StoreLease lease = await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
        try
        {
            await Task.Run(lease.Store.ProveWrites, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new StorageException(
                e.Kind, $"{LabelOf(branch)} was reopened, but writes still fail: {e.Message} Mend that, and " +
                "reopen it again.", e);
        }

        return await Task.Run(lease.Store.Examine, cancellationToken).ConfigureAwait(false);
    }
}
