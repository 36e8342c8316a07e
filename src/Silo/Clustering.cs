using System.Net;
using Microsoft.Extensions.Hosting;
#if EMBEDDED_RUNTIME
using Branching.Grains;
#else
using System.Net.Sockets;
using Orleans.Configuration;
#endif

namespace Branching.Silo;

/// <summary>The one place that knows how nodes and clients find each other on each of the two runtimes.</summary>
internal static class Clustering
{
#if EMBEDDED_RUNTIME
    /// <summary>Why this build neither serves nor connects; null when it does.</summary>
    public static string? NotSupported =>
        "this build runs grains in one process and opens no port. Build with GrainRuntime=Orleans " +
        "(./dev setup says whether the Orleans packages can be restored here)";

    public static void UseOneProcess(ISiloBuilder silo) => silo.UseLocalhostClustering();

    public static void UseNetwork(ISiloBuilder silo, ServerOptions options) => throw Refused("Serving");

    public static void UseGateway(IHostApplicationBuilder host, IPEndPoint gateway, string clusterId) =>
        throw Refused("Connecting to a cluster");

    private static BranchingException Refused(string what) =>
        new(FailureKind.NotSupported, $"{what} is not possible: {NotSupported}.");
#else
    /// <summary>Why this build neither serves nor connects; null when it does.</summary>
    public static string? NotSupported => null;

    /// <summary>A cluster of this process alone: on loopback, with ports that nobody else has.</summary>
    public static void UseOneProcess(ISiloBuilder silo)
    {
        // Both listeners are open at the same time, so the two ports differ.
        using TcpListener first = new(IPAddress.Loopback, 0);
        using TcpListener second = new(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        int siloPort = ((IPEndPoint)first.LocalEndpoint).Port;
        int gatewayPort = ((IPEndPoint)second.LocalEndpoint).Port;
        string cluster = $"one-process-{Guid.NewGuid():N}";
        silo.UseLocalhostClustering(siloPort, gatewayPort, primarySiloEndpoint: null, cluster, cluster);
    }

    /// <summary>A node that others can reach on the configured address.</summary>
    public static void UseNetwork(ISiloBuilder silo, ServerOptions options)
    {
        IPAddress address = IPAddress.Parse(options.Address);
        silo.UseDevelopmentClustering(options.Primary is { } primary
            ? IPEndPoint.Parse(primary)
            : new IPEndPoint(address, options.SiloPort));
        silo.Configure<ClusterOptions>(cluster =>
        {
            cluster.ClusterId = options.ClusterId;
            cluster.ServiceId = options.ClusterId;
        });
        silo.Configure<SiloOptions>(named => named.SiloName = options.NodeName);
        silo.Configure<EndpointOptions>(endpoints =>
        {
            endpoints.AdvertisedIPAddress = address;
            endpoints.SiloPort = options.SiloPort;
            endpoints.GatewayPort = options.GatewayPort;
            endpoints.SiloListeningEndpoint = new IPEndPoint(address, options.SiloPort);
            endpoints.GatewayListeningEndpoint = new IPEndPoint(address, options.GatewayPort);
        });
    }

    /// <summary>A client of the cluster behind one gateway.</summary>
    public static void UseGateway(IHostApplicationBuilder host, IPEndPoint gateway, string clusterId) =>
        host.UseOrleansClient(client =>
        {
            client.UseStaticClustering(gateway);
            client.Configure<ClusterOptions>(cluster =>
            {
                cluster.ClusterId = clusterId;
                cluster.ServiceId = clusterId;
            });
        });
#endif
}
