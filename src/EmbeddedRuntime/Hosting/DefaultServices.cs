using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans;
using Orleans.Hosting;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>What every silo and every client needs, registered once however often it is asked for.</summary>
internal static class DefaultServices
{
    public static ISiloBuilder AddSilo(this IServiceCollection services, IConfiguration configuration)
    {
        SiloBuilder builder = new(services, configuration);
        if (services.Any(d => d.ServiceType == typeof(SiloRuntime)))
        {
            return builder;
        }

        if (services.Any(d => d.ServiceType == typeof(ClientRuntime)))
        {
            throw Both();
        }

        services.AddOptions();
        services.AddLogging();

        // A host is a cluster of its own, unless a test cluster put its shared one there first.
        services.TryAddSingleton<EmbeddedCluster>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<SiloRuntime>();
        services.AddSingleton<ILocalSiloDetails>(s => s.GetRequiredService<SiloRuntime>());
        services.AddSingleton<IClusterMembershipService, ClusterMembershipService>();

        // Its disposal is the silo's; as an instance behind an interface the container does not own it.
        services.AddSingleton<IClusterClient>(s => s.GetRequiredService<SiloRuntime>().GrainFactory);
        services.AddSingleton<IGrainFactory>(s => s.GetRequiredService<SiloRuntime>().GrainFactory);
        services.AddSingleton<SiloLifecycle>();
        services.AddSingleton<ISiloLifecycle>(s => s.GetRequiredService<SiloLifecycle>());
        services.AddHostedService<SiloHost>();
        services.AddPlacementDirector<RandomPlacement, RandomPlacementDirector>();
        services.AddPlacementDirector<PreferLocalPlacement, PreferLocalPlacementDirector>();
        services.AddPlacementDirector<HashBasedPlacement, HashBasedPlacementDirector>();
        return builder;
    }

    public static IClientBuilder AddClient(this IServiceCollection services, IConfiguration configuration)
    {
        ClientBuilder builder = new(services, configuration);
        if (services.Any(d => d.ServiceType == typeof(ClientRuntime)))
        {
            return builder;
        }

        if (services.Any(d => d.ServiceType == typeof(SiloRuntime)))
        {
            throw Both();
        }

        services.AddOptions();
        services.AddLogging();
        services.AddSingleton<ClientRuntime>();
        services.AddSingleton<IClusterClient>(s => s.GetRequiredService<ClientRuntime>().Factory);
        services.AddSingleton<IGrainFactory>(s => s.GetRequiredService<ClientRuntime>().Factory);
        services.AddHostedService<ClientHost>();
        return builder;
    }

    private static OrleansConfigurationException Both()
        => new("A host is a silo or a client, not both. A silo has a client already.");
}
