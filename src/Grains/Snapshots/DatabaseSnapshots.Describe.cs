using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <content>What there is, as the wire says it.</content>
internal sealed partial class DatabaseSnapshots
{
    /// <summary>All snapshots, newest first, damaged ones among them.</summary>
    public Task<IReadOnlyList<SnapshotDescription>> ListAsync(string? branch, CancellationToken cancellationToken) =>
        ListAsync(Repository, branch, cancellationToken);

    public Task<SnapshotDetails> DescribeAsync(string snapshotId, CancellationToken cancellationToken) =>
        DescribeAsync(Repository, snapshotId, cancellationToken);

    internal static async Task<IReadOnlyList<SnapshotDescription>> ListAsync(
        SnapshotRepository repository, string? branch, CancellationToken cancellationToken)
    {
        SnapshotView view = await repository.ReadAsync(cancellationToken);
        IEnumerable<SnapshotDescription> listed = view.Snapshots
            .Where(one => branch is null || one.Branch.Value == branch)
            .Select(one => Describe(one, view))
            .OrderByDescending(one => one.TakenAt);
        // Which branch a damaged one was of cannot be told, so every list shows them, first.
        return view.Damaged.Select(Describe).Concat(listed).ToArray();
    }

    internal static async Task<SnapshotDetails> DescribeAsync(
        SnapshotRepository repository, string snapshotId, CancellationToken cancellationToken)
    {
        SnapshotManifest manifest = await repository.ReadManifestAsync(SnapshotId.Parse(snapshotId), cancellationToken);
        SnapshotView view = await repository.ReadAsync(cancellationToken);
        Dictionary<string, string> options = new(StringComparer.Ordinal);
        foreach (FamilyFingerprint family in manifest.Options.Families)
        {
            options[$"{family.Name}.comparator"] = family.Comparator;
            options[$"{family.Name}.merge-operator"] = family.MergeOperator ?? "none";
        }

        return new SnapshotDetails(
            Describe(manifest, view),
            manifest.DatabaseName.Value,
            manifest.DatabaseId.ToString(),
            manifest.Format,
            manifest.Program,
            manifest.RocksDbVersion,
            manifest.Parent?.ToString(),
            manifest.ParentSequence.Value,
            manifest.Depth,
            options,
            manifest.Files.Select(file => new SnapshotFileDescription(
                file.Name, file.Role.ToString(), file.Bytes, file.Sha256, repository.FullNameOf(file))).ToArray(),
            manifest.Sha256);
    }

    public async Task<SnapshotPin> PinAsync(
        string snapshotId,
        string reason,
        string createdBy,
        DateTimeOffset? expiresAt,
        CancellationToken cancellationToken)
    {
        Descriptions.CheckCreatedBy(createdBy);
        GrainFailure.ThrowIfMissing(reason, "The reason of a pin");
        if (reason.Length is 0 or > 1024)
        {
            throw GrainFailure.Refused($"The reason of a pin has {reason.Length} characters; 1 to 1,024 are allowed.");
        }

        SnapshotId snapshot = SnapshotId.Parse(snapshotId);
        Storage.Snapshots.SnapshotPin pin = new(
            Guid.NewGuid().ToString("N"), snapshot, reason, createdBy, _time.GetUtcNow(), expiresAt);
        await Repository.PinAsync(pin, cancellationToken);
        return Describe(pin);
    }

    private static SnapshotDescription Describe(SnapshotManifest one, SnapshotView view) => new(
        one.Id.ToString(),
        one.Branch.Value,
        one.Id.Store.ToString(),
        one.Id.Epoch.Value,
        one.Sequence.Value,
        one.TakenAt,
        one.Node,
        one.Files.Count,
        one.TotalBytes,
        one.SentBytes,
        one.Labels,
        view.Pins.Where(pin => pin.Snapshot == one.Id).Select(Describe).ToArray(),
        view.Verifications.TryGetValue(one.Id, out VerificationResult? result) ? Describe(one.Id, result) : null);

    private static SnapshotDescription Describe(DamagedSnapshot one) => new(
        one.Id?.ToString() ?? one.Name,
        "",
        one.Id?.Store.ToString() ?? "",
        one.Id?.Epoch.Value ?? 0,
        0,
        null,
        "",
        0,
        0,
        0,
        new Dictionary<string, string>(StringComparer.Ordinal),
        [],
        Problem: one.Reason);

    private static SnapshotPin Describe(Storage.Snapshots.SnapshotPin pin) => new(
        pin.Id, pin.Snapshot.ToString(), pin.Reason, pin.CreatedBy, pin.At, pin.ExpiresAt);

    private static VerificationOutcome Describe(SnapshotId id, VerificationResult result) => new(
        id.ToString(),
        result.Level == VerificationLevel.Opened ? VerificationKind.Opened : VerificationKind.Checksums,
        result.Passed,
        result.Failure is { } failure ? new[] { failure } : [],
        result.At,
        0);
}
