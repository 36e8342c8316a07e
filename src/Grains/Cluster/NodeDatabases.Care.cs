using System.Collections.Concurrent;
using Branching.Storage;
using Branching.Storage.Shared;

namespace Branching.Grains;

/// <content>What the node looks after now and then.</content>
internal sealed partial class NodeDatabases
{
    // Copies that were here when the node started and that nobody has settled yet, with what was found.
    private ConcurrentDictionary<string, LocalCopyState>? _unsettled;
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

    /// <summary>Local copies that belong to an earlier tenure, are not served, and could not be set aside.</summary>
    public IReadOnlyList<string> ListStale() => _unsettled is null
        ? []
        : _unsettled.Where(one => one.Value == LocalCopyState.StaleAndOnly).Select(one => one.Key)
            .Order(StringComparer.Ordinal).ToArray();

    /// <summary>
    /// Settles what this node brought back from an earlier life, or gave up, and another node has taken over since:
    /// what was released in order is removed once the other one serves all of it, anything else is set aside.
    /// </summary>
    public async Task SettleCopiesAsync(CancellationToken cancellationToken)
    {
        DataRoot root = storage.Root;
        _unsettled ??= new ConcurrentDictionary<string, LocalCopyState>(
            root.ListDatabases().Select(name => KeyValuePair.Create(name.Value, LocalCopyState.Current)),
            StringComparer.Ordinal);
        foreach (string database in _unsettled.Keys)
        {
            cancellationToken.ThrowIfCancellationRequested();
            DatabaseName name = DatabaseName.Parse(database);
            bool isBusy = (_releases.TryGetValue(database, out Release? release) && release.IsRunning)
                || (_takeovers.TryGetValue(database, out Takeover? takeover) && takeover.IsRunning);
            if (isBusy)
            {
                continue;
            }

            LocalCopyState state = root.TryGetServing(name) is null
                ? await root.SetStaleAsideAsync(name, ReleasedCopyRule.Leave, cancellationToken)
                : LocalCopyState.None;
            if (state is LocalCopyState.Released
                && await DecideReleasedAsync(name, cancellationToken) is var rule and not ReleasedCopyRule.Leave)
            {
                state = await root.SetStaleAsideAsync(name, rule, cancellationToken);
            }

            if (state is LocalCopyState.None or LocalCopyState.SetAside or LocalCopyState.Removed)
            {
                _unsettled.TryRemove(database, out _);
            }
            else
            {
                _unsettled[database] = state;
            }
        }
    }

    /// <summary>What is done with a copy that was released in order: removed when the node that owns the database now
    /// serves every branch of it, set aside when that one could not restore some, left until it is known.</summary>
    private async Task<ReleasedCopyRule> DecideReleasedAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        NodeAnswer[] others = await locator.AskOthersAsync(name.Value, cancellationToken);
        if (!others.Any(other => other.Owned))
        {
            return ReleasedCopyRule.Leave; // Asking the database would bring it up here.
        }

        try
        {
            IReadOnlyList<BranchDescription> there = await grains.GetDatabase(name.Value)
                .ListBranchesAsync(cancellationToken).AsTask()
                .WaitAsync(serving.Value.NodeAnswerTimeout, time, cancellationToken);
            HashSet<string> here = [.. storage.Root.ListLocalBranches(name)
                .Where(record => record.State == Storage.BranchState.Ready).Select(record => record.Id.ToString())];
            // What is not listed was deleted there since, by somebody who meant it.
            return there.Any(branch => branch.State != BranchState.Ready && here.Contains(branch.StoreId))
                ? ReleasedCopyRule.SetAside
                : ReleasedCopyRule.Remove;
        }
        catch (Exception e) when (e is BranchingException or OrleansException or TimeoutException)
        {
            logger.CopiesNotSettled(e.Message);
            return ReleasedCopyRule.Leave;
        }
    }

    /// <summary>
    /// In a cluster that has just started the node that owned the database last, and whose files may hold more than its
    /// snapshots, may be about to be back: nobody restores the database elsewhere until it had the time for that.
    /// </summary>
    private async Task ThrowIfOwnerMayComeBackAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        TimeSpan grace = failover.Value.StartGrace;
        DateTimeOffset old = time.GetUtcNow() - grace;
        if (grace <= TimeSpan.Zero || StartedAt <= old
            || await storage.Root.LookAtOwnerAsync(name, cancellationToken) is not { } status
            || status is not { Holder: { } owner, Dropped: false }
            || (status.Released && status.Entered == status.Newest)
            || !storage.Root.WouldRestore(name, status) || seen.HasDied(owner.NodeName))
        {
            return;
        }

        IReadOnlyList<NodeView> nodes = await view.AskNodesAsync(cancellationToken);
        if (!nodes.Any(node => node.Description is { } said && said.StartedAt <= old))
        {
            throw new StorageException(
                Storage.FailureKind.Closed,
                $"Database '{name}' was last owned by node '{owner.NodeName}', which is not back since the cluster " +
                $"started. It gets until {StartedAt + grace:u}; then the database is restored from its snapshots. " +
                "Try again.");
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
            if (storage.Root.TryGetServing(DatabaseName.Parse(name)) is { SurvivesItsNode: true } database)
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
