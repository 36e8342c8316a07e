using System.Reflection;
using Branching.RocksDb;
using Branching.RocksDb.Files;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Takes snapshots of the stores of one database. Thread-safe.</summary>
/// <remarks>
/// <para>
/// A snapshot is taken from a local checkpoint, which pins its files by hard links, so writers never wait for it. Its
/// files are put on shared storage first, the manifest that names them last; killed anywhere before that, nothing was
/// published and what was sent is used by the next snapshot or collected as garbage.
/// </para>
/// <para>
/// A file is sent only when no valid manifest names an object with its content and it was not sent earlier in this
/// tenure. Objects that are relied on without being sent are looked for just before the manifest is put.
/// </para>
/// </remarks>
public sealed partial class SnapshotTaker
{
    private static readonly string _program =
        typeof(SnapshotTaker).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion ?? "unknown";

    private readonly ISharedStorage _shared;
    private readonly SnapshotRepository _repository;
    private readonly SnapshotOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RateLimit? _rate;
    private readonly Lock _lock = new();
    private ObjectSender? _sender;
    private DigestCache? _digests;

    /// <summary>Makes what takes the snapshots of one database.</summary>
    /// <param name="shared">Where snapshots go.</param>
    /// <param name="repository">The database's snapshots there.</param>
    /// <param name="options">Validated options.</param>
    /// <param name="time">The clock of rates and durations.</param>
    /// <param name="logger">Where it reports.</param>
    public SnapshotTaker(
        ISharedStorage shared, SnapshotRepository repository, SnapshotOptions options, TimeProvider time,
        ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(logger);
        _shared = shared;
        _repository = repository;
        _options = options;
        _time = time;
        _logger = logger;
        _rate = options.SendBytesPerSecond > 0 ? new RateLimit(options.SendBytesPerSecond, time) : null;
    }

