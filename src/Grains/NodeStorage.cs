using System.Diagnostics.Metrics;
using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>
/// Opens the node's data root before any grain is served and closes it after the last one was deactivated.
/// </summary>
/// <remarks>
/// A data root that cannot be opened fails the start of the node: a node without its data must not join a cluster,
/// where its databases would look as if they did not exist.
/// </remarks>
public sealed class NodeStorage : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    private readonly IOptions<StorageOptions> _options;
    private readonly IOptions<SharedStorageOptions> _sharing;
    private readonly IOptions<OwnershipOptions> _ownership;
    private readonly IOptions<SnapshotOptions> _snapshots;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly IMeterFactory? _meters;
    private readonly Lock _lock = new();
    private DataRoot? _root;

    /// <summary>Prepares the data root that <paramref name="options"/> name; opens nothing yet.</summary>
    public NodeStorage(
        IOptions<StorageOptions> options,
        IOptions<SharedStorageOptions> sharing,
        IOptions<OwnershipOptions> ownership,
        IOptions<SnapshotOptions> snapshots,
        ILoggerFactory loggers,
        TimeProvider time,
        IMeterFactory? meters = null)
    {
        ArgumentNullException.ThrowIfNull(loggers);
        _options = options;
        _sharing = sharing;
        _ownership = ownership;
        _snapshots = snapshots;
        _loggers = loggers;
        _logger = loggers.CreateLogger<NodeStorage>();
        _time = time;
        _meters = meters;
    }

    /// <summary>The open data root.</summary>
    /// <exception cref="StorageException"><see cref="Storage.FailureKind.Closed"/> before the start and after the
    /// stop.</exception>
    public DataRoot Root => Volatile.Read(ref _root) ?? throw new StorageException(
        Storage.FailureKind.Closed, "The node is starting or stopping: its data root is not open. Try again.");

    /// <summary>How the node uses shared storage.</summary>
    public SharedStorageOptions Sharing => _sharing.Value;

    internal SnapshotOptions Snapshots => _snapshots.Value;

    internal OwnershipOptions Ownership => _ownership.Value;

    internal ILogger StorageLogger => _loggers.CreateLogger("Branching.Storage");

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle lifecycle)
    {
        ArgumentNullException.ThrowIfNull(lifecycle);
        // Stages stop in reverse order: grains, which live above this stage, are gone before the data root closes. And
        // it is opened before the runtime's services start: a silo of Orleans that fails later cannot be stopped, and
        // its grain directory then goes on in a process that goes on, without a pause.
        lifecycle.Subscribe(
            nameof(NodeStorage),
            ServiceLifecycleStage.RuntimeServices - 1,
            OpenAsync,
            // A stop that must not wait is the closest that one process comes to a crash: nothing is handed over.
            cancellationToken => CloseAsync(handOver: !cancellationToken.IsCancellationRequested));
    }

    /// <inheritdoc/>
    /// <remarks>Without an orderly stop before it, the node ends as if it had crashed: its leases run out, and its
    /// databases are found again by their epochs.</remarks>
    public async ValueTask DisposeAsync() => await CloseAsync(handOver: false);

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        StorageOptions options = _options.Value;
        try
        {
            DataRoot root = await DataRoot.OpenAsync(
                options, new DataRootSharing(Sharing, Ownership, Snapshots), _loggers, _time, cancellationToken);
            if (_meters is not null)
            {
                root.Measure(_meters);
            }

            Volatile.Write(ref _root, root);
            _logger.DataRootOpened(
                root.Directory, root.ListDatabases().Count, _time.GetElapsedTime(start).TotalMilliseconds);
        }
        catch (StorageException e)
        {
            _logger.DataRootNotOpened(e, options.DataRoot);
            throw;
        }
    }

    private async Task CloseAsync(bool handOver)
    {
        DataRoot? root;
        lock (_lock)
        {
            root = _root;
            _root = null;
        }

        if (root is null)
        {
            return;
        }

        try
        {
            await (handOver ? root.DisposeAsync() : root.AbandonAsync());
            _logger.DataRootClosed(root.Directory);
        }
        catch (StorageException e)
        {
            // The node stops either way; what was acknowledged is on disk already.
            _logger.DataRootNotClosed(e, root.Directory);
        }
    }
}
