using Branching.Storage;
using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <content>What was done, here and by earlier owners.</content>
internal sealed partial class SnapshotCoordinator
{
    private async Task RememberAsync(SnapshotRun run)
    {
        _logger.SnapshotRunEnded(run.Kind, Name, run.Trigger, run.State, run.Bytes, run.Duration.TotalMilliseconds);
        if (run.State == OperationState.Failed)
        {
            _logger.SnapshotRunFailed(run.Kind, Name, run.Trigger, run.Message ?? "");
        }

        SnapshotRun[] runs;
        lock (_lock)
        {
            _runs.Insert(0, run);
            if (_runs.Count > SnapshotHistory.Remembered)
            {
                _runs.RemoveAt(_runs.Count - 1);
            }

            runs = [.. _runs];
            Apply(run);
        }

        if (_snapshots.Tenure.Ended.IsCancellationRequested)
        {
            return;
        }

        try
        {
            await _history.WriteAsync(runs, CancellationToken.None);
        }
        catch (StorageException e)
        {
            _logger.HistoryNotKept(Name, e.Message);
        }
    }

    private void Apply(SnapshotRun run)
    {
        DateTimeOffset ended = run.StartedAt + run.Duration;
        bool good = run.State == OperationState.Succeeded;
        switch (run.Kind)
        {
            case OperationKind.Take when run.State != OperationState.Cancelled:
                _state = _state with
                {
                    LastTryAt = ended,
                    ConsecutiveFailures = good ? 0 : _state.ConsecutiveFailures + 1,
                };
                _lastFailure = good ? null : run.Message;
                break;
            case OperationKind.Verify:
                _state = _state with { LastVerifiedAt = ended };
                break;
            case OperationKind.Collect:
                _state = _state with { LastCollectedAt = ended };
                break;
            default:
                break;
        }
    }

    private ScheduleState State()
    {
        DateTimeOffset? oldest = _snapshots.OldestNewBranchAt();
        lock (_lock)
        {
            return _state with
            {
                BytesSinceSnapshot = _gate.BytesWritten - _bytesAtSnapshot,
                OldestNewBranchAt = oldest,
            };
        }
    }

    /// <summary>Learns what earlier owners did; tried again when shared storage could not be read.</summary>
    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_loaded)
            {
                return;
            }
        }

        IReadOnlyList<SnapshotRun> runs = await _history.ReadAsync(cancellationToken);
        SnapshotView view = await _snapshots.Repository.ReadAsync(cancellationToken);
        DateTimeOffset? newest = view.Snapshots.Count == 0 ? null : view.Snapshots.Max(one => one.TakenAt);
        DateTimeOffset? verified =
            view.Verifications.Count == 0 ? null : view.Verifications.Values.Max(result => result.At);
        lock (_lock)
        {
            if (_loaded)
            {
                return;
            }

            _loaded = true;
            _runs = [.. _runs, .. runs];
            DateTimeOffset? ran = runs.FirstOrDefault(
                run => run is { Kind: OperationKind.Take, State: OperationState.Succeeded })?.StartedAt;
            _state = _state with
            {
                LastSuccessAt = _state.LastSuccessAt ?? (ran > newest ? ran : newest),
                LastVerifiedAt = _state.LastVerifiedAt ?? verified,
                LastCollectedAt = _state.LastCollectedAt
                    ?? runs.FirstOrDefault(run => run.Kind == OperationKind.Collect)?.StartedAt,
            };
        }
    }
}
