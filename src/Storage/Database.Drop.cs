namespace Branching.Storage;

public sealed partial class Database
{
    private List<StoreSlot> _retired = [];

    /// <summary>Refuses new work and closes every store of this database, before it is dropped.</summary>
    internal async Task RetireAllAsync()
    {
        lock (_names)
        {
            if (_creating.Count > 0 || _deleting.Count > 0)
            {
                throw new StorageException(
                    FailureKind.InUse, "branches are being created or deleted. It serves on; try again when they " +
                        "are done.");
            }

            _closed = true;
        }

        _retired = [];
        try
        {
            foreach (BranchRecord record in _living.Values)
            {
                if (!_registry.TryGet(record.Id, out StoreSlot? slot))
                {
                    continue;
                }

                if (!await slot.RetireAsync(LeaseDeadline).ConfigureAwait(false))
                {
                    throw new StorageException(
                        FailureKind.InUse,
                        $"{slot.Label} was still in use after {LeaseDeadline.TotalSeconds:0.#} s. It serves on; " +
                        "end its " +
                        "cursors and try again.");
                }

                _retired.Add(slot);
            }
        }
        catch
        {
            RestoreAll();
            throw;
        }
    }

    /// <summary>Serves again after a drop that did not reach its commit point.</summary>
    internal void RestoreAll()
    {
        _retired.ForEach(slot => slot.Restore());
        _closed = false;
    }

    /// <summary>Drops the closed stores from the registry: their directories are no longer here.</summary>
    internal void ForgetAll()
    {
        foreach (StoreId id in _all.Keys)
        {
            _registry.Forget(id);
        }
    }
}
