using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <summary>A backup that a database restores from; nothing is deleted under it until it is disposed.</summary>
internal sealed class BackupSource(
    BackupManifest manifest, BranchRecord record,
    Func<BackupManifest, IEnumerable<BackupFile>, string, ProgressCount, CancellationToken, Task> fetch,
    IDisposable? held) : IDisposable
{
    public BackupManifest Manifest => manifest;

    /// <summary>What the mark in the backup says.</summary>
    public BranchRecord Record => record;

    /// <summary>Puts the store together under a mark of its own; durable, its entry in the parent excepted.</summary>
    public async Task StageAsync(
        Disk disk, string directory, BranchRecord mark, DatabaseId database, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        BackupFile[] files = [.. manifest.Files.Where(
            file => file.Role is { } role && role != SnapshotFileRole.Mark)];
        ProgressCount count = new(progress);
        count.Begin(SnapshotPhase.Fetching, files.Length, files.Sum(file => file.Bytes));
        await Task.Run(() => disk.CreateDirectory(directory), cancellationToken).ConfigureAwait(false);
        await fetch(manifest, files, directory, count, cancellationToken).ConfigureAwait(false);
        await Task.Run(
            () =>
            {
                StoreMarker.Write(disk, directory, mark, database);
                disk.FlushDirectory(directory);
            },
            cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => held?.Dispose();
}

/// <content>For databases.</content>
public sealed partial class BackupDirectory
{
    internal async Task<BackupSource> OpenSourceAsync(
        BackupId? id, DatabaseId database, CancellationToken cancellationToken)
    {
        string what = $"Backup {id?.ToString() ?? "(the newest)"} of '{Location}' was not restored";
        FileStream? held = LockForReading(what);
        try
        {
            BackupManifest manifest = await ReadAsync(id, cancellationToken).ConfigureAwait(false);
            if (SnapshotCompatibility.FindDifferences(
                manifest.RocksDbVersion, manifest.Options, RocksDb.RocksDbLibrary.NativeVersion, _merges)
                is { Count: > 0 } differences)
            {
                throw new StorageException(
                    FailureKind.SnapshotIncompatible,
                    $"{what}: {string.Join(" ", differences)} Nothing was touched.");
            }

            ISharedStorage storage = await ReadingAsync(cancellationToken).ConfigureAwait(false);
            BranchRecord record = await ReadMarkAsync(storage, manifest, database, cancellationToken)
                .ConfigureAwait(false);
            return new BackupSource(
                manifest, record,
                (one, files, directory, count, stop) =>
                {
                    ThrowIfNoRoom(
                        directory, manifest.TotalBytes, Path.GetDirectoryName(Path.GetFullPath(directory))!);
                    return FetchAsync(storage, one, files, directory, count, stop);
                },
                held);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    private async Task<BranchRecord> ReadMarkAsync(
        ISharedStorage storage, BackupManifest manifest, DatabaseId database, CancellationToken cancellationToken)
    {
        BackupFile? mark = manifest.Files.FirstOrDefault(file => file.Role == SnapshotFileRole.Mark);
        byte[]? bytes = mark is null
            ? null
            : await storage.TryReadAsync(BackupNames.ObjectOf(mark.Sha256), cancellationToken).ConfigureAwait(false);
        try
        {
            return StoreMarker.Parse(
                System.Text.Encoding.UTF8.GetString(bytes ?? []), Path.Combine(Location, StoreMarker.FileName),
                database);
        }
        catch (StorageException e) when (e.Kind == FailureKind.UnknownStore)
        {
            throw new StorageException(
                FailureKind.Refused,
                $"Backup {manifest.Id} of '{Location}' is not one of this database, but of {manifest.Source}: " +
                "nothing was touched. Restore it to a directory.", e);
        }
    }
}
