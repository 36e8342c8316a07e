using Orleans.Concurrency;

namespace Branching.Grains;

/// <summary>One node and its data root. Key: the silo's address in its parsable form; it lives on that silo
/// only.</summary>
[Alias("branching.INodeGrain")]
public interface INodeGrain : IGrainWithStringKey
{
    /// <summary>Whether the node's data root holds a store of the database.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("holds-database")]
    ValueTask<bool> HoldsDatabaseAsync(string database, CancellationToken cancellationToken = default);

    /// <summary>What the node is and holds.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("describe")]
    ValueTask<NodeDescription> DescribeAsync(CancellationToken cancellationToken = default);

    /// <summary>Every store that is open on the node, with what is open on it; ordered by name.</summary>
    [AlwaysInterleave]
    [Alias("list-open-stores")]
    ValueTask<IReadOnlyList<OpenStoreDescription>> ListOpenStoresAsync(CancellationToken cancellationToken = default);

    /// <summary>What the node's disk says of a database, and whether the node serves it.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("look-at-database")]
    ValueTask<DatabaseHolding> LookAtDatabaseAsync(string database, CancellationToken cancellationToken = default);

    /// <summary>Stores that were set aside on the node's disk, newest first.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list-quarantine")]
    ValueTask<IReadOnlyList<QuarantineDescription>> ListQuarantineAsync(CancellationToken cancellationToken = default);

    /// <summary>Deletes what was set aside on the node's disk, for good, and says what it was.</summary>
    /// <param name="quarantineId">What it is called by.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidArgument"/>: nothing there is called that.
    /// </exception>
    [AlwaysInterleave]
    [Alias("delete-quarantined")]
    ValueTask<QuarantineDescription> DeleteQuarantinedAsync(
        string quarantineId, CancellationToken cancellationToken = default);

    /// <summary>
    /// Has the node own a database that nobody else owns: starts it when it is not under way and says how far it is.
    /// </summary>
    /// <remarks>Called by the coordinator again and again until it has ended.</remarks>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("take-database")]
    ValueTask<TakeoverStatus> TakeDatabaseAsync(
        TakeDatabaseRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Has the node give a database up: a snapshot while it serves, then a pause for writes, a last snapshot, and the
    /// release of its lease. Starts it when it is not under way and says how far it is.
    /// </summary>
    /// <remarks>Called by the coordinator again and again until it has ended.</remarks>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("release-database")]
    ValueTask<ReleaseStatus> ReleaseDatabaseAsync(
        ReleaseDatabaseRequest request, CancellationToken cancellationToken = default);

    /// <summary>Asks a release under way to stop; before its end the database serves on as before.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("cancel-release")]
    ValueTask CancelReleaseAsync(string database, string moveId, CancellationToken cancellationToken = default);
}

/// <summary>The cluster as a whole. Key: <see cref="Key"/>. Opens the databases of a node that died on others, and
/// moves databases by plan.</summary>
[Alias("branching.IClusterCoordinatorGrain")]
public interface IClusterCoordinatorGrain : IOperationsGrain
{
    /// <summary>The only key there is.</summary>
    const string Key = "cluster";

    /// <summary>Every database of every live node and of shared storage, ordered by name.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list-databases")]
    ValueTask<IReadOnlyList<DatabaseDescription>> ListDatabasesAsync(CancellationToken cancellationToken = default);

    /// <summary>The live nodes, ordered by name.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list-nodes")]
    ValueTask<IReadOnlyList<NodeDescription>> ListNodesAsync(CancellationToken cancellationToken = default);

    /// <summary>Failovers, newest first; at most the last 1,000. They are kept on shared storage.</summary>
    /// <param name="database">Only those of this database; null: of all.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list-failovers")]
    ValueTask<IReadOnlyList<FailoverRecord>> ListFailoversAsync(
        string? database = null, CancellationToken cancellationToken = default);

    /// <summary>Starts moving a database to another node. Nothing that was acknowledged is lost; ephemeral branches
    /// stay behind.</summary>
    /// <param name="database">The database's name.</param>
    /// <param name="node">The name of a live node.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.DatabaseNotFound"/>;
    /// <see cref="FailureKind.InvalidArgument"/> for a node that is not there; <see cref="FailureKind.NotSupported"/>
    /// without shared storage; <see cref="FailureKind.Overloaded"/> while it is being moved.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("move-database")]
    ValueTask<OperationDescription> MoveDatabaseAsync(
        string database, string node, CancellationToken cancellationToken = default);

    /// <summary>Starts moving all databases that a node owns to the others, one after the other.</summary>
    /// <exception cref="BranchingException">As for <see cref="MoveDatabaseAsync"/>.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("drain-node")]
    ValueTask<OperationDescription> DrainNodeAsync(string node, CancellationToken cancellationToken = default);

    /// <summary>Tells the grain that the membership may have changed, so that it comes to life and looks.</summary>
    /// <remarks>Called by every node now and then, not by users.</remarks>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("watch")]
    ValueTask WatchAsync(CancellationToken cancellationToken = default);
}
