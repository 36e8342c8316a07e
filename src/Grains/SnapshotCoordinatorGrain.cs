namespace Branching.Grains;

/// <summary>The snapshots of one database, on the node that owns it.</summary>
[PlacedWithDatabase]
internal sealed class SnapshotCoordinatorGrain(ServingNode node) : Grain, ISnapshotCoordinatorGrain
{
    public ValueTask<OperationDescription> TakeAsync(
        TakeSnapshotRequest request, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<IReadOnlyList<SnapshotDescription>> ListAsync(
        string? branch = null, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<SnapshotDetails> DescribeAsync(
        string snapshotId, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<OperationDescription> VerifyAsync(
        string snapshotId,
        VerificationKind kind = VerificationKind.Checksums,
        CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<SnapshotPin> PinAsync(
        string snapshotId,
        string reason,
        string createdBy,
        DateTimeOffset? expiresAt = null,
        CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<bool> UnpinAsync(
        string pinId, string requestedBy, bool force = false, CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask DeleteAsync(
        string snapshotId, bool force = false, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<OperationDescription> CopyAsync(
        string snapshotId, string targetDirectory, CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask<OperationDescription> RestoreAsync(
        RestoreRequest request, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<SnapshotStatus> GetStatusAsync(CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask<SnapshotPolicy> SetPolicyAsync(
        SnapshotPolicy policy, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<OperationDescription> CollectGarbageAsync(
        bool dryRun = false, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<IReadOnlyList<SnapshotRun>> GetHistoryAsync(CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask WakeAsync(CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<OperationDescription> GetOperationAsync(
        string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask<OperationDescription> CancelOperationAsync(
        string operationId, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(
        CancellationToken cancellationToken = default) => throw NotSupported();

    private BranchingException NotSupported()
    {
        DeactivateOnIdle();
        return new BranchingException(
            FailureKind.NotSupported,
            $"Node {node.Silo.Name} has no shared storage, so database '{this.GetPrimaryKeyString()}' has no " +
            $"snapshots. Set Branching:SharedStorage:Directory on all nodes.");
    }
}