    /// <summary>
    /// Takes a snapshot of a branch. It holds every write acknowledged before the call; writes go on meanwhile. On
    /// return it is durable on shared storage and counts for every later owner.
    /// </summary>
    /// <remarks>
    /// A call after one that failed, or that was cancelled, sends nothing again that was sent in the same tenure, and
    /// the storage goes on with a file that was sent in part. When nothing was written since the newest snapshot, that
    /// one is the answer, unless asked otherwise.
    /// </remarks>
    /// <param name="database">The database, open on this node.</param>
    /// <param name="branch">The branch; <see cref="BranchName.Main"/> for the main store.</param>
    /// <param name="tenure">Under which this node owns the database.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it; nothing is published then, unless the manifest was put already.</param>
    /// <exception cref="StorageException">
    /// Nothing was published and the local checkpoint is removed. <see cref="FailureKind.Fenced"/>: a later owner
    /// exists. <see cref="FailureKind.BranchNotFound"/>, <see cref="FailureKind.DiskFull"/>,
    /// <see cref="FailureKind.PermissionDenied"/>, <see cref="FailureKind.SharedStorageUnavailable"/>…
    /// </exception>
    public async Task<SnapshotResult> TakeAsync(
        Database database, BranchName branch, Tenure tenure, TakeSnapshot request,
        IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(tenure);
        Check(request);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, tenure.Ended);
        using BackgroundWork work = new("branching-take", maxThreads: 1);
        long rate = request.BytesPerSecond ?? _options.SendBytesPerSecond;
        Taking taking = new(database, branch, tenure, request, new ProgressCount(progress), _time.GetTimestamp())
        {
            Reading = rate > 0 ? new RateLimit(rate, _time) : null,
            Work = work,
        };
        try
        {
            SnapshotResult result = await RunAsync(taking, stop.Token).ConfigureAwait(false);
            Report(taking, result);
            return result;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw NotTaken(taking, tenure.EndCause ?? new StorageException(
                FailureKind.Fenced, $"The tenure of epoch {tenure.Epoch} has ended."));
        }
        catch (StorageException e)
        {
            throw NotTaken(taking, e);
        }
    }

    private async Task<SnapshotResult> RunAsync(Taking taking, CancellationToken cancellationToken)
    {
        // A former owner is told before it sends a gigabyte that nobody will read.
        await taking.Tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);

        // Nothing is collected while this snapshot relies on objects that no manifest names yet.
        using Publication publication = await _repository.BeginPublicationAsync(taking.Tenure, cancellationToken)
            .ConfigureAwait(false);
        string checkpoint = taking.Files.BuildingOf(StoreId.New(_time));
        try
        {
            if (await PinAsync(taking, checkpoint, cancellationToken).ConfigureAwait(false) is { } unchanged)
            {
                return new SnapshotResult(unchanged, Taken: false, 0, 0, 0, 0, Elapsed(taking));
            }

            StoreInspection inspection = await taking.Work.RunAsync(() => StoreInspection.Read(
                checkpoint, $"the checkpoint of {taking.Label}", taking.Database.Merges)).ConfigureAwait(false);
            IReadOnlyList<SnapshotFile> files = await SendAsync(
                taking, publication, checkpoint, inspection.Tables, cancellationToken).ConfigureAwait(false);
            taking.Count.Enter(SnapshotPhase.Publishing);
            taking.Disk.Reach(SnapshotStep.TakePublishing);
            SnapshotManifest manifest = await PublishAsync(taking, inspection, files, cancellationToken)
                .ConfigureAwait(false);
            taking.Disk.Reach(SnapshotStep.TakePublished);
            return new SnapshotResult(
                manifest, Taken: true, taking.Count.FilesMoved, taking.Count.BytesMoved, taking.Count.FilesSkipped,
                taking.DigestedBytes, Elapsed(taking));
        }
        finally
        {
            await taking.Work.RunAsync(() => Finish(taking, checkpoint)).ConfigureAwait(false);
        }
    }

    /// <summary>Makes the local checkpoint, or finds that nothing was written since the newest snapshot.</summary>
    private async Task<SnapshotManifest?> PinAsync(
        Taking taking, string checkpoint, CancellationToken cancellationToken)
    {
        // The lease keeps the store open and undeleted until its files are pinned, and no longer.
        using StoreLease lease = await taking.Database.AcquireAsync(taking.Branch, cancellationToken)
            .ConfigureAwait(false);
        taking.Record = lease.Branch;
        if (!taking.Request.EvenIfUnchanged
            && await _repository.NewestAsync(lease.Branch.Id, cancellationToken).ConfigureAwait(false) is { } newest
            && IsUnchanged(lease.Store, newest))
        {
            return newest;
        }

        taking.Count.Enter(SnapshotPhase.Checkpoint);
        taking.Disk.Reach(SnapshotStep.TakeStarted);
        cancellationToken.ThrowIfCancellationRequested();
        await taking.Work.RunAsync(() => Pin(taking, lease.Store, checkpoint)).ConfigureAwait(false);
        return null;
    }

    private void Pin(Taking taking, LocalStore store, string checkpoint)
    {
        if (store.TailBytes >= _options.FlushBytes && store.TailBytes > 0)
        {
            store.Flush();
            taking.Disk.Reach(SnapshotStep.TakeFlushed);
        }

        taking.Disk.Step(DiskStepKind.Checkpoint, checkpoint, () => store.PinFiles(checkpoint));
        taking.Disk.Reach(SnapshotStep.TakeCheckpointed);

        // The mark never changes, so a link does; a copy need not be durable, since a crash removes the checkpoint.
        string mark = Path.Combine(store.Directory, StoreMarker.FileName);
        string pinned = Path.Combine(checkpoint, StoreMarker.FileName);
        taking.Disk.Step(DiskStepKind.WriteFile, pinned, () =>
        {
            if (!LocalFiles.TryCreateHardLink(mark, pinned, out _))
            {
                File.Copy(mark, pinned);
            }
        });
        taking.Disk.Reach(SnapshotStep.TakeMarked);
    }

    /// <summary>Column families come and go without a sequence of their own, so they are compared, too.</summary>
    private static bool IsUnchanged(LocalStore store, SnapshotManifest newest)
    {
        IReadOnlyDictionary<string, uint> families = store.ColumnFamilyNumbers;
        return newest.Sequence == store.LastAcknowledged
            && newest.Options.Families.Count == families.Count
            && newest.Options.Families.All(
                family => families.TryGetValue(family.Name, out uint number) && number == family.Number);
    }

    private async Task<SnapshotManifest> PublishAsync(
        Taking taking, StoreInspection inspection, IReadOnlyList<SnapshotFile> files,
        CancellationToken cancellationToken)
    {
        BranchRecord record = taking.Record!;
        SnapshotManifest draft = new(
            SnapshotManifest.CurrentFormat, _program, taking.Database.Id, taking.Database.Name,
            new SnapshotId(record.Id, taking.Tenure.Epoch, 0), record.Name, record.ParentId, record.BranchSequence,
            record.Depth, inspection.Sequence, _time.GetUtcNow(), taking.Tenure.Owner.NodeName,
            RocksDbLibrary.NativeVersion.ToString(), inspection.Options, files, files.Sum(file => file.Bytes),
            taking.Count.BytesMoved, taking.Request.Labels?.ToDictionary(StringComparer.Ordinal) ?? []);
        SnapshotId id = await _repository.PublishAsync(taking.Tenure, draft, cancellationToken).ConfigureAwait(false);
        return draft with { Id = id };
    }

    private void Finish(Taking taking, string checkpoint)
    {
        taking.Disk.TryDeleteTree(checkpoint, _logger);
        taking.Disk.TryDeleteTree(checkpoint + ".tmp", _logger);
        taking.Disk.Reach(SnapshotStep.TakeCheckpointRemoved);
        Digests(taking).Save(_options.RememberedDigests);
        taking.Disk.Reach(SnapshotStep.TakeDigestsSaved);
    }

    private DigestCache Digests(Taking taking)
    {
        lock (_lock)
        {
            return _digests ??= DigestCache.Load(taking.Files.Directory, _logger);
        }
    }

    private ObjectSender SenderOf(Tenure tenure)
    {
        lock (_lock)
        {
            return _sender is { } sender && ReferenceEquals(sender.Tenure, tenure)
                ? sender
                : _sender = new ObjectSender(_shared, tenure);
        }
    }

    private TimeSpan Elapsed(Taking taking) => _time.GetElapsedTime(taking.Started);

    private void Report(Taking taking, SnapshotResult result)
    {
        taking.Count.Enter(SnapshotPhase.Done);
        if (result.Taken)
        {
            _logger.SnapshotTaken(
                result.Id, taking.Branch, taking.Database.Name, result.Manifest.Sequence, result.SentFiles,
                result.SentBytes, result.ReusedFiles, result.Elapsed.TotalMilliseconds);
        }
        else
        {
            _logger.SnapshotUnchanged(result.Id, taking.Branch, taking.Database.Name);
        }
    }

    private StorageException NotTaken(Taking taking, StorageException cause)
    {
        _logger.SnapshotFailed(taking.Branch, taking.Database.Name, cause);
        return new StorageException(
            cause.Kind, $"No snapshot of {taking.Label} was taken: {cause.Message}", cause);
    }

    private static void Check(TakeSnapshot request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Parallelism is < 1 or > 64)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"Parallelism is {request.Parallelism}; use 1 to 64.");
        }

        if (request.BytesPerSecond is < 1)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"BytesPerSecond is {request.BytesPerSecond}; use 1 or more, or nothing for what is configured.");
        }

        SnapshotLabels.Check(request.Labels);
    }

    /// <summary>One snapshot being taken.</summary>
    private sealed class Taking(
        Database database, BranchName branch, Tenure tenure, TakeSnapshot request, ProgressCount count, long started)
    {
        public long DigestedBytes;

        public Database Database => database;

        public BranchName Branch => branch;

        public Tenure Tenure => tenure;

        public TakeSnapshot Request => request;

        public ProgressCount Count => count;

        public long Started => started;

        public DatabaseFiles Files => database.Files;

        public Disk Disk => database.Files.Disk;

        public BranchRecord? Record { get; set; }

        /// <summary>What it does to files beside sending them.</summary>
        public required BackgroundWork Work { get; init; }

        /// <summary>Reading is held to the rate of sending, without taking its share away.</summary>
        public RateLimit? Reading { get; init; }

        public string Label => $"branch '{branch}' of database '{database.Name}'";
    }
}
