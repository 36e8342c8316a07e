using System.Collections.Concurrent;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>Puts the stores of a whole database together from snapshots, each object fetched once.</summary>
internal sealed class StoreStaging(
    OwnedDatabase owned, DatabaseFiles files, SnapshotView view, IStoreRestorer restorer, ILogger logger)
{
    private readonly ConcurrentDictionary<StoreId, SnapshotManifest> _restored = new();
    private int _done;

    public IEnumerable<SnapshotManifest> Restored => _restored.Values;

    public Sequence? SequenceOf(StoreId id) => _restored.TryGetValue(id, out SnapshotManifest? m) ? m.Sequence : null;

    /// <returns>The records for the catalog: what was restored, what is lost, what was deleted before.</returns>
    public async Task<IReadOnlyList<BranchRecord>> RunAsync(
        IEnumerable<BranchRecord> shared, int atOnce, CancellationToken cancellationToken)
    {
        List<BranchRecord> records = [.. shared.OrderBy(r => r.Depth).ThenBy(r => r.Id)];
        HashSet<StoreId> superseded = [.. records.Where(r => r.State != BranchState.Deleted)
            .GroupBy(r => r.Name).SelectMany(g => g.OrderByDescending(r => r.Id).Skip(1)).Select(r => r.Id)];
        for (int i = 0; i < records.Count; i++)
        {
            // Its owner died between the two changes by which a restored store took the name of another.
            records[i] = superseded.Contains(records[i].Id)
                ? records[i] with { State = BranchState.Deleted }
                : records[i];
        }

        BranchRecord[] living = [.. records.Where(r => r.State != BranchState.Deleted)];
        ConcurrentDictionary<StoreId, BranchState> states = new();
        Report(living.Length);
        restorer.CheckSpace(
            [.. living.Where(r => r.Durability == BranchDurability.Durable).Select(r => view.Newest(r.Id))
                .OfType<SnapshotManifest>()],
            files.Directory);

        // The main store first: without it nothing is served, and branches find its files fetched.
        await StageAsync(living.Single(r => r.Name.IsMain)).ConfigureAwait(false);
        await Parallel.ForEachAsync(
            living.Where(r => !r.Name.IsMain),
            new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellationToken },
            async (record, _) => await StageAsync(record).ConfigureAwait(false)).ConfigureAwait(false);
        return [.. records.Select(r => states.TryGetValue(r.Id, out BranchState s) ? r with { State = s } : r)];

        async Task StageAsync(BranchRecord record)
        {
            states[record.Id] = await StageOneAsync(record, cancellationToken).ConfigureAwait(false);
            files.Disk.Reach(SharingStep.TakeoverStoreStaged);
            Interlocked.Increment(ref _done);
            Report(living.Length, restorer.FetchedBytes);
        }
    }

    private async Task<BranchState> StageOneAsync(BranchRecord record, CancellationToken cancellationToken)
    {
        SnapshotManifest[] candidates = [.. view.Snapshots.Where(s => s.Id.Store == record.Id).Reverse()];
        if (candidates.Length == 0 && record.Labels.TryGetValue(Database.RestoredFromLabel, out string? origin))
        {
            // Its owner died after a restore and before the restored store had a snapshot of its own.
            candidates = [.. view.Snapshots.Where(s => s.Id.ToString() == origin)];
        }

        DamagedSnapshot? damaged = view.Damaged.FirstOrDefault(
            d => d.Id is { } id && id.Store == record.Id && (candidates.Length == 0 || id > candidates[0].Id));
        if (record.Durability == BranchDurability.Ephemeral || (candidates.Length == 0 && damaged is null))
        {
            return LoseOrThrow(record);
        }

        StorageException? failure = damaged is null
            ? null
            : new StorageException(
                damaged.Kind, $"its newest snapshot '{damaged.Name}' cannot be used: {damaged.Reason}");
        string skipped = damaged?.Id?.ToString() ?? "";
        foreach (SnapshotManifest snapshot in candidates)
        {
            if (failure is not null)
            {
                if (!owned.Request.AcceptOlderSnapshots)
                {
                    break;
                }

                logger.OlderSnapshotUsed(
                    record.Name, owned.Name, skipped, snapshot.Id, snapshot.Sequence, failure.Message);
            }

            failure = await TryStageAsync(record, snapshot, cancellationToken).ConfigureAwait(false);
            skipped = snapshot.Id.ToString();
            if (failure is null)
            {
                _restored[record.Id] = snapshot;
                return BranchState.Ready;
            }
        }

        if (record.Name.IsMain)
        {
            throw new StorageException(
                failure!.Kind,
                $"{failure.Message} {candidates.Length} snapshots of the main store can be read; set " +
                $"{SharedStorageOptions.Section}:AcceptOlderSnapshots to use the newest good one: what was written " +
                "after it is lost then.", failure);
        }

        // One branch's damage must not keep the database from being served.
        logger.BranchNotRestored(record.Name, owned.Name, failure!);
        return BranchState.Damaged;
    }

    internal static StorageException NothingArrived(ISharedStorage shared, OwnerIdentity? owner) => new(
        FailureKind.NothingToRestore,
        $"no snapshot of its main store had arrived on '{shared.Location}'. Nothing starts empty: start node " +
        $"'{owner?.NodeName}' again, which holds it, or drop the database.");

    private BranchState LoseOrThrow(BranchRecord record)
    {
        if (record.Name.IsMain)
        {
            throw NothingArrived(owned.Shared, owned.Before.Holder);
        }

        logger.BranchLost(record.Name, owned.Name, record.Durability);
        return BranchState.Lost;
    }

    private RestoreTarget? TargetOf(BranchRecord record, SnapshotManifest snapshot) =>
        snapshot.Id.Store == record.Id ? null : new RestoreTarget(owned.Life.Id, record);

    private async Task<StorageException?> TryStageAsync(
        BranchRecord record, SnapshotManifest snapshot, CancellationToken cancellationToken)
    {
        try
        {
            await restorer.RestoreAsync(
                snapshot, files.StoreOf(record.Id), TargetOf(record, snapshot), cancellationToken)
                .ConfigureAwait(false);
            return null;
        }
        catch (StorageException e) when (e.Kind is FailureKind.SnapshotDamaged or FailureKind.SnapshotNotFound
            or FailureKind.SnapshotIncompatible)
        {
            return e;
        }
    }

    private void Report(int stores, long bytes = 0) => owned.Progress?.Report(
        new TakeoverProgress(TakeoverStep.Restoring, owned.Tenure.Epoch, Volatile.Read(ref _done), stores, bytes));
}
