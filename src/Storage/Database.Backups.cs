using Branching.Storage.Backups;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>Backups of branches, and branches from backups.</content>
public sealed partial class Database
{
    /// <summary>Backs a branch up, as <see cref="BackupDirectory.CreateAsync"/> does. The branch stays open
    /// meanwhile.</summary>
    public async Task<BackupResult> BackUpAsync(
        BranchName branch, BackupDirectory backups, CreateBackup request, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(backups);
        ArgumentNullException.ThrowIfNull(request);
        ThrowIfClosed();
        using StoreLease lease = await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
        return await backups.CreateAsync(
            lease.Store,
            request with
            {
                Checkpoint = _files.BuildingOf(StoreId.New(_time)),
                ChangeLogDirectory = lease.Store.HasChangeLog ? _files.ChangesOf(lease.Branch.Id) : null,
            },
            progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes a branch of a backup of this database. It is put together and compared first, then takes its place in one
    /// step; what stood there goes to quarantine.
    /// </summary>
    /// <param name="backups">Where the backup is.</param>
    /// <param name="id">The backup; <see langword="null"/>: the newest whole one.</param>
    /// <param name="branch">The branch that it becomes.</param>
    /// <param name="by">Who asks: at most 256 characters, kept in the lineage.</param>
    /// <param name="replace">Whether a branch of that name is replaced; otherwise it must not be there.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it, until the branch takes its place.</param>
    /// <returns>The branch, and where the store is that it replaced.</returns>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.BackupNotFound"/>, <see cref="FailureKind.BackupDamaged"/>,
    /// <see cref="FailureKind.BranchExists"/>; <see cref="FailureKind.Refused"/>: the backup is not one of this
    /// database; <see cref="FailureKind.SnapshotIncompatible"/>, <see cref="FailureKind.DiskFull"/>…
    /// </exception>
    public async Task<(BranchRecord Branch, string? Quarantine)> RestoreBackupAsync(
        BackupDirectory backups, BackupId? id, BranchName branch, string by, bool replace,
        IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(backups);
        ThrowIfClosed();
        if (by is null or { Length: > MaxText } || branch.Value.Length == 0)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"Name a branch, and who asks in at most {MaxText} characters.");
        }

        BranchRecord? there = TryGetBranch(branch, out BranchRecord? found) ? found : null;
        if (!replace && there is not null)
        {
            throw new StorageException(
                FailureKind.BranchExists,
                $"{LabelOf(branch)} exists: nothing was restored. Say that it is to be replaced (it is put into " +
                "quarantine then), or name a new branch.");
        }

        using BackupSource source = await backups.OpenSourceAsync(id, Id, cancellationToken).ConfigureAwait(false);
        BackupManifest backup = source.Manifest;

        // The protocol of restoring is that of snapshots; epoch 0 is no tenure's, so no snapshot has this id.
        SnapshotManifest snapshot = new(
            SnapshotManifest.CurrentFormat, backup.Program, Id, Name,
            new SnapshotId(source.Record.Id, new Epoch(0), backup.Id.Value), source.Record.Name,
            source.Record.ParentId, source.Record.BranchSequence, source.Record.Depth, backup.Sequence,
            backup.TakenAt, "", backup.RocksDbVersion, backup.Options, [], backup.TotalBytes, 0,
            backup.Metadata);
        (BranchRecord record, string? quarantine) = await RestoreBranchAsync(
            new BranchRestore(
                snapshot, branch, by,
                new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    [RestoredFromLabel] = $"backup {backup.Id} of '{backups}'",
                },
                (directory, mark, stop) => source.StageAsync(_disk, directory, mark, Id, progress, stop)),
            cancellationToken).ConfigureAwait(false);
        if (Tenure is not null)
        {
            // From then on the restored branch survives its node.
            await TakeSnapshotAsync(
                branch, new TakeSnapshot(EvenIfUnchanged: true), progress: null, CancellationToken.None)
                .ConfigureAwait(false);
            await ShareRestoredAsync(record, there?.Id).ConfigureAwait(false);
        }

        return (record, quarantine);
    }
}
