#if !EMBEDDED_RUNTIME
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Silo.Membership;

/// <summary>Opens the shared storage of a cluster when it is first needed, and again after that failed.</summary>
internal sealed class MembershipSource(SharedStorageClusteringOptions options, string clusterId, ILogger logger)
{
    private readonly Lock _gate = new();
    private Task<ISharedStorage>? _shared;
    private MembershipLog? _log;

    public async Task<MembershipDocument> ReadAsync()
    {
        MembershipLog log = await OpenAsync();
        return await log.ReadAsync(CancellationToken.None);
    }

    /// <summary>The table of this cluster; always the same one, because it remembers what it has seen.</summary>
    public async Task<MembershipLog> OpenAsync()
    {
        ISharedStorage shared = await OpenStorageAsync();
        lock (_gate)
        {
            return _log ??= new MembershipLog(shared, clusterId, logger);
        }
    }

    /// <summary>The table of a cluster by name.</summary>
    public async Task<MembershipLog> OpenAsync(string namedClusterId)
        => namedClusterId == clusterId
            ? await OpenAsync()
            : new MembershipLog(await OpenStorageAsync(), namedClusterId, logger);

    private Task<ISharedStorage> OpenStorageAsync()
    {
        lock (_gate)
        {
            if (_shared is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _shared = OpenNewAsync();
            }

            return _shared;
        }
    }

    private async Task<ISharedStorage> OpenNewAsync() => await PosixSharedStorage.OpenAsync(options.Directory);
}
#endif
