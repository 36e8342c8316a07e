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
