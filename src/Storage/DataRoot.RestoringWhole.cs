using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>Restoring a database with all its branches as a new one.</content>
public sealed partial class DataRoot
{
    /// <summary>
    /// Makes a new database of what a database was at the time of a snapshot: every durable branch, with its lineage.
    /// Each file that branches share is fetched once and linked to one local copy.
    /// </summary>
    /// <remarks>Cancelled or killed before its end, there is no new database.</remarks>
    /// <param name="source">Where the snapshots are.</param>
    /// <param name="request">Names a snapshot and the new database.</param>
    /// <param name="until">Every other branch is restored from its newest snapshot until then;
    /// <see langword="null"/>: until the named one was taken.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StorageException">As for a single snapshot.</exception>
    public async Task<WholeRestoreReport> RestoreDatabaseAsync(
        SnapshotSource source, RestoreRequest request, DateTimeOffset? until, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(request);
        ThrowIfDisposed();
        try
        {
            DatabaseName name = request.NewDatabase ?? throw new StorageException(
                FailureKind.InvalidArgument, "a whole database becomes a new one: name it.");
            string cache = CacheOf(source);
            RestoreTask named = await PrepareAsync(source, request, cache, progress, cancellationToken)
                .ConfigureAwait(false);
            WholeRestore whole = WholeRestore.Choose(
                source.Catalog,
                await source.Repository.ReadAsync(cancellationToken).ConfigureAwait(false), named.Snapshot, until);
            RestoreTask[] tasks = [.. EachFileOnce(whole.Stores.Select(one => named with
            {
                Snapshot = one.Snapshot,
                Tuning = StoreTuning.FromLabels(one.Record.Labels).Merge(request.Options, Options),
                Plan = Planner().Plan([one.Snapshot], Directory),
            }))];
            RestorePlan plan = Planner().Plan([.. tasks.Select(task => task.Snapshot)], Directory);
            if (request.DryRun)
            {
                return Report(name, whole, tasks, plan, database: null);
            }

            ThrowIfTooSmall([request], tasks, cache);
            Database database = await CreateFromAsync(
                name, request.RequestedBy, (document, stop) => BuildWholeAsync(whole, tasks, document, stop),
                cancellationToken).ConfigureAwait(false);
            await SnapshotRestoredAsync(database).ConfigureAwait(false);
            _disk.TryDeleteTree(cache, _logger);
            return Report(name, whole, tasks, plan, database);
        }
        catch (StorageException e)
        {
            throw new StorageException(
                e.Kind,
                $"Database '{source.Name}' was not restored as it was in snapshot {request.Snapshot}: {e.Message}", e);
        }
    }

    private async Task BuildWholeAsync(
        WholeRestore whole, RestoreTask[] tasks, DatabaseDocument document,
        CancellationToken cancellationToken)
    {
        DatabaseFiles files = new(_disk, Path.Combine(Building, document.Id), _time);
        DatabaseId id = DatabaseId.Parse(document.Id);
        _disk.CreateDirectory(files.Directory);
        files.CreatePlaces();
        Dictionary<StoreId, StoreId> ids = NewIds(whole);
        DateTimeOffset now = _time.GetUtcNow();
        BranchRecord[] restored = [.. whole.Stores.Select((one, i) => Renamed(one.Record, ids) with
        {
            State = BranchState.Ready,
            DeletedAt = null,
            TotalBytes = one.Snapshot.TotalBytes,
            Labels = LabelsOf(one.Record, tasks[i].LabelsFor(id)),
        })];

        // The main store first: branches find its files fetched.
        await StageAsync(0, cancellationToken).ConfigureAwait(false);
        await Parallel.ForEachAsync(
            Enumerable.Range(1, restored.Length - 1),
            new ParallelOptions { MaxDegreeOfParallelism = StoresStagedAtOnce, CancellationToken = cancellationToken },
            async (i, stop) => await StageAsync(i, stop).ConfigureAwait(false)).ConfigureAwait(false);
        Complete(files, document,
        [
            .. restored,
            .. whole.Lost.Select(record => Renamed(record, ids) with { State = BranchState.Lost, DeletedAt = null }),
            .. whole.Ancestors.Select(record => Renamed(record, ids) with
            {
                State = BranchState.Deleted,
                DeletedAt = record.DeletedAt ?? now,
            }),
        ]);

        Task StageAsync(int i, CancellationToken stop) => tasks[i].StageAsync(
            files.StoreOf(restored[i].Id), new RestoreTarget(id, restored[i]), stop);
    }

    /// <summary>Every store of a process has an identity of its own, so none of the former database is used again.
    /// </summary>
    private Dictionary<StoreId, StoreId> NewIds(WholeRestore whole) =>
        whole.Ancestors.Concat(whole.Stores.Select(one => one.Record)).Concat(whole.Lost)
            .OrderBy(record => record.Depth).ThenBy(record => record.Id)
            .ToDictionary(record => record.Id, _ => StoreId.New(_time));

    private static BranchRecord Renamed(BranchRecord record, Dictionary<StoreId, StoreId> ids) => record with
    {
        Id = ids[record.Id],
        ParentId = record.ParentId is { } parent && ids.TryGetValue(parent, out StoreId known) ? known : null,
        LinkedFiles = 0,
        CopiedFiles = 0,
        OperationId = null,
    };

    private static Dictionary<string, string> LabelsOf(BranchRecord record, Dictionary<string, string> own)
    {
        foreach ((string label, string value) in record.Labels)
        {
            if (!label.StartsWith(StoreTuning.LabelPrefix, StringComparison.Ordinal))
            {
                own.TryAdd(label, value);
            }
        }

        return own;
    }

    private static WholeRestoreReport Report(
        DatabaseName name, WholeRestore whole, RestoreTask[] tasks, RestorePlan plan, Database? database)
    {
        RestoreReport[] stores = [.. tasks.Select((task, i) => new RestoreReport(
            task.Snapshot.Id, name, whole.Stores[i].Record.Name,
            database?.GetBranch(whole.Stores[i].Record.Name).Id, task.Snapshot.Sequence, Replaced: null,
            ReplacedSequence: null, Quarantine: null, SnapshotBefore: null, task.PlanDone,
            Done: database is not null))];
        return new WholeRestoreReport(stores, plan,
        [
            .. whole.Lost.Select(record => $"branch '{record.Name}' is listed as lost: no snapshot of it had arrived " +
                "by then"),
            .. whole.Ephemeral.Select(record => $"branch '{record.Name}' is left out: it was ephemeral"),
        ]);
    }
}
