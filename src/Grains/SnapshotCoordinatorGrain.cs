using System.Diagnostics.CodeAnalysis;
using Branching.Storage;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>The snapshots of one database, on the node that owns it.</summary>
/// <remarks>A shell: what it knows of the database is made anew whenever the node owns it in another tenure.</remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "What it owns ends with its deactivation.")]
[PlacedWithDatabase]
internal sealed class SnapshotCoordinatorGrain(ServingNode node, IOptions<ScheduleOptions> schedule, TimeProvider time)
    : Grain, ISnapshotCoordinatorGrain
{
    private StoreCalls _calls = null!;
    private Operations _operations = null!;
    private SnapshotCoordinator? _coordinator;
    private long? _endedAt;

    private ServingNode Node => node;

    private string Database => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _calls = new StoreCalls(node, Database, BranchKey.Main, MigrateOnIdle);
        _operations = new Operations(time, node.Logger.UnforeseenFailure);
        TimeSpan every = schedule.Value.LookEvery;
        this.RegisterGrainTimer(
            TickAsync, new GrainTimerCreationOptions(every, every) { Interleave = true, KeepAlive = true });
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
        => await _operations.DisposeAsync();

    public ValueTask<OperationDescription> TakeAsync(
        TakeSnapshotRequest request, CancellationToken cancellationToken = default) => RunAsync(
        request,
        static (coordinator, request, _) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            Descriptions.CheckLabels(request.Labels);
            if (request is { RemoveSource: true, Branch: not null })
            {
                throw GrainFailure.Refused("RemoveSource is for the whole database; leave the branch out.");
            }

            return Task.FromResult(coordinator.Take(request));
        },
        cancellationToken);

    public ValueTask<IReadOnlyList<SnapshotDescription>> ListAsync(
        string? branch = null, CancellationToken cancellationToken = default) => ReadAsync(
        branch,
        static (coordinator, branch, stop) => coordinator.Snapshots.ListAsync(branch, stop),
        static (snapshots, branch, stop) => snapshots.ListAsync(branch, stop),
        cancellationToken);

    public ValueTask<SnapshotDetails> DescribeAsync(
        string snapshotId, CancellationToken cancellationToken = default) => ReadAsync(
        snapshotId,
        static (coordinator, id, stop) => coordinator.Snapshots.DescribeAsync(id, stop),
        static (snapshots, id, stop) => snapshots.DescribeAsync(id, stop),
        cancellationToken);

    public ValueTask<OperationDescription> VerifyAsync(
        string snapshotId,
        VerificationKind kind = VerificationKind.Checksums,
        CancellationToken cancellationToken = default) => ReadAsync(
        (Id: snapshotId, Kind: kind, Operations: _operations),
        static async (coordinator, what, stop) =>
        {
            await coordinator.Snapshots.Repository.ReadManifestAsync(SnapshotId.Parse(what.Id), stop);
            return coordinator.Verify(what.Id, what.Kind);
        },
        static async (snapshots, what, stop) =>
        {
            SnapshotManifest manifest = await snapshots.FindAsync(what.Id, stop);
            return what.Operations.Start(
                OperationKind.Verify,
                $"snapshot {what.Id}",
                exclusive: true,
                async (operation, stop) => operation.Describe() with
                {
                    Verified = await snapshots.VerifyAsync(manifest, what.Kind, operation, stop),
                });
        },
        cancellationToken);

    public ValueTask<SnapshotPin> PinAsync(
        string snapshotId,
        string reason,
        string createdBy,
        DateTimeOffset? expiresAt = null,
        CancellationToken cancellationToken = default) => RunAsync(
        (snapshotId, reason, createdBy, expiresAt),
        static (coordinator, what, stop) => coordinator.Snapshots.PinAsync(
            what.snapshotId, what.reason, what.createdBy, what.expiresAt, stop),
        cancellationToken);

    public ValueTask<bool> UnpinAsync(
        string pinId, string requestedBy, bool force = false, CancellationToken cancellationToken = default)
        => RunAsync(
        (pinId, requestedBy, force),
        static (coordinator, what, stop) => coordinator.Snapshots.Repository.UnpinAsync(
            what.pinId, what.requestedBy, what.force, stop),
        cancellationToken);

    public async ValueTask DeleteAsync(
        string snapshotId, bool force = false, CancellationToken cancellationToken = default) => await RunAsync(
        (snapshotId, force),
        static async (coordinator, what, stop) =>
        {
            await coordinator.Snapshots.Repository.RetireAsync(
                coordinator.Snapshots.Tenure, SnapshotId.Parse(what.snapshotId), what.force, stop);
            return true;
        },
        cancellationToken);

    public ValueTask<OperationDescription> CopyAsync(
        string snapshotId, string targetDirectory, CancellationToken cancellationToken = default) => RunAsync(
        (snapshotId, targetDirectory),
        static async (coordinator, what, stop) =>
        {
            GrainFailure.ThrowIfMissing(what.targetDirectory, "The target directory");
            await coordinator.Snapshots.Repository.ReadManifestAsync(SnapshotId.Parse(what.snapshotId), stop);
            return coordinator.Copy(what.snapshotId, what.targetDirectory);
        },
        cancellationToken);

    public ValueTask<OperationDescription> RestoreAsync(
        RestoreRequest request, CancellationToken cancellationToken = default) =>
        request is not null && SnapshotRestores.NeedsNoDatabase(request)
            ? _calls.RunAsync(
                (Grain: this, Request: request),
                static (_, what, stop) => what.Grain.RestoreFromElsewhereAsync(what.Request, stop),
                cancellationToken)
            : RunAsync(
                request,
                static (coordinator, request, _) =>
                {
                    GrainFailure.ThrowIfMissing(request, "The request");
                    return Task.FromResult(coordinator.Restore(request));
                },
                cancellationToken,
                looksOnly: request is { DryRun: true });

    /// <summary>A new database from other shared storage: nothing of it is here before.</summary>
    private async ValueTask<OperationDescription> RestoreFromElsewhereAsync(
        RestoreRequest request, CancellationToken cancellationToken)
    {
        DataRoot root = node.Storage.Root;
        if (!node.Databases.IsShared)
        {
            // Placement may be out of date; a second database of this name must not come to be.
            await new StoreCalls(node, request.IntoDatabase!, BranchKey.Main, DeactivateOnIdle)
                .ThrowIfElsewhereAsync(cancellationToken);
        }

        return _operations.Start(
            OperationKind.Restore,
            $"database '{request.FromDatabase ?? Database}' of '{request.FromDirectory}' as database " +
            $"'{request.IntoDatabase}'",
            exclusive: true,
            async (operation, stop) =>
            {
                RestoreOutcome outcome = await new SnapshotRestores(root, Database, database: null).RestoreAsync(
                    request, operation, DatabaseSnapshots.ProgressOf(operation), stop);
                return operation.Describe() with { Restored = outcome };
            });
    }

    public ValueTask<SnapshotStatus> GetStatusAsync(CancellationToken cancellationToken = default) => RunAsync(
        0, static (coordinator, _, stop) => coordinator.GetStatusAsync(stop), cancellationToken, looksOnly: true);

    public ValueTask<SnapshotPolicy> SetPolicyAsync(
        SnapshotPolicy policy, CancellationToken cancellationToken = default) => RunAsync(
        policy, static (coordinator, policy, stop) => coordinator.SetPolicyAsync(policy, stop), cancellationToken);

    public ValueTask<OperationDescription> CollectGarbageAsync(
        bool dryRun = false, CancellationToken cancellationToken = default) => RunAsync(
        dryRun,
        static (coordinator, dryRun, _) => Task.FromResult(coordinator.Collect(dryRun)),
        cancellationToken,
        looksOnly: dryRun);

    public ValueTask<IReadOnlyList<SnapshotRun>> GetHistoryAsync(CancellationToken cancellationToken = default) =>
        RunAsync(
            0, static (coordinator, _, stop) => coordinator.GetHistoryAsync(stop), cancellationToken, looksOnly: true);

    public async ValueTask WakeAsync(CancellationToken cancellationToken = default) =>
        await RunAsync(0, static (_, _, _) => Task.FromResult(true), cancellationToken);

    public async ValueTask<OperationDescription> GetOperationAsync(
        string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default)
        => await _operations.GetAsync(operationId, waitAtMost, cancellationToken);

    public ValueTask<OperationDescription> CancelOperationAsync(
        string operationId, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(_operations.Cancel(operationId));

    public ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(
        CancellationToken cancellationToken = default) => ValueTask.FromResult(_operations.List());

    private ValueTask<TAnswer> RunAsync<TArgument, TAnswer>(
        TArgument argument,
        Func<SnapshotCoordinator, TArgument, CancellationToken, Task<TAnswer>> call,
        CancellationToken cancellationToken,
        bool looksOnly = false)
        => _calls.RunAsync(
            (Grain: this, Argument: argument, Call: call, LooksOnly: looksOnly),
            static async (_, what, stop) =>
            {
                if (what.LooksOnly)
                {
                    what.Grain.ThrowIfOnlyHere();
                }

                SnapshotCoordinator coordinator = await what.Grain.CoordinatorAsync(stop);
                // Shared storage may be slow to answer, so nothing of it happens on the turn.
                return await Task.Run(() => what.Call(coordinator, what.Argument, stop), stop);
            },
            cancellationToken);

    /// <summary>As <see cref="RunAsync"/>; when the database cannot be taken, what only reads shared storage is
    /// answered all the same, so that a person can see what there is to restore.</summary>
    private async ValueTask<TAnswer> ReadAsync<TArgument, TAnswer>(
        TArgument argument,
        Func<SnapshotCoordinator, TArgument, CancellationToken, Task<TAnswer>> owned,
        Func<UnownedSnapshots, TArgument, CancellationToken, Task<TAnswer>> unowned,
        CancellationToken cancellationToken)
    {
        BranchingException notTaken;
        try
        {
            return await RunAsync(argument, owned, cancellationToken, looksOnly: true);
        }
        catch (BranchingException e) when (UnownedSnapshots.MayAnswerAfter(e))
        {
            notTaken = e;
        }

        try
        {
            return await _calls.RunAsync(
                (Grain: this, Argument: argument, Call: unowned),
                static async (_, what, stop) => await Task.Run(
                    async () => await what.Call(
                        await UnownedSnapshots.OpenAsync(what.Grain.Node, what.Grain.Database, stop),
                        what.Argument,
                        stop),
                    stop),
                cancellationToken);
        }
        catch (BranchingException e) when (e.Kind is not FailureKind.SnapshotNotFound)
        {
            throw notTaken; // It says why the database is not served, which is what has to be mended.
        }
    }

    private async ValueTask<SnapshotCoordinator> CoordinatorAsync(CancellationToken cancellationToken)
    {
        if (!node.Databases.IsShared)
        {
            throw new StorageException(
                Storage.FailureKind.NotSupported,
                $"Node {node.Silo.Name} has no shared storage, so database '{Database}' has no snapshots. Set " +
                $"Branching:SharedStorage:Directory on all nodes.");
        }

        DatabaseSnapshots snapshots = await node.Databases.GetSnapshotsAsync(
            DatabaseName.Parse(Database), cancellationToken);
        if (_coordinator is null || !ReferenceEquals(_coordinator.Snapshots, snapshots))
        {
            _coordinator = new SnapshotCoordinator(
                snapshots, snapshots.OpenHistory(), _operations, node.Databases, schedule.Value, node.Silo.Name, time,
                node.Logger);
        }

        return _coordinator;
    }

    private void ThrowIfOnlyHere() => node.Databases.ThrowIfOnlyHere(DatabaseName.Parse(Database));

    private Task TickAsync(CancellationToken cancellationToken)
    {
        if (_coordinator is not { } coordinator)
        {
            return Task.CompletedTask;
        }

        if (coordinator.Snapshots.Tenure.Ended.IsCancellationRequested)
        {
            // The database went to another node, and so does its coordinator; those who wait for what it did last may
            // still ask for a moment.
            _endedAt ??= time.GetTimestamp();
            if (time.GetElapsedTime(_endedAt.Value) > Operations.MaxWait || _operations.List().Count == 0)
            {
                DeactivateOnIdle();
            }

            return Task.CompletedTask;
        }

        _endedAt = null;

        return Task.Run(() => coordinator.TickAsync(cancellationToken), cancellationToken);
    }
}
