using System.Globalization;
using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Branching.Silo;

/// <summary>Healthy while the node's data root is open.</summary>
internal sealed class NodeHealthCheck(NodeStorage storage) : IHealthCheck
{
    public const string Name = "branching-node";

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            DataRoot root = storage.Root;
            DataRootStatistics statistics = await Task.Run(root.GetStatistics, cancellationToken);
            return HealthCheckResult.Healthy(string.Create(
                CultureInfo.InvariantCulture,
                $"Data root {root.Directory}: {statistics.OpenStores} open stores, {statistics.FreeBytes} bytes free"));
        }
        catch (StorageException e)
        {
            return HealthCheckResult.Unhealthy(e.Message, e);
        }
    }
}
