using System.Text.Json;
using Branching.Storage;
using Microsoft.Extensions.Logging;

namespace Branching.Grains;

/// <summary>
/// Keeps the schedule of one database's snapshots in the tenure of this node, and the memory of what it did.
/// Thread-safe.
/// </summary>
/// <remarks>
/// One operation that changes snapshots runs at a time. The policy is part of the database (its shared catalog) and the
/// history lies beside it, so that the next owner's coordinator goes on where this one stopped.
/// </remarks>
internal sealed partial class SnapshotCoordinator
{
    private const string PolicyKey = "database";

    private readonly Lock _lock = new();
    private readonly DatabaseSnapshots _snapshots;
    private readonly SnapshotHistory _history;
    private readonly Operations _operations;
    private readonly NodeDatabases _databases;
    private readonly WriteGate _gate;
    private readonly ScheduleOptions _options;
    private readonly string _node;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private List<SnapshotRun> _runs = [];
    private ScheduleState _state;
    private SnapshotPolicy _policy;
    private bool _isDefaultPolicy;
    private SnapshotSchedule _schedule;
    private long _bytesAtSnapshot;
    private string? _lastFailure;
    private bool _loaded;

    public SnapshotCoordinator(
        DatabaseSnapshots snapshots,
        SnapshotHistory history,
        Operations operations,
        NodeDatabases databases,
        ScheduleOptions options,
        string node,
        TimeProvider time,
        ILogger logger)
    {
        _snapshots = snapshots;
        _history = history;
        _operations = operations;
        _databases = databases;
        _gate = databases.GateOf(snapshots.Database.Name.Value);
        _options = options;
        _node = node;
        _time = time;
        _logger = logger;
        _state = new ScheduleState(time.GetUtcNow(), null, null, 0, null, null, 0);
        _bytesAtSnapshot = _gate.BytesWritten;
        _policy = options.Default;
        _schedule = new SnapshotSchedule(Name, _policy, options.FirstAfter);
        ReadPolicy();
    }

    public DatabaseSnapshots Snapshots => _snapshots;

    public SnapshotPolicy Policy
    {
        get
        {
            lock (_lock)
            {
                return _policy;
            }
        }
    }

    private string Name => _snapshots.Database.Name.Value;

    /// <summary>Starts what is due, if nothing else runs. Never fails: what goes wrong is part of the status.</summary>
    public async Task TickAsync(CancellationToken cancellationToken)
    {
        if (_snapshots.Tenure.Ended.IsCancellationRequested || _operations.Exclusive is not null)
        {
            return;
        }

        try
        {
            await LoadAsync(cancellationToken);
            await _snapshots.Database.LookForLagAsync(branch: null, cancellationToken); // Nodes tell of it.
            if (State() is { } state && Due(state) is { } due)
            {
                Start(due);
            }
        }
        catch (Exception e) when (e is StorageException or BranchingException)
        {
            lock (_lock)
            {
                _lastFailure = e.Message;
            }
        }
    }

    public OperationDescription Take(TakeSnapshotRequest request) => Start(
        OperationKind.Take,
        request.Branch is { } branch ? $"branch '{branch}'" : $"database '{Name}'",
        "request",
        (operation, stop) => TakeAsync(request, operation, stop));

    public OperationDescription Restore(RestoreRequest request) => Start(
        OperationKind.Restore,
        request.IntoDatabase is { } other ? $"database '{Name}' as database '{other}'" : $"database '{Name}'",
        "request",
        async (operation, stop) =>
        {
            RestoreOutcome outcome = await _snapshots.RestoreAsync(request, operation, stop);
            return (operation.Describe() with { Restored = outcome }, outcome.Stores.Sum(one => one.FetchedBytes));
        },
        remembered: !request.DryRun);

    public OperationDescription Verify(string snapshotId, VerificationKind kind) => Start(
        OperationKind.Verify,
        $"snapshot {snapshotId}",
        "request",
        async (operation, stop) =>
        {
            VerificationOutcome outcome = await _snapshots.VerifyAsync(snapshotId, kind, operation, stop);
            return (operation.Describe() with { Verified = outcome }, outcome.Bytes);
        });

    public OperationDescription Copy(string snapshotId, string directory) => Start(
        OperationKind.Copy,
        $"snapshot {snapshotId} to '{directory}'",
        "request",
        async (operation, stop) =>
        {
            CopyOutcome outcome = await _snapshots.CopyAsync(snapshotId, directory, operation, stop);
            return (operation.Describe() with { Copied = outcome }, outcome.SentBytes);
        });

