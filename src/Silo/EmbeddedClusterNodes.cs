using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
#if EMBEDDED_RUNTIME
using Branching.EmbeddedRuntime;
#else
using System.Net;
using Branching.Silo.Membership;
#endif
using Orleans.Configuration;

namespace Branching.Silo;

/// <summary>
/// Several nodes in the calling process, for demonstrations and experiments: each with a data root of its own, all with
/// the same shared storage. A node can be killed and started again.
/// </summary>
/// <remarks>
/// On EmbeddedRuntime no port is opened. On Orleans the nodes listen on loopback, on free ports, and find each other by
/// the shared directory. A kill in one process is not a crash: files are closed, and membership hears of the death at
/// once; but no grain is deactivated, no lease released, no database handed over.
/// </remarks>
public sealed class EmbeddedClusterNodes : IAsyncDisposable
{
    private readonly string _directory;
    private readonly IReadOnlyDictionary<string, string?> _settings;
    private readonly Action<StorageOptions>? _configure;
    private readonly Dictionary<string, IHost> _nodes = new(StringComparer.Ordinal);
    private int _disposed;

#if EMBEDDED_RUNTIME
    private readonly EmbeddedCluster _cluster = new();
#else
    private readonly string _clusterId = $"in-process-{Guid.NewGuid():N}";
#endif

    private EmbeddedClusterNodes(
        string directory, IReadOnlyDictionary<string, string?> settings, Action<StorageOptions>? configure)
    {
        _directory = directory;
        _settings = settings;
        _configure = configure;
    }

    /// <summary>The nodes that run, ordered by name.</summary>
    public IReadOnlyList<string> Names => [.. _nodes.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Where the nodes share snapshots.</summary>
    public string SharedStorage => Path.Combine(_directory, "shared");

    /// <summary>Reaches every grain of the cluster, through a node that runs.</summary>
    /// <exception cref="InvalidOperationException">No node runs.</exception>
    public IGrainFactory Grains => _nodes.Count > 0
        ? _nodes[Names[0]].Services.GetRequiredService<IGrainFactory>()
        : throw new InvalidOperationException("No node of the cluster runs.");

    /// <summary>Starts nodes.</summary>
    /// <param name="directory">Data roots and shared storage are made below it.</param>
    /// <param name="names">Names of the nodes.</param>
    /// <param name="settings">Configuration of every node besides the shared directory, as
    /// <c>Branching:Ownership:LeaseLength</c> and its value.</param>
    /// <param name="configure">Changes the storage options of every node.</param>
    /// <param name="ct">Gives the start up.</param>
    /// <exception cref="BranchingException">A node did not start.</exception>
    public static async Task<EmbeddedClusterNodes> StartAsync(
        string directory,
        IEnumerable<string> names,
        IReadOnlyDictionary<string, string?>? settings = null,
        Action<StorageOptions>? configure = null,
        CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(names);
        var nodes = new EmbeddedClusterNodes(
            Path.GetFullPath(directory),
            settings ?? new Dictionary<string, string?>(StringComparer.Ordinal),
            configure);
        Directory.CreateDirectory(nodes.SharedStorage);
        try
        {
            foreach (string name in names)
            {
                await nodes.StartNodeAsync(name, ct);
            }

            return nodes;
        }
        catch (Exception)
        {
            await nodes.DisposeAsync();
            throw;
        }
    }

    /// <summary>The data root of a node, whether it runs or not.</summary>
    public string DataRootOf(string name) => Path.Combine(_directory, name);

    /// <summary>Starts a node: a new one, or one that was killed, over the data root it left.</summary>
    /// <exception cref="BranchingException">It did not start.</exception>
    public async Task StartNodeAsync(string name, CancellationToken ct = default)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(_settings);
        builder.Configuration["Branching:SharedStorage:Directory"] = SharedStorage;
        builder.Logging.ClearProviders();
        Join(builder, name);
        _nodes.Add(name, await EmbeddedNode.StartAsync(builder, ct));
    }

    /// <summary>Ends a node as if its process had ended.</summary>
    public async Task KillNodeAsync(string name)
    {
        _nodes.Remove(name, out IHost? host);
        ArgumentNullException.ThrowIfNull(host, nameof(name));
#if EMBEDDED_RUNTIME
        host.Services.GetRequiredService<SiloRuntime>().Kill();
#else
        // A stop that may not wait deactivates nothing and hands nothing over.
        await host.StopAsync(new CancellationToken(canceled: true));
#endif
        await EmbeddedNode.DisposeAsync(host);
    }

    /// <summary>Stops all nodes in good order.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        foreach (IHost host in _nodes.Values)
        {
            await host.StopAsync(CancellationToken.None);
            await EmbeddedNode.DisposeAsync(host);
        }

        _nodes.Clear();
    }

    private void Join(HostApplicationBuilder builder, string name)
    {
#if EMBEDDED_RUNTIME
        builder.Services.AddSingleton(_cluster);
#endif
        builder.UseOrleans(silo =>
        {
#if EMBEDDED_RUNTIME
            silo.UseLocalhostClustering();
#else
            silo.UseSharedStorageClustering(SharedStorage);
            silo.Configure<ClusterOptions>(cluster => cluster.ClusterId = cluster.ServiceId = _clusterId);
            silo.Configure<EndpointOptions>(ListenOnLoopback);
#endif
            silo.Configure<SiloOptions>(options => options.SiloName = name);
            silo.AddBranching(options =>
            {
                options.DataRoot = DataRootOf(name);
                _configure?.Invoke(options);
            });
        });
    }

#if !EMBEDDED_RUNTIME
    private static void ListenOnLoopback(EndpointOptions endpoints)
    {
        (int siloPort, int gatewayPort) = Clustering.FreePorts(IPAddress.Loopback);
        endpoints.AdvertisedIPAddress = IPAddress.Loopback;
        endpoints.SiloPort = siloPort;
        endpoints.GatewayPort = gatewayPort;
        endpoints.SiloListeningEndpoint = new IPEndPoint(IPAddress.Loopback, siloPort);
        endpoints.GatewayListeningEndpoint = new IPEndPoint(IPAddress.Loopback, gatewayPort);
    }
#endif
}
