using Branching.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>Asks the nodes of the cluster which of them holds a database on its disk.</summary>
/// <remarks>
/// Disks are the only truth about where a database lives: there is no table of locations that could be lost, grow
/// stale or disagree with them (docs/adr/0003-placement.md).
/// </remarks>
internal sealed class DatabaseLocator(
    IGrainFactory grains,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    IOptions<ServingOptions> options,
    TimeProvider time,
    ILogger<DatabaseLocator> logger)
{
    /// <summary>Asks the given silos, none of which is this one, all at once.</summary>
    public async Task<NodeAnswer[]> AskAsync(
        string database, IReadOnlyCollection<SiloAddress> silos, CancellationToken cancellationToken)
    {
        ClusterMembershipSnapshot members = membership.CurrentSnapshot;
        return await Task.WhenAll(
            silos.Select(silo => AskAsync(database, silo, NameOf(members, silo), cancellationToken)));
    }

    /// <summary>
    /// Asks every other node that may hold the database, those included that are joining or leaving and cannot answer.
    /// </summary>
    public async Task<NodeAnswer[]> AskOthersAsync(string database, CancellationToken cancellationToken)
    {
        List<Task<NodeAnswer>> answers = [];
        foreach (ClusterMember member in membership.CurrentSnapshot.Members.Values)
        {
            if (member.SiloAddress.Equals(local.SiloAddress))
            {
                continue;
            }

            switch (member.Status)
            {
                case SiloStatus.Active:
                    answers.Add(AskAsync(database, member.SiloAddress, member.Name, cancellationToken));
                    break;
                case SiloStatus.Joining or SiloStatus.ShuttingDown or SiloStatus.Stopping:
                    answers.Add(Task.FromResult(new NodeAnswer(member.SiloAddress, member.Name, Holds: null)));
                    break;
                default:
                    // Created: has no data root open and is not serving. Dead: what it holds is out of reach.
                    break;
            }
        }

        return await Task.WhenAll(answers);
    }

    private async Task<NodeAnswer> AskAsync(
        string database, SiloAddress silo, string name, CancellationToken cancellationToken)
    {
        try
        {
            DatabaseHolding said = await NodeOf(silo).LookAtDatabaseAsync(database, cancellationToken).AsTask()
                .WaitAsync(options.Value.NodeAnswerTimeout, time, cancellationToken);
            return NodeAnswer.Of(silo, name, said);
        }
        catch (Exception e) when (IsSilence(e))
        {
            logger.NodeSilent(silo.ToString(), database, e.Message);
            return new NodeAnswer(silo, name, Holds: null);
        }
    }

    private INodeGrain NodeOf(SiloAddress silo) => grains.GetGrain<INodeGrain>(silo.ToParsableString());

    private static string NameOf(ClusterMembershipSnapshot members, SiloAddress silo) =>
        members.Members.TryGetValue(silo, out ClusterMember? member) ? member.Name : silo.ToParsableString();

    // A node that is dying answers in many ways; all of them mean that it did not answer.
    private static bool IsSilence(Exception e) =>
        e is TimeoutException or OrleansException or BranchingException or StorageException or IOException;
}
