using Branching.Storage;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;

namespace Branching.Grains;

/// <summary>
/// Looks at the snapshots of a database that cannot be taken: what only reads needs no owner. Nothing is written, so
/// shared storage may be on a read-only mount.
/// </summary>
internal sealed class UnownedSnapshots(
    SnapshotSource source, DataRoot root, SnapshotOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>Whether a call that only reads may be answered although the database could not be taken.</summary>
    /// <remarks>What is transient may succeed in a moment, maybe on another node.</remarks>
    public static bool MayAnswerAfter(BranchingException failure) =>
        failure is
        {
            IsTransient: false,
            Kind: not (FailureKind.NotSupported or FailureKind.InvalidArgument or FailureKind.InvalidName
                or FailureKind.DatabaseNotFound or FailureKind.SnapshotNotFound),
        };

    public static async Task<UnownedSnapshots> OpenAsync(
        ServingNode node, string database, CancellationToken cancellationToken)
    {
        DataRoot root = node.Storage.Root;
        SnapshotSource source = await root.OpenSourceAsync(
            DatabaseName.Parse(database), node.Storage.Sharing.Directory, cancellationToken);
        return new UnownedSnapshots(
            source, root, node.Storage.Snapshots, node.Time, node.Storage.StorageLogger);
    }

    public Task<IReadOnlyList<SnapshotDescription>> ListAsync(string? branch, CancellationToken cancellationToken) =>
        DatabaseSnapshots.ListAsync(source.Repository, branch, cancellationToken);

    public Task<SnapshotDetails> DescribeAsync(string snapshotId, CancellationToken cancellationToken) =>
        DatabaseSnapshots.DescribeAsync(source.Repository, snapshotId, cancellationToken);

    /// <summary>Finds the snapshot, so that one that is not there is told at once.</summary>
    public Task<SnapshotManifest> FindAsync(string snapshotId, CancellationToken cancellationToken) =>
        source.Repository.ReadManifestAsync(SnapshotId.Parse(snapshotId), cancellationToken);

    /// <summary>Verifies a snapshot. The result is not recorded beside it: only an owner writes there.</summary>
    public async Task<VerificationOutcome> VerifyAsync(
        SnapshotManifest manifest, VerificationKind kind, Operation operation, CancellationToken cancellationToken)
    {
        SnapshotVerifier verifier = new(source.Shared, source.Repository, options, time, logger);
        VerificationReport report = await verifier.VerifyAsync(
            manifest,
            DatabaseSnapshots.OptionsOf(kind, root.ScratchDirectory),
            DatabaseSnapshots.ProgressOf(operation),
            cancellationToken);
        return DatabaseSnapshots.OutcomeOf(manifest, kind, report, time.GetUtcNow());
    }
}
