using System.Net;
using Branching.Grains;

namespace Branching.Silo;

/// <summary>Where a cluster is found: at one node's gateway or in a shared directory.</summary>
internal sealed record ClusterAddress(IPEndPoint? Gateway, string? Directory, string? ClusterId)
{
    /// <summary>Reads what a person wrote. What has a path's separator, or is a directory, is a directory.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidArgument"/>: it is neither.</exception>
    public static ClusterAddress Parse(string address, string? clusterId)
    {
        if (address.AsSpan().ContainsAny('/', Path.DirectorySeparatorChar) || System.IO.Directory.Exists(address))
        {
            string path = Path.GetFullPath(address);
            return System.IO.Directory.Exists(path)
                ? new ClusterAddress(null, path, clusterId)
                : throw Refused($"The shared directory '{path}' does not exist here.");
        }

        string text = address == "localhost" || address.StartsWith("localhost:", StringComparison.Ordinal)
            ? "127.0.0.1" + address["localhost".Length..]
            : address;
        if (!IPEndPoint.TryParse(text, out IPEndPoint? endpoint))
        {
            throw Refused(
                $"'{address}' is no address of a node and no shared directory; write for example 127.0.0.1:30000, or " +
                "the path that the nodes have in --shared-storage.");
        }

        IPEndPoint gateway = endpoint.Port == 0
            ? new IPEndPoint(endpoint.Address, ServerOptions.DefaultGatewayPort)
            : endpoint;
        return new ClusterAddress(gateway, null, clusterId);
    }

    /// <inheritdoc/>
    public override string ToString() => Directory ?? Gateway!.ToString();

    private static BranchingException Refused(string why) => new(FailureKind.InvalidArgument, why);
}
