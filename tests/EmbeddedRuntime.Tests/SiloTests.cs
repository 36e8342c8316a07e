using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Hosting;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Runtime.Placement;
using Orleans.TestingHost;

namespace Branching.EmbeddedRuntime.Tests;

public interface IPlacedGrain : IGrainWithStringKey
{
    Task<string> GetSiloNameAsync();
}

/// <summary>Places a grain on the silo that its key names.</summary>
internal sealed class ByKeyPlacement : PlacementStrategy;

[AttributeUsage(AttributeTargets.Class)]
internal sealed class ByKeyPlacementAttribute() : PlacementAttribute(new ByKeyPlacement());

internal sealed class ByKeyDirector(IClusterMembershipService membership) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(
        PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        string name = target.GrainIdentity.Key.ToString();
        SiloAddress[] silos = context.GetCompatibleSilos(target);
        return Task.FromResult(silos.Single(s => membership.CurrentSnapshot.Members[s].Name == name));
    }
}

[ByKeyPlacement]
internal sealed class PlacedGrain(ILocalSiloDetails silo) : Grain, IPlacedGrain
{
    public Task<string> GetSiloNameAsync() => Task.FromResult(silo.Name);
}

public sealed class SiloTests
{
    [Fact]
    public async Task A_custom_director_decides_where_a_grain_lives()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 3, configure: AddByKey);

        foreach (SiloHandle silo in probe.Cluster.Silos)
        {
            IPlacedGrain grain = probe.Cluster.GrainFactory.GetGrain<IPlacedGrain>(silo.Name);
            Assert.Equal(silo.Name, await grain.GetSiloNameAsync());
        }
    }

    [Fact]
    public async Task A_director_that_fails_fails_the_call_and_nothing_else()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 1, configure: AddByKey);

        await Assert.ThrowsAsync<InvalidOperationException>(
            () => probe.Cluster.GrainFactory.GetGrain<IPlacedGrain>("nowhere").GetSiloNameAsync());

        IPlacedGrain good = probe.Cluster.GrainFactory.GetGrain<IPlacedGrain>("Primary");
        Assert.Equal("Primary", await good.GetSiloNameAsync());
    }

    [Fact]
    public async Task A_strategy_without_a_director_is_a_clear_error()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        OrleansConfigurationException refused = await Assert.ThrowsAsync<OrleansConfigurationException>(
            () => probe.Cluster.GrainFactory.GetGrain<IPlacedGrain>("Primary").GetSiloNameAsync());

        Assert.Contains(nameof(ByKeyPlacement), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_a_silo_deactivates_its_grains_and_they_move()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        SiloHandle victim = await SiloOfAsync(probe, "a");

        await probe.Cluster.StopSiloAsync(victim);

        Assert.True(probe.Journal.Has("deactivated a ShuttingDown"));
        Assert.NotEqual(victim.SiloAddress.ToParsableString(), await probe.Grain("a").GetSiloAsync());
        Assert.False(victim.IsActive);
    }

    [Fact]
    public async Task Stopping_a_silo_waits_for_a_running_request_and_loses_no_waiting_one()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        SiloHandle victim = await SiloOfAsync(probe, "a");
        Task running = probe.Grain("a").WaitForAsync("gate");
        await probe.Journal.WaitForAsync("waiting gate");
        Task<string> waiting = probe.Grain("a").GreetAsync("b");

        Task stopping = probe.Cluster.StopSiloAsync(victim);
        probe.Gates.Open("gate");
        await running;
        await stopping;

        Assert.Equal("a greets b", await waiting);
    }

    [Fact]
    public async Task Killing_a_silo_fails_its_requests_without_deactivating()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        SiloHandle victim = await SiloOfAsync(probe, "a");
        Task running = probe.Grain("a").WaitForAsync("gate");
        await probe.Journal.WaitForAsync("waiting gate");
        Task<string> waiting = probe.Grain("a").GreetAsync("b");

        await probe.Cluster.KillSiloAsync(victim);

        await Assert.ThrowsAsync<SiloUnavailableException>(() => running);
        await Assert.ThrowsAsync<SiloUnavailableException>(() => waiting);
        Assert.DoesNotContain(probe.Journal.Lines, l => l.StartsWith("deactivated", StringComparison.Ordinal));
        Assert.NotEqual(victim.SiloAddress.ToParsableString(), await probe.Grain("a").GetSiloAsync());
    }

    [Fact]
    public async Task A_killed_silo_releases_its_services_without_stopping_its_lifecycle()
    {
        Journal services = new();
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2, configure: silo => silo.Services
            .AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(_ => new Participant(services))
            .AddSingleton(_ => new Held(services)));
        InProcessSiloHandle killed = (InProcessSiloHandle)probe.Cluster.Silos[1];
        _ = killed.ServiceProvider.GetRequiredService<Held>();
        SiloHandle stopped = probe.Cluster.Silos[0];

        await probe.Cluster.KillSiloAsync(killed);
        Assert.Equal(["started", "started", "released"], services.Lines);
        await probe.Cluster.StopSiloAsync(stopped);

        Assert.Equal(["started", "started", "released", "stopped"], services.Lines);
    }

    [Fact]
    public async Task Calls_from_a_dead_silo_are_refused()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        SiloHandle victim = probe.Cluster.Silos[1];
        IGrainFactory factory = probe.Cluster.GetSiloServiceProvider(victim.SiloAddress)
            .GetRequiredService<IGrainFactory>();
        IProbeGrain grain = factory.GetGrain<IProbeGrain>("a");

        await probe.Cluster.KillSiloAsync(victim);

        await Assert.ThrowsAsync<SiloUnavailableException>(() => grain.GreetAsync("b"));
    }

    [Fact]
    public async Task Membership_shows_silos_come_and_die_in_order()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 1);
        IClusterMembershipService membership = probe.Cluster.GetSiloServiceProvider()
            .GetRequiredService<IClusterMembershipService>();
        List<SiloStatus> seen = [];
        MembershipVersion last = MembershipVersion.MinValue;
        await using IAsyncEnumerator<ClusterMembershipSnapshot> updates =
            membership.MembershipUpdates.GetAsyncEnumerator();
        Assert.True(await updates.MoveNextAsync());

        SiloHandle second = await probe.Cluster.StartAdditionalSiloAsync();
        await probe.Cluster.KillSiloAsync(second);
        while (seen.LastOrDefault() != SiloStatus.Dead && await updates.MoveNextAsync())
        {
            Assert.True(updates.Current.Version > last);
            last = updates.Current.Version;
            seen.Add(updates.Current.GetSiloStatus(second.SiloAddress));
        }

        Assert.Equal([SiloStatus.Joining, SiloStatus.Active, SiloStatus.Dead], seen);
        Assert.Equal(SiloStatus.Dead, membership.CurrentSnapshot.Members[second.SiloAddress].Status);
    }

    [Fact]
    public async Task Restarting_a_silo_gives_it_a_later_address_at_the_same_endpoint()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        SiloHandle before = probe.Cluster.Silos[1];

        SiloHandle? after = await probe.Cluster.RestartSiloAsync(before);

        Assert.NotNull(after);
        Assert.Equal(before.Name, after.Name);
        Assert.True(before.SiloAddress.IsPredecessorOf(after.SiloAddress));
    }

    [Fact]
    public async Task Without_an_active_silo_calls_fail_at_once()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 1);
        await probe.Cluster.KillSiloAsync(probe.Cluster.Silos[0]);

        await Assert.ThrowsAsync<SiloUnavailableException>(() => probe.Grain("a").GreetAsync("b"));
    }

    [Fact]
    public async Task Lifecycle_stages_start_upwards_and_stop_downwards()
    {
        Journal stages = new();
        ProbeCluster probe = await ProbeCluster.StartAsync(silos: 1, configure: silo =>
        {
            silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(_ => new Staged(stages));
            silo.AddStartupTask((services, _) =>
            {
                stages.Add("startup task");
                return services.GetRequiredService<IGrainFactory>().GetGrain<IProbeGrain>("early").GreetAsync("me");
            });
        });
        await probe.DisposeAsync();

        Assert.Equal(
            ["start 4000", "start 10000", "startup task", "stop 10000", "stop 4000"],
            stages.Lines);
        Assert.True(probe.Journal.Has("deactivated early ShuttingDown"));
    }

    [Fact]
    public async Task A_silo_that_cannot_start_says_why_and_leaves_nothing_active()
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => ProbeCluster.StartAsync(configure: silo =>
            silo.AddStartupTask((_, _) => throw new InvalidDataException("no disk"))));
    }

    private static void AddByKey(ISiloBuilder silo) => silo.AddPlacementDirector<ByKeyPlacement, ByKeyDirector>();

    private static async Task<SiloHandle> SiloOfAsync(ProbeCluster probe, string key)
    {
        string address = await probe.Grain(key).GetSiloAsync();
        return probe.Cluster.GetSiloForAddress(SiloAddress.FromParsableString(address))!;
    }

    private sealed class Held(Journal journal) : IDisposable
    {
        public void Dispose() => journal.Add("released");
    }

    private sealed class Participant(Journal journal) : ILifecycleParticipant<ISiloLifecycle>
    {
        public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
            nameof(Participant), ServiceLifecycleStage.ApplicationServices, Note("started"), Note("stopped"));

        private Func<CancellationToken, Task> Note(string what) => _ =>
        {
            journal.Add(what);
            return Task.CompletedTask;
        };
    }

    private sealed class Staged(Journal journal) : ILifecycleParticipant<ISiloLifecycle>
    {
        public void Participate(ISiloLifecycle lifecycle)
        {
            int[] stages = [ServiceLifecycleStage.ApplicationServices, ServiceLifecycleStage.RuntimeServices];
            foreach (int stage in stages)
            {
                lifecycle.Subscribe(nameof(Staged), stage, Note($"start {stage}"), Note($"stop {stage}"));
            }
        }

        private Func<CancellationToken, Task> Note(string what) => _ =>
        {
            journal.Add(what);
            return Task.CompletedTask;
        };
    }
}
