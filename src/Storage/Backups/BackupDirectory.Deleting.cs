using Branching.Storage.Shared;

namespace Branching.Storage.Backups;

/// <content>Deleting backups, and the files that nothing needs any more.</content>
public sealed partial class BackupDirectory
{
    /// <summary>Deletes a backup, damaged or not, and the files that no other backup needs. Durable on
    /// return.</summary>
    /// <remarks>
    /// Killed anywhere, the backup is there whole or gone; files that are left over go with the next deletion.
    /// </remarks>
    /// <exception cref="StorageException"><see cref="FailureKind.BackupNotFound"/>,
    /// <see cref="FailureKind.Locked"/>; <see cref="FailureKind.InUse"/> while a backup is being read.</exception>
    public Task<PurgeReport> DeleteAsync(BackupId id, CancellationToken cancellationToken) => DeleteAsync(
        $"Backup {id} of '{Location}' was not deleted",
        entries => entries.Any(entry => entry.Id == id) ? [id] : throw NotFound(id),
        cancellationToken);

    /// <summary>
    /// Deletes all but the newest whole backups. Damaged ones do not count and stay: whoever wants to be rid of one
    /// deletes it by its number.
    /// </summary>
    /// <param name="keep">How many stay; at least 0.</param>
    /// <param name="cancellationToken">Ends it between two files.</param>
    /// <exception cref="StorageException">As <see cref="DeleteAsync(BackupId, CancellationToken)"/>.</exception>
    public Task<PurgeReport> PurgeAsync(int keep, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        return DeleteAsync(
            $"The backups of '{Location}' were not purged",
            entries => [.. entries.Where(entry => entry.IsWhole).SkipLast(keep).Select(entry => entry.Id!.Value)],
            cancellationToken);
    }

    private async Task<PurgeReport> DeleteAsync(
        string what, Func<IReadOnlyList<BackupEntry>, IReadOnlyList<BackupId>> choose,
        CancellationToken cancellationToken)
    {
        try
        {
            using IDisposable held = LockForWriting(what);
            using FileStream alone = LockAgainstReaders(what);
            ISharedStorage storage = await WritingAsync(sync: true, cancellationToken).ConfigureAwait(false);
            List<BackupEntry> entries = await ReadEntriesAsync(storage, cancellationToken).ConfigureAwait(false);
            IReadOnlyList<BackupId> chosen = choose(entries);
            await KeepNumberAsync(storage, entries, chosen, cancellationToken).ConfigureAwait(false);
            _seams.Reach(BackupStep.DeleteStarted);
            foreach (BackupId id in chosen)
            {
                await storage.DeleteAsync(BackupNames.ManifestOf(id), cancellationToken).ConfigureAwait(false);
                _seams.Reach(BackupStep.DeleteManifestGone);
            }

            PurgeReport report = await CollectAsync(
                storage, chosen, [.. entries.Where(entry => entry.Id is not { } id || !chosen.Contains(id))],
                cancellationToken).ConfigureAwait(false);
            _seams.Reach(BackupStep.DeleteDone);
            _logger.BackupsDeleted(Location, report.Deleted.Count, report.Objects, report.Bytes);
            return report;
        }
        catch (StorageException e) when (e.Kind is not (FailureKind.Locked or FailureKind.InUse))
        {
            throw Failed(what, e);
        }
    }

    /// <summary>A number is never given twice, also when the backup that had the highest is gone.</summary>
    private async Task KeepNumberAsync(
        ISharedStorage storage, IReadOnlyList<BackupEntry> entries, IReadOnlyList<BackupId> chosen,
        CancellationToken cancellationToken)
    {
        BackupId last = entries.Select(entry => entry.Id ?? default).DefaultIfEmpty().Max();
        if (chosen.Contains(last))
        {
            BackupMarkDocument mark = await ReadMarkAsync(storage, cancellationToken).ConfigureAwait(false);
            await WriteMarkAsync(
                storage, mark with { Last = Math.Max(mark.Last, last.Value) }, cancellationToken)
                .ConfigureAwait(false);
            _seams.Reach(BackupStep.DeleteNumberKept);
        }
    }

    private async Task<PurgeReport> CollectAsync(
        ISharedStorage storage, IReadOnlyList<BackupId> deleted, IReadOnlyList<BackupEntry> left,
        CancellationToken cancellationToken)
    {
        if (left.FirstOrDefault(entry => entry.Manifest is null) is { } unread)
        {
            string reason =
                $"nobody can tell which files '{unread.Name}' needs, because it cannot be read. Mend or delete it; " +
                "the next deletion then removes them";
            _logger.FilesKept(Location, reason);
            return new PurgeReport(deleted, 0, 0, reason);
        }

        HashSet<string> needed = left.SelectMany(entry => entry.Manifest!.Files).Select(file => file.Sha256)
            .ToHashSet(StringComparer.Ordinal);
        int objects = 0;
        long bytes = 0;
        foreach ((string sha256, long length) in await ReadObjectsAsync(storage, cancellationToken)
            .ConfigureAwait(false))
        {
            if (!needed.Contains(sha256))
            {
                cancellationToken.ThrowIfCancellationRequested();
                await storage.DeleteAsync(BackupNames.ObjectOf(sha256), cancellationToken).ConfigureAwait(false);
                _seams.Reach(BackupStep.DeleteObjectGone);
                objects++;
                bytes += length;
            }
        }

        return new PurgeReport(deleted, objects, bytes, null);
    }
}
