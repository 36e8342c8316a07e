using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>Restoring snapshots on request.</content>
public sealed partial class DataRoot
{
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
        ThrowIfDisposed();
        if (_shared is not { } access)
        {
            throw new StorageException(
                FailureKind.NotSupported,
                $"Snapshot {request.Snapshot} was not restored: no shared storage is configured. Set " +
                $"{SharedStorageOptions.Section}:Directory.");
        }

        if (request.RequestedBy is null or { Length: > 256 } || request.NewDatabase is { Value.Length: 0 }
            || request.Branch is { Value.Length: 0 } || (request.NewDatabase is not null && request.Branch is not null))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"Snapshot {request.Snapshot} was not restored: name who asks, in at most 256 characters, and either " +
                "a branch of the database or a new database.");
        }

        try
        {
            ISharedStorage shared = await access.OpenAsync(cancellationToken).ConfigureAwait(false);
            Life life = await new DatabaseLives(shared).FindAsync(source, cancellationToken).ConfigureAwait(false)
                is { Dropped: false } found ? found : throw NotFound(source);
            SnapshotRepository repository = new(shared, source, life.Id, _time, _logger);
            SnapshotManifest manifest = await repository.ReadManifestAsync(request.Snapshot, cancellationToken)
                .ConfigureAwait(false);
            string cache = Path.Combine(Fetched, life.Id.ToString());
            RestoreTask task = new(
                access, shared, manifest, request,
                RestorerOf(
                    access, shared, repository, cache, new RestoreOptions(OpenCheck: request.OpenCheck), progress),
                new SnapshotRestorer(access.Snapshots, _time, _logger, _disk).Plan([manifest], Directory));
            RestoreReport report = request.NewDatabase is { } name
                ? await RestoreNewAsync(task, name, cancellationToken).ConfigureAwait(false)
                : await RestoreIntoAsync(task, source, cancellationToken).ConfigureAwait(false);
            _disk.TryDeleteTree(cache, _logger);
            return report;
        }
        catch (StorageException e)
        {
            throw new StorageException(
                e.Kind, $"Snapshot {request.Snapshot} of database '{source}' was not restored: {e.Message}", e);
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
            return report;
        }

        if (there is { State: BranchState.Ready } && task.Request.SnapshotBefore)
        {
            SnapshotResult before = await database.TakeSnapshotAsync(
                branch, new TakeSnapshot(), progress: null, cancellationToken).ConfigureAwait(false);
            report = report with { SnapshotBefore = before.Id, ReplacedSequence = before.Manifest.Sequence };
        }

        (BranchRecord restored, string? quarantine) = await database.RestoreBranchAsync(
            new BranchRestore(
                task.Snapshot, branch, task.Request.RequestedBy,
                (directory, mark, stop) => task.Restorer.RestoreAsync(
                    task.Snapshot, directory, new RestoreTarget(database.Id, mark), stop)),
            cancellationToken).ConfigureAwait(false);

        // Only files that RocksDB wrote since are sent; from then on the restored branch survives its node.
        await database.TakeSnapshotAsync(
            branch, new TakeSnapshot(EvenIfUnchanged: true), progress: null, CancellationToken.None)
            .ConfigureAwait(false);
        await database.ShareRestoredAsync(restored, there?.Id).ConfigureAwait(false);
        return report with { Store = restored.Id, Quarantine = quarantine, Done = true };
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

        Database database = await CreateSharedAsync(
            task.Access, name, task.Request.RequestedBy,
            (document, stop) => BuildRestoredAsync(task, document, stop), cancellationToken).ConfigureAwait(false);
        await database.TakeSnapshotAsync(BranchName.Main, new TakeSnapshot(), progress: null, CancellationToken.None)
            .ConfigureAwait(false);
        return report with { Store = database.GetBranch(BranchName.Main).Id, Done = true };
    }

    /// <summary>Builds a database's directory around a restored main store.</summary>
    private async Task BuildRestoredAsync(
        RestoreTask task, DatabaseDocument document, CancellationToken cancellationToken)
    {
        DatabaseFiles files = new(_disk, Path.Combine(Building, document.Id), _time);
        _disk.CreateDirectory(files.Directory);
        files.CreatePlaces();
        BranchRecord main = NewMain(document, task.Snapshot.TotalBytes);
        await task.Restorer.RestoreAsync(
            task.Snapshot, files.StoreOf(main.Id), new RestoreTarget(DatabaseId.Parse(document.Id), main),
            cancellationToken).ConfigureAwait(false);
        Complete(files, document, [main]);
    }
}

/// <summary>One restore on request.</summary>
internal sealed record RestoreTask(
    SharedAccess Access, ISharedStorage Shared, SnapshotManifest Snapshot, RestoreRequest Request,
    IStoreRestorer Restorer, RestorePlan Plan);
