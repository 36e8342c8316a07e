using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.Storage;
using Branching.Storage.Ownership;

namespace Branching.Grains;

/// <summary>Sees the cluster as a whole, opens what lost its node, and moves databases by plan.</summary>
/// <remarks>
/// Keeps nothing that matters: what it says is asked from the nodes and from shared storage, so that it can be lost
/// with its silo at any time. The watchers of the nodes bring it back.
/// </remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "What it owns ends with its deactivation.")]
internal sealed class ClusterCoordinatorGrain(
    ServingNode node, ClusterView view, Failovers failovers, Moves moves, TimeProvider time)
    : Grain, IClusterCoordinatorGrain
{
    // Describing a database opens its main store; more at once would only wait for the disk.
    private const int DescribedAtOnce = 32;

    private readonly ConcurrentDictionary<string, string> _moving = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private Operations _operations = null!;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _operations = new Operations(time, node.Logger.UnforeseenFailure);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _operations.DisposeAsync();
    }

    public async ValueTask<IReadOnlyList<NodeDescription>> ListNodesAsync(CancellationToken cancellationToken = default)
        => (await view.AskNodesAsync(cancellationToken)).Select(one => one.Description).OfType<NodeDescription>()
            .OrderBy(one => one.Name, StringComparer.Ordinal).ToArray();

    public async ValueTask<IReadOnlyList<DatabaseDescription>> ListDatabasesAsync(
        CancellationToken cancellationToken = default)
    {
        IReadOnlyList<NodeView> nodes = await view.AskNodesAsync(cancellationToken);
        // With shared storage asking for a database brings it up, and a list must not do that.
        HashSet<string> served = [.. nodes.SelectMany(one => one.Description is { SharedStorage: null } alone
            ? alone.Databases
            : one.Description?.Owned ?? [])];
        List<DatabaseDescription> databases = [];
        foreach (string[] some in served.Chunk(DescribedAtOnce))
        {
            DatabaseDescription?[] answers =
                await Task.WhenAll(some.Select(name => DescribeAsync(name, cancellationToken)));
            databases.AddRange(answers.OfType<DatabaseDescription>());
        }

        if (node.Databases.IsShared)
        {
            databases.AddRange(await DescribeOthersAsync(nodes, databases, cancellationToken));
        }

        return databases.OrderBy(one => one.Name, StringComparer.Ordinal).ToArray();
    }

    public async ValueTask<IReadOnlyList<FailoverRecord>> ListFailoversAsync(
        string? database = null, CancellationToken cancellationToken = default)
    {
        if (!node.Databases.IsShared)
        {
            return [];
        }

        IReadOnlyList<FailoverRecord> all = await OnStorageAsync(
            () => Task.Run(() => failovers.Records.ListAsync(cancellationToken), cancellationToken));
        return database is null ? all : all.Where(record => record.Database == database).ToArray();
    }

    public async ValueTask<OperationDescription> MoveDatabaseAsync(
        string database, string node, CancellationToken cancellationToken = default)
    {
        ThrowIfNotShared();
        await ThrowIfUnknownAsync(database, cancellationToken);
        NodeAnswer[] answers = await view.LookAsync(database, cancellationToken);
        Moves.FindNode(answers, node);
        return Start(OperationKind.Move, $"database '{database}' to node {node}", async (operation, stop) =>
            new[] { await MoveAsync(database, node, operation, stop) });
    }

    public async ValueTask<OperationDescription> DrainNodeAsync(
        string node, CancellationToken cancellationToken = default)
    {
        ThrowIfNotShared();
        IReadOnlyList<NodeDescription> nodes = await ListNodesAsync(cancellationToken);
        if (!nodes.Any(one => one.Name == node) || nodes.Count < 2)
        {
            throw new BranchingException(
                FailureKind.InvalidArgument,
                $"Node '{node}' cannot be drained: it and another one must live. The live nodes are: " +
                $"{string.Join(", ", nodes.Select(one => one.Name))}.");
        }

        return Start(OperationKind.Drain, $"node {node}", (operation, stop) => DrainAsync(node, operation, stop));
    }

    public ValueTask WatchAsync(CancellationToken cancellationToken = default)
    {
        if (!node.Databases.IsShared)
        {
            return ValueTask.CompletedTask;
        }

        // Asking all nodes and reading shared storage may take long; the node that reminds must not wait for it.
        _ = Task.Run(
            async () =>
            {
                try
                {
                    await failovers.LookAsync(_stop.Token);
                }
                catch (OperationCanceledException)
                {
                    // The grain is leaving.
                }
                catch (Exception e)
                {
                    node.Logger.UnforeseenFailure(e, "the cluster's coordinator");
                }
            },
            CancellationToken.None);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<OperationDescription> GetOperationAsync(
        string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default)
        => await _operations.GetAsync(operationId, waitAtMost, cancellationToken);

    public ValueTask<OperationDescription> CancelOperationAsync(
        string operationId, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(_operations.Cancel(operationId));

    public ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(
        CancellationToken cancellationToken = default) => ValueTask.FromResult(_operations.List());

    private OperationDescription Start(
        OperationKind kind, string target, Func<Operation, CancellationToken, Task<IReadOnlyList<MoveOutcome>>> run)
        => _operations.Start(kind, target, exclusive: false, async (operation, stop) =>
        {
            IReadOnlyList<MoveOutcome> moved = await run(operation, stop);
            string[] problems = [.. moved.Where(one => !one.Succeeded)
                .Select(one => $"Database '{one.Database}' was not moved: {one.Problem}")];
            OperationDescription last = operation.Describe() with { Moved = moved };
            return problems.Length == 0
                ? last
                : last with
                {
                    State = stop.IsCancellationRequested ? OperationState.Cancelled : OperationState.Failed,
                    Failure = FailureKind.Io,
                    Message = string.Join(" ", problems),
                };
        });

    private async Task<MoveOutcome> MoveAsync(
        string database, string target, Operation operation, CancellationToken cancellationToken)
    {
        if (!_moving.TryAdd(database, target))
        {
            throw new BranchingException(
                FailureKind.Overloaded, $"Database '{database}' is being moved already. Wait for that.",
                isTransient: true);
        }

        try
        {
            return await moves.MoveAsync(
                database, target, (phase, bytes) => operation.Report(phase, bytesDone: bytes), cancellationToken);
        }
        finally
        {
            _moving.TryRemove(database, out _);
        }
    }

    private async Task<IReadOnlyList<MoveOutcome>> DrainAsync(
        string source, Operation operation, CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeView> nodes = await view.AskNodesAsync(cancellationToken);
        string[] names = [.. nodes.Where(one => one.Member.Name == source)
            .SelectMany(one => one.Description?.Owned ?? [])];
        List<MoveOutcome> moved = [];
        foreach (string name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            NodeAnswer[] others = [.. (await view.LookAsync(name, cancellationToken))
                .Where(answer => answer.Name != source && answer.Holds is not null)];
            operation.Report($"moving '{name}' ({moved.Count + 1} of {names.Length})");
            moved.Add(await MoveAsync(
                name, DatabasePlacementRule.LeastLoaded(name, others).Name, operation, cancellationToken));
        }

        return moved;
    }

    private async Task<IReadOnlyList<DatabaseDescription>> DescribeOthersAsync(
        IReadOnlyList<NodeView> nodes, IReadOnlyList<DatabaseDescription> served, CancellationToken cancellationToken)
    {
        HashSet<string> known = [.. served.Select(one => one.Name)];
        IReadOnlyList<SharedDatabase> others;
        try
        {
            others = await Task.Run(
                () => failovers.Shared.ListAsync(known, cancellationToken), cancellationToken);
        }
        catch (StorageException e)
        {
            // What is served is known all the same.
            node.Logger.NotLooked(e.Message);
            return [];
        }

        List<DatabaseDescription> described = [];
        foreach (SharedDatabase[] some in others.Chunk(DescribedAtOnce))
        {
            SharedHoldings[] holdings = await Task.WhenAll(some.Select(one => Task.Run(
                () => failovers.Shared.LookInsideAsync(one, cancellationToken), cancellationToken)));
            described.AddRange(some.Zip(holdings, (one, holds) => Describe(one, holds, nodes)));
        }

        return described;
    }

    private DatabaseDescription Describe(
        SharedDatabase database, SharedHoldings holdings, IReadOnlyList<NodeView> nodes)
    {
        string name = database.Life.Name.Value;
        OwnershipStatus ownership = database.Ownership;
        FailoverRecord? failover = failovers.Records.Known().FirstOrDefault(
            record => record.Database == name && record.State != FailoverState.Done);
        DatabaseState state = _moving.ContainsKey(name) ? DatabaseState.Moving
            : failover?.State switch
            {
                FailoverState.Held => DatabaseState.Held,
                FailoverState.Failed => DatabaseState.Failed,
                FailoverState.Running => DatabaseState.TakingOver,
                _ when ownership.Owner is null || ownership.Released => DatabaseState.AtRest,
                _ when Failovers.HasLostItsOwner(ownership, nodes) => DatabaseState.Unreachable,
                _ => DatabaseState.TakingOver,
            };
        return new DatabaseDescription(
            name,
            database.Life.Id.ToString(),
            ownership.Newest.Value,
            database.Life.CreatedAt,
            database.Life.CreatedBy,
            state == DatabaseState.AtRest ? "" : ownership.Owner?.NodeName ?? "",
            holdings.Branches,
            holdings.Sequence,
            state,
            LastSnapshotAt: holdings.LastSnapshotAt,
            Problem: failover?.Problem ?? StaleCopyOf(name, nodes));
    }

    private static string? StaleCopyOf(string database, IReadOnlyList<NodeView> nodes)
    {
        string[] holders = [.. nodes
            .Where(one => one.Description?.Stale?.Contains(database, StringComparer.Ordinal) == true)
            .Select(one => one.Member.Name).Order(StringComparer.Ordinal)];
        return holders.Length == 0
            ? null
            : $"No snapshot of it has arrived, and the copy on node {string.Join(", ", holders)} is of an earlier " +
                "epoch: it is not served and left where it is.";
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

    private async Task ThrowIfUnknownAsync(string database, CancellationToken cancellationToken)
    {
        SharedDatabase? found = await OnStorageAsync(() => Task.Run(
            () => failovers.Shared.FindAsync(DatabaseName.Parse(database), cancellationToken), cancellationToken));
        if (found is null)
        {
            throw new BranchingException(
                FailureKind.DatabaseNotFound, $"There is no database '{database}' on shared storage.");
        }

        if (_moving.TryGetValue(database, out string? target))
        {
            throw new BranchingException(
                FailureKind.Overloaded, $"Database '{database}' is being moved to node {target}. Wait for that.",
                isTransient: true);
        }
    }

    private void ThrowIfNotShared()
    {
        if (!node.Databases.IsShared)
        {
            throw new BranchingException(
                FailureKind.NotSupported,
                $"Node {node.Silo.Name} has no shared storage, so databases do not move. Set " +
                $"Branching:SharedStorage:Directory on all nodes.");
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
