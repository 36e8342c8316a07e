using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;

namespace Branching.Grains;

/// <summary>
/// The snapshots of one database in the tenure of this node: asks Storage and maps its answers. Thread-safe.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "Its semaphores never hand out a wait handle.")]
internal sealed partial class DatabaseSnapshots
{
    // Snapshots of a deleted branch stay so long after its deletion, unless they are pinned: somebody may regret it.
    private static readonly TimeSpan _keepDeletedFor = TimeSpan.FromDays(7);

    private readonly ConcurrentDictionary<StoreId, bool> _takenHere = new();
    private readonly SemaphoreSlim _taking = new(1, 1);
    private readonly ISharedStorage _shared;
    private readonly DataRoot _root;
    private readonly SnapshotOptions _options;
    private readonly Instruments _instruments;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SnapshotTaker _taker;

    public DatabaseSnapshots(
        Database database,
        ISharedStorage shared,
        DataRoot root,
        SnapshotOptions options,
        Instruments instruments,
        TimeProvider time,
        ILogger logger)
    {
        Database = database;
        Tenure = database.Tenure ?? throw new StorageException(
            Storage.FailureKind.NotOwner, $"Database '{database.Name}' is no longer served by this node.");
        _shared = shared;
        _root = root;
        _options = options;
        _instruments = instruments;
        _time = time;
        _logger = logger;
        Repository = new SnapshotRepository(shared, database.Name, database.Id, time, logger);
        _taker = new SnapshotTaker(shared, Repository, options, time, logger);
    }

    public Database Database { get; }

    public Tenure Tenure { get; }

    public SnapshotRepository Repository { get; }

    public SnapshotHistory OpenHistory() => new(_shared, Database, Tenure);

    /// <summary>What each living branch has that shared storage has not.</summary>
    public async Task<IReadOnlyList<BranchLag>> GetLagAsync(CancellationToken cancellationToken)
    {
        await Database.LookForLagAsync(branch: null, cancellationToken);
        return Database.ListBranches().Select(record => LagOf(record, Database.GetLag(record))).ToArray();
    }

    /// <summary>When the oldest durable branch without a snapshot was made, if there is one.</summary>
    public DateTimeOffset? OldestNewBranchAt()
    {
        DateTimeOffset? oldest = null;
        foreach (BranchRecord record in Snapshotted())
        {
            if (Database.GetLag(record).Snapshotted is null && (oldest is null || record.CreatedAt < oldest))
            {
                oldest = record.CreatedAt;
            }
        }

        return oldest;
    }

    /// <summary>Takes snapshots of one branch, or of all durable ones.</summary>
    /// <returns>One entry for each branch; those that failed say why.</returns>
    public async Task<IReadOnlyList<TakenSnapshot>> TakeAsync(
        TakeSnapshotRequest request, Operation? operation, CancellationToken cancellationToken)
    {
        BranchRecord[] branches = request.Branch is { } one ? [NamedDurable(one)] : Snapshotted();
        List<TakenSnapshot> taken = [];
        // Two at once would only take each other's bandwidth, and number the same snapshots twice.
        await _taking.WaitAsync(cancellationToken);
        try
        {
            SnapshotView? view = null;
            TakeProgress progress = new(operation, branches.Length);
            foreach (BranchRecord record in branches)
            {
                progress.Next(record.Name.Value);
                SnapshotLag lag = Database.GetLag(record);
                if (request is { Force: false, Verify: false } && lag is { Sequences: 0, Snapshotted: not null }
                    && _takenHere.ContainsKey(record.Id))
                {
                    view ??= await Repository.ReadAsync(cancellationToken);
                    if (view.Newest(record.Id) is { } newest)
                    {
                        taken.Add(Unchanged(record, newest));
                        continue;
                    }
                }

                taken.Add(await TakeAsync(record, request, progress, cancellationToken));
            }
        }
        finally
        {
            _taking.Release();
        }

        return taken;
    }

