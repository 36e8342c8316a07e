namespace Branching.Grains;

/// <summary>Sees the cluster as a whole. Keeps nothing: what it says is asked from the nodes each time.</summary>
internal sealed class ClusterCoordinatorGrain(
    IClusterMembershipService membership, ServingNode node, TimeProvider time) : Grain, IClusterCoordinatorGrain
{
    // Describing a database opens its main store; more at once would only wait for the disk.
    private const int DescribedAtOnce = 32;

    public async ValueTask<IReadOnlyList<NodeDescription>> ListNodesAsync(CancellationToken cancellationToken = default)
    {
        IEnumerable<SiloAddress> live = membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active)
            .Select(member => member.SiloAddress);
        NodeDescription?[] answers = await Task.WhenAll(live.Select(silo => DescribeAsync(silo, cancellationToken)));
        return answers.OfType<NodeDescription>().OrderBy(answer => answer.Name, StringComparer.Ordinal).ToArray();
    }

    public async ValueTask<IReadOnlyList<DatabaseDescription>> ListDatabasesAsync(
        CancellationToken cancellationToken = default)
    {
        IReadOnlyList<NodeDescription> nodes = await ListNodesAsync(cancellationToken);
        string[] names = [.. nodes.SelectMany(answer => answer.Databases).Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)];
        List<DatabaseDescription> databases = [];
        foreach (string[] some in names.Chunk(DescribedAtOnce))
        {
            DatabaseDescription?[] answers =
                await Task.WhenAll(some.Select(name => DescribeAsync(name, cancellationToken)));
            databases.AddRange(answers.OfType<DatabaseDescription>());
        }

        return databases;
    }

    public ValueTask<IReadOnlyList<FailoverRecord>> ListFailoversAsync(
        string? database = null, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<IReadOnlyList<FailoverRecord>>([]);

    public ValueTask<OperationDescription> MoveDatabaseAsync(
        string database, string node, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<OperationDescription> DrainNodeAsync(string node, CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask WatchAsync(CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public ValueTask<OperationDescription> GetOperationAsync(
        string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default)
        => throw NotSupported();

    public ValueTask<OperationDescription> CancelOperationAsync(
        string operationId, CancellationToken cancellationToken = default) => throw NotSupported();

    public ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(
        CancellationToken cancellationToken = default)
        => ValueTask.FromResult<IReadOnlyList<OperationDescription>>([]);

    private BranchingException NotSupported() => new(
        FailureKind.NotSupported,
        $"Node {node.Silo.Name} has no shared storage, so databases do not move. Set " +
        $"Branching:SharedStorage:Directory on all nodes.");

    private async Task<NodeDescription?> DescribeAsync(SiloAddress silo, CancellationToken cancellationToken)
    {
        try
        {
            return await GrainFactory.GetGrain<INodeGrain>(silo.ToParsableString()).DescribeAsync(cancellationToken)
                .AsTask().WaitAsync(node.Options.NodeAnswerTimeout, time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OrleansException or BranchingException)
        {
            // It died after membership named it; the list is of those that live.
            node.Logger.NodeLeftOut(silo.ToString(), e.Message);
            return null;
        }
    }

    private async Task<DatabaseDescription?> DescribeAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await GrainFactory.GetDatabase(name).DescribeAsync(cancellationToken).AsTask()
                .WaitAsync(node.Options.ResponseTimeout, time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OrleansException or BranchingException)
        {
            // Dropped, or gone with its node, since the nodes were asked.
            node.Logger.DatabaseLeftOut(name, e.Message);
            return null;
        }
    }
}
