using System.Net;
using Branching.Storage;
using Branching.Storage.Ownership;

namespace Branching.Grains.Tests;

/// <summary>Which databases have lost their owner.</summary>
public sealed class FailoverRuleTests
{
    private static readonly OwnershipStatus _owned =
        new(new Epoch(3), new OwnerIdentity("n1", "node", "process"), Released: false, null);

    private static NodeView Node(string name, string? process, SiloStatus status = SiloStatus.Active) => new(
        new ClusterMember(SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 1000 + name[^1]), 1), status, name),
        process is null ? null : new NodeDescription(name, "", "", [], 0, 0, 0, "", ProcessId: process));

    [Fact]
    public void An_owner_whose_process_is_no_live_node_is_lost()
        => Assert.True(Failovers.HasLostItsOwner(_owned, [Node("n2", "other")]));

    [Fact]
    public void An_owner_that_lives_is_not_lost_whatever_it_is_called()
        => Assert.False(Failovers.HasLostItsOwner(_owned, [Node("renamed", "process")]));

    [Fact]
    public void A_node_of_that_name_with_another_process_is_the_owner_restarted_and_the_owner_is_lost()
        => Assert.True(Failovers.HasLostItsOwner(_owned, [Node("n1", "restarted")]));

    [Fact]
    public void A_node_of_that_name_that_is_silent_or_joining_is_waited_for()
    {
        Assert.False(Failovers.HasLostItsOwner(_owned, [Node("n1", null)]));
        Assert.False(Failovers.HasLostItsOwner(_owned, [Node("n1", null, SiloStatus.Joining)]));
    }

    [Fact]
    public void What_was_released_dropped_or_never_owned_has_no_owner_to_lose()
    {
        Assert.False(Failovers.HasLostItsOwner(_owned with { Released = true }, []));
        Assert.False(Failovers.HasLostItsOwner(_owned with { Dropped = true }, []));
        Assert.False(Failovers.HasLostItsOwner(_owned with { Owner = null }, []));
    }
}
