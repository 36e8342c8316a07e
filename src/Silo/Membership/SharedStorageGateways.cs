#if !EMBEDDED_RUNTIME
using Branching.Grains;
using Branching.Storage;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;

namespace Branching.Silo.Membership;

/// <summary>The gateways of a cluster, for clients: those of its active members.</summary>
internal sealed class SharedStorageGateways(
    IOptions<SharedStorageClusteringOptions> options,
    IOptions<ClusterOptions> cluster,
    IOptions<GatewayOptions> gateways,
    ILogger<SharedStorageGateways> logger) : IGatewayListProvider
{
    private readonly MembershipSource _source = new(options.Value, cluster.Value.ClusterId, logger);

    public TimeSpan MaxStaleness => gateways.Value.GatewayListRefreshPeriod;

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => _source.ReadAsync();

    public async Task<IList<Uri>> GetGateways()
    {
        MembershipDocument table = await _source.ReadAsync();
        return [.. table.Members
            .Where(row => row.Status == nameof(SiloStatus.Active) && row.GatewayPort != 0)
            .Select(GatewayOf)];
    }

    /// <summary>The cluster that a client means: the named one, the only one, or the one of the default name.</summary>
    /// <exception cref="BranchingException">There is none, several and none named, or no active node.</exception>
    public static async Task<string> FindClusterAsync(
        string directory, string? clusterId, CancellationToken cancellationToken)
    {
        try
        {
            ISharedStorage shared = await PosixSharedStorage.OpenAsync(
                directory, cancellationToken: cancellationToken);
            IReadOnlyList<string> known = await MembershipLog.ListClustersAsync(shared, cancellationToken);
            string id = clusterId
                ?? (known.Count == 1 ? known[0]
                    : known.Count == 0 || known.Contains(ServerOptions.DefaultClusterId, StringComparer.Ordinal)
                        ? ServerOptions.DefaultClusterId
                        : throw new BranchingException(
                            Grains.FailureKind.InvalidArgument,
                            $"'{directory}' has the clusters {string.Join(", ", known)}; name one of them."));
            MembershipDocument table =
                await new MembershipLog(shared, id, NullLogger.Instance).ReadAsync(cancellationToken);
            return table.Members.Any(row => row.Status == nameof(SiloStatus.Active))
                ? id
                : throw new BranchingException(
                    Grains.FailureKind.Closed,
                    $"No node of cluster '{id}' is active according to '{directory}'. Start one with " +
                    $"`branching serve -- --shared-storage {directory}`.",
                    isTransient: true);
        }
        catch (StorageException e)
        {
            throw new BranchingException((Grains.FailureKind)(int)e.Kind, e.Message, e.IsTransient);
        }
    }

    private static Uri GatewayOf(MemberRow row)
    {
        SiloAddress silo = SiloAddress.FromParsableString(row.Silo);
        return SiloAddress.New(silo.Endpoint.Address, row.GatewayPort, silo.Generation).ToGatewayUri();
    }
}
#endif
