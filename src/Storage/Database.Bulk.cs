using Branching.Storage.Bulk;

namespace Branching.Storage;

public sealed partial class Database
{
    /// <summary>The merge operators that its stores may need.</summary>
    internal MergeCatalog Merges => _registry.Merges;

    /// <summary>Begins a bulk load into a branch. Dispose it: the branch stays open as long.</summary>
    /// <remarks>It works in the database's building directory, which the next start empties.</remarks>
    /// <param name="branch">The branch.</param>
    /// <param name="options">How it works; <see langword="null"/>: as usual, into the default column family.</param>
    /// <param name="cancellationToken">Stops waiting for the branch.</param>
    /// <exception cref="StorageException">As <see cref="AcquireAsync"/> and
    /// <see cref="LocalStore.BeginBulkLoad(BulkLoadOptions, string)"/>.</exception>
    public async Task<BulkLoad> BeginBulkLoadAsync(
        BranchName branch, BulkLoadOptions? options = null, CancellationToken cancellationToken = default)
    {
        StoreLease lease = await AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
        try
        {
            string directory = _files.BuildingOf(StoreId.New(_time));
            BulkLoad load = lease.Store.BeginBulkLoad(options ?? new BulkLoadOptions(), directory, lease, _disk.Reach);
            _disk.Reach(CrashPoint.BulkLoadStarted);
            return load;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }
}
