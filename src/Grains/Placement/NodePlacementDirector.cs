using Orleans.Runtime.Placement;

namespace Branching.Grains;

/// <summary>Pins a node grain to its silo. A silo that is gone has no node grain: the call fails, it is not
/// moved.</summary>
internal sealed class NodePlacementDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(
        PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        string key = target.GrainIdentity.Key.ToString() ?? "";
        foreach (SiloAddress silo in context.GetCompatibleSilos(target))
        {
            if (silo.ToParsableString() == key)
            {
                return Task.FromResult(silo);
            }
        }

        throw new SiloUnavailableException($"Node {key} is not a live node of the cluster.");
    }
}
