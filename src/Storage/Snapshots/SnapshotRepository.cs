using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>The snapshots of one database on shared storage: what exists, what counts, what may go.</summary>
/// <param name="shared">The shared storage.</param>
/// <param name="name">The database's name.</param>
/// <param name="id">The database's identity.</param>
/// <param name="time">The clock of this process.</param>
/// <param name="logger">Told of publications, retirements, collections and damage.</param>
public sealed partial class SnapshotRepository(
    ISharedStorage shared, DatabaseName name, DatabaseId id, TimeProvider time, ILogger logger)
{
    /// <summary>All snapshots as they are now.</summary>
    public Task<SnapshotView> ReadAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException(
            $"{shared.Location} {name} {id} {time.GetUtcNow()} {logger.IsEnabled(LogLevel.None)}");

    /// <summary>Reads one manifest; damage anywhere in it is found.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotNotFound"/>,
    /// <see cref="FailureKind.SnapshotDamaged"/> or <see cref="FailureKind.FormatTooNew"/>.</exception>
    public Task<SnapshotManifest> ReadManifestAsync(SnapshotId snapshot, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>The full name on shared storage of an object that a manifest names.</summary>
    public string FullNameOf(SnapshotFile file) => throw new NotSupportedException();

    /// <summary>Begins a publication; waits for a running collection.</summary>
    public Task<Publication> BeginPublicationAsync(Tenure tenure, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Publishes a snapshot whose objects have all arrived. On return it exists for everybody.</summary>
    /// <param name="tenure">The owner.</param>
    /// <param name="draft">The manifest; its number, epoch, format, identities of the database and digest are set
    /// here.</param>
    /// <param name="cancellationToken">Ends the wait; then the outcome is unknown.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: nobody will ever read it;
    /// <see cref="FailureKind.Refused"/>: it names an object that is not there.</exception>
    public Task<SnapshotId> PublishAsync(
        Tenure tenure, SnapshotManifest draft, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Keeps a snapshot from being retired. Anybody may pin.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotNotFound"/>: there is none, or it is being
    /// retired.</exception>
    public Task PinAsync(SnapshotPin pin, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Releases a pin; <see langword="false"/> when there is none.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Refused"/>: somebody else made it, and
    /// <paramref name="force"/> is not set.</exception>
    public Task<bool> UnpinAsync(string pin, string by, bool force, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>All pins, expired ones included.</summary>
    public Task<IReadOnlyList<SnapshotPin>> ListPinsAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Ends the existence of a snapshot; its objects go with the next collection.</summary>
    /// <param name="tenure">The owner.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="evenLast">Also the last verified, or the only, snapshot of its store: for deleted
    /// branches.</param>
    /// <param name="cancellationToken">Ends the wait; then the outcome is unknown.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.Pinned"/>; <see cref="FailureKind.Refused"/>: it is
    /// the last verified one.</exception>
    public Task RetireAsync(
        Tenure tenure, SnapshotId snapshot, bool evenLast, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Records that a snapshot was verified.</summary>
    public Task RecordVerificationAsync(
        Tenure tenure, SnapshotId snapshot, VerificationResult result, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Deletes what no valid snapshot needs; waits for running publications.</summary>
    public Task<GarbageReport> CollectAsync(
        Tenure tenure, GarbageOptions options, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
