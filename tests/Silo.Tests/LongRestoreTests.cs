using System.Security.Cryptography;
using Branching.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Branching.Silo.Tests;

/// <summary>What a node's health check and its other callers see while it restores a database for long.</summary>
public sealed class LongRestoreTests : IDisposable
{
    // At this rate the restore lasts for minutes; no test waits for it.
    private const int SlowBytesPerSecond = 4096;

    private readonly string _directory = Directory.CreateTempSubdirectory("branching-silo-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_long_restore_keeps_the_node_healthy_and_others_served_and_says_how_far_it_is()
    {
        await using (EmbeddedNode first = await StartAsync("first"))
        {
            await CreateAsync(first, "large", 1 << 20);
            OperationDescription taking = await first.Grains.GetSnapshots("large").TakeAsync(new TakeSnapshotRequest());
            Assert.Equal(OperationState.Succeeded, (await first.Grains.GetSnapshots("large").GetOperationAsync(
                taking.OperationId, TimeSpan.FromSeconds(20))).State);
        }

        TakeoverStatus restoring;
        HealthReport health;
        int served;
        await using (EmbeddedNode slow = await StartAsync("second", SlowBytesPerSecond))
        {
            await CreateAsync(slow, "small", 3);
            restoring = await TakeAsync(
                slow, status => status.Phase.StartsWith("restoring", StringComparison.Ordinal));

            health = await slow.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
            served = (await slow.Grains.GetDatabase("small").GetAsync(new GetRequest("k"u8.ToArray()))).Value.Length;
        }

        await using EmbeddedNode quick = await StartAsync("second");
        TakeoverStatus done = await TakeAsync(quick, status => status.State == OperationState.Succeeded);

        Assert.Equal(HealthStatus.Healthy, health.Status);
        Assert.Equal(3, served);
        Assert.Equal(OperationState.Running, restoring.State);
        Assert.InRange(restoring.BytesDone, 0, restoring.BytesTotal);
        Assert.NotNull(done.ServingAt);
        GetResponse read = await quick.Grains.GetDatabase("large").GetAsync(new GetRequest("k"u8.ToArray()));
        Assert.Equal(1 << 20, read.Value.Length);
    }

    private Task<EmbeddedNode> StartAsync(string root, int? fetchBytesPerSecond = null) => EmbeddedNode.StartAsync(
        Path.Combine(_directory, root),
        settings:
        [
            new("Branching:SharedStorage:Directory", Path.Combine(_directory, "shared")),
            new("Branching:SharedStorage:NodeName", root),
            new("Branching:Failover:Enabled", "false"),
            new("Branching:Snapshots:FetchBytesPerSecond", $"{fetchBytesPerSecond ?? 0}"),
        ]);

    private static async Task CreateAsync(EmbeddedNode node, string database, int bytes)
    {
        await node.Grains.GetDatabase(database).CreateAsync(new CreateDatabaseRequest("test"));
        await node.Grains.GetDatabase(database).PutAsync("k"u8.ToArray(), RandomNumberGenerator.GetBytes(bytes));
    }

    /// <summary>Has the node take the large database, until its status is as asked.</summary>
    private static async Task<TakeoverStatus> TakeAsync(EmbeddedNode node, Func<TakeoverStatus, bool> until)
    {
        NodeDescription self = Assert.Single(await node.Grains.GetClusterCoordinator().ListNodesAsync());
        INodeGrain grain = node.Grains.GetGrain<INodeGrain>(self.Address);
        TakeDatabaseRequest request = new("large", "test", "attempt", TimeSpan.FromMilliseconds(100));
        using CancellationTokenSource deadline = new(TimeSpan.FromMinutes(1));
        while (true)
        {
            TakeoverStatus status = await grain.TakeDatabaseAsync(request, deadline.Token);
            if (until(status))
            {
                return status;
            }

            Assert.True(status.State != OperationState.Failed, status.Problem);
        }
    }
}
