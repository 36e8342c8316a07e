using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>What was fetched for one store.</summary>
internal readonly record struct StoreFetch(int Files, long Bytes);

/// <summary>Puts single stores together from snapshots; one for each restore of a database.</summary>
internal interface IStoreRestorer
{
    /// <summary>Bytes fetched until now.</summary>
    long FetchedBytes { get; }

    /// <summary>Refuses a restore that the disk of <paramref name="directory"/> has no room for.</summary>
    /// <param name="snapshots">All that is to be restored.</param>
    /// <param name="directory">Where to.</param>
    void CheckSpace(IReadOnlyList<SnapshotManifest> snapshots, string directory)
    {
        // Those that tests put in its place know no sizes.
    }

    /// <summary>Stages one store: complete, verified and durable on return.</summary>
    /// <param name="snapshot">What is restored.</param>
    /// <param name="directory">The store's new directory.</param>
    /// <param name="target">Whose store it becomes; <see langword="null"/>: the one it was.</param>
    /// <param name="cancellationToken">Ends it; the directory is debris then.</param>
    /// <returns>What was fetched for this store; the rest was here already.</returns>
    Task<StoreFetch> RestoreAsync(
        SnapshotManifest snapshot, string directory, RestoreTarget? target, CancellationToken cancellationToken);
}
