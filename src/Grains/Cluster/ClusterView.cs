using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>A node as the coordinator sees it.</summary>
/// <param name="Member">What membership says.</param>
/// <param name="Description">What the node says of itself; null when it did not answer.</param>
internal sealed record NodeView(ClusterMember Member, NodeDescription? Description);

/// <summary>Asks all nodes of the cluster at once; one that does not answer in time is silent.</summary>
internal sealed class ClusterView(
    IGrainFactory grains,
    IClusterMembershipService membership,
    IOptions<ServingOptions> serving,
    TimeProvider time,
    ILogger<ClusterView> logger)
{
    /// <summary>How long one question for the state of a takeover or release waits for its end.</summary>
    public static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    // A node that does not answer so often in a row is not asked any more.
    private const int MostSilences = 3;

    public ClusterMembershipSnapshot Members => membership.CurrentSnapshot;

    public INodeGrain NodeOf(SiloAddress silo) => grains.GetGrain<INodeGrain>(silo.ToParsableString());

    public bool IsActive(SiloAddress silo) => Members.GetSiloStatus(silo) == SiloStatus.Active;

    /// <summary>All members that are not dead; the active ones with what they say of themselves.</summary>
    public async Task<IReadOnlyList<NodeView>> AskNodesAsync(CancellationToken cancellationToken)
    {
        IEnumerable<ClusterMember> living = Members.Members.Values.Where(member => member.Status != SiloStatus.Dead);
        return await Task.WhenAll(living.Select(async member => new NodeView(
            member,
            member.Status == SiloStatus.Active ? await DescribeAsync(member.SiloAddress, cancellationToken) : null)));
    }

    /// <summary>What the active nodes' disks say of a database.</summary>
    public async Task<NodeAnswer[]> LookAsync(string database, CancellationToken cancellationToken)
    {
        IEnumerable<ClusterMember> active = Members.Members.Values.Where(one => one.Status == SiloStatus.Active);
        return await Task.WhenAll(active.Select(member => LookAsync(database, member, cancellationToken)));
    }

    /// <summary>Waits for an answer no longer than a node may take.</summary>
    public Task<TAnswer> WithinAsync<TAnswer>(
        ValueTask<TAnswer> call, TimeSpan more, CancellationToken cancellationToken)
        => call.AsTask().WaitAsync(serving.Value.NodeAnswerTimeout + more, time, cancellationToken);

    /// <summary>Asks a node again and again, until what it does has ended or it does not answer any more.</summary>
    /// <param name="node">The node.</param>
    /// <param name="ask">Asks once; waits at most <see cref="Poll"/> there.</param>
    /// <param name="isRunning">Whether an answer says that it goes on; may also tell others of it.</param>
    /// <param name="silent">The answer in place of the node's; given why it did not answer.</param>
    public async Task<TStatus> AskUntilEndedAsync<TStatus>(
        NodeAnswer node,
        Func<INodeGrain, Task<TStatus>> ask,
        Func<TStatus, bool> isRunning,
        Func<string, TStatus> silent)
    {
        for (int silences = 0; ;)
        {
            try
            {
                TStatus status = await ask(NodeOf(node.Silo));
                if (!isRunning(status))
                {
                    return status;
                }

                silences = 0;
            }
            catch (Exception e) when (IsSilence(e))
            {
                if (++silences >= MostSilences || !IsActive(node.Silo))
                {
                    return silent($"Node {node.Name} did not answer: {e.Message}");
                }
            }
        }
    }

    /// <summary>Has a node take a database and waits for the end of that, or of the node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="database">The database's name.</param>
    /// <param name="reason">Why, for the record.</param>
    /// <param name="running">Told how far it is.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<TakeoverStatus> TakeAsync(
        NodeAnswer node, string database, string reason, Action<TakeoverStatus> running,
        CancellationToken cancellationToken)
    {
        TakeDatabaseRequest request = new(database, reason, Guid.NewGuid().ToString("N"), Poll);
        return AskUntilEndedAsync(
            node,
            grain => WithinAsync(grain.TakeDatabaseAsync(request, cancellationToken), Poll, cancellationToken),
            status =>
            {
                bool goesOn = status.State == OperationState.Running;
                if (goesOn)
                {
                    running(status);
                }

                return goesOn;
            },
            problem => new TakeoverStatus(
                OperationState.Failed, "asking", Failure: FailureKind.Closed, IsTransient: true, Problem: problem));
    }

    /// <summary>Whether a failure only says that a node did not answer.</summary>
    public static bool IsSilence(Exception e) => e is TimeoutException or OrleansException or BranchingException;

    private async Task<NodeAnswer> LookAsync(string database, ClusterMember member, CancellationToken cancellationToken)
    {
        try
        {
            DatabaseHolding said = await WithinAsync(
                NodeOf(member.SiloAddress).LookAtDatabaseAsync(database, cancellationToken), default,
                cancellationToken);
            return NodeAnswer.Of(member.SiloAddress, member.Name, said);
        }
        catch (Exception e) when (IsSilence(e))
        {
            logger.NodeSilent(member.Name, database, e.Message);
            return new NodeAnswer(member.SiloAddress, member.Name, Holds: null);
        }
    }

    private async Task<NodeDescription?> DescribeAsync(SiloAddress silo, CancellationToken cancellationToken)
    {
        try
        {
            return await WithinAsync(NodeOf(silo).DescribeAsync(cancellationToken), default, cancellationToken);
        }
        catch (Exception e) when (IsSilence(e))
        {
            // It died after membership named it; the list is of those that live.
            logger.NodeLeftOut(silo.ToString(), e.Message);
            return null;
        }
    }
}
