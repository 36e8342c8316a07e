using Branching.Storage.Changes;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>What a database needs to know to make a branch of a snapshot.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Branch">The branch it becomes.</param>
/// <param name="By">Who asks.</param>
/// <param name="Labels">Labels of the branch.</param>
/// <param name="Stage">Stages the store in a directory, under a mark.</param>
internal sealed record BranchRestore(
    SnapshotManifest Snapshot, BranchName Branch, string By, IReadOnlyDictionary<string, string> Labels,
    Func<string, BranchRecord, CancellationToken, Task> Stage);

/// <content>Restoring a snapshot into this database; see <see cref="RestoreRecovery"/> for the protocol.</content>
public sealed partial class Database
{
    /// <summary>Label of a restored branch: the snapshot it was restored from, until it has one of its own.</summary>
    internal const string RestoredFromLabel = "branching/restored-from";

    private readonly SemaphoreSlim _restoring = new(1, 1);

    /// <summary>Replaces a branch, or makes a new one.</summary>
    /// <returns>The new record, and where the store it replaced is now, unless that had no files here.</returns>
    internal async Task<(BranchRecord Record, string? Quarantine)> RestoreBranchAsync(
        BranchRestore restore, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        await _restoring.WaitAsync(cancellationToken).ConfigureAwait(false);
        BranchRecord? replaced = null;
        try
        {
            lock (_names)
            {
                _living.TryGetValue(restore.Branch, out replaced);
                if (_creating.ContainsKey(restore.Branch) || !_deleting.Add(restore.Branch))
                {
                    throw new StorageException(
                        FailureKind.InUse, $"{LabelOf(restore.Branch)} is being created or deleted; try again then.");
                }
            }

            try
            {
                return replaced is null
                    ? (await AddRestoredAsync(restore, cancellationToken).ConfigureAwait(false), null)
                    : await SwapAsync(restore, replaced, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                lock (_names)
                {
                    _deleting.Remove(restore.Branch);
                }
            }
        }
        finally
        {
            _restoring.Release();
        }
    }

    private BranchRecord RecordOf(
        BranchRestore restore, StoreId? parent, BranchName? parentName, Sequence at, int depth,
        ChangeLogSettings? changeLog) => new(
        StoreId.New(_time), restore.Branch, parent, parentName, at, depth, _time.GetUtcNow(), restore.By,
        restore.Labels, BranchState.Ready, LinkedFiles: 0, CopiedFiles: 0, restore.Snapshot.TotalBytes)
        {
            ChangeLog = changeLog,
        };

    /// <summary>A new branch whose parent is the store that the snapshot is of, when that is of this database; another
    /// database's snapshot makes a branch without a parent here.</summary>
    private async Task<BranchRecord> AddRestoredAsync(BranchRestore restore, CancellationToken cancellationToken)
    {
        SnapshotManifest snapshot = restore.Snapshot;
        bool isOurs = snapshot.DatabaseId == Id;
        BranchRecord record = RecordOf(
            restore, isOurs ? snapshot.Id.Store : null, isOurs ? snapshot.Branch : null, snapshot.Sequence,
            isOurs ? snapshot.Depth + 1 : 1, isOurs ? _all.GetValueOrDefault(snapshot.Id.Store)?.ChangeLog : null);
        string building = _files.BuildingOf(record.Id);
        bool published = false;
        BranchRecord? recorded = null;
        try
        {
            await restore.Stage(building, record, cancellationToken).ConfigureAwait(false);
            _disk.Reach(SharingStep.BranchRestoreStaged);
            cancellationToken.ThrowIfCancellationRequested();
            _disk.Rename(building, _files.StoreOf(record.Id));
            published = true;
            _disk.Reach(SharingStep.BranchRestorePublished);
            _disk.FlushDirectory(_files.Stores);
            _disk.Reach(SharingStep.BranchRestorePublishedDurably);
            await RecordAsync(record).ConfigureAwait(false);
            recorded = record;
            await ShareAsync(record, before: null).ConfigureAwait(false);
            await WaitForLeaseAsync(CancellationToken.None).ConfigureAwait(false);
            lock (_names)
            {
                _all[record.Id] = record;
                _living[record.Name] = record;
            }

            return record;
        }
        catch
        {
            await UndoAsync(record.Id, published, recorded).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<(BranchRecord Record, string? Quarantine)> SwapAsync(
        BranchRestore restore, BranchRecord replaced, CancellationToken cancellationToken)
    {
        BranchRecord record = RecordOf(
            restore, replaced.ParentId, replaced.ParentName, replaced.BranchSequence, replaced.Depth,
            replaced.ChangeLog);
        RestoreIntent intent = new(
            Formats.Restore, restore.Snapshot.Id.ToString(), restore.Branch.Value, record.Id.ToString(),
            replaced.Id.ToString(), IsStaged: false, Attempts: 0, record.CreatedAt, restore.By);
        string building = _files.BuildingOf(record.Id);
        StoreSlot slot = SlotOf(replaced);
        bool retired = false;
        try
        {
            _files.WriteIntent(intent);
            _disk.Reach(SharingStep.RestoreIntended);
            await restore.Stage(building, record, cancellationToken).ConfigureAwait(false);
            _disk.FlushDirectory(_files.Building);
            _disk.Reach(SharingStep.RestoreStaged);
            retired = await slot.RetireAsync(LeaseDeadline).ConfigureAwait(false);
            if (!retired)
            {
                throw new StorageException(
                    FailureKind.InUse,
                    $"it was still in use after {LeaseDeadline.TotalSeconds:0.#} s. It serves on; end its cursors " +
                    "and branch creations, then try again.");
            }

            cancellationToken.ThrowIfCancellationRequested();
            _files.WriteIntent(intent with { IsStaged = true });
            _disk.Reach(SharingStep.RestoreReady);
        }
        catch
        {
            UndoSwap(building, slot, retired);
            throw;
        }

        string quarantine = Swap(restore, record, replaced, building);
        await FinishSwapAsync(record, replaced).ConfigureAwait(false);
        return (record, quarantine.Length == 0 ? null : quarantine); // Of a lost branch there is nothing to set aside.
    }

    /// <summary>Where the store of a branch would be put by a swap; <see langword="null"/>: it has no files here.
    /// </summary>
    internal string? QuarantineFor(BranchRecord record) =>
        System.IO.Directory.Exists(_files.StoreOf(record.Id)) ? _files.Quarantine : null;

    /// <summary>From here on only forward: what fails is finished by the next start.</summary>
    private string Swap(BranchRestore restore, BranchRecord record, BranchRecord replaced, string building)
    {
        try
        {
            string place = System.IO.Directory.Exists(_files.StoreOf(replaced.Id))
                ? _files.SetAside(
                    _files.StoreOf(replaced.Id),
                    $"{LabelOf(replaced.Name)} was replaced by snapshot {restore.Snapshot.Id}, as '{restore.By}' asked")
                : "";
            SetChangeLogAside(replaced.Id, place);
            _disk.Reach(SharingStep.RestoreSetAside);
            _disk.Rename(building, _files.StoreOf(record.Id));
            _disk.Reach(SharingStep.RestoreSwapped);
            _disk.FlushDirectory(_files.Stores);
            _disk.Reach(SharingStep.RestoreSwappedDurably);
            return place;
        }
        catch (StorageException e)
        {
            throw Half(replaced, e);
        }
    }

    private async Task FinishSwapAsync(BranchRecord record, BranchRecord replaced)
    {
        try
        {
            await _catalogTurn.WaitAsync().ConfigureAwait(false);
            try
            {
                RestoreRecovery.Record(_files, _catalog, record, replaced.Id, record.CreatedAt);
            }
            finally
            {
                _catalogTurn.Release();
            }

            _files.DeleteIntent();
            _disk.Reach(SharingStep.RestoreDone);
        }
        catch (StorageException e)
        {
            throw Half(replaced, e);
        }

        BranchRecord gone = replaced with { State = BranchState.Deleted, DeletedAt = record.CreatedAt };
        lock (_names)
        {
            _all[record.Id] = record;
            _all[replaced.Id] = gone;
            _living[record.Name] = record;
        }

        _registry.Forget(replaced.Id);
    }

    /// <summary>
    /// Makes a swap known to shared storage; until then the next owner would restore what was before.
    /// </summary>
    internal async Task ShareRestoredAsync(BranchRecord record, StoreId? replaced)
    {
        if (_lineage is not { } lineage)
        {
            return;
        }

        List<BranchRecord> changes = [record];
        if (replaced is { } id && _all.TryGetValue(id, out BranchRecord? gone))
        {
            changes.Add(gone);
        }

        await lineage.PromiseAsync(changes).ConfigureAwait(false);
        await WaitForLeaseAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private void UndoSwap(string building, StoreSlot slot, bool retired)
    {
        try
        {
            _disk.DeleteTree(building);
            _files.DeleteIntent();
        }
        catch (StorageException e)
        {
            // The intent says that nothing was swapped: the next start removes both.
            _logger.LeftBehind(building, e);
        }

        if (retired)
        {
            slot.Restore();
        }
    }

    /// <summary>The swap stopped between its renames: only a start may say where it goes on.</summary>
    private StorageException Half(BranchRecord replaced, StorageException cause)
    {
        StorageException half = new(
            cause.Kind,
            $"the restore of {LabelOf(replaced.Name)} stopped in the middle: {cause.Message} Open the data root " +
            "again, which finishes it.", cause);
        _living[replaced.Name] = replaced with { State = BranchState.Missing };
        return half;
    }
}
