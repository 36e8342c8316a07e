using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>Puts single stores together from snapshots; one for each restore of a database.</summary>
internal interface IStoreRestorer
{
    /// <summary>Bytes fetched until now.</summary>
    long FetchedBytes { get; }

    /// <summary>Stages one store: complete, verified and durable on return.</summary>
    /// <param name="snapshot">What is restored.</param>
    /// <param name="directory">The store's new directory.</param>
    /// <param name="target">Whose store it becomes; <see langword="null"/>: the one it was.</param>
    /// <param name="cancellationToken">Ends it; the directory is debris then.</param>
    Task RestoreAsync(
        SnapshotManifest snapshot, string directory, RestoreTarget? target, CancellationToken cancellationToken);
}
