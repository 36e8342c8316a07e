namespace Branching.Storage;

public sealed partial class Database
{
    // Longer than any point operation; cursors and checkpoints that run longer keep the branch.
    private static readonly TimeSpan _leaseDeadline = TimeSpan.FromSeconds(5);

    /// <summary>How long a deletion waits for leases to be given back. Tests shorten it.</summary>
    internal TimeSpan LeaseDeadline { get; set; } = _leaseDeadline;

    /// <summary>
    /// Deletes a branch: waits for the leases held on it, takes it out of sight in one step and frees its disk space.
    /// Branches made of it stay whole; the lineage remembers it. The name is free on return.
    /// </summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.BranchNotFound"/>; <see cref="FailureKind.InvalidArgument"/> for the main store;
    /// <see cref="FailureKind.BeingDeleted"/>; <see cref="FailureKind.InUse"/>: leases were still held after 5 s, and
    /// the
    /// branch serves on; or why the file system refused.
    /// </exception>
    public async Task<BranchRecord> DeleteBranchAsync(BranchName name, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        cancellationToken.ThrowIfCancellationRequested();
        if (name.IsMain)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The main store of database '{Name}' cannot be deleted by itself: drop the database instead.");
        }

        BranchRecord record;
        lock (_names)
        {
            record = GetBranch(name);
            if (!_deleting.Add(name))
            {
                throw new StorageException(FailureKind.BeingDeleted, $"{LabelOf(name)} is being deleted already.");
            }
        }

        try
        {
            return await Task.Run(() => DeleteAsync(record), CancellationToken.None).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new StorageException(e.Kind, $"{LabelOf(name)} was not deleted: {e.Message}", e);
        }
        finally
        {
            lock (_names)
            {
                _deleting.Remove(name);
            }
        }
    }

    private async Task<BranchRecord> DeleteAsync(BranchRecord record)
    {
        _disk.Reach(CrashPoint.DeletionStarted);
        StoreSlot slot = SlotOf(record);
        BranchState before = record.State;
        if (before != BranchState.Deleting && !await slot.RetireAsync(LeaseDeadline).ConfigureAwait(false))
        {
            throw new StorageException(
                FailureKind.InUse,
                $"it was still in use after {LeaseDeadline.TotalSeconds:0.#} s. It serves on; end its cursors " +
                "and branch " +
                "creations, then try again.");
        }

        _living[record.Name] = record with { State = BranchState.Deleting };
        _disk.Reach(CrashPoint.DeletionClosed);
        BranchRecord deleted = record with { State = BranchState.Deleted, DeletedAt = _time.GetUtcNow() };
        bool moved = false;
        try
        {
            await ShareAsync(deleted, record).ConfigureAwait(false);
            moved = TakeAway(record, before);
            await RecordAsync(deleted).ConfigureAwait(false);
        }
        catch
        {
            await UndoDeletionAsync(record, slot, moved).ConfigureAwait(false);
            throw;
        }

        await WaitForLeaseAsync(CancellationToken.None).ConfigureAwait(false);
        _disk.Reach(CrashPoint.DeletionRecorded);
        lock (_names)
        {
            _all[record.Id] = deleted;
            _living.TryRemove(record.Name, out _);
        }

        _registry.Forget(record.Id);
        _disk.TryDeleteTree(_files.TrashOf(record.Id), _logger);
        _disk.TryDeleteTree(_files.ChangesOf(record.Id), _logger);
        _disk.Reach(CrashPoint.DeletionDeleted);
        _logger.BranchDeleted(record.Name, Name, record.Id);
        return deleted;
    }

    /// <summary>The commit point of a deletion; the store is in the trash on return, or was never there.</summary>
    private bool TakeAway(BranchRecord record, BranchState before)
    {
        string store = _files.StoreOf(record.Id);
        if (!System.IO.Directory.Exists(store))
        {
            return System.IO.Directory.Exists(_files.TrashOf(record.Id));
        }

        if (before == BranchState.Damaged)
        {
            // It may not be this branch's data, so it may be the only copy of something else.
            _files.SetAside(store, $"{LabelOf(record.Name)} was deleted while its store's mark disagreed with " +
                "the catalog");
            return false;
        }

        _files.MoveToTrash(record.Id);
        return true;
    }

    private async Task UndoDeletionAsync(BranchRecord record, StoreSlot slot, bool moved)
    {
        bool repaired = await RepairCatalogAsync().ConfigureAwait(false);
        await TakeBackAsync(record).ConfigureAwait(false);
        try
        {
            string trash = _files.TrashOf(record.Id);
            if ((moved || System.IO.Directory.Exists(trash)) && !System.IO.Directory.Exists(_files.StoreOf(record.Id)))
            {
                _files.MoveBackFromTrash(record.Id);
            }
        }
        catch (StorageException e)
        {
            // It stays on its way out: deleting it again, or the next start, finishes it.
            _logger.LeftBehind(_files.TrashOf(record.Id), e);
            return;
        }

        if (repaired)
        {
            _living[record.Name] = record with
            {
                State = record.State == BranchState.Deleting ? BranchState.Ready
                : record.State
            };
            slot.Restore();
        }
    }
}
