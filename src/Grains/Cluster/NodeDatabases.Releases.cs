using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.Storage;

namespace Branching.Grains;

/// <content>Giving databases up by plan.</content>
/// <remarks>
/// Most is sent while the database serves. Then changes pause, the small rest is sent, and the release of the lease is
/// the commit point: before it the database goes on here as if nothing had happened, after it the target takes it. For
/// a while after the release this node does not take the database back for a caller; should nobody have taken it by
/// then, the next call may.
/// </remarks>
internal sealed partial class NodeDatabases
{
    // While others may take what was given up. A target that needs longer says that it is taking over.
    private static readonly TimeSpan _givenUpFor = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _drainWithin = TimeSpan.FromSeconds(5);

    // Rounds of sending while serving: each leaves only what was written during the one before.
    private const int Rounds = 3;

    private readonly ConcurrentDictionary<string, Release> _releases = new(StringComparer.Ordinal);

    /// <summary>Starts giving a database up, or says how far it is.</summary>
    public async Task<ReleaseStatus> ReleaseAsync(ReleaseDatabaseRequest request, CancellationToken cancellationToken)
    {
        DatabaseName name = DatabaseName.Parse(request.Database);
        Release release = _releases.AddOrUpdate(
            request.Database,
            _ => new Release(request.MoveId, request.Target, time),
            (_, known) => known.MoveId == request.MoveId || known.IsRunning
                ? known
                : new Release(request.MoveId, request.Target, time));
        if (release.MoveId != request.MoveId)
        {
            throw new StorageException(
                Storage.FailureKind.Overloaded,
                $"Database '{name}' is being moved to node {release.Target} already. Wait for that.");
        }

        release.BeginOnce(one => RunAsync(name, one));
        try
        {
            await release.Ended.WaitAsync(Limit(request.WaitAtMost), time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It goes on; the coordinator asks again.
        }

        return release.Status;
    }

    /// <summary>Gives a database up without a target and removes its local copy: it is on shared storage alone
    /// then.</summary>
    public async Task PutToRestAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        Release release = new(Guid.NewGuid().ToString("N"), "nobody", time);
        await using (cancellationToken.UnsafeRegister(static one => ((Release)one!).Cancel(), release))
        {
            await RunAsync(name, release);
        }

        GateOf(name.Value).Resume();
        await storage.Root.RemoveLocalCopyAsync(name, CancellationToken.None);
    }

    /// <summary>Asks a release under way to stop.</summary>
    public void CancelRelease(string database, string moveId)
    {
        if (_releases.TryGetValue(database, out Release? release) && release.MoveId == moveId)
        {
            release.Cancel();
        }
    }

    private void ForgetRelease(string database)
    {
        if (_releases.TryGetValue(database, out Release? release) && !release.IsRunning)
        {
            _releases.TryRemove(database, out _);
        }
    }

    /// <summary>The release of a database that is under way past its commit point, or ended well a moment ago; null
    /// without one.</summary>
    private Release? TryGetGivenUp(string database) =>
        _releases.TryGetValue(database, out Release? release) && release.IsGivenUp(_givenUpFor) ? release : null;

    private async Task EndReleasesAsync()
    {
        foreach (Release release in _releases.Values)
        {
            release.Cancel();
            await release.Ended;
        }
    }

