namespace Branching.Cluster.Tests;

/// <summary>Waits with deadlines, and the seeds of random tests.</summary>
internal static class Waiting
{
    // Reaching it is a failure, so it is longer than anything takes on a busy machine.
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    /// <summary>The seed of a random test; printed by those that use it when they fail.</summary>
    public static int Seed { get; } =
        Environment.GetEnvironmentVariable("BRANCHING_SEED") is { Length: > 0 } text
            ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture)
            : Environment.TickCount;

    /// <summary>Rounds of the failover tests; few unless the environment asks for more.</summary>
    public static int Rounds { get; } =
        Environment.GetEnvironmentVariable("BRANCHING_FAILOVER_ROUNDS") is { Length: > 0 } text
            ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture)
            : 5;

    /// <summary>Waits until something is true.</summary>
    public static Task UntilAsync(Func<Task<bool>> condition, string what) => UntilAsync(condition, () => what);

    /// <summary>Waits until something is true; what it waited for is told when it was in vain.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string> what)
    {
        using CancellationTokenSource deadline = new(Deadline);
        while (!await condition())
        {
            Assert.False(deadline.IsCancellationRequested, $"It did not happen within {Deadline}: {what()}.");
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    /// <summary>Waits for the end of an operation, whatever that is.</summary>
    public static async Task<OperationDescription> EndAsync(this IOperationsGrain grain, OperationDescription started)
    {
        using CancellationTokenSource deadline = new(Deadline);
        OperationDescription now = started;
        while (now.State == OperationState.Running)
        {
            Assert.False(deadline.IsCancellationRequested, $"It did not end within {Deadline}: {now}.");
            now = await grain.GetOperationAsync(now.OperationId, TimeSpan.FromSeconds(2));
        }

        return now;
    }

    /// <summary>Takes a snapshot of the whole database.</summary>
    public static async Task<OperationDescription> SnapshotAsync(
        this IGrainFactory grains, string database, TakeSnapshotRequest? request = null)
    {
        ISnapshotCoordinatorGrain snapshots = grains.GetSnapshots(database);
        OperationDescription ended = await snapshots.EndAsync(await NodeCluster.RetryAsync(
            () => snapshots.TakeAsync(request ?? new TakeSnapshotRequest(RequestedBy: "test"))));
        Assert.True(ended.State == OperationState.Succeeded, ended.Message);
        return ended;
    }

    /// <summary>The node that serves a database.</summary>
    public static async Task<string> OwnerAsync(this IGrainFactory grains, string database)
        => (await NodeCluster.RetryAsync(() => grains.GetDatabase(database).DescribeAsync())).Node;
}
