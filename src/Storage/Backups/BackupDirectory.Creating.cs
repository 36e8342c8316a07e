using Branching.RocksDb;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <content>Making backups.</content>
public sealed partial class BackupDirectory
{
    /// <summary>
    /// Backs a store up. The backup holds every write acknowledged before the call; writes go on meanwhile. On return
    /// it is durable, unless asked otherwise.
    /// </summary>
    /// <remarks>
    /// Only what no backup here holds is copied. Cancelled, it leaves no backup, its locks are released, and the next
    /// call goes on with what was copied, a file that was copied in part included.
    /// </remarks>
    /// <param name="store">The store, open in this process.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StorageException">
    /// No backup was made. <see cref="FailureKind.DiskFull"/>, found before anything was copied where free space is
    /// known; <see cref="FailureKind.Locked"/>, naming the holder; <see cref="FailureKind.Closed"/>: the store was
    /// closed; <see cref="FailureKind.PermissionDenied"/>, <see cref="FailureKind.Io"/>…
    /// </exception>
    public async Task<BackupResult> CreateAsync(
        LocalStore store, CreateBackup request, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(request);
        request.Check();
        string what = $"No backup of {store.Label} was made in '{Location}'";
        try
        {
            using IDisposable held = LockForWriting(what);
            Making making = new(store, request, new ProgressCount(progress), _time.GetTimestamp());
            return await MakeAsync(making, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind != FailureKind.Locked)
        {
            throw Failed(what, e);
        }
    }

    private async Task<BackupResult> MakeAsync(Making making, CancellationToken cancellationToken)
    {
        ISharedStorage storage = await WritingAsync(making.Request.Sync, cancellationToken).ConfigureAwait(false);
        BackupMarkDocument mark = await ReadMarkAsync(storage, cancellationToken).ConfigureAwait(false);
        string checkpoint = making.Request.Checkpoint ?? CheckpointBeside(making.Store, making.Request);
        making.Store.BackupCheckpoints[checkpoint] = true;
        try
        {
            making.Count.Enter(SnapshotPhase.Checkpoint);
            _seams.Reach(BackupStep.CreateStarted);
            making.Inspection = await Task.Run(() => Pin(making, checkpoint), cancellationToken)
                .ConfigureAwait(false);
            await DigestAsync(making, storage, checkpoint, cancellationToken).ConfigureAwait(false);
            _seams.Reach(BackupStep.CreateDigested);
            if (making.Request.CheckReused)
            {
                await CheckReusedAsync(making, cancellationToken).ConfigureAwait(false);
            }

            making.Available = CheckSpace(making);
            making.MustFlushReused = making.Request.Sync && mark.HasUnsynced;
            if (!making.Request.Sync && !mark.HasUnsynced)
            {
                await WriteMarkAsync(
                    await WritingAsync(sync: true, cancellationToken).ConfigureAwait(false),
                    mark with { HasUnsynced = true }, cancellationToken).ConfigureAwait(false);
            }

            await SendAsync(making, storage, cancellationToken).ConfigureAwait(false);
            making.Count.Enter(SnapshotPhase.Publishing);
            _seams.Reach(BackupStep.CreatePublishing);
            BackupManifest manifest = await PublishAsync(making, storage, mark, cancellationToken)
                .ConfigureAwait(false);
            _seams.Reach(BackupStep.CreatePublished);
            return Report(making, manifest);
        }
        finally
        {
            await Task.Run(() => Finish(making, checkpoint), CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Pins the files: from here on the store may be written, compacted and closed.</summary>
    private StoreInspection Pin(Making making, string checkpoint)
    {
        if (making.Request.FlushFirst)
        {
            making.Store.Flush();
            _seams.Reach(BackupStep.CreateFlushed);
        }

        Disk disk = _seams.Disk;
        disk.Step(DiskStepKind.Checkpoint, checkpoint, () => making.Store.PinFiles(checkpoint));
        string mark = Path.Combine(making.Store.Directory, StoreMarker.FileName);
        if (File.Exists(mark))
        {
            disk.Step(
                DiskStepKind.WriteFile, mark, () => File.Copy(mark, Path.Combine(checkpoint, StoreMarker.FileName)));
        }

        if (making.Request.ChangeLogDirectory is { } log)
        {
            making.ChangeLog = ChangeLogFiles.Capture(disk, log, checkpoint);
        }

        _seams.Reach(BackupStep.CreateCheckpointed);
        return StoreInspection.Read(
            checkpoint, $"the checkpoint of {making.Store.Label}", making.Store.Merges);
    }

    private async Task<BackupManifest> PublishAsync(
        Making making, ISharedStorage storage, BackupMarkDocument mark, CancellationToken cancellationToken)
    {
        BackupFile[] files =
            [.. making.Files.Select(file => file.ToBackup()).OrderBy(file => file.Name, StringComparer.Ordinal)];
        CreateBackup request = making.Request;
        StoreInspection inspection = making.Inspection!;
        BackupManifest manifest = new(
            BackupManifest.CurrentFormat, _program,
            await NextAsync(storage, mark, cancellationToken).ConfigureAwait(false), making.Store.Label,
            request.Label, request.Metadata?.ToDictionary(StringComparer.Ordinal) ?? [], _time.GetUtcNow(),
            inspection.Sequence, RocksDbLibrary.NativeVersion.ToString(), inspection.Options, files,
            files.Sum(file => file.Bytes), making.Count.BytesMoved, request.FlushFirst, request.Sync);
        return await PublishAsync(storage, manifest, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<BackupManifest> PublishAsync(
        ISharedStorage storage, BackupManifest manifest, CancellationToken cancellationToken)
    {
        byte[] bytes = manifest.Seal();
        return await storage.PutOursAsync(BackupNames.ManifestOf(manifest.Id), bytes, cancellationToken)
            .ConfigureAwait(false)
            ? manifest with { Sha256 = SealedDocument.DigestIn(bytes) }
            : throw new StorageException(
                FailureKind.InUse,
                $"Somebody else made backup {manifest.Id} meanwhile, in spite of the lock. Find out who writes there.");
    }

    private static async Task<BackupId> NextAsync(
        ISharedStorage storage, BackupMarkDocument mark, CancellationToken cancellationToken)
    {
        ulong last = mark.Last;
        foreach (SharedEntry entry in await storage.ListAsync(BackupNames.Manifests, cancellationToken)
            .ConfigureAwait(false))
        {
            last = Math.Max(last, BackupNames.TryParse(entry.Name, out BackupId id) ? id.Value : 0);
        }

        return new BackupId(last + 1);
    }

    /// <summary>A fresh place beside the store; what killed processes left there is removed.</summary>
    private string CheckpointBeside(LocalStore store, CreateBackup request)
    {
        string directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(store.Directory));
        string parent = request.WorkDirectory is { } work ? Path.GetFullPath(work) : Path.GetDirectoryName(directory)!;
        string prefix = Path.GetFileName(directory) + ".backup-";
        foreach (string name in Disk.List(parent).Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            string path = Path.Combine(parent, name);

            // Only one process has the store open, and it knows its own.
            if (!store.BackupCheckpoints.Keys.Any(own => path.StartsWith(own, StringComparison.Ordinal)))
            {
                _seams.Disk.TryDeleteTree(path, _logger);
            }
        }

        return Path.Combine(parent, prefix + Guid.NewGuid().ToString("N"));
    }

    private void Finish(Making making, string checkpoint)
    {
        _seams.Disk.TryDeleteTree(checkpoint, _logger);
        _seams.Disk.TryDeleteTree(checkpoint + ".tmp", _logger);
        making.Store.BackupCheckpoints.TryRemove(checkpoint, out _);
        _seams.Reach(BackupStep.CreateCheckpointRemoved);
        _digests.Value.Save(_options.RememberedDigests);
    }

    private BackupResult Report(Making making, BackupManifest manifest)
    {
        making.Count.Enter(SnapshotPhase.Done);
        BackupResult result = new(
            manifest, making.Count.FilesMoved, making.Count.BytesMoved, making.Count.FilesSkipped, making.Mended,
            making.DigestedBytes, making.Available, _time.GetElapsedTime(making.Started));
        _logger.BackupMade(
            manifest.Id, manifest.Source, Location, result.NewFiles, result.NewBytes, result.ReusedFiles,
            result.Elapsed.TotalMilliseconds, BackupSpace.Show(making.Available));
        return result;
    }

    /// <summary>One backup being made.</summary>
    private sealed class Making(LocalStore store, CreateBackup request, ProgressCount count, long started)
    {
        public long DigestedBytes;
        public int Mended;

        public LocalStore Store => store;

        public CreateBackup Request => request;

        public ProgressCount Count => count;

        public long Started => started;

        public IReadOnlyList<string> ChangeLog { get; set; } = [];

        /// <summary>What was pinned.</summary>
        public StoreInspection? Inspection { get; set; }

        public long? Available { get; set; }

        public bool MustFlushReused { get; set; }

        /// <summary>What the backup consists of.</summary>
        public IReadOnlyList<SourceFile> Files { get; set; } = [];

        /// <summary>Lengths of the objects that may be reused, by digest.</summary>
        public Dictionary<string, long> There { get; set; } = [];
    }

    /// <summary>One file of the checkpoint.</summary>
    private sealed record SourceFile(
        string Path, string Name, SnapshotFileRole? Role, long Bytes, FileIdentity? Identity)
    {
        /// <summary>Its digest; <see langword="null"/>: found while it is sent.</summary>
        public string? Sha256 { get; set; }

        public BackupFile ToBackup() => new(Name, Role, Bytes, Sha256!);
    }
}
