using Branching.Storage;

namespace Branching.Grains;

/// <summary>What a node's disk holds, and what it owns.</summary>
[PlacedOnNode]
internal sealed class NodeGrain(ServingNode node) : Grain, INodeGrain
{
    public ValueTask<bool> HoldsDatabaseAsync(string database, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(
            DatabaseName.TryParse(database, out DatabaseName name, out _) && OwnRoot().Contains(name));

    public async ValueTask<NodeDescription> DescribeAsync(CancellationToken cancellationToken = default)
    {
        DataRoot root = OwnRoot();
        // Asking the file system for its free space may touch the disk.
        (DataRootStatistics statistics, int quarantined) = await Task.Run(
            () => (root.GetStatistics(), root.ListQuarantine().Count), cancellationToken);
        return new NodeDescription(
            node.Silo.Name,
            node.Silo.SiloAddress.ToParsableString(),
            root.Directory,
            root.ListDatabases().Select(name => name.Value).ToArray(),
            statistics.OpenStores,
            root.Options.MaxOpenStores,
            statistics.FreeBytes,
            RocksDb.RocksDbLibrary.NativeVersion.ToString(),
            root.NodeId,
            node.Databases.ListOwned(),
            node.Storage.Sharing.Directory,
            node.Databases.SharedStorageProblem,
            node.Storage.Sharing.DirtyStore switch
            {
                DirtyStorePolicy.RestoreSnapshot => "restore-snapshot",
                DirtyStorePolicy.Fresh => "fresh",
                _ => "fail",
            },
            quarantined,
            root.Node.ProcessId,
            node.Databases.StartedAt,
            node.Databases.GetLag(),
            node.Databases.ListStale());
    }

    public async ValueTask<IReadOnlyList<OpenStoreDescription>> ListOpenStoresAsync(
        CancellationToken cancellationToken = default)
    {
        DataRoot root = OwnRoot();
        IReadOnlyList<OpenStore> open = await OnStorageAsync(
            () => Task.Run(root.ListOpenStores, cancellationToken));
        return open.Select(store => new OpenStoreDescription(
            store.Label,
            store.Directory,
            (StoreCondition)(int)store.Condition,
            store.References,
            store.Unused,
            store.Items.ToDictionary(StringComparer.Ordinal))).ToArray();
    }

    public ValueTask<DatabaseHolding> LookAtDatabaseAsync(
        string database, CancellationToken cancellationToken = default)
    {
        OwnRoot();
        return ValueTask.FromResult(node.Databases.Look(database));
    }

    public async ValueTask<IReadOnlyList<QuarantineDescription>> ListQuarantineAsync(
        CancellationToken cancellationToken = default)
    {
        DataRoot root = OwnRoot();
        IReadOnlyList<QuarantineEntry> entries = await OnStorageAsync(
            () => Task.Run(() => root.ListQuarantine(measured: true), cancellationToken));
        return entries.Select(Describe).ToArray();
    }

    public async ValueTask<QuarantineDescription> DeleteQuarantinedAsync(
        string quarantineId, CancellationToken cancellationToken = default)
    {
        DataRoot root = OwnRoot();
        return Describe(await OnStorageAsync(() => root.DeleteQuarantinedAsync(quarantineId, cancellationToken)));
    }

    public async ValueTask<TakeoverStatus> TakeDatabaseAsync(
        TakeDatabaseRequest request, CancellationToken cancellationToken = default)
    {
        ThrowIfNotShared();
        return await OnStorageAsync(() => node.Databases.TakeAsync(request, cancellationToken));
    }

    public async ValueTask<ReleaseStatus> ReleaseDatabaseAsync(
        ReleaseDatabaseRequest request, CancellationToken cancellationToken = default)
    {
        ThrowIfNotShared();
        return await OnStorageAsync(() => node.Databases.ReleaseAsync(request, cancellationToken));
    }

    public ValueTask CancelReleaseAsync(string database, string moveId, CancellationToken cancellationToken = default)
    {
        ThrowIfNotShared();
        node.Databases.CancelRelease(database, moveId);
        return ValueTask.CompletedTask;
    }

    private static QuarantineDescription Describe(QuarantineEntry entry) => new(
        entry.Database, entry.Path, entry.At, entry.Reason, entry.Epoch.Value, entry.Id, entry.From, entry.Bytes,
        entry.FreedBytes);

    private void ThrowIfNotShared()
    {
        OwnRoot();
        if (!node.Databases.IsShared)
        {
            throw new BranchingException(
                FailureKind.NotSupported,
                $"Node {node.Silo.Name} has no shared storage, so databases neither move nor survive it. Set " +
                $"Branching:SharedStorage:Directory on all nodes.");
        }
    }

    private DataRoot OwnRoot()
    {
        string key = this.GetPrimaryKeyString();
        if (key != node.Silo.SiloAddress.ToParsableString())
        {
            DeactivateOnIdle();
            throw new BranchingException(
                FailureKind.Closed,
                $"Node {key} is not a live node of the cluster; this is {node.Silo.Name}.",
                isTransient: true);
        }

        try
        {
            return node.Storage.Root;
        }
        catch (StorageException e)
        {
            throw GrainFailure.From(e);
        }
    }

    private static async Task<TAnswer> OnStorageAsync<TAnswer>(Func<Task<TAnswer>> call)
    {
        try
        {
            return await call();
        }
        catch (StorageException e)
        {
            throw GrainFailure.From(e);
        }
    }
}
