using Branching.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>
/// On every node: reminds the cluster's coordinator of each change of the membership and now and then, and wakes the
/// snapshot coordinators of the databases that the node owns.
/// </summary>
/// <remarks>
/// A grain cannot bring itself back after the death of its silo. The watchers of the nodes that live do: the next
/// reminder places the coordinator anew, and what it has to do it finds on shared storage.
/// </remarks>
internal sealed class NodeWatcher(
    NodeDatabases databases,
    SeenNodes seen,
    IGrainFactory grains,
    IClusterMembershipService membership,
    IOptions<FailoverOptions> options,
    IOptions<ServingOptions> serving,
    TimeProvider time,
    ILogger<NodeWatcher> logger) : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Task _watching = Task.CompletedTask;

    public void Participate(ISiloLifecycle lifecycle)
    {
        ArgumentNullException.ThrowIfNull(lifecycle);
        lifecycle.Subscribe(
            nameof(NodeWatcher),
            ServiceLifecycleStage.Active,
            _ =>
            {
                _watching = databases.IsShared ? Task.Run(WatchAsync, CancellationToken.None) : Task.CompletedTask;
                return Task.CompletedTask;
            },
            StopAsync);
    }

    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None);

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        if (!cancellationToken.IsCancellationRequested)
        {
            // A stop that must not wait is as good as a crash; the watcher ends by itself.
            await _watching;
        }
    }

    private async Task WatchAsync()
    {
        // A node whose watcher had ended would go on serving, and see no other node die.
        Task changes = ForEachChangeAsync();
        RepeatedSteps steps = new(
            [
                ("reminding the cluster's coordinator", RemindAsync),
                ("waking the coordinators of snapshots", databases.WakeCoordinatorsAsync),
                ("probing shared storage", databases.ProbeSharedStorageAsync),
                ("settling copies that other nodes took over", SettleAsync),
            ],
            options.Value.LookEvery, time, logger);
        await steps.RunAsync(_stop.Token);
        await changes;
    }

    private async Task ForEachChangeAsync()
    {
        try
        {
            await foreach (ClusterMembershipSnapshot now in membership.MembershipUpdates.WithCancellation(_stop.Token))
            {
                seen.Note(now);
                await RepeatedSteps.TryAsync(
                    "reminding the cluster's coordinator of a change", RemindAsync, logger, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
        catch (Exception e)
        {
            logger.StepFailed("following the cluster's membership", e); // The reminders of every tick go on.
        }
    }

    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        try
        {
            await databases.SettleCopiesAsync(cancellationToken);
        }
        catch (StorageException e)
        {
            // Shared storage is away, or the node stops; the next tick tries again.
            logger.CopiesNotSettled(e.Message);
        }
    }

    private async Task RemindAsync(CancellationToken cancellationToken)
    {
        try
        {
            await grains.GetClusterCoordinator().WatchAsync(cancellationToken).AsTask()
                .WaitAsync(serving.Value.NodeAnswerTimeout, time, cancellationToken);
        }
        catch (Exception e) when (e is BranchingException or OrleansException or TimeoutException)
        {
            // The coordinator's silo may just have died; the next reminder finds a new one.
            logger.ClusterNotWatched(e.Message);
        }
    }
}
