namespace Branching.Storage;

/// <content>Closing and opening a store in one step, while callers wait.</content>
internal sealed partial class StoreSlot
{
    private TaskCompletionSource? _reopening;

    /// <summary>The open store; <see langword="null"/> when it is closed.</summary>
    public OpenStore? Describe()
    {
        LocalStore? store;
        int leases;
        lock (_lock)
        {
            store = _store;
            leases = _leases;
        }

        return store is null
            ? null
            : new OpenStore(
                Label,
                Directory,
                store.Health.IsHealthy ? StoreCondition.Healthy : StoreCondition.Poisoned,
                leases,
                registry.Time.GetElapsedTime(LastUsed),
                store.CountOpenItems());
    }

    /// <summary>Lets callers wait, waits for those inside, and closes the store; the next caller opens it.</summary>
    /// <returns><see langword="false"/> when it is used past the deadline: then everything is as before.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.Poisoned"/>: its files stay open until the process
    /// ends, so it would be lost for readers too.</exception>
    public async Task<bool> CloseForReopeningAsync(TimeSpan deadline)
    {
        var reopening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            ThrowIfRetired();
            if (_store is { MustStayOpen: true } kept)
            {
                kept.ThrowIfPoisoned();
            }

            if (_store is null || _reopening is not null || _released is not null)
            {
                return _store is null;
            }

            _reopening = reopening;
            _released = released;
            if (_leases == 0)
            {
                released.SetResult();
            }
        }

        try
        {
            await released.Task.WaitAsync(deadline, registry.Time).ConfigureAwait(false);
            await CloseNowAsync().ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            lock (_lock)
            {
                _reopening = null;
                _released = _released == released ? null : _released;
            }

            reopening.SetResult();
        }
    }
}
