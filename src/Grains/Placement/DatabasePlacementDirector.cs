using Branching.Storage;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Placement;

namespace Branching.Grains;

/// <summary>
/// Places database and branch grains on the node whose disk holds the database; when no node does, where a new one
/// would be best.
/// </summary>
/// <remarks>
/// A wrong choice is harmless: a grain on a node without its database refuses every call, tells transient causes from
/// lasting ones, and leaves, so that the next call is placed anew (<see cref="StoreCalls"/>). So the director asks
/// once, waits for nobody long, and never fails a call because one node is silent.
/// </remarks>
internal sealed class DatabasePlacementDirector(
    DatabaseLocator locator,
    NodeDatabases here,
    ILocalSiloDetails local,
    Instruments instruments,
    ILogger<DatabasePlacementDirector> logger) : IPlacementDirector
{
    public async Task<SiloAddress> OnAddActivation(
        PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] silos = context.GetCompatibleSilos(target);
        string key = target.GrainIdentity.Key.ToString() ?? "";
        string database = BranchKey.TryParse(key, out BranchKey branch) ? branch.Database : key;
        if (silos.Length == 1)
        {
            return Placed(database, silos[0], "only-node");
        }

        if (!DatabaseName.TryParse(database, out _, out _))
        {
            // No such database can exist; any node can say so.
            return Placed("", silos[0], "no-name");
        }

        NodeAnswer[] answers = await AskAsync(database, silos);
        if (DatabasePlacementRule.Holder(answers) is { } holder)
        {
            WarnOfTwins(database, answers);
            return Placed(database, holder.Silo, "holder");
        }

        return Placed(database, DatabasePlacementRule.LeastLoaded(database, answers).Silo, "least-loaded");
    }

    private async Task<NodeAnswer[]> AskAsync(string database, SiloAddress[] silos)
    {
        SiloAddress[] others = [.. silos.Where(silo => !silo.Equals(local.SiloAddress))];
        NodeAnswer[] answers = await locator.AskAsync(database, others, CancellationToken.None);
        // This node's own answer needs no call, so one node alone never waits.
        return others.Length == silos.Length ? answers : [.. answers, AskHere(database)];
    }

    private NodeAnswer AskHere(string database)
    {
        try
        {
            return here.Answer(database);
        }
        catch (StorageException e)
        {
            logger.NodeSilent(local.Name, database, e.Message);
            return new NodeAnswer(local.SiloAddress, local.Name, Holds: null);
        }
    }

    private SiloAddress Placed(string database, SiloAddress silo, string reason)
    {
        instruments.Placed(reason);
        logger.DatabasePlaced(database, silo.ToString(), reason);
        return silo;
    }

    private void WarnOfTwins(string database, NodeAnswer[] answers)
    {
        string[] holders = [.. answers.Where(answer => answer.Holds == true).Select(answer => answer.Name)];
        // With shared storage several nodes may have copies; the newest epoch says which of them counts.
        if (holders.Length > 1 && answers.All(answer => answer.Epoch == 0))
        {
            Array.Sort(holders, StringComparer.Ordinal);
            logger.DatabaseHeldTwice(database, string.Join(", ", holders));
        }
    }
}
