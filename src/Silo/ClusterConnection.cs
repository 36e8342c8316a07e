using System.Net;
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

    /// <summary>Connects to the cluster of the default name through one node's gateway.</summary>
    /// <inheritdoc cref="ConnectAsync(string, string, CancellationToken)"/>
    public static Task<ClusterConnection> ConnectAsync(string address, CancellationToken ct = default) =>
        ConnectAsync(address, ServerOptions.DefaultClusterId, ct);

    /// <summary>Connects through one node's gateway.</summary>
    /// <param name="address">For example <c>127.0.0.1:30000</c>; without a port, 30000.</param>
    /// <param name="clusterId">The cluster's name.</param>
    /// <param name="ct">Gives up connecting.</param>
    /// <exception cref="BranchingException">
    /// <see cref="FailureKind.NotSupported"/> in a build without Orleans; <see cref="FailureKind.InvalidArgument"/> for
    /// an address that is none; <see cref="FailureKind.Closed"/> when no node answers there.
    /// </exception>
    public static async Task<ClusterConnection> ConnectAsync(
        string address, string clusterId, CancellationToken ct = default)
    {
        if (Clustering.NotSupported is { } why)
        {
            throw new BranchingException(FailureKind.NotSupported, $"--cluster cannot be used: {why}.");
        }

        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        Clustering.UseGateway(builder, ParseAddress(address), clusterId);
        try
        {
            return new ClusterConnection(await EmbeddedNode.StartAsync(builder, ct));
        }
        catch (Exception e) when (e is OrleansException or IOException or System.Net.Sockets.SocketException)
        {
            throw new BranchingException(
                FailureKind.Closed,
                $"No node of cluster '{clusterId}' answers at {address}: {e.Message} Check the address and the " +
                "gateway port, and that `branching serve` runs there.",
                isTransient: true);
        }
    }

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

    internal static IPEndPoint ParseAddress(string address)
    {
        string text = address == "localhost" || address.StartsWith("localhost:", StringComparison.Ordinal)
            ? "127.0.0.1" + address["localhost".Length..]
            : address;
        if (!IPEndPoint.TryParse(text, out IPEndPoint? endpoint))
        {
            throw new BranchingException(
                FailureKind.InvalidArgument,
                $"'{address}' is no address of a node; write for example 127.0.0.1:30000.");
        }

        return endpoint.Port == 0 ? new IPEndPoint(endpoint.Address, ServerOptions.DefaultGatewayPort) : endpoint;
    }
}