    private async Task RunAsync(DatabaseName name, Release release)
    {
        Database database = storage.Root.TryGetServing(name) ?? throw new StorageException(
            Storage.FailureKind.NotOwner, $"Database '{name}' is not served by node {silo.Name}.");
        release.Note("sending", epoch: database.Epoch.Value, leftBehind: database.ListBranches()
            .Where(record => record.Durability == Storage.BranchDurability.Ephemeral)
            .Select(record => record.Name.Value).ToArray());
        DatabaseSnapshots snapshots = await GetSnapshotsAsync(name, release.Stop);
        for (int round = 0; round < Rounds; round++)
        {
            long sent = await snapshots.TakeAllOrThrowAsync(release.Stop);
            release.Note("sending", sentBytes: sent);
            if (database.GetLag().Sequences == 0)
            {
                break;
            }
        }

        WriteGate gate = GateOf(name.Value);
        release.Note("pausing writes", paused: true);
        using (CancellationTokenSource drain = CancellationTokenSource.CreateLinkedTokenSource(release.Stop))
        {
            drain.CancelAfter(_drainWithin);
            try
            {
                await gate.PauseAsync(
                    $"Database '{name}' is being moved from node {silo.Name} to node {release.Target}: writes pause. " +
                    $"Try again.",
                    drain.Token);
            }
            catch (OperationCanceledException) when (!release.Stop.IsCancellationRequested)
            {
                throw new StorageException(
                    Storage.FailureKind.TimedOut,
                    $"Writes that began before the pause were still under way after {_drainWithin}. It serves on.");
            }
        }

        try
        {
            release.Note("sending the rest");
            long sent = await snapshots.TakeAllOrThrowAsync(release.Stop);
            release.Note("releasing", sentBytes: sent,
                sequence: database.GetLag(BranchName.Main).Snapshotted?.Value ?? 0);
            release.Stop.ThrowIfCancellationRequested();
            // From here on no call may bring the database up here again before the target had its turn.
            release.NoteGivenUp();
            await storage.Root.ReleaseDatabaseAsync(name, CancellationToken.None);
        }
        catch
        {
            gate.Resume();
            throw;
        }

        _unsettled?.TryAdd(name.Value, LocalCopyState.Current);
        logger.DatabaseReleased(name.Value, silo.Name, release.Target, release.Status.PausedFor.TotalMilliseconds);
    }
}

/// <summary>One hand-over of a database by this node. Thread-safe.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "Nobody asks for the wait handle of its source.")]
internal sealed class Release(string moveId, string target, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ReleaseStatus _now = new(OperationState.Running, "starting", TimeSpan.Zero, 0, 0, 0, []);
    private long? _pausedFrom;
    private long _endedAt;
    private bool _began;
    private bool _givenUp;

    public string MoveId => moveId;

    public string Target => target;

    public CancellationToken Stop => _stop.Token;

    public Task Ended => _ended.Task;

    public bool IsRunning => !_ended.Task.IsCompleted;

    public ReleaseStatus Status
    {
        get
        {
            lock (_lock)
            {
                return _now.State == OperationState.Running && _pausedFrom is { } from
                    ? _now with { PausedFor = time.GetElapsedTime(from) }
                    : _now;
            }
        }
    }

    /// <summary>Whether it is being released now or was a moment ago, so that the target has its turn.</summary>
    public bool IsGivenUp(TimeSpan within)
    {
        lock (_lock)
        {
            return _givenUp && (_now.State == OperationState.Running
                || (_now.State == OperationState.Succeeded && time.GetElapsedTime(_endedAt) < within));
        }
    }

    public void NoteGivenUp()
    {
        lock (_lock)
        {
            _givenUp = true;
        }
    }

    public void Cancel() => _stop.Cancel();

    public void BeginOnce(Func<Release, Task> run)
    {
        lock (_lock)
        {
            if (_began)
            {
                return;
            }

            _began = true;
        }

        _ = Task.Run(async () =>
        {
            try
            {
                await run(this);
                End(OperationState.Succeeded, null, null);
            }
            catch (OperationCanceledException)
            {
                End(OperationState.Cancelled, null, "It was cancelled; the database serves on here.");
            }
            catch (Exception e)
            {
                End(
                    OperationState.Failed,
                    e is StorageException known ? (FailureKind)(int)known.Kind
                        : (e as BranchingException)?.Kind ?? FailureKind.Internal,
                    e.Message);
            }
        });
    }

    public void Note(
        string phase, long sentBytes = 0, ulong? epoch = null, ulong? sequence = null, bool paused = false,
        IReadOnlyList<string>? leftBehind = null)
    {
        lock (_lock)
        {
            _pausedFrom ??= paused ? time.GetTimestamp() : null;
            _now = _now with
            {
                Phase = phase,
                SentBytes = _now.SentBytes + sentBytes,
                Epoch = epoch ?? _now.Epoch,
                Sequence = sequence ?? _now.Sequence,
                LeftBehind = leftBehind ?? _now.LeftBehind,
            };
        }
    }

    private void End(OperationState state, FailureKind? failure, string? problem)
    {
        lock (_lock)
        {
            _endedAt = time.GetTimestamp();
            _now = _now with
            {
                State = state,
                PausedFor = _pausedFrom is { } from ? time.GetElapsedTime(from) : TimeSpan.Zero,
                Failure = failure,
                Problem = problem,
            };
        }

        _ended.SetResult();
    }
}
