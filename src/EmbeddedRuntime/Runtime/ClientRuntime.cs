using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>The client of a host that is not a silo.</summary>
internal sealed class ClientRuntime : IDisposable
{
    private readonly bool _hasCluster;

    public ClientRuntime(IServiceProvider services)
    {
        EmbeddedCluster? cluster = services.GetService<EmbeddedCluster>();
        _hasCluster = cluster is not null;
        Origin = new CallOrigin(
            cluster ?? new EmbeddedCluster(),
            null,
            () => services.GetRequiredService<IOptions<ClientMessagingOptions>>().Value);
        Factory = new GrainFactory(Origin, services);
    }

    public CallOrigin Origin { get; }

    public GrainFactory Factory { get; }

    public void ThrowIfWithoutCluster()
    {
        if (!_hasCluster)
        {
            throw new SiloUnavailableException(
                "The embedded runtime opens no port, so a client cannot reach a silo in another process. "
                + "Run the silo in this host with UseOrleans, or build with GrainRuntime=Orleans.");
        }
    }

    public void Dispose() => Origin.Dispose();
}
