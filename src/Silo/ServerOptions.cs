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

    /// <summary>Port for other nodes. Default: 11111.</summary>
    [Range(1, 65535)]
    public int SiloPort { get; set; } = 11111;

    /// <summary>Port for clients. Default: 30000.</summary>
    [Range(1, 65535)]
    public int GatewayPort { get; set; } = DefaultGatewayPort;

    /// <summary>
    /// Address and silo port of the node that keeps the list of members. Default: this node, the first of a cluster.
    /// </summary>
    public string? Primary { get; set; }

    /// <summary>Nodes and clients find each other only under the same name. Default: "branching".</summary>
    [Required, MinLength(1)]
    public string ClusterId { get; set; } = DefaultClusterId;

    /// <summary>The node's name, the same after each restart. Default: the machine's name.</summary>
    [Required, MinLength(1)]
    public string NodeName { get; set; } = Environment.MachineName;
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

        if (options.SiloPort == options.GatewayPort)
        {
            failures.Add($"SiloPort and GatewayPort are both {options.SiloPort}; they must differ.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
