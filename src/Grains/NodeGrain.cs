using Branching.Storage;

namespace Branching.Grains;

/// <summary>What a node's disk holds.</summary>
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
        DataRootStatistics statistics = await Task.Run(root.GetStatistics, cancellationToken);
        return new NodeDescription(
            node.Silo.Name,
            node.Silo.SiloAddress.ToParsableString(),
            root.Directory,
            root.ListDatabases().Select(name => name.Value).ToArray(),
            statistics.OpenStores,
            root.Options.MaxOpenStores,
            statistics.FreeBytes,
            RocksDb.RocksDbLibrary.NativeVersion.ToString());
    }

    public ValueTask<DatabaseHolding> LookAtDatabaseAsync(
        string database, CancellationToken cancellationToken = default)
    {
        DataRoot root = OwnRoot();
        bool holds = DatabaseName.TryParse(database, out DatabaseName name, out _) && root.Contains(name);
        return ValueTask.FromResult(new DatabaseHolding(holds, 0, holds, Databases: root.ListDatabases().Count));
    }

    public ValueTask<IReadOnlyList<QuarantineDescription>> ListQuarantineAsync(
        CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<TakeoverStatus> TakeDatabaseAsync(
        TakeDatabaseRequest request, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<ReleaseStatus> ReleaseDatabaseAsync(
        ReleaseDatabaseRequest request, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask CancelReleaseAsync(string database, string moveId, CancellationToken cancellationToken = default)
        => throw NotSupported();

    private BranchingException NotSupported() => new(
        FailureKind.NotSupported,
        $"Node {node.Silo.Name} has no shared storage, so databases neither move nor survive it. Set " +
        $"Branching:SharedStorage:Directory on all nodes.");

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
}
