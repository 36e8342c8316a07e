using System.Globalization;
using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Branching.Silo;

/// <summary>Healthy while the node's data root is open; degraded while shared storage cannot be reached.</summary>
internal sealed class NodeHealthCheck(NodeStorage storage, NodeStatus status) : IHealthCheck
{
    public const string Name = "branching-node";

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            DataRoot root = storage.Root;
            DataRootStatistics statistics = await Task.Run(root.GetStatistics, cancellationToken);
            if (status.SharedStorageProblem is { } problem)
            {
                // It serves what it owns for as long as its leases allow, but takes nothing over and sends nothing.
                return HealthCheckResult.Degraded($"Shared storage cannot be reached: {problem}");
            }

            return HealthCheckResult.Healthy(string.Create(
                CultureInfo.InvariantCulture,
                $"Data root {root.Directory}: {statistics.OpenStores} open stores, " +
                $"{statistics.FreeBytes} bytes free, " +
                $"{status.UnsentSequences} sequences not on shared storage, the oldest {status.UnsentAge} old"));
        }
        catch (StorageException e)
        {
            return HealthCheckResult.Unhealthy(e.Message, e);
        }
    }
}
