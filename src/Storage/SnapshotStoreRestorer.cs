using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>Restores stores by <see cref="SnapshotRestorer"/>, with one local copy of each object for all of them.
/// </summary>
internal sealed class SnapshotStoreRestorer(
    SnapshotRestorer restorer, ISharedStorage shared, SnapshotRepository repository, LocalObjects objects,
    RestoreOptions options, IProgress<SnapshotProgress>? progress) : IStoreRestorer
{
    /// <inheritdoc/>
    public long FetchedBytes => objects.FetchedBytes;

    /// <inheritdoc/>
    public void CheckSpace(IReadOnlyList<SnapshotManifest> snapshots, string directory) =>
        restorer.CheckSpace(snapshots, directory, objects);

    /// <inheritdoc/>
    public async Task<StoreFetch> RestoreAsync(
        SnapshotManifest snapshot, string directory, RestoreTarget? target, CancellationToken cancellationToken)
    {
        RestoredStore restored = await restorer.RestoreStoreAsync(
            shared, repository, snapshot, directory, objects, options with { Target = target }, progress,
            cancellationToken).ConfigureAwait(false);
        return new StoreFetch(restored.FetchedFiles, restored.FetchedBytes);
    }
}
