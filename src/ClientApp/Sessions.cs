using Branching.Silo;
using Microsoft.Extensions.Logging;

namespace Branching.ClientApp;

/// <summary>Opens sessions.</summary>
internal static class Sessions
{
    /// <summary>The setting that says where shared storage is.</summary>
    public const string SharedStorageDirectory = "Branching:SharedStorage:Directory";

    /// <summary>The setting that keeps a node that only looks from putting anything on shared storage.</summary>
    public const string SharedStorageLookOnly = "Branching:SharedStorage:LookOnly";

    /// <summary>The setting that says whether a node opens databases that lost theirs.</summary>
    public const string FailoverEnabled = "Branching:Failover:Enabled";

    /// <summary>The setting that says where backups are.</summary>
    public const string BackupsDirectory = "Branching:Backups:Directory";

    /// <summary>The setting that says whether a restore may go anywhere.</summary>
    public const string BackupsAnyTarget = "Branching:Backups:AllowAnyTarget";

    /// <summary>The setting that says what is done with a damaged local copy.</summary>
    public const string DirtyStore = "Branching:SharedStorage:DirtyStore";

    /// <summary>The setting that lets an earlier snapshot take the place of a damaged one.</summary>
    public const string AcceptOlderSnapshots = "Branching:SharedStorage:AcceptOlderSnapshots";

    private static readonly TimeSpan _connectWithin = TimeSpan.FromSeconds(15);

    /// <summary>Starts a node in this process, or connects to a cluster.</summary>
    public static async Task<ISession> ConnectAsync(SessionTarget target, CancellationToken cancellationToken)
    {
        if (target.Cluster is { } address)
        {
            return await ConnectAsync(address, cancellationToken);
        }

        // What goes wrong is told by the command itself; a log beside it would say it twice. Only what it cost to bring
        // a damaged database up is in no answer.
        return new EmbeddedSession(await EmbeddedNode.StartAsync(
            target.DataRoot,
            logging: logging =>
            {
                logging.ClearProviders();
                if (target.Note is { } note)
                {
                    logging.AddProvider(new StorageNotes(note));
                }
            },
            settings: SettingsOf(target),
            ct: cancellationToken));
    }

    /// <summary>The configuration of an embedded node.</summary>
    public static IReadOnlyDictionary<string, string?> SettingsOf(SessionTarget target)
    {
        Dictionary<string, string?> settings = target.Settings is { } given
            ? new(given, StringComparer.OrdinalIgnoreCase)
            : new(StringComparer.OrdinalIgnoreCase);
        if (target.SharedStorage is { } shared)
        {
            settings[SharedStorageDirectory] = Path.GetFullPath(shared);
            if (target.LooksOnly)
            {
                settings[SharedStorageLookOnly] = bool.TrueString;
                settings[FailoverEnabled] = bool.FalseString;
            }
        }

        if (target.Backups is { } backups)
        {
            settings[BackupsDirectory] = Path.GetFullPath(backups);

            // The node is this process: whoever runs it may write wherever it may.
            settings[BackupsAnyTarget] = bool.TrueString;
        }

        return settings;
    }

    private static async Task<ClusterSession> ConnectAsync(string address, CancellationToken cancellationToken)
    {
        // A client goes on trying for ever; a person who mistyped a port should hear of it.
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_connectWithin);
        try
        {
            return new ClusterSession(await ClusterConnection.ConnectAsync(address, deadline.Token));
        }
        catch (Exception) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new UserError(
                ExitCode.Busy,
                $"no node answered at {address} within {_connectWithin.TotalSeconds} s",
                "check the address and the gateway port; branching serve prints both",
                "Closed");
        }
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