    /// <summary>Takes snapshots of all durable branches.</summary>
    /// <returns>Bytes sent.</returns>
    /// <exception cref="StorageException">One of them failed.</exception>
    public async Task<long> TakeAllOrThrowAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<TakenSnapshot> taken =
            await TakeAsync(new TakeSnapshotRequest(), operation: null, cancellationToken);
        return taken.FirstOrDefault(one => one.Problem is not null) is { } failed
            ? throw new StorageException(
                Storage.FailureKind.Io, $"Branch '{failed.Branch}' was not snapshotted: {failed.Problem}")
            : taken.Sum(one => one.SentBytes);
    }

    /// <summary>Refuses to go on when the database holds what no snapshot does.</summary>
    public void ThrowIfMoreThanSnapshots()
    {
        string[] others = [.. Database.ListBranches().Where(record => !IsSnapshotted(record))
            .Select(record => $"'{record.Name}'")];
        if (others.Length > 0)
        {
            throw new StorageException(
                Storage.FailureKind.Refused,
                $"The local database '{Database.Name}' is not removed: branches {string.Join(", ", others)} have no " +
                $"snapshots and would be gone. Delete them first.");
        }
    }

    /// <summary>Verifies a snapshot and records the result beside it.</summary>
    public async Task<VerificationOutcome> VerifyAsync(
        string snapshotId, VerificationKind kind, Operation? operation, CancellationToken cancellationToken)
    {
        SnapshotManifest manifest = await Repository.ReadManifestAsync(SnapshotId.Parse(snapshotId), cancellationToken);
        return await VerifyAsync(manifest, kind, operation, cancellationToken);
    }

    /// <summary>Verifies the newest snapshot of each living branch; stops at nothing that is found.</summary>
    public async Task<IReadOnlyList<VerificationOutcome>> VerifyNewestAsync(
        VerificationKind kind, Operation? operation, CancellationToken cancellationToken)
    {
        SnapshotView view = await Repository.ReadAsync(cancellationToken);
        List<VerificationOutcome> outcomes = [];
        foreach (BranchRecord record in Snapshotted())
        {
            if (view.Newest(record.Id) is { } newest)
            {
                outcomes.Add(await VerifyAsync(newest, kind, operation, cancellationToken));
            }
        }

        return outcomes;
    }

    /// <summary>Copies a snapshot to other shared storage.</summary>
    public async Task<CopyOutcome> CopyAsync(
        string snapshotId, string directory, Operation? operation, CancellationToken cancellationToken)
    {
        SnapshotManifest manifest = await Repository.ReadManifestAsync(SnapshotId.Parse(snapshotId), cancellationToken);
        PosixSharedStorage target = await PosixSharedStorage.OpenAsync(directory, cancellationToken: cancellationToken);
        await using Tenure there = await OwnElsewhereAsync(target, cancellationToken);
        try
        {
            SnapshotCopier copier = new(_shared, Repository, _options, _time, _logger);
            SnapshotManifest copied = await copier.CopyAsync(
                manifest,
                target,
                new SnapshotRepository(target, Database.Name, Database.Id, _time, _logger),
                there,
                Scratch(),
                Progress(operation),
                cancellationToken);
            await CopyLineageAsync(target, there, manifest, cancellationToken);
            return new CopyOutcome(
                copied.Id.ToString(), target.Location, copier.SentFiles, copier.SentBytes, copied.TotalBytes);
        }
        finally
        {
            await there.ReleaseAsync(CancellationToken.None);
        }
    }

    /// <summary>Applies retention, then deletes what nothing needs; or says what that would be.</summary>
    public async Task<CollectionOutcome> CollectAsync(
        SnapshotPolicy policy, TimeSpan grace, bool dryRun, Operation? operation, CancellationToken cancellationToken)
    {
        operation?.Report("applying retention");
        SnapshotView view = await Repository.ReadAsync(cancellationToken);
        IReadOnlyList<RetentionDecision> decisions = Decide(policy, view);
        List<string> retired = [];
        foreach (RetentionDecision decision in decisions.Where(one => !one.IsKept))
        {
            if (!dryRun)
            {
                SnapshotId id = SnapshotId.Parse(decision.Id);
                await Repository.RetireAsync(Tenure, id, IsOfDeletedBranch(id.Store), cancellationToken);
            }

            retired.Add(decision.Id);
        }

        operation?.Report("collecting");
        GarbageReport report = await Repository.CollectAsync(
            Tenure, new GarbageOptions(dryRun, grace), cancellationToken);
        List<string> kept = [.. decisions.Where(one => one.IsKept).Select(one => $"{one.Id}: {one.KeptBecause}")];
        if (report.KeptYoung > 0)
        {
            kept.Add($"{report.KeptYoung} files that nothing needs are younger than {grace}");
        }

        kept.AddRange(report.Unknown.Select(name => $"{name}: this program did not write it"));
        return new CollectionOutcome(
            dryRun, retired, report.Deleted.Count, report.DeletedBytes, decisions.Count(one => one.IsKept), kept,
            report.SweepDisabledBecause);
    }

    private List<RetentionDecision> Decide(SnapshotPolicy policy, SnapshotView view)
    {
        HashSet<SnapshotId> pinned = [.. view.Pins.Select(pin => pin.Snapshot)];
        DateTimeOffset now = _time.GetUtcNow();
        RetentionCandidate Of(SnapshotManifest one, int order) => new(
            one.Id.ToString(), one.Id.Store.ToString(), (ulong)order, one.TakenAt, pinned.Contains(one.Id),
            view.Verifications.TryGetValue(one.Id, out VerificationResult? result) && result.Passed);
        List<RetentionDecision> decisions = [];
        List<RetentionCandidate> living = [];
        int order = 0;
        foreach (SnapshotManifest one in view.Snapshots)
        {
            if (!IsOfDeletedBranch(one.Id.Store))
            {
                living.Add(Of(one, order++));
            }
            else if (pinned.Contains(one.Id))
            {
                decisions.Add(new RetentionDecision(one.Id.ToString(), "it is pinned"));
            }
            else
            {
                DateTimeOffset deleted = DeletedAt(one.Id.Store) ?? one.TakenAt;
                decisions.Add(new RetentionDecision(
                    one.Id.ToString(),
                    now < deleted + _keepDeletedFor
                        ? $"its branch was deleted less than {_keepDeletedFor.TotalDays:0} days ago"
                        : null));
            }
        }

        decisions.AddRange(RetentionRule.Decide(policy, living));
        return decisions;
    }

    private bool IsOfDeletedBranch(StoreId store) =>
        !Database.ListBranches().Any(record => record.Id == store);

    private DateTimeOffset? DeletedAt(StoreId store) =>
        Database.ListBranches(includeDeleted: true).FirstOrDefault(record => record.Id == store)?.DeletedAt;

    private async Task<TakenSnapshot> TakeAsync(
        BranchRecord record, TakeSnapshotRequest request, TakeProgress progress, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        try
        {
            SnapshotResult result = await _taker.TakeAsync(
                Database,
                record.Name,
                Tenure,
                new TakeSnapshot(request.Labels, request.Force, BytesPerSecond: request.MaxBytesPerSecond),
                progress,
                cancellationToken);
            Database.NoteSnapshot(result.Manifest);
            _takenHere[record.Id] = true;
            _instruments.SnapshotEnded(_time.GetElapsedTime(start), result.SentBytes, succeeded: true);
            string? problem = request.Verify
                && await VerifyAsync(result.Manifest, VerificationKind.Checksums, null, cancellationToken)
                    is { Good: false } bad
                        ? string.Join(" ", bad.Findings)
                        : null;
            return new TakenSnapshot(
                record.Name.Value, result.Id.ToString(), result.Manifest.Sequence.Value, !result.Taken,
                result.Manifest.Files.Count, result.Manifest.TotalBytes, result.SentFiles, result.SentBytes, problem);
        }
        catch (StorageException e) when (e.Kind is not (Storage.FailureKind.Fenced or Storage.FailureKind.NotOwner
            or Storage.FailureKind.Closed or Storage.FailureKind.SharedStorageUnavailable))
        {
            // The other branches may fare better.
            _instruments.SnapshotEnded(_time.GetElapsedTime(start), 0, succeeded: false);
            return new TakenSnapshot(
                record.Name.Value, null, 0, Unchanged: false, 0, 0, 0, 0, e.Message);
        }
    }

    private async Task<VerificationOutcome> VerifyAsync(
        SnapshotManifest manifest, VerificationKind kind, Operation? operation, CancellationToken cancellationToken)
    {
        SnapshotVerifier verifier = new(_shared, Repository, _options, _time, _logger);
        VerificationReport report = await verifier.VerifyAndRecordAsync(
            manifest, OptionsOf(kind, Scratch()), Tenure, Progress(operation), cancellationToken);
        return OutcomeOf(manifest, kind, report, _time.GetUtcNow());
    }

    internal static VerifyOptions OptionsOf(VerificationKind kind, string scratch) => new(
        kind == VerificationKind.Opened ? VerificationLevel.Opened : VerificationLevel.Checksums, scratch);

    internal static VerificationOutcome OutcomeOf(
        SnapshotManifest manifest, VerificationKind kind, VerificationReport report, DateTimeOffset at) => new(
        manifest.Id.ToString(), kind, report.Passed, report.Findings.Select(finding => finding.Text).ToArray(), at,
        report.Bytes);

    private BranchRecord[] Snapshotted() =>
        [.. Database.ListBranches().Where(IsSnapshotted).OrderBy(record => record.Depth)];

    private static bool IsSnapshotted(BranchRecord record) =>
        record is { Durability: Storage.BranchDurability.Durable, State: Storage.BranchState.Ready };

    private BranchRecord NamedDurable(string branch)
    {
        BranchRecord record = Database.GetBranch(BranchName.Parse(branch));
        return record.Durability == Storage.BranchDurability.Durable
            ? record
            : throw new StorageException(
                Storage.FailureKind.InvalidArgument,
                $"Branch '{branch}' of database '{Database.Name}' is ephemeral: it has no snapshots. Create a " +
                $"durable branch of it first.");
    }

    private string Scratch() => _root.ScratchDirectory;

    private static TakeProgress? Progress(Operation? operation) =>
        operation is null ? null : new TakeProgress(operation, 1);

    private static BranchLag LagOf(BranchRecord record, SnapshotLag lag) => new(
        record.Name.Value,
        record.Id.ToString(),
        (BranchDurability)(int)record.Durability,
        lag.Acknowledged?.Value ?? 0,
        lag.Snapshot?.ToString(),
        lag.Snapshotted?.Value ?? 0,
        lag.SnapshottedAt,
        record.Durability == Storage.BranchDurability.Durable ? lag.Sequences : 0,
        record.Durability == Storage.BranchDurability.Durable ? lag.Behind : TimeSpan.Zero);

    private static TakenSnapshot Unchanged(BranchRecord record, SnapshotManifest newest) => new(
        record.Name.Value, newest.Id.ToString(), newest.Sequence.Value, Unchanged: true, newest.Files.Count,
        newest.TotalBytes, 0, 0);

    /// <summary>Adds up what several branches report.</summary>
    private sealed class TakeProgress(Operation? operation, int branches) : IProgress<SnapshotProgress>
    {
        private readonly Lock _lock = new();
        private SnapshotProgress? _now;
        private string? _branch;
        private int _number;
        private (int FilesDone, int FilesTotal, long BytesDone, long BytesTotal) _before;

        public void Next(string branch)
        {
            lock (_lock)
            {
                _number++;
                _branch = branch;
                if (_now is { } last)
                {
                    _before = (
                        _before.FilesDone + last.FilesTotal, _before.FilesTotal + last.FilesTotal,
                        _before.BytesDone + last.BytesTotal, _before.BytesTotal + last.BytesTotal);
                    _now = null;
                }
            }
        }

        public void Report(SnapshotProgress value)
        {
            lock (_lock)
            {
                _now = value;
                string phase = value.Phase.ToString().ToLowerInvariant();
                operation?.Report(
                    branches > 1 ? $"{phase} {_branch} ({_number} of {branches})" : phase,
                    _before.FilesDone + value.FilesDone,
                    _before.FilesTotal + value.FilesTotal,
                    _before.BytesDone + value.BytesDone,
                    _before.BytesTotal + value.BytesTotal);
            }
        }
    }
}
