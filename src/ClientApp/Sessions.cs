using Branching.Silo;
using Microsoft.Extensions.Logging;

namespace Branching.ClientApp;

/// <summary>Opens sessions.</summary>
internal static class Sessions
{
    /// <summary>Starts a node in this process, or connects to a cluster.</summary>
    public static async Task<ISession> ConnectAsync(SessionTarget target, CancellationToken cancellationToken)
    {
        if (target.Cluster is { } address)
        {
            return new ClusterSession(await ClusterConnection.ConnectAsync(address, cancellationToken));
        }

        // What goes wrong is told by the command itself; a log beside it would say it twice.
        return new EmbeddedSession(await EmbeddedNode.StartAsync(
            target.DataRoot, logging: logging => logging.ClearProviders(), ct: cancellationToken));
    }

    private sealed class EmbeddedSession(EmbeddedNode node) : ISession
    {
        public IGrainFactory Grains => node.Grains;

        public ValueTask DisposeAsync() => node.DisposeAsync();
    }

    private sealed class ClusterSession(ClusterConnection connection) : ISession
    {
        public IGrainFactory Grains => connection.Grains;

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