    public OperationDescription Collect(bool dryRun, string trigger = "request") => Start(
        OperationKind.Collect,
        $"database '{Name}'",
        trigger,
        async (operation, stop) =>
        {
            CollectionOutcome outcome = await _snapshots.CollectAsync(
                Policy, _options.CollectionGrace, dryRun, operation, stop);
            return (operation.Describe() with { Collected = outcome }, outcome.Bytes);
        },
        remembered: !dryRun);

    public async Task<SnapshotPolicy> SetPolicyAsync(SnapshotPolicy policy, CancellationToken cancellationToken)
    {
        Check(policy);
        string json = JsonSerializer.Serialize(new PolicyDocument(1, policy), SharedDocuments.Default.PolicyDocument);
        await _snapshots.Database.SetPolicyAsync(PolicyKey, json, cancellationToken);
        ReadPolicy();
        return policy;
    }

    public async Task<IReadOnlyList<SnapshotRun>> GetHistoryAsync(CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken);
        lock (_lock)
        {
            return _runs.ToArray();
        }
    }

    public async Task<SnapshotStatus> GetStatusAsync(CancellationToken cancellationToken)
    {
        string? notLoaded = null;
        try
        {
            await LoadAsync(cancellationToken);
        }
        catch (StorageException e)
        {
            // The lag is known all the same, and is what one wants to see now.
            notLoaded = e.Message;
        }

        IReadOnlyList<BranchLag> lag = await _snapshots.GetLagAsync(cancellationToken);
        DateTimeOffset now = _time.GetUtcNow();
        ScheduleState state = State();
        lock (_lock)
        {
            List<string> problems = [.. _schedule.Problems(state, now, _lastFailure)];
            if (notLoaded is not null)
            {
                problems.Add($"Shared storage cannot be read: {notLoaded}");
            }

            if (_runs.FirstOrDefault(run => run.Kind == OperationKind.Verify) is { State: OperationState.Failed } bad)
            {
                problems.Add($"The last verification failed: {bad.Message}");
            }

            return new SnapshotStatus(
                _policy, _isDefaultPolicy, problems.Count == 0, problems, _schedule.NextDueAt(state),
                state.LastSuccessAt, state.LastVerifiedAt, state.LastCollectedAt, state.ConsecutiveFailures,
                SnapshotSchedule.RetryAt(state), _lastFailure, _operations.Exclusive?.OperationId,
                state.BytesSinceSnapshot, lag);
        }
    }

    private async Task<(OperationDescription, long)> TakeAsync(
        TakeSnapshotRequest request, Operation operation, CancellationToken cancellationToken)
    {
        long bytes = _gate.BytesWritten;
        DateTimeOffset began = _time.GetUtcNow();
        if (request.RemoveSource)
        {
            _snapshots.ThrowIfMoreThanSnapshots();
            request = request with { Verify = true };
        }

        IReadOnlyList<TakenSnapshot> taken = await _snapshots.TakeAsync(request, operation, cancellationToken);
        OperationDescription last = operation.Describe() with { Taken = taken };
        TakenSnapshot[] failed = [.. taken.Where(one => one.Problem is not null)];
        if (failed.Length > 0)
        {
            last = last with
            {
                State = OperationState.Failed,
                Failure = FailureKind.Io,
                Message = string.Join(" ", failed.Select(one => $"Branch '{one.Branch}': {one.Problem}")),
            };
        }
        else if (request.Branch is null)
        {
            lock (_lock)
            {
                _bytesAtSnapshot = bytes;
                _state = _state with { LastSuccessAt = began };
            }
        }

        if (request.RemoveSource && failed.Length == 0)
        {
            operation.Report("removing the local database");
            await _databases.PutToRestAsync(_snapshots.Database.Name, cancellationToken);
        }

        return (last, taken.Sum(one => one.SentBytes));
    }

    private DueRun? Due(ScheduleState state)
    {
        lock (_lock)
        {
            return _schedule.Due(state, _time.GetUtcNow());
        }
    }

    private void Start(DueRun due)
    {
        _ = due.Kind switch
        {
            OperationKind.Take => Start(
                OperationKind.Take, $"database '{Name}'", due.Trigger,
                (operation, stop) => TakeAsync(new TakeSnapshotRequest(RequestedBy: "schedule"), operation, stop)),
            OperationKind.Verify => Start(
                OperationKind.Verify, $"database '{Name}'", due.Trigger, VerifyNewestAsync),
            _ => Collect(dryRun: false, due.Trigger),
        };
    }

    private async Task<(OperationDescription, long)> VerifyNewestAsync(
        Operation operation, CancellationToken cancellationToken)
    {
        IReadOnlyList<VerificationOutcome> outcomes =
            await _snapshots.VerifyNewestAsync(Policy.VerifyKind, operation, cancellationToken);
        VerificationOutcome? bad = outcomes.FirstOrDefault(outcome => !outcome.Good);
        OperationDescription last = operation.Describe() with
        {
            Verified = bad ?? (outcomes.Count > 0 ? outcomes[^1] : null),
        };
        return (
            bad is null
                ? last
                : last with
                {
                    State = OperationState.Failed,
                    Failure = FailureKind.SnapshotDamaged,
                    Message = $"Snapshot {bad.SnapshotId}: {string.Join(" ", bad.Findings)}",
                },
            outcomes.Sum(outcome => outcome.Bytes));
    }

    private OperationDescription Start(
        OperationKind kind,
        string target,
        string trigger,
        Func<Operation, CancellationToken, Task<(OperationDescription Last, long Bytes)>> run,
        bool remembered = true)
        => _operations.Start(kind, target, exclusive: true, async (operation, cancellationToken) =>
        {
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
                cancellationToken, _snapshots.Tenure.Ended);
            long start = _time.GetTimestamp();
            OperationDescription last = operation.Describe();
            long bytes = 0;
            try
            {
                (last, bytes) = await run(operation, stop.Token);
                last = last with
                {
                    State = last.State == OperationState.Running ? OperationState.Succeeded : last.State,
                };
                return last;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                StorageException ended = _snapshots.Tenure.EndCause ?? new StorageException(
                    Storage.FailureKind.Closed, "This node no longer owns the database.");
                last = last with { State = OperationState.Failed, Message = ended.Message };
                throw ended;
            }
            catch (Exception e)
            {
                last = last with
                {
                    State = e is OperationCanceledException ? OperationState.Cancelled : OperationState.Failed,
                    Message = e.Message,
                };
                throw;
            }
            finally
            {
                if (remembered)
                {
                    await RememberAsync(new SnapshotRun(
                        kind, trigger, last.StartedAt, _time.GetElapsedTime(start), bytes, last.State, last.Message,
                        _node));
                }
            }
        });

    private void ReadPolicy()
    {
        SnapshotPolicy? found = null;
        if (_snapshots.Database.Policies.TryGetValue(PolicyKey, out string? json))
        {
            try
            {
                found = JsonSerializer.Deserialize(json, SharedDocuments.Default.PolicyDocument)?.Policy;
            }
            catch (JsonException e)
            {
                _lastFailure = $"The policy of the database cannot be read, the node's default is used: {e.Message}";
            }
        }

        lock (_lock)
        {
            _isDefaultPolicy = found is null;
            _policy = found ?? _options.Default;
            _schedule = new SnapshotSchedule(Name, _policy, _options.FirstAfter);
        }
    }

    internal static void Check(SnapshotPolicy? policy)
    {
        GrainFailure.ThrowIfMissing(policy, "The policy");
        Refuse(policy.Every is { } every && every < TimeSpan.FromSeconds(1), "Every is shorter than a second");
        Refuse(policy.EveryBytes is < 1, "EveryBytes is less than one");
        Refuse(policy.KeepLast is < 1 or > 100_000, "KeepLast is outside of 1 to 100,000");
        Refuse(
            policy.KeepHourly is < 0 or > 100_000 || policy.KeepDaily is < 0 or > 100_000
                || policy.KeepWeekly is < 0 or > 100_000,
            "KeepHourly, KeepDaily or KeepWeekly is outside of 0 to 100,000");
        Refuse(
            policy.VerifyEvery is { } verify && verify < TimeSpan.FromSeconds(1),
            "VerifyEvery is shorter than a second");
        Refuse(
            policy.CollectEvery is { } collect && collect < TimeSpan.FromSeconds(1),
            "CollectEvery is shorter than a second");
        Refuse(!Enum.IsDefined(policy.VerifyKind), "VerifyKind is not one of its names");
    }

    private static void Refuse(bool wrong, string why)
    {
        if (wrong)
        {
            throw GrainFailure.Refused($"The policy was not set: {why}.");
        }
    }
}
