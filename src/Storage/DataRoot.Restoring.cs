using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>Restoring snapshots on request.</content>
public sealed partial class DataRoot
{
    /// <summary>The snapshots of a database, to restore from.</summary>
    /// <param name="database">Its name there.</param>
    /// <param name="directory">Other shared storage, which is only read; <see langword="null"/>: the node's own.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.DatabaseNotFound"/>: it is not there, or dropped;
    /// <see cref="FailureKind.NotSupported"/>: the node has no shared storage.</exception>
    public async Task<SnapshotSource> OpenSourceAsync(
        DatabaseName database, string? directory, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        ISharedStorage shared = directory is null
            ? await GetSharedStorageAsync(cancellationToken).ConfigureAwait(false)
            : await PosixSharedStorage.OpenToReadAsync(directory, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        Life life = await new DatabaseLives(shared).FindAsync(database, cancellationToken).ConfigureAwait(false)
            is { Dropped: false } found
            ? found
            : throw new StorageException(
                FailureKind.DatabaseNotFound,
                $"There is no database '{database}' on shared storage '{shared.Location}'. Look at what is in " +
                $"'{DatabasePaths.Databases}' there.");
        SnapshotRepository repository = new(shared, database, life.Id, _time, _logger);
        CatalogState catalog = await ReadLineageAsync(shared, life, cancellationToken).ConfigureAwait(false);
        return new SnapshotSource(shared, life, repository, catalog, IsForeign: directory is not null);
    }

    private async Task<CatalogState> ReadLineageAsync(
        ISharedStorage shared, Life life, CancellationToken cancellationToken)
    {
        try
        {
            return await new SharedCatalog(shared, life.Name, life.Id, _logger).ReadAsync(cancellationToken)
                .ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption)
        {
            // A single snapshot can be restored without it, and may be what is needed now.
            _logger.LineageNotRead(life.Name, shared.Location, e);
            return CatalogState.Empty;
        }
    }

    /// <summary>
    /// Restores a snapshot of a database: in the place of a branch, as a new branch, or as a new database. Staged and
    /// verified first; what stood there goes to quarantine. A dry run changes nothing.
    /// </summary>
    /// <remarks>Cancelled before the swap, nothing has happened; the swap itself is not interrupted.</remarks>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.SnapshotNotFound"/>, <see cref="FailureKind.SnapshotDamaged"/>,
    /// <see cref="FailureKind.SnapshotIncompatible"/>, <see cref="FailureKind.DatabaseExists"/>,
    /// <see cref="FailureKind.NotOwner"/>, <see cref="FailureKind.InUse"/>, <see cref="FailureKind.DiskFull"/>…
    /// </exception>
    public async Task<RestoreReport> RestoreAsync(
        DatabaseName source, RestoreRequest request, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        SnapshotSource opened;
        try
        {
            opened = await OpenSourceAsync(source, directory: null, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw NotRestored(source, request, e, "");
        }

        return (await RestoreAsync(opened, source, [request], progress, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>As the other one, of several snapshots together: each file that they share is fetched once.</summary>
    /// <param name="source">Where they are.</param>
    /// <param name="target">The database whose branches they become, where a request names no new one.</param>
    /// <param name="requests">What is asked for, in this order. What is wrong with any is found before the first.
    /// </param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it between two swaps.</param>
    public async Task<IReadOnlyList<RestoreReport>> RestoreAsync(
        SnapshotSource source, DatabaseName target, IReadOnlyList<RestoreRequest> requests,
        IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(requests);
        ThrowIfDisposed();
        List<RestoreReport> reports = [];
        int at = 0;
        try
        {
            List<RestoreTask> tasks = [];
            string cache = CacheOf(source);
            for (; at < requests.Count; at++)
            {
                tasks.Add(await PrepareAsync(source, requests[at], cache, progress, cancellationToken)
                    .ConfigureAwait(false));
            }

            tasks = EachFileOnce(tasks);
            at = 0;
            ThrowIfTooSmall(requests, tasks, cache);
            for (; at < tasks.Count; at++)
            {
                reports.Add(tasks[at].Request.NewDatabase is { } name
                    ? await RestoreNewAsync(tasks[at], name, cancellationToken).ConfigureAwait(false)
                    : await RestoreIntoAsync(tasks[at], target, cancellationToken).ConfigureAwait(false));
            }

            // After a failure they stay, and the next attempt fetches only what is missing.
            _disk.TryDeleteTree(cache, _logger);
            return reports;
        }
        catch (StorageException e)
        {
            string before = reports.Count == 0 ? "" : $" {reports.Count} of {requests.Count} were restored before it.";
            throw NotRestored(source.Name, requests[at], e, before);
        }
    }

    private static StorageException NotRestored(
        DatabaseName source, RestoreRequest request, StorageException cause, string more) => new(
        cause.Kind, $"Snapshot {request.Snapshot} of database '{source}' was not restored: {cause.Message}{more}",
        cause);

    private async Task<RestoreTask> PrepareAsync(
        SnapshotSource source, RestoreRequest request, string cache, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        if (request.RequestedBy is null or { Length: > 256 } || request.NewDatabase is { Value.Length: 0 }
            || request.Branch is { Value.Length: 0 } || (request.NewDatabase is not null && request.Branch is not null))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                "name who asks, in at most 256 characters, and either a branch of the database or a new database.");
        }

        SnapshotManifest manifest = await source.Repository.ReadManifestAsync(request.Snapshot, cancellationToken)
            .ConfigureAwait(false);
        StoreTuning tuning = source.TuningOf(manifest.Id.Store).Merge(request.Options, Options);
        RestoreOptions options = new(
            request.OpenCheck, request.ReadCheck, Storage: tuning.IsNone ? null : tuning.Over(Options));
        return new RestoreTask(
            source, manifest, request, RestorerOf(_shared, source.Shared, source.Repository, cache, options,
            progress), Planner().Plan([manifest], Directory), tuning);
    }

    /// <summary>Plans together: what several stores share is fetched for the first of them, and linked for the others.
    /// </summary>
    private static List<RestoreTask> EachFileOnce(IEnumerable<RestoreTask> tasks)
    {
        HashSet<string> planned = new(StringComparer.Ordinal);
        List<RestoreTask> together = [];
        foreach (RestoreTask task in tasks)
        {
            SnapshotFile[] fetched = [.. task.Snapshot.Files.Where(file => planned.Add(file.Sha256))];
            together.Add(task with
            {
                Plan = task.Plan with
                {
                    FilesToFetch = fetched.Length,
                    BytesToFetch = fetched.Sum(file => file.Bytes),
                },
            });
        }

        return together;
    }

    private SnapshotRestorer Planner() =>
        new(SnapshotsHere, _time, _logger, _disk) { Merges = _resources.Merges };

    private SnapshotOptions SnapshotsHere => _shared?.Snapshots ?? new SnapshotOptions();

    /// <summary>Where the objects of one restore wait, for the next attempt if need be.</summary>
    private string CacheOf(SnapshotSource source) => Path.Combine(
        Fetched, source.IsForeign ? $"{source.Life.Id}-other" : source.Life.Id.ToString());

    /// <summary>Nothing is begun that cannot be ended: the space for all of it is looked for first.</summary>
    private void ThrowIfTooSmall(
        IReadOnlyList<RestoreRequest> requests, IReadOnlyList<RestoreTask> tasks, string cache)
    {
        if (requests.Any(request => !request.DryRun))
        {
            LocalObjects? fetched = System.IO.Directory.Exists(cache) ? LocalObjects.Open(cache, _disk) : null;
            Planner().CheckSpace([.. tasks.Select(task => task.Snapshot)], Directory, fetched);
        }
    }

    private async Task<RestoreReport> RestoreIntoAsync(
        RestoreTask task, DatabaseName name, CancellationToken cancellationToken)
    {
        Database database = await GetDatabaseAsync(name, cancellationToken).ConfigureAwait(false);
        BranchName branch = task.Request.Branch ?? task.Snapshot.Branch;
        BranchRecord? there = database.TryGetBranch(branch, out BranchRecord? record) ? record : null;
        RestoreReport report = new(
            task.Snapshot.Id, name, branch, Store: null, task.Snapshot.Sequence, there?.Id,
            there is null ? null : database.GetLag(branch).Acknowledged, Quarantine: null, SnapshotBefore: null,
            task.Plan, Done: false);
        if (task.Request.DryRun)
        {
            return report with { Quarantine = there is null ? null : database.QuarantineFor(there) };
        }

        if (there is { State: BranchState.Ready } && task.Request.SnapshotBefore && database.Tenure is not null)
        {
            report = await SnapshotBeforeAsync(database, branch, report, cancellationToken).ConfigureAwait(false);
        }

        (BranchRecord restored, string? quarantine) = await database.RestoreBranchAsync(
            new BranchRestore(
                task.Snapshot, branch, task.Request.RequestedBy, task.LabelsFor(database.Id),
                (directory, mark, stop) => task.StageAsync(directory, new RestoreTarget(database.Id, mark), stop)),
            cancellationToken).ConfigureAwait(false);
        if (database.Tenure is not null)
        {
            // Only files that RocksDB wrote since are sent; from then on the restored branch survives its node.
            await database.TakeSnapshotAsync(
                branch, new TakeSnapshot(EvenIfUnchanged: true), progress: null, CancellationToken.None)
                .ConfigureAwait(false);
            await database.ShareRestoredAsync(restored, there?.Id).ConfigureAwait(false);
        }

        return report with { Store = restored.Id, Quarantine = quarantine, Plan = task.PlanDone, Done = true };
    }

    /// <summary>Takes the snapshot of what is replaced. A store that cannot be opened for damage has none to give, and
    /// goes to quarantine whole as any other; every other failure keeps it in its place.</summary>
    private async Task<RestoreReport> SnapshotBeforeAsync(
        Database database, BranchName branch, RestoreReport report, CancellationToken cancellationToken)
    {
        if (await FindDamageAsync(database, branch, cancellationToken).ConfigureAwait(false) is { } damage)
        {
            _logger.DamagedBranchReplaced(branch, database.Name, damage);
            return report with { ReplacedSequence = null, Damage = damage.Message };
        }

        SnapshotResult before = await database.TakeSnapshotAsync(
            branch, new TakeSnapshot(), progress: null, cancellationToken).ConfigureAwait(false);
        return report with { SnapshotBefore = before.Id, ReplacedSequence = before.Manifest.Sequence };
    }

    private async Task<RestoreReport> RestoreNewAsync(
        RestoreTask task, DatabaseName name, CancellationToken cancellationToken)
    {
        RestoreReport report = new(
            task.Snapshot.Id, name, BranchName.Main, Store: null, task.Snapshot.Sequence, Replaced: null,
            ReplacedSequence: null, Quarantine: null, SnapshotBefore: null, task.Plan, Done: false);
        if (task.Request.DryRun)
        {
            return report;
        }

        Database database = await CreateFromAsync(
            name, task.Request.RequestedBy, (document, stop) => BuildRestoredAsync(task, document, stop),
            cancellationToken).ConfigureAwait(false);
        await SnapshotRestoredAsync(database).ConfigureAwait(false);
        return report with { Store = database.GetBranch(BranchName.Main).Id, Plan = task.PlanDone, Done = true };
    }

    /// <summary>Creates a database from what <paramref name="build"/> puts into its directory.</summary>
    private async Task<Database> CreateFromAsync(
        DatabaseName name, string createdBy, Func<DatabaseDocument, CancellationToken, Task> build,
        CancellationToken cancellationToken)
    {
        if (_shared is { } access)
        {
            return await CreateSharedAsync(access, name, createdBy, build, cancellationToken).ConfigureAwait(false);
        }

        using IDisposable turn = await _turns.EnterAsync(name, cancellationToken).ConfigureAwait(false);
        ThrowIfDisposed();
        if (Contains(name))
        {
            throw Exists(name, "on this node");
        }

        DatabaseDocument document = NewDocument(name, createdBy);
        try
        {
            await Task.Run(() => build(document, cancellationToken), cancellationToken).ConfigureAwait(false);
            return await MakeInTurnAsync(document).ConfigureAwait(false);
        }
        catch
        {
            _disk.TryDeleteTree(Path.Combine(Building, document.Id), _logger);
            throw;
        }
    }

    /// <summary>From then on what was restored survives its node.</summary>
    private static async Task SnapshotRestoredAsync(Database database)
    {
        if (database.Tenure is null)
        {
            return;
        }

        foreach (BranchRecord record in database.ListBranches().Where(one => one.State == BranchState.Ready)
            .OrderBy(one => one.Depth))
        {
            await database.TakeSnapshotAsync(
                record.Name, new TakeSnapshot(), progress: null, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Builds a database's directory around a restored main store.</summary>
    private async Task BuildRestoredAsync(
        RestoreTask task, DatabaseDocument document, CancellationToken cancellationToken)
    {
        DatabaseFiles files = new(_disk, Path.Combine(Building, document.Id), _time);
        DatabaseId id = DatabaseId.Parse(document.Id);
        _disk.CreateDirectory(files.Directory);
        files.CreatePlaces();
        BranchRecord main = NewMain(document, task.Snapshot.TotalBytes) with { Labels = task.LabelsFor(id) };
        await task.StageAsync(files.StoreOf(main.Id), new RestoreTarget(id, main), cancellationToken)
            .ConfigureAwait(false);
        Complete(files, document, [main]);
    }
}

/// <summary>One restore on request.</summary>
internal sealed record RestoreTask(
    SnapshotSource Source, SnapshotManifest Snapshot, RestoreRequest Request, IStoreRestorer Restorer, RestorePlan Plan,
    StoreTuning Tuning)
{
    private StoreFetch? _fetched;

    /// <summary>The plan, with what was really fetched once it is staged.</summary>
    public RestorePlan PlanDone => _fetched is { } fetched
        ? Plan with { FilesToFetch = fetched.Files, BytesToFetch = fetched.Bytes }
        : Plan;

    /// <summary>Stages the store.</summary>
    public async Task StageAsync(string directory, RestoreTarget target, CancellationToken cancellationToken) =>
        _fetched = await Restorer.RestoreAsync(Snapshot, directory, target, cancellationToken).ConfigureAwait(false);

    /// <summary>Where the restored store came from, and the options that it has of its own.</summary>
    public Dictionary<string, string> LabelsFor(DatabaseId database)
    {
        string from = Source.Life.Id == database ? "" : $"{Source.Name}/";
        return new Dictionary<string, string>(Tuning.ToLabels(), StringComparer.Ordinal)
        {
            [Database.RestoredFromLabel] = $"{from}{Snapshot.Id}",
        };
    }
}
