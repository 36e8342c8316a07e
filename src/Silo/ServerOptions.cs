using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace Branching.Silo;

/// <summary>Where a served node listens and which cluster it belongs to.</summary>
public sealed class ServerOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Server";

    /// <summary>The name of a cluster that nobody named.</summary>
    public const string DefaultClusterId = "branching";

    /// <summary>The port clients connect to unless told otherwise.</summary>
    public const int DefaultGatewayPort = 30000;

    /// <summary>
    /// The address the node listens on and tells others. Default: 127.0.0.1, which only this machine reaches.
    /// </summary>
    /// <remarks>There is no authentication yet: any address that others reach gives them all of the data.</remarks>
    [Required]
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>
    /// Port for other nodes; 0 takes one that is free, where members find each other without it. Default: 11111.
    /// </summary>
    [Range(0, 65535)]
    public int SiloPort { get; set; } = 11111;

    /// <summary>
    /// Port for clients; 0 takes one that is free, where clients find nodes without it. Default: 30000.
    /// </summary>
    [Range(0, 65535)]
    public int GatewayPort { get; set; } = DefaultGatewayPort;

    /// <summary>
    /// How nodes find each other: one of <see cref="ServerClustering"/>. Default: <c>shared-storage</c> when a shared
    /// directory is set, <c>provider</c> when <c>Orleans:Clustering</c> is configured, else <c>development</c>.
    /// </summary>
    public string? Clustering { get; set; }

    /// <summary>
    /// Path of the assembly with the membership provider that <c>Orleans:Clustering:ProviderType</c> names, when it is
    /// none that the server knows by itself. Default: none.
    /// </summary>
    public string? ProviderAssembly { get; set; }

    /// <summary>
    /// Address and silo port of the node that keeps the list of members, for <c>localhost</c> and <c>development</c>.
    /// Default: this node, the first of a cluster.
    /// </summary>
    public string? Primary { get; set; }

    /// <summary>Nodes and clients find each other only under the same name. Default: "branching".</summary>
    [Required, MinLength(1)]
    public string ClusterId { get; set; } = DefaultClusterId;

    /// <summary>The node's name, the same after each restart. Default: the machine's name.</summary>
    [Required, MinLength(1)]
    public string NodeName { get; set; } = Environment.MachineName;
}

/// <summary>The ways in which nodes find each other.</summary>
public static class ServerClustering
{
    /// <summary>On one machine, through the primary node's memory. For development.</summary>
    public const string Localhost = "localhost";

    /// <summary>Through the primary node's memory. The cluster ends with that node.</summary>
    public const string Development = "development";

    /// <summary>Through the shared directory. Every node may come and go.</summary>
    public const string SharedStorage = "shared-storage";

    /// <summary>Through a membership provider of Orleans, configured in <c>Orleans:Clustering</c>.</summary>
    public const string Provider = "provider";

    internal static IReadOnlyList<string> All { get; } = [Localhost, Development, SharedStorage, Provider];
}

/// <summary>Checks each field of <see cref="ServerOptions"/>.</summary>
[OptionsValidator]
public sealed partial class ServerOptionsValidator : IValidateOptions<ServerOptions>;

/// <summary>Checks what attributes cannot say about <see cref="ServerOptions"/>.</summary>
public sealed class ServerOptionsRules : IValidateOptions<ServerOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        List<string> failures = [];
        if (!IPAddress.TryParse(options.Address, out _))
        {
            failures.Add($"Address ('{options.Address}') is no IP address.");
        }

        if (options.Primary is { } primary
            && (!IPEndPoint.TryParse(primary, out IPEndPoint? endpoint) || endpoint.Port == 0))
        {
            failures.Add($"Primary ('{primary}') is no address with a port, for example 10.0.0.1:11111.");
        }

        if (options.Clustering is { } clustering && !ServerClustering.All.Contains(clustering, StringComparer.Ordinal))
        {
            failures.Add(
                $"Clustering ('{clustering}') is none of {string.Join(", ", ServerClustering.All)}.");
        }

        if (options.Primary is not null && options.Clustering is ServerClustering.SharedStorage
            or ServerClustering.Provider)
        {
            failures.Add($"Primary is set, but Clustering '{options.Clustering}' has no primary node.");
        }

        if (options.Clustering is not (ServerClustering.SharedStorage or ServerClustering.Provider)
            && (options.SiloPort == 0 || options.GatewayPort == 0))
        {
            failures.Add(
                $"SiloPort ({options.SiloPort}) and GatewayPort ({options.GatewayPort}) must be above 0: only with " +
                "shared storage or a membership provider can others find a node whose port is any that is free.");
        }

        if (options.SiloPort == options.GatewayPort && options.SiloPort != 0)
        {
            failures.Add($"SiloPort and GatewayPort are both {options.SiloPort}; they must differ.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
