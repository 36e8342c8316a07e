using Branching.Storage;
using Branching.Storage.Shared;

namespace Branching.Grains;

/// <content>What the node looks after now and then.</content>
internal sealed partial class NodeDatabases
{
    private volatile string? _sharedStorageProblem;

    /// <summary>Why shared storage could not be reached when it was last tried; null when it could.</summary>
    public string? SharedStorageProblem => _sharedStorageProblem;

    /// <summary>Brings the snapshot coordinators of the owned databases to life, where they are not.</summary>
    public async Task WakeCoordinatorsAsync(CancellationToken cancellationToken)
    {
        foreach (string database in Owned())
        {
            cancellationToken.ThrowIfCancellationRequested();
            await WakeAsync(database, cancellationToken);
        }
    }

    /// <summary>Tries whether shared storage can be read.</summary>
    public async Task ProbeSharedStorageAsync(CancellationToken cancellationToken)
    {
        try
        {
            ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
            await shared.ListAsync("databases", cancellationToken);
            _sharedStorageProblem = null;
        }
        catch (StorageException e)
        {
            _sharedStorageProblem = e.Message;
            logger.NotLooked(e.Message);
        }
    }

    /// <summary>What of each owned database is not on shared storage; null without shared storage.</summary>
    public IReadOnlyDictionary<string, DatabaseLag>? GetLag()
    {
        if (!IsShared)
        {
            return null;
        }

        Dictionary<string, DatabaseLag> lags = new(StringComparer.Ordinal);
        foreach (string name in Owned())
        {
            if (storage.Root.TryGetServing(DatabaseName.Parse(name)) is { } database)
            {
                lags[name] = Descriptions.LagOf(database);
            }
        }

        return lags;
    }

    private IReadOnlyList<string> Owned()
    {
        try
        {
            return ListOwned();
        }
        catch (StorageException)
        {
            // The node is stopping: it owns nothing any more.
            return [];
        }
    }
}
