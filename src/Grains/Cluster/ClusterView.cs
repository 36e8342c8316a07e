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

    /// <summary>Whether a failure only says that a node did not answer.</summary>
    public static bool IsSilence(Exception e) => e is TimeoutException or OrleansException or BranchingException;

    private async Task<NodeAnswer> LookAsync(string database, ClusterMember member, CancellationToken cancellationToken)
    {
        try
        {
            DatabaseHolding said = await WithinAsync(
                NodeOf(member.SiloAddress).LookAtDatabaseAsync(database, cancellationToken), default,
                cancellationToken);
            return new NodeAnswer(
                member.SiloAddress, member.Name, said.Holds, said.Databases, said.Epoch, said.Owned, said.TakingOver);
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
