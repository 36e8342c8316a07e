#if !EMBEDDED_RUNTIME
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Branching.Silo.Membership;

/// <summary>Orleans' table of members, kept by <see cref="MembershipLog"/>.</summary>
/// <remarks>
/// Every change is checked against the version and the row that the caller read, and a lost race is an answer of
/// false, as <see cref="IMembershipTable"/> asks. Thread-safe.
/// </remarks>
internal sealed class SharedStorageMembershipTable(
    IOptions<SharedStorageClusteringOptions> options,
    IOptions<ClusterOptions> cluster,
    ILogger<SharedStorageMembershipTable> logger) : IMembershipTable
{
    private readonly MembershipSource _source = new(options.Value, cluster.Value.ClusterId, logger);

    public Task InitializeMembershipTable(bool tryInitTableVersion) => _source.ReadAsync();

    public async Task<MembershipTableData> ReadAll()
    {
        MembershipDocument table = await _source.ReadAsync();
        return new MembershipTableData([.. table.Members.Select(Tuple)], Version(table));
    }

    public async Task<MembershipTableData> ReadRow(SiloAddress key)
    {
        MembershipDocument table = await _source.ReadAsync();
        return table.Find(key.ToParsableString()) is { } row
            ? new MembershipTableData(Tuple(row), Version(table))
            : new MembershipTableData(Version(table));
    }

    public async Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion)
    {
        MembershipLog log = await _source.OpenAsync();
        return await log.TryInsertAsync(
            MemberRows.From(entry), tableVersion.Version, tableVersion.VersionEtag, CancellationToken.None);
    }

    public async Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion)
    {
        MembershipLog log = await _source.OpenAsync();
        return await log.TryUpdateAsync(
            MemberRows.From(entry), etag, tableVersion.Version, tableVersion.VersionEtag, CancellationToken.None);
    }

    public async Task UpdateIAmAlive(MembershipEntry entry)
    {
        MembershipLog log = await _source.OpenAsync();
        await log.SayAliveAsync(
            entry.SiloAddress.ToParsableString(), MemberRows.Utc(entry.IAmAliveTime), CancellationToken.None);
    }

    public async Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate)
    {
        MembershipLog log = await _source.OpenAsync();
        await log.RemoveDefunctAsync(nameof(SiloStatus.Active), beforeDate, CancellationToken.None);
    }

    public async Task DeleteMembershipTableEntries(string clusterId)
    {
        MembershipLog log = await _source.OpenAsync(clusterId);
        await log.ClearAsync(CancellationToken.None);
    }

    private static Tuple<MembershipEntry, string> Tuple(MemberRow row)
        => System.Tuple.Create(MemberRows.ToEntry(row), row.ETag);

    private static TableVersion Version(MembershipDocument table) => new(table.Version, table.ETag);
}
#endif
