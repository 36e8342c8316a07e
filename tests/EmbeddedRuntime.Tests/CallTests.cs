using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans;
using Orleans.Hosting;

namespace Branching.EmbeddedRuntime.Tests;

public interface INobodysGrain : IGrainWithStringKey
{
    Task DoAsync();
}

public sealed class CallTests
{
    [Fact]
    public async Task A_call_reaches_the_grain_and_its_answer_the_caller()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        string answer = await probe.Grain("a").GreetAsync("b");

        Assert.Equal("a greets b", answer);
    }

    [Fact]
    public async Task A_base_interface_reaches_the_same_activation()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IHasGreeting byBase = probe.Grain("a").AsReference<IHasGreeting>();

        Assert.Equal("a greets c", await byBase.GreetAsync("c"));
        Assert.Equal(1, probe.Journal.Lines.Count(l => l == "activated a"));
    }

    [Fact]
    public async Task An_exception_reaches_the_caller_with_type_and_message()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        InvalidDataException late = await Assert.ThrowsAsync<InvalidDataException>(
            () => probe.Grain("a").FailAsync("late"));
        InvalidDataException early = await Assert.ThrowsAsync<InvalidDataException>(
            () => probe.Grain("a").FailBeforeAwaitAsync("early"));

        Assert.Equal("late", late.Message);
        Assert.Equal("early", early.Message);
        Assert.Equal("a greets b", await probe.Grain("a").GreetAsync("b"));
    }

    [Fact]
    public async Task A_one_way_call_ends_before_the_grain_does_its_work()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        await probe.Grain("a").RecordOneWayAsync("gate");
        Assert.False(probe.Journal.Has("one way done"));
        probe.Gates.Open("gate");

        await probe.Journal.WaitForAsync("one way done");
    }

    [Fact]
    public async Task An_interface_without_a_class_is_refused_by_name()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        ArgumentException refused = Assert.Throws<ArgumentException>(
            () => probe.Cluster.GrainFactory.GetGrain<INobodysGrain>("a"));

        Assert.Contains(nameof(INobodysGrain), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sixty_four_first_callers_meet_one_activation()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 3);

        Guid[] seen = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
        {
            IGrainFactory factory = i % 4 == 3
                ? probe.Cluster.GrainFactory
                : probe.Cluster.GetSiloServiceProvider(probe.Cluster.Silos[i % 4].SiloAddress)
                    .GetRequiredService<IGrainFactory>();
            return await factory.GetGrain<IProbeGrain>("contended").GetActivationAsync();
        })));

        Assert.Single(seen.Distinct());
        Assert.Equal(1, probe.Journal.Lines.Count(l => l == "activated contended"));
    }

    [Fact]
    public async Task Many_calls_to_many_grains_all_arrive_once()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        const int Grains = 50;
        const int Calls = 40;

        await Task.WhenAll(Enumerable.Range(0, Grains * Calls)
            .Select(i => probe.Grain($"g{i % Grains}").IncrementSlowlyAsync()));

        int[] values = await Task.WhenAll(Enumerable.Range(0, Grains).Select(i => probe.Grain($"g{i}").GetAsync()));
        Assert.All(values, value => Assert.Equal(Calls, value));
    }

    [Fact]
    public async Task Two_hosts_side_by_side_are_two_clusters()
    {
        using IHost first = NewHost();
        using IHost second = NewHost();
        await first.StartAsync();
        await second.StartAsync();

        Guid inFirst = await first.Services.GetRequiredService<IClusterClient>()
            .GetGrain<IProbeGrain>("same").GetActivationAsync();
        Guid inSecond = await second.Services.GetRequiredService<IGrainFactory>()
            .GetGrain<IProbeGrain>("same").GetActivationAsync();

        Assert.NotEqual(inFirst, inSecond);
        await first.StopAsync();
        await second.StopAsync();

        static IHost NewHost()
        {
            HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
            builder.UseOrleans(silo => silo.UseLocalhostClustering());
            builder.Services.AddSingleton<Gates>().AddSingleton<Journal>();
            return builder.Build();
        }
    }

    [Fact]
    public async Task A_client_alone_says_that_it_can_reach_nobody()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.UseOrleansClient(client => client.UseLocalhostClustering());
        using IHost host = builder.Build();

        Orleans.Runtime.SiloUnavailableException refused =
            await Assert.ThrowsAsync<Orleans.Runtime.SiloUnavailableException>(() => host.StartAsync());

        Assert.Contains("no port", refused.Message, StringComparison.Ordinal);
    }
}
