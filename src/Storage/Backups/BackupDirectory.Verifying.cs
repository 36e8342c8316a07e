using System.Collections.Concurrent;
using Branching.RocksDb;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <content>Finding out whether a backup can be relied on.</content>
public sealed partial class BackupDirectory
{
    /// <summary>Looks at a backup's files. Changes nothing.</summary>
    /// <param name="id">The backup; <see langword="null"/>: the newest.</param>
    /// <param name="level">How thorough.</param>
    /// <param name="scratchDirectory">For <see cref="BackupVerification.Opened"/>: a directory that exists and has room
    /// for the whole store. Nothing is left in it.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Everything that is wrong, not only the first thing.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.BackupNotFound"/>;
    /// <see cref="FailureKind.BackupDamaged"/>: the manifest itself cannot be read; or it could not be found
    /// out.</exception>
    public async Task<BackupReport> VerifyAsync(
        BackupId? id, BackupVerification level, string? scratchDirectory, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        long started = _time.GetTimestamp();
        if (level == BackupVerification.Opened && !Directory.Exists(scratchDirectory))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The scratch directory '{scratchDirectory}' does not exist. Create it, on a disk with room.");
        }

        using FileStream? held = LockForReading($"No backup of '{Location}' was verified");
        ISharedStorage storage = await ReadingAsync(cancellationToken).ConfigureAwait(false);
        BackupManifest manifest = await ReadAsync(id ?? await NewestAsync(storage, cancellationToken)
            .ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        ProgressCount count = new(progress);
        BackupFile[] files = [.. manifest.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal)];
        Dictionary<string, long> there = await ReadObjectsAsync(storage, cancellationToken).ConfigureAwait(false);
        ConcurrentBag<SnapshotFinding> findings = [.. FindSizes(files, there), .. FindIncompatible(manifest)];
        count.Begin(SnapshotPhase.Verifying, files.Length, files.Sum(file => file.Bytes));
        if (level != BackupVerification.Sizes)
        {
            await CompareAsync(
                [.. files.Where(file => there.GetValueOrDefault(file.Sha256, -1) == file.Bytes)], findings, count,
                cancellationToken).ConfigureAwait(false);
        }

        if (level == BackupVerification.Opened && findings.IsEmpty
            && await TryOpenAsync(storage, manifest, scratchDirectory!, cancellationToken)
                .ConfigureAwait(false) is { } finding)
        {
            findings.Add(finding);
        }

