using Branching.Grains;
using Microsoft.Extensions.Hosting;
#if !EMBEDDED_RUNTIME
using System.Net;
using System.Net.Sockets;
using System.Runtime.Loader;
using Branching.Silo.Membership;
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

    public static void BoundDirectoryCache(ISiloBuilder silo)
    {
    }

    public static void UseNetwork(ISiloBuilder silo, ServerSettings settings) => throw Refused("Serving");

    public static void LoadProvider(ServerOptions options) => throw Refused("Serving");

    public static Task UseClusterAsync(
        IHostApplicationBuilder host, ClusterAddress address, CancellationToken cancellationToken) =>
        throw Refused("Connecting to a cluster");

    private static BranchingException Refused(string what) =>
        new(FailureKind.NotSupported, $"{what} is not possible: {NotSupported}.");
#else
    // Orleans makes room for a million at the start, 8 MB a silo, and walks through all of it whenever a node joins or
    // leaves.
    private const int DirectoryCacheSize = 1 << 16;

    /// <summary>Why this build neither serves nor connects; null when it does.</summary>
    public static string? NotSupported => null;

    /// <summary>A cluster of this process alone: on loopback, with ports that nobody else has.</summary>
    public static void UseOneProcess(ISiloBuilder silo)
    {
        (int siloPort, int gatewayPort) = FreePorts(IPAddress.Loopback);
        string cluster = $"one-process-{Guid.NewGuid():N}";
        silo.UseLocalhostClustering(siloPort, gatewayPort, primarySiloEndpoint: null, cluster, cluster);
    }

    /// <summary>Remembers where as many grains are as a node talks to; what is configured wins.</summary>
    public static void BoundDirectoryCache(ISiloBuilder silo) =>
        silo.Configure<GrainDirectoryOptions>(static directory =>
        {
            if (directory.CacheSize == GrainDirectoryOptions.DEFAULT_CACHE_SIZE)
            {
                directory.CacheSize = DirectoryCacheSize;
            }
        });

    /// <summary>Loads the assembly of a membership provider; Orleans finds providers in loaded assemblies.</summary>
    public static void LoadProvider(ServerOptions options)
    {
        if (options.ProviderAssembly is not { Length: > 0 } file)
        {
            return;
        }

        string path = Path.GetFullPath(file);
        try
        {
            AssemblyLoadContext.Default.LoadFromAssemblyPath(path);
        }
        catch (Exception e) when (e is IOException or BadImageFormatException)
        {
            throw new BranchingException(
                FailureKind.InvalidArgument, $"ProviderAssembly '{path}' cannot be loaded: {e.Message}");
        }
    }

    /// <summary>A node that others can reach on the configured address.</summary>
    public static void UseNetwork(ISiloBuilder silo, ServerSettings settings)
    {
        ServerOptions options = settings.Server;
        IPAddress address = IPAddress.Parse(options.Address);
        TakeFreePorts(options, address);
        IPEndPoint primary = options.Primary is { } named
            ? IPEndPoint.Parse(named)
            : new IPEndPoint(address, options.SiloPort);
        switch (options.Clustering)
        {
            case ServerClustering.Localhost:
                silo.UseLocalhostClustering(
                    options.SiloPort, options.GatewayPort, primary, options.ClusterId, options.ClusterId);
                break;
            case ServerClustering.SharedStorage:
                silo.UseSharedStorageClustering(settings.SharedStorage!);
                break;
            case ServerClustering.Provider:
                // UseOrleans has read the section Orleans and applied it.
                break;
            default:
                silo.UseDevelopmentClustering(primary);
                break;
        }

        silo.Configure<ClusterOptions>(cluster => Name(cluster, options.ClusterId));
        silo.Configure<SiloOptions>(named => named.SiloName = options.NodeName);
        silo.Configure<EndpointOptions>(endpoints =>
        {
            endpoints.AdvertisedIPAddress = address;
            endpoints.SiloPort = options.SiloPort;
            endpoints.GatewayPort = options.GatewayPort;
            endpoints.SiloListeningEndpoint = new IPEndPoint(address, options.SiloPort);
            endpoints.GatewayListeningEndpoint = new IPEndPoint(address, options.GatewayPort);
        });
        silo.Configure<ClusterMembershipOptions>(membership => Detect(membership, settings.Membership));
    }

    /// <summary>A client of the cluster behind one gateway, or in a shared directory.</summary>
    public static async Task UseClusterAsync(
        IHostApplicationBuilder host, ClusterAddress address, CancellationToken cancellationToken)
    {
        string clusterId = address.Directory is { } shared
            ? await SharedStorageGateways.FindClusterAsync(shared, address.ClusterId, cancellationToken)
            : address.ClusterId ?? ServerOptions.DefaultClusterId;
        host.UseOrleansClient(client =>
        {
            if (address.Directory is { } directory)
            {
                client.UseSharedStorageClustering(directory);
            }
            else
            {
                client.UseStaticClustering(address.Gateway!);
            }

            client.Configure<ClusterOptions>(cluster => Name(cluster, clusterId));

            // A client is not told that the node it spoke through has died, so its calls wait for the whole of it.
            client.Configure<ClientMessagingOptions>(
                static messaging => messaging.ResponseTimeout = new ServingOptions().ResponseTimeout);
        });
    }

    private static void Name(ClusterOptions cluster, string id)
    {
        cluster.ClusterId = id;
        cluster.ServiceId = id;
    }

    private static void Detect(ClusterMembershipOptions membership, MembershipOptions options)
    {
        membership.ProbeTimeout = options.ProbeTimeout;
        membership.NumMissedProbesLimit = options.MissedProbes;
        membership.NumVotesForDeathDeclaration = options.Votes;
        membership.IAmAliveTablePublishTimeout = options.AlivePeriod;
        membership.TableRefreshTimeout = options.RefreshPeriod;
        membership.MaxJoinAttemptTime = options.JoinTimeout;
    }

    private static void TakeFreePorts(ServerOptions options, IPAddress address)
    {
        if (options.SiloPort != 0 && options.GatewayPort != 0)
        {
            return;
        }

        (int siloPort, int gatewayPort) = FreePorts(address);
        options.SiloPort = options.SiloPort == 0 ? siloPort : options.SiloPort;
        options.GatewayPort = options.GatewayPort == 0 ? gatewayPort : options.GatewayPort;
    }

    /// <summary>Two ports that nobody listens on now.</summary>
    public static (int SiloPort, int GatewayPort) FreePorts(IPAddress address)
    {
        // Both listeners are open at the same time, so the two ports differ.
        using TcpListener first = new(address, 0);
        using TcpListener second = new(address, 0);
        first.Start();
        second.Start();
        return (((IPEndPoint)first.LocalEndpoint).Port, ((IPEndPoint)second.LocalEndpoint).Port);
    }
#endif
}
