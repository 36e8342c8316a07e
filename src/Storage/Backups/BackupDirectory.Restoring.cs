using Branching.RocksDb;
using Branching.RocksDb.Files;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <content>Putting a store back.</content>
public sealed partial class BackupDirectory
{
    /// <summary>
    /// Restores a backup to a directory, which is the store's then. It is put together and compared beside the target
    /// and takes its place in one step: at any moment exactly the old one or exactly the new one stands there.
    /// </summary>
    /// <remarks>
    /// Cancelled or killed, the next call for the same backup and target goes on with the files that were complete.
    /// </remarks>
    /// <param name="id">The backup; <see langword="null"/>: the newest whole one.</param>
    /// <param name="target">The directory; its parent must exist, on the file system where the store shall be.</param>
    /// <param name="request">How.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it, until the store takes its place.</param>
    /// <exception cref="StorageException">
    /// What stood at the target stands there, unless the message says that the new one does.
    /// <see cref="FailureKind.BackupNotFound"/>,
    /// <see cref="FailureKind.BackupDamaged"/>, naming the file; <see cref="FailureKind.SnapshotIncompatible"/>;
    /// <see cref="FailureKind.Refused"/>: the target is not empty, and nobody said that it is to be replaced, or it
    /// lies within the backup directory; <see cref="FailureKind.InUse"/>: the store there is open;
    /// <see cref="FailureKind.DiskFull"/>, saying what is needed and available;
    /// <see cref="FailureKind.NotSupported"/>: the file system cannot exchange two directories.
    /// </exception>
    public async Task<BackupRestoreReport> RestoreAsync(
        BackupId? id, string target, RestoreBackup request, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(request);
        string what = $"Backup {id?.ToString() ?? "(the newest)"} of '{Location}' was not restored to '{target}'";
        using FileStream? held = LockForReading(what);
        try
        {
            Restoring restoring = new(
                await ReadAsync(id, cancellationToken).ConfigureAwait(false),
                await Task.Run(() => new RestorePlace(target, _seams.Disk, _logger), cancellationToken)
                    .ConfigureAwait(false),
                request, new ProgressCount(progress), _time.GetTimestamp());
            BackupRestoreReport report = await Task.Run(() => Plan(restoring), cancellationToken)
                .ConfigureAwait(false);
            if (request.Mode == BackupRestoreMode.VerifyOnly)
            {
                return report with
                {
                    Differences = await CompareAsync(restoring, cancellationToken)
                    .ConfigureAwait(false)
                };
            }

            if (request.DryRun)
            {
                return report;
            }

            ThrowIfRefused(restoring);
            return await RestoreAsync(restoring, report, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw Failed(what, e);
        }
    }

    /// <summary>What would happen; nothing is touched to know it.</summary>
    private BackupRestoreReport Plan(Restoring restoring)
    {
        BackupManifest manifest = restoring.Manifest;
        BackupFile[] files = restoring.Files;
        long bytes = files.Sum(file => file.Bytes);
        restoring.Available = _seams.FreeBytes(restoring.Place.Parent);
        restoring.Needed = bytes + _options.FreeBytesReserve;
        List<(FailureKind Kind, string Text)> problems = [.. SnapshotCompatibility.FindDifferences(
            manifest.RocksDbVersion, manifest.Options, RocksDbLibrary.NativeVersion, _merges)
            .Select(difference => (FailureKind.SnapshotIncompatible, difference))];
        if (restoring.Place.FindForbidden(Location) is { } forbidden)
        {
            problems.Add((forbidden.Contains("is open in", StringComparison.Ordinal)
                ? FailureKind.InUse
                : FailureKind.Refused, forbidden));
        }
        else if (restoring.Request.Mode == BackupRestoreMode.IntoEmpty && !restoring.Place.IsEmpty)
        {
            problems.Add((FailureKind.Refused,
                $"'{restoring.Place.Target}' is not empty. Say that what stands there is to be replaced, or choose " +
                "another directory."));
        }

        if (BackupSpace.FindLack(
            restoring.Place.Parent, restoring.Needed, restoring.Available, _options.FreeBytesReserve) is { } lack)
        {
            problems.Add((FailureKind.DiskFull, $"{lack} Free space there, or restore elsewhere."));
        }

        restoring.Problems = problems;
        return new BackupRestoreReport(
            manifest.Id, restoring.Place.Target, manifest.Sequence, files.Length, bytes, bytes, 0, restoring.Needed,
            restoring.Available, null, [.. problems.Select(problem => problem.Text)], false, TimeSpan.Zero);
    }

    private void ThrowIfRefused(Restoring restoring)
    {
        if (restoring.Problems.Count > 0)
        {
            (FailureKind kind, string text) = restoring.Problems[0];
            throw new StorageException(kind, $"{text} Nothing was touched.");
        }

        if (restoring.Place.Exists && !CanExchange(restoring.Place))
        {
            throw new StorageException(
                FailureKind.NotSupported,
                $"the file system of '{restoring.Place.Parent}' cannot exchange two directories in one step, so a " +
                "kill could leave no store at all. Restore to a directory that does not exist, and move it yourself.");
        }
    }

    private bool CanExchange(RestorePlace place)
    {
        string one = place.NewScratch();
        string other = place.NewScratch();
        try
        {
            _seams.Disk.CreateDirectory(one);
            _seams.Disk.CreateDirectory(other);
            return _seams.TryExchange(one, other);
        }
        finally
        {
            _seams.Disk.TryDeleteTree(one, _logger);
            _seams.Disk.TryDeleteTree(other, _logger);
        }
    }

    private async Task<BackupRestoreReport> RestoreAsync(
        Restoring restoring, BackupRestoreReport plan, CancellationToken cancellationToken)
    {
        RestorePlace place = restoring.Place;
        _seams.Reach(BackupStep.RestoreStaging);
        place.SweepOthers();
        using IDisposable alone = place.Begin(
            new RestoredDocument(
                RestoredDocument.CurrentFormat, "", restoring.Manifest.Sha256, Location, restoring.Manifest.Id.Value,
                _time.GetUtcNow()),
            () => _seams.Reach(BackupStep.RestoreMarked));
        try
        {
            await StageAsync(restoring, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException)
        {
            // What is left would only take the room that may be what is missing; cancelled, it is used again.
            _seams.Disk.TryDeleteTree(place.Staging, _logger);
            throw;
        }

        cancellationToken.ThrowIfCancellationRequested();
        string? kept = await Task.Run(() => Swap(restoring), CancellationToken.None).ConfigureAwait(false);
        restoring.Count.Enter(SnapshotPhase.Done);
        TimeSpan elapsed = _time.GetElapsedTime(restoring.Started);
        _logger.BackupRestored(
            restoring.Manifest.Id, Location, place.Target, restoring.Manifest.Sequence, elapsed.TotalMilliseconds);
        return plan with
        {
            CopiedBytes = restoring.Count.BytesMoved,
            KeptFiles = restoring.Kept,
            Replaced = kept,
            Done = true,
            Elapsed = elapsed,
        };
    }

    private async Task StageAsync(Restoring restoring, CancellationToken cancellationToken)
    {
        string staging = restoring.Place.Staging;
        ISharedStorage storage = await ReadingAsync(cancellationToken).ConfigureAwait(false);
        HashSet<string> whole = await Task.Run(() => Clean(restoring), cancellationToken).ConfigureAwait(false);
        restoring.Count.Begin(
            SnapshotPhase.Fetching, restoring.Files.Length, restoring.Files.Sum(file => file.Bytes));
        if (restoring.Request.Mode == BackupRestoreMode.Keep)
        {
            await KeepAsync(restoring, whole, cancellationToken).ConfigureAwait(false);
        }

        foreach (BackupFile file in restoring.Files.Where(file => whole.Contains(file.Name)))
        {
            restoring.Count.Skip(file.Name, file.Bytes);
        }

        await FetchAsync(
            storage, restoring.Manifest, restoring.Files.Where(file => !whole.Contains(file.Name)), staging,
            restoring.Count, cancellationToken).ConfigureAwait(false);
        await Task.Run(() => Complete(restoring), cancellationToken).ConfigureAwait(false);
        _seams.Reach(BackupStep.RestoreStaged);
        if (restoring.Request.OpenCheck)
        {
            restoring.Count.Enter(SnapshotPhase.Verifying);
            await Task.Run(() => TryOut(restoring), cancellationToken).ConfigureAwait(false);
            _seams.Reach(BackupStep.RestoreChecked);
        }
    }

    /// <summary>Files have their names only when they are complete and durable; everything else is debris.</summary>
    /// <returns>The files that are there.</returns>
    private HashSet<string> Clean(Restoring restoring)
    {
        string staging = restoring.Place.Staging;
        HashSet<string> whole = new(StringComparer.Ordinal);
        foreach (BackupFile file in restoring.Files)
        {
            FileInfo there = new(Path.Combine(staging, file.Name));
            if (there.Exists && there.Length == file.Bytes)
            {
                whole.Add(file.Name);
            }
        }

        foreach (string name in Disk.List(staging))
        {
            if (!whole.Contains(name) && name != BackupManifest.ChangeLogName && !RestorePlace.IsOwn(name))
            {
                _seams.Disk.DeleteTree(Path.Combine(staging, name));
            }
        }

        string changes = Path.Combine(staging, BackupManifest.ChangeLogName);
        if (restoring.Files.Any(file => file.Role is null) && !Directory.Exists(changes))
        {
            _seams.Disk.CreateDirectory(changes);
        }

        return whole;
    }

    /// <summary>Takes over the tables of the old store that the backup has, too; the old store keeps its own
    /// name for them.</summary>
    private async Task KeepAsync(Restoring restoring, HashSet<string> whole, CancellationToken cancellationToken)
    {
        using FileDigester digester = new(_options.Parallelism);
        foreach (BackupFile file in restoring.Files.Where(
            file => file.Role is { } role && StoreFileNames.IsImmutable(role) && !whole.Contains(file.Name)))
        {
            FileInfo old = new(Path.Combine(restoring.Place.Target, file.Name));
            if (old.Exists && old.Length == file.Bytes
                && await digester.DigestAsync(old.FullName, NewRate(), cancellationToken)
                    .ConfigureAwait(false) == file.Sha256
                && LocalFiles.TryCreateHardLink(
                    old.FullName, Path.Combine(restoring.Place.Staging, file.Name), out _))
            {
                whole.Add(file.Name);
                restoring.Kept++;
                _seams.Reach(BackupStep.RestoreFileKept);
            }
        }
    }

    private void Complete(Restoring restoring)
    {
        string staging = restoring.Place.Staging;
        _seams.Disk.DeleteTree(Path.Combine(staging, DigestCache.FileName));
        DigestCache.Write(
            _seams.Disk, staging,
            restoring.Files.Where(file => file.Role is { } role && StoreFileNames.IsImmutable(role))
                .Select(file => KeyValuePair.Create(
                    FileIdentity.Of(LocalFiles.GetStatus(Path.Combine(staging, file.Name))), file.Sha256)));
        string changes = Path.Combine(staging, BackupManifest.ChangeLogName);
        if (Directory.Exists(changes))
        {
            _seams.Disk.FlushDirectory(changes);
        }

        _seams.Disk.FlushDirectory(staging);
    }

    /// <summary>Opens a copy made of links, so that the trial changes nothing of what takes the place.</summary>
    private void TryOut(Restoring restoring)
    {
        string trial = restoring.Place.NewScratch();
        try
        {
            _seams.Disk.CreateDirectory(trial);
            foreach (BackupFile file in restoring.Files.Where(file => file.Role is not null))
            {
                string from = Path.Combine(restoring.Place.Staging, file.Name);
                string to = Path.Combine(trial, file.Name);
                if (!StoreFileNames.IsImmutable(file.Role!.Value) || !LocalFiles.TryCreateHardLink(from, to, out _))
                {
                    _seams.Disk.Step(DiskStepKind.WriteFile, to, () => File.Copy(from, to));
                }
            }

            StoreTrial.Run(
                restoring.Manifest.Sequence, restoring.Manifest.Options, $"backup {restoring.Manifest.Id}", trial,
                new RestoreOptions(OpenCheck: true), _merges);
        }
        finally
        {
            _seams.Disk.TryDeleteTree(trial, _logger);
        }
    }

    /// <returns>Where the old store is kept.</returns>
    private string? Swap(Restoring restoring)
    {
        RestorePlace place = restoring.Place;
        if (StoreLocks.FindHolder(place.Target) is { } holder)
        {
            throw new StorageException(
                FailureKind.InUse,
                $"the store at '{place.Target}' was opened meanwhile, by process {holder}. Close it.");
        }

        _seams.Reach(BackupStep.RestoreReady);
        bool exchanged = place.Exists;
        if (!exchanged)
        {
            _seams.Disk.Rename(place.Staging, place.Target);
        }
        else if (!_seams.Disk.Step(
            DiskStepKind.Rename, place.Target, () => _seams.TryExchange(place.Staging, place.Target)))
        {
            throw new StorageException(
                FailureKind.NotSupported, $"'{place.Target}' could not be exchanged with what was restored.");
        }

        try
        {
            return Settle(restoring, exchanged);
        }
        catch (StorageException e)
        {
            throw new StorageException(
                e.Kind,
                $"the restored store stands there, but the restore was not finished: {e.Message} Do not use it " +
                "before a restore there has succeeded.", e);
        }
    }

    private string? Settle(Restoring restoring, bool exchanged)
    {
        RestorePlace place = restoring.Place;
        _seams.Reach(BackupStep.RestoreSwapped);
        _seams.Disk.FlushDirectory(place.Parent);
        _seams.Reach(BackupStep.RestoreSwappedDurably);
        string? kept = exchanged ? PutOldAway(restoring) : null;
        place.Forget();
        _seams.Reach(BackupStep.RestoreDone);
        return kept;
    }

    private string? PutOldAway(Restoring restoring)
    {
        RestorePlace place = restoring.Place;
        if (restoring.Request.KeepReplaced && Directory.EnumerateFileSystemEntries(place.Staging).Any())
        {
            string kept = place.KeepOld();
            _seams.Disk.FlushDirectory(place.Parent);
            _seams.Reach(BackupStep.RestoreOldRenamed);
            return kept;
        }

        string trash = place.MoveOldToTrash();
        _seams.Reach(BackupStep.RestoreOldRenamed);
        _seams.Disk.TryDeleteTree(trash, _logger);
        _seams.Reach(BackupStep.RestoreOldDeleted);
        return null;
    }

    /// <summary>What is not as in the backup, a sentence each.</summary>
    private async Task<IReadOnlyList<string>> CompareAsync(Restoring restoring, CancellationToken cancellationToken)
    {
        List<string> differences = [.. restoring.Problems.Where(problem => problem.Kind != FailureKind.DiskFull)
            .Select(problem => problem.Text)];
        using FileDigester digester = new(_options.Parallelism);
        restoring.Count.Begin(
            SnapshotPhase.Verifying, restoring.Files.Length, restoring.Files.Sum(file => file.Bytes));
        foreach (BackupFile file in restoring.Files)
        {
            FileInfo there = new(Path.Combine(restoring.Place.Target, file.Name));
            if (!there.Exists)
            {
                differences.Add($"'{file.Name}' is not there.");
            }
            else if (there.Length != file.Bytes)
            {
                differences.Add($"'{file.Name}' has {there.Length} bytes, in the backup {file.Bytes}.");
            }
            else if (await digester.DigestAsync(there.FullName, NewRate(), cancellationToken).ConfigureAwait(false)
                != file.Sha256)
            {
                differences.Add($"'{file.Name}' has other bytes than in the backup.");
            }

            restoring.Count.Done(file.Name, file.Bytes);
        }

        if (Directory.Exists(restoring.Place.Target))
        {
            HashSet<string> known = restoring.Manifest.Files.Select(file => file.Name)
                .ToHashSet(StringComparer.Ordinal);
            differences.AddRange(Disk.List(restoring.Place.Target)
                .Where(name => StoreFileNames.RoleOf(name) is not null && !known.Contains(name))
                .Order(StringComparer.Ordinal).Select(name => $"'{name}' is not in the backup."));
        }

        return differences;
    }

    /// <summary>One restore.</summary>
    private sealed class Restoring(
        BackupManifest manifest, RestorePlace place, RestoreBackup request, ProgressCount count, long started)
    {
        public BackupManifest Manifest => manifest;

        public RestorePlace Place => place;

        public RestoreBackup Request => request;

        public ProgressCount Count => count;

        public long Started => started;

        public BackupFile[] Files { get; } =
            [.. manifest.Files.Where(file => file.Role is not null || request.WithChangeLog)];

        public List<(FailureKind Kind, string Text)> Problems { get; set; } = [];

        public long Needed { get; set; }

        public long? Available { get; set; }

        public int Kept { get; set; }
    }
}