        return new BackupReport(
            manifest.Id, level, files.Length, count.BytesMoved,
            [.. findings.OrderBy(found => found.Name, StringComparer.Ordinal)], _time.GetElapsedTime(started));
    }

    private async Task<BackupId> NewestAsync(ISharedStorage storage, CancellationToken cancellationToken)
    {
        BackupId last = await NextAsync(storage, new BackupMarkDocument(1, "", 0), cancellationToken)
            .ConfigureAwait(false);
        return last.Value > 1
            ? new BackupId(last.Value - 1)
            : throw new StorageException(FailureKind.BackupNotFound, $"There is no backup in '{Location}' yet.");
    }

    private static IEnumerable<SnapshotFinding> FindSizes(BackupFile[] files, Dictionary<string, long> there)
    {
        foreach (BackupFile file in files)
        {
            string name = BackupNames.ObjectOf(file.Sha256);
            if (!there.TryGetValue(file.Sha256, out long bytes))
            {
                yield return new SnapshotFinding(
                    FindingKind.Missing, file.Name, name, $"File '{file.Name}': '{name}' is not there.");
            }
            else if (bytes != file.Bytes)
            {
                yield return new SnapshotFinding(
                    FindingKind.WrongSize, file.Name, name,
                    $"File '{file.Name}': '{name}' has {bytes} bytes, the manifest says {file.Bytes}.");
            }
        }
    }

    private IEnumerable<SnapshotFinding> FindIncompatible(BackupManifest manifest) =>
        SnapshotCompatibility.FindDifferences(
            manifest.RocksDbVersion, manifest.Options, RocksDbLibrary.NativeVersion, _merges)
            .Select(difference => new SnapshotFinding(
                FindingKind.Incompatible, manifest.Id.ToString(), null, $"Backup {manifest.Id}: {difference}"));

    private async Task CompareAsync(
        BackupFile[] files, ConcurrentBag<SnapshotFinding> findings, ProgressCount count,
        CancellationToken cancellationToken)
    {
        RateLimit? rate = NewRate();
        using FileDigester digester = new(_options.Parallelism);
        await Parallel.ForEachAsync(files, Several(cancellationToken), async (file, stop) =>
        {
            string name = BackupNames.ObjectOf(file.Sha256);
            string actual = await digester.DigestAsync(Path.Combine(Location, name), rate, stop)
                .ConfigureAwait(false);
            if (actual != file.Sha256)
            {
                findings.Add(new SnapshotFinding(
                    FindingKind.WrongDigest, file.Name, name,
                    $"File '{file.Name}': '{name}' has SHA-256 {actual}. A backup that checks what it reuses puts it " +
                    "anew."));
            }

            count.Moved(file.Name, file.Bytes, 0);
        }).ConfigureAwait(false);
    }

    private async Task<SnapshotFinding?> TryOpenAsync(
        ISharedStorage storage, BackupManifest manifest, string scratch, CancellationToken cancellationToken)
    {
        string store = Path.Combine(Path.GetFullPath(scratch), $"backup-{manifest.Id}-{Guid.NewGuid():N}");
        try
        {
            BackupFile[] files = [.. manifest.Files.Where(file => file.Role is not null)];
            ThrowIfNoRoom(store, files.Sum(file => file.Bytes), Path.GetFullPath(scratch));
            Directory.CreateDirectory(store);
            await FetchAsync(storage, manifest, files, store, new ProgressCount(null), cancellationToken)
                .ConfigureAwait(false);
            await Task.Run(
                () => StoreTrial.Run(
                    manifest.Sequence, manifest.Options, $"backup {manifest.Id}", store,
                    new RestoreOptions(ReadCheck: true), _merges),
                cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (StorageException e) when (e.Kind is FailureKind.SnapshotDamaged or FailureKind.BackupDamaged
            or FailureKind.Corruption)
        {
            return new SnapshotFinding(FindingKind.NotOpenable, manifest.Id.ToString(), null, e.Message);
        }
        finally
        {
            await Task.Run(() => _seams.Disk.TryDeleteTree(store, _logger), CancellationToken.None)
                .ConfigureAwait(false);
        }
    }

    private void ThrowIfNoRoom(string what, long bytes, string place)
    {
        long? available = _seams.FreeBytes(place);
        long needed = bytes + _options.FreeBytesReserve;
        if (BackupSpace.FindLack(place, needed, available, _options.FreeBytesReserve) is { } lack)
        {
            throw new StorageException(
                FailureKind.DiskFull, $"There is no room for '{what}': {lack} Free space there. Nothing was touched.");
        }
    }

    /// <summary>Copies files out of the directory, each compared with its digest and durable.</summary>
    private async Task FetchAsync(
        ISharedStorage storage, BackupManifest manifest, IEnumerable<BackupFile> files, string directory,
        ProgressCount count, CancellationToken cancellationToken)
    {
        RateLimit? rate = NewRate();
        await Parallel.ForEachAsync(
            files.OrderByDescending(file => file.Bytes), Several(cancellationToken), async (file, stop) =>
            {
                string target = Path.Combine(directory, file.Name);
                string part = target + ".part";
                _seams.Disk.DeleteTree(part);
                ProgressCount.FileProgress fetching = count.Of(file.Name);
                FetchedFile fetched;
                try
                {
                    fetched = await _seams.Disk.Step(
                        DiskStepKind.WriteFile, part,
                        () => storage.FetchFileAsync(
                            BackupNames.ObjectOf(file.Sha256), new FileToFetch(part, rate, fetching), stop))
                        .ConfigureAwait(false);
                }
                catch (StorageException e) when (e.Kind == FailureKind.SnapshotDamaged)
                {
                    throw Damaged(manifest, file, "it is not there");
                }
                catch (StorageException e) when (e.Kind == FailureKind.Corruption)
                {
                    throw Damaged(manifest, file, e.Message);
                }

                if (fetched.Bytes != file.Bytes || fetched.Sha256 != file.Sha256)
                {
                    throw Damaged(
                        manifest, file, $"it has {fetched.Bytes} bytes of SHA-256 {fetched.Sha256}");
                }

                _seams.Reach(BackupStep.RestoreFileFetched);
                _seams.Disk.Rename(part, target);
                count.Moved(file.Name, file.Bytes, fetching.Counted);
            }).ConfigureAwait(false);
    }

    private StorageException Damaged(BackupManifest manifest, BackupFile file, string what) => new(
        FailureKind.BackupDamaged,
        $"Backup {manifest.Id} of '{Location}' is damaged: '{BackupNames.ObjectOf(file.Sha256)}', file " +
        $"'{file.Name}', is not what was written: {what}. Use another backup.");
}
