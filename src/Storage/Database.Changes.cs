using Branching.Storage.Changes;

namespace Branching.Storage;

/// <content>
/// Change logs. Whether a branch keeps one is part of its record, so it travels with the database; the log itself is
/// local, and stays with the store that it is of.
/// </content>
public sealed partial class Database
{
    private readonly SemaphoreSlim _changeLogTurn = new(1, 1);

    /// <summary>
    /// Switches a branch's change log on, or gives it other settings. On return every later write is in it, here and
    /// after a move; durable.
    /// </summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.BranchNotFound"/>, <see cref="FailureKind.InvalidArgument"/>; otherwise why the log could
    /// not be begun. Nothing is changed then.
    /// </exception>
    public async Task EnableChangeLogAsync(
        BranchName branch, ChangeLogSettings settings, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings.Check();
        using StoreLease lease = await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
        await _changeLogTurn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            StoreId id = lease.Branch.Id;
            ChangeLogSettings? before = _all[id].ChangeLog;
            await Task.Run(() => lease.Store.EnableChangeLog(ChangesOf(id), settings), CancellationToken.None)
                .ConfigureAwait(false);
            try
            {
                await SetChangeLogAsync(id, settings).ConfigureAwait(false);
            }
            catch
            {
                await Task.Run(() => PutBack(lease.Store, id, before), CancellationToken.None).ConfigureAwait(false);
                throw;
            }
        }
        finally
        {
            _changeLogTurn.Release();
        }
    }

    /// <summary>
    /// Switches a branch's change log off. What it has stays, and is removed with the branch; switched on again, the
    /// log goes on behind a gap.
    /// </summary>
    /// <exception cref="StorageException"><see cref="FailureKind.BranchNotFound"/>.</exception>
    public async Task DisableChangeLogAsync(BranchName branch, CancellationToken cancellationToken)
    {
        using StoreLease lease = await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
        await _changeLogTurn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await SetChangeLogAsync(lease.Branch.Id, null).ConfigureAwait(false);
            await Task.Run(lease.Store.DisableChangeLog, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _changeLogTurn.Release();
        }
    }

    /// <summary>Where a branch's change log lies on this node, for those who read it while nothing is open.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.BranchNotFound"/>.</exception>
    public string GetChangeLogDirectory(BranchName branch) => _files.ChangesOf(GetBranch(branch).Id);

    /// <summary>
    /// Reads all of a branch's change log and says what of it is damaged. A store that is not open is not opened: then
    /// the log is looked at as it lies there, before anything is mended.
    /// </summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.BranchNotFound"/>; <see cref="FailureKind.ChangeLogOff"/>: there is none.
    /// </exception>
    public async Task<ChangeLogValidation> ValidateChangeLogAsync(
        BranchName branch, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        BranchRecord record = GetBranch(branch);
        string directory = _files.ChangesOf(record.Id);
        if (record.ChangeLog is not null && !System.IO.Directory.Exists(directory))
        {
            // The log of a branch is begun when its store is opened first.
            return new ChangeLogValidation(0, 0, 0, 0, null, null, WasClosed: true, []);
        }

        while (true)
        {
            if (TryAcquireOpen(record) is { } lease)
            {
                using (lease)
                {
                    return await Task.Run(
                        () => lease.Store.HasChangeLog
                            ? lease.Store.Changes.Validate(cancellationToken)
                            : ChangeLogValidator.Validate(directory, cancellationToken),
                        cancellationToken).ConfigureAwait(false);
                }
            }

            ChangeLogValidation found = await Task.Run(
                () => ChangeLogValidator.Validate(directory, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            if (found.Damage.Count == 0 || !_registry.TryGet(record.Id, out StoreSlot? slot) || !slot.IsOpen)
            {
                return found;
            }

            // It was opened meanwhile, so what was read may have been half written.
        }
    }

    private StoreLease? TryAcquireOpen(BranchRecord record) =>
        _registry.TryGet(record.Id, out StoreSlot? slot) ? slot.TryAcquire(record) : null;

    private void PutBack(LocalStore store, StoreId id, ChangeLogSettings? before)
    {
        if (before is null)
        {
            store.DisableChangeLog();
        }
        else
        {
            store.EnableChangeLog(ChangesOf(id), before);
        }
    }

    private async Task SetChangeLogAsync(StoreId id, ChangeLogSettings? settings)
    {
        BranchRecord before = _all[id];
        BranchRecord after = before with { ChangeLog = settings };
        if (after == before)
        {
            return;
        }

        await RecordAsync(after).ConfigureAwait(false);
        try
        {
            await ShareAsync(after, before).ConfigureAwait(false);
            _guard?.ThrowIfInvalid();
        }
        catch
        {
            await RecordAsync(before).ConfigureAwait(false);
            throw;
        }

        lock (_names)
        {
            _all[id] = after;
            _living[after.Name] = after;
        }
    }

    /// <summary>Opens the log of a store that was just opened, if its branch keeps one. Blocking.</summary>
    private void OpenChangeLog(StoreId id, LocalStore store)
    {
        if (_all.TryGetValue(id, out BranchRecord? record) && record.ChangeLog is { } settings)
        {
            store.EnableChangeLog(ChangesOf(id), settings);
        }
    }

    private ChangeLogPlace ChangesOf(StoreId id) => new(_files.ChangesOf(id), Id, id)
    {
        Disk = _disk,
        Epoch = () => Tenure?.Epoch ?? default,
    };

    private static ChangeLogSettings? ChangeLogOf(CreateBranch request, BranchRecord parent) => request.ChangeLog switch
    {
        null => parent.ChangeLog,
        true => parent.ChangeLog ?? ChangeLogSettings.Default,
        false => null,
    };

    /// <summary>The log of a store that was set aside goes with it: it is of no other store.</summary>
    private void SetChangeLogAside(StoreId id, string place)
    {
        string log = _files.ChangesOf(id);
        if (place.Length > 0 && System.IO.Directory.Exists(log))
        {
            _disk.Rename(log, Path.Combine(place, "changes"));
            _disk.FlushDirectory(place);
            _disk.FlushDirectory(_files.Changes);
        }
    }
}
