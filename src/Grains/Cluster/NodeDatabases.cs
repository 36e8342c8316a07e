using System.Collections.Concurrent;
using Branching.Storage;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>
/// The databases that this node owns, and how it comes to own one: at the first call for it, or when the coordinator
/// asks. Thread-safe.
/// </summary>
/// <remarks>
/// Safety is in the epochs of shared storage; here is only politeness: a node asks the others first, so that a call
/// that went astray is sent on at once instead of watching somebody's lease, and a database goes where its newest local
/// copy is. Without shared storage none of this happens.
/// </remarks>
internal sealed partial class NodeDatabases(
    NodeStorage storage,
    DatabaseLocator locator,
    IGrainFactory grains,
    ILocalSiloDetails silo,
    Instruments instruments,
    IOptions<ServingOptions> serving,
    IOptions<FailoverOptions> failover,
    ClusterView view,
    SeenNodes seen,
    TimeProvider time,
    ILogger<NodeDatabases> logger) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Takeover> _takeovers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, WriteGate> _gates = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, DatabaseSnapshots> _snapshots = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();

    /// <summary>When this node started.</summary>
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    public bool IsShared => storage.Sharing.Directory is not null;

    /// <summary>Counts and pauses the changes of a database.</summary>
    public WriteGate GateOf(string database) => _gates.GetOrAdd(database, static _ => new WriteGate());

    /// <summary>Names of the databases that this node serves now, in order.</summary>
    public IReadOnlyList<string> ListOwned()
    {
        DataRoot root = storage.Root;
        return root.ListDatabases().Where(name => root.TryGetServing(name) is not null).Select(name => name.Value)
            .ToArray();
    }

    /// <summary>The database, owned by this node. Owns it first when nobody does.</summary>
    /// <exception cref="StorageException">Another node owns it, or is to: <see cref="FailureKind.Moved"/>; it takes
    /// longer than a caller should wait: <see cref="FailureKind.Closed"/>; or why it cannot be owned.</exception>
    public ValueTask<Database> GetAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        DataRoot root = storage.Root;
        if (!IsShared)
        {
            return root.GetDatabaseAsync(name, cancellationToken);
        }

        return root.TryGetServing(name) is { } database
            ? ValueTask.FromResult(database)
            : new ValueTask<Database>(OwnForCallerAsync(name, cancellationToken));
    }

    /// <summary>What this node's disk says of a database, for those who place it.</summary>
    public DatabaseHolding Look(string database)
    {
        DataRoot root = storage.Root;
        int count = root.ListDatabases().Count;
        if (!DatabaseName.TryParse(database, out DatabaseName name, out _))
        {
            return new DatabaseHolding(false, 0, false, Databases: count);
        }

        if (!IsShared)
        {
            bool here = root.Contains(name);
            return new DatabaseHolding(here, 0, here, Databases: count);
        }

        if (TryGetGivenUp(database) is { } release)
        {
            // It still has the files, but they are about to be an earlier epoch's.
            return new DatabaseHolding(
                false, release.Status.Epoch, false, Databases: count, GivenTo: release.Target);
        }

        bool taking = _takeovers.TryGetValue(database, out Takeover? takeover) && takeover.IsRunning;
        Database? owned = root.TryGetServing(name);
        return new DatabaseHolding(
            root.Contains(name),
            root.EpochOf(name)?.Value ?? 0,
            owned is not null,
            owned?.Id.ToString(),
            taking,
            count);
    }

    /// <summary><see cref="Look"/> as the others hear it.</summary>
    public NodeAnswer Answer(string database) => NodeAnswer.Of(silo.SiloAddress, silo.Name, Look(database));

    /// <summary>Owns a database because the coordinator asks; says how far it is.</summary>
    public async Task<TakeoverStatus> TakeAsync(TakeDatabaseRequest request, CancellationToken cancellationToken)
    {
        DatabaseName name = DatabaseName.Parse(request.Database);
        if (!_takeovers.TryGetValue(request.Database, out Takeover? takeover)
            || (takeover.AttemptId != request.AttemptId && !takeover.IsRunning))
        {
            takeover = Begin(name, request.AttemptId, request.Reason);
        }

        try
        {
            await takeover.Task.WaitAsync(Limit(request.WaitAtMost), time, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A failure is in the status, and a time-out means that it goes on.
            logger.TakeoverAnswered(request.Database, takeover.AttemptId, e.Message);
        }

        return takeover.Status;
    }

    /// <summary>Refuses to look for the snapshots of a database that was never on shared storage: to find them missing
    /// would put it there.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Refused"/>.</exception>
    public void ThrowIfOnlyHere(DatabaseName name)
    {
        if (IsShared && storage.Root.IsOnlyHere(name))
        {
            throw new StorageException(
                Storage.FailureKind.Refused,
                $"Database '{name}' is not on shared storage '{storage.Sharing.Directory}' yet, so it has no " +
                "snapshots there. Nothing was changed; the first snapshot take puts it there.");
        }
    }

    /// <summary>What takes, verifies and lists the snapshots of a database that this node owns.</summary>
    public async ValueTask<DatabaseSnapshots> GetSnapshotsAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        Database database = await GetAsync(name, cancellationToken);
        if (_snapshots.TryGetValue(name.Value, out DatabaseSnapshots? known)
            && ReferenceEquals(known.Database, database))
        {
            return known;
        }

        ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
        DatabaseSnapshots made = new(
            database,
            shared,
            storage.Root,
            storage.Snapshots,
            instruments,
            time,
            storage.StorageLogger);
        return _snapshots.AddOrUpdate(
            name.Value, made, (_, other) => ReferenceEquals(other.Database, database) ? other : made);
    }

    /// <summary>Ends what is under way; the data root is still open.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await EndReleasesAsync();
        foreach (Takeover takeover in _takeovers.Values)
        {
            // How it ended is told to those who asked for it.
            await Task.WhenAny(takeover.Task);
        }
    }

    internal static TimeSpan Limit(TimeSpan waitAtMost) =>
        waitAtMost < TimeSpan.Zero ? TimeSpan.Zero
        : waitAtMost > Operations.MaxWait ? Operations.MaxWait
        : waitAtMost;

    private Takeover Begin(DatabaseName name, string attemptId, string reason)
    {
        lock (_takeovers)
        {
            if (_takeovers.TryGetValue(name.Value, out Takeover? running) && running.IsRunning)
            {
                return running;
            }

            ForgetRelease(name.Value);
            Takeover takeover = new(attemptId, reason, time);
            takeover.Begin(one => OwnAsync(name, one));
            _takeovers[name.Value] = takeover;
            return takeover;
        }
    }

    private async Task<Database> OwnAsync(DatabaseName name, Takeover takeover)
    {
        long start = time.GetTimestamp();
        try
        {
            Database database = await storage.Root.OwnDatabaseAsync(name, new OwnRequest(), takeover, _stop.Token);
            TimeSpan took = time.GetElapsedTime(start);
            instruments.TookOver(takeover.Reason, took, succeeded: true);
            logger.DatabaseTaken(
                name.Value, silo.Name, database.Epoch.Value, takeover.Reason, took.TotalMilliseconds);
            GateOf(name.Value).Resume();
            _ = WakeAsync(name.Value, _stop.Token);
            return database;
        }
        catch (Exception e) when (e is StorageException or OperationCanceledException)
        {
            instruments.TookOver(takeover.Reason, time.GetElapsedTime(start), succeeded: false);
            logger.DatabaseNotTaken(name.Value, silo.Name, takeover.Reason, e.Message);
            throw;
        }
    }

    private async Task<Database> OwnForCallerAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        if (!_takeovers.TryGetValue(name.Value, out Takeover? takeover) || !takeover.IsRunning)
        {
            await ThrowIfElsewhereAsync(name, cancellationToken);
            await ThrowIfOwnerMayComeBackAsync(name, cancellationToken);
            takeover = Begin(name, Guid.NewGuid().ToString("N"), "call");
        }

        try
        {
            // The answer must reach the caller before it gives up, so that it learns why.
            return await takeover.Task.WaitAsync(serving.Value.ResponseTimeout / 2, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new StorageException(
                Storage.FailureKind.Closed,
                $"Node {silo.Name} is bringing database '{name}' up ({takeover.Status.Phase}). Try again.");
        }
    }

    private async Task ThrowIfElsewhereAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ulong here = storage.Root.EpochOf(name)?.Value ?? 0;
        if (TryGetGivenUp(name.Value) is { IsRunning: true } release)
        {
            throw new StorageException(
                Storage.FailureKind.Moved,
                $"Database '{name}' is being handed over by node {silo.Name} to node {release.Target}. Try again.");
        }

        NodeAnswer[] others = await locator.AskOthersAsync(name.Value, cancellationToken);
        string? heir = DatabasePlacementRule.Heir([.. others, Answer(name.Value)]);
        foreach (NodeAnswer other in others)
        {
            string? why = other switch
            {
                { Owned: true } => "owns it",
                { TakingOver: true } => "is bringing it up",
                // Without this, a call between release and takeover would bring it up on a node that nobody meant.
                _ when other.Name == heir => "is about to take it",
                // Equal epochs happen when a node died between its claim and its first snapshot: either may go on.
                { Holds: true } when other.Epoch > here => "has a newer copy of it",
                _ => null,
            };
            if (why is not null)
            {
                throw new StorageException(
                    Storage.FailureKind.Moved,
                    $"Database '{name}' is not served by node {silo.Name}: node {other.Name} {why}. Try again.");
            }
        }
    }

    /// <summary>Brings the database's snapshot coordinator to life, which lives where the database does.</summary>
    private async Task WakeAsync(string database, CancellationToken cancellationToken)
    {
        try
        {
            await grains.GetSnapshots(database).WakeAsync(cancellationToken).AsTask()
                .WaitAsync(serving.Value.NodeAnswerTimeout, time, cancellationToken);
        }
        catch (Exception e) when (e is BranchingException or OrleansException or TimeoutException
            or OperationCanceledException)
        {
            // The watcher of this node wakes it again in a moment.
            logger.CoordinatorNotWoken(database, e.Message);
        }
    }
}
