using Branching.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Branching.Silo;

/// <summary>A client's connection to a running cluster.</summary>
public sealed class ClusterConnection : IAsyncDisposable
{
    private readonly IHost _host;
    private int _disposed;

    private ClusterConnection(IHost host)
    {
        _host = host;
        Grains = host.Services.GetRequiredService<IClusterClient>();
    }

    /// <summary>Reaches every grain of the cluster. Thread-safe.</summary>
    public IGrainFactory Grains { get; }

    /// <summary>Connects to the cluster at an address: its only one, or the one of the default name.</summary>
    /// <inheritdoc cref="ConnectAsync(string, string, CancellationToken)"/>
    public static Task<ClusterConnection> ConnectAsync(string address, CancellationToken ct = default) =>
        ConnectAsync(ClusterAddress.Parse(address, clusterId: null), ct);

    /// <summary>Connects through one node's gateway, or through whichever nodes a shared directory names.</summary>
    /// <param name="address">
    /// A gateway, for example <c>127.0.0.1:30000</c> (without a port, 30000), or the path of the cluster's shared
    /// directory. With a directory the connection survives the death of any node.
    /// </param>
    /// <param name="clusterId">The cluster's name.</param>
    /// <param name="ct">Gives up connecting.</param>
    /// <exception cref="BranchingException">
    /// <see cref="FailureKind.NotSupported"/> in a build without Orleans; <see cref="FailureKind.InvalidArgument"/> for
    /// an address that is none; <see cref="FailureKind.Closed"/> when no node answers there.
    /// </exception>
    public static Task<ClusterConnection> ConnectAsync(
        string address, string clusterId, CancellationToken ct = default) =>
        ConnectAsync(ClusterAddress.Parse(address, clusterId), ct);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _host.StopAsync(CancellationToken.None);
        await EmbeddedNode.DisposeAsync(_host);
    }

    private static async Task<ClusterConnection> ConnectAsync(ClusterAddress address, CancellationToken ct)
    {
        if (Clustering.NotSupported is { } why)
        {
            throw new BranchingException(FailureKind.NotSupported, $"--cluster cannot be used: {why}.");
        }

        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        try
        {
            await Clustering.UseClusterAsync(builder, address, ct);
            return new ClusterConnection(await EmbeddedNode.StartAsync(builder, ct));
        }
        catch (Exception e) when (e is OrleansException or IOException or System.Net.Sockets.SocketException)
        {
            throw new BranchingException(
                FailureKind.Closed,
                $"No node of cluster '{address.ClusterId ?? ServerOptions.DefaultClusterId}' answers at {address}: " +
                $"{e.Message} Check the address, and that `branching serve` runs there.",
                isTransient: true);
        }
    }
}
