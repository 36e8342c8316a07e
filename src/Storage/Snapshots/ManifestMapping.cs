using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>Between a manifest and what is stored of it.</summary>
internal static class ManifestMapping
{
    public static byte[] Seal(this SnapshotManifest manifest) =>
        SealedDocument.Seal(manifest.ToDocument(), SharedDocuments.Default.ManifestDocument);

    /// <summary>Reads a manifest and checks that it stands under its own name.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotDamaged"/> or
    /// <see cref="FailureKind.FormatTooNew"/>.</exception>
    public static SnapshotManifest Open(byte[] bytes, DatabaseId database, SnapshotId id, string name)
    {
        ManifestDocument document = SealedDocument.Open(
            bytes, SharedDocuments.Default.ManifestDocument, SnapshotManifest.CurrentFormat,
            "The manifest", name, FailureKind.SnapshotDamaged);
        SnapshotManifest manifest;
        try
        {
            manifest = document.ToManifest(SealedDocument.DigestIn(bytes));
        }
        catch (StorageException e)
        {
            throw Damaged(name, e.Message, e);
        }

        return manifest.Id == id && manifest.DatabaseId == database
            ? manifest
            : throw Damaged(name, $"it is the manifest of {manifest.Id} of database {manifest.DatabaseId}.");
    }

    private static StorageException Damaged(string name, string why, Exception? inner = null) => new(
        FailureKind.SnapshotDamaged,
        $"The manifest '{name}' is damaged: {why} It was left as it is; restore another snapshot, or put back an " +
        "undamaged copy.", inner);

    private static ManifestDocument ToDocument(this SnapshotManifest m) => new(
        m.Format, m.Program, m.DatabaseId.ToString(), m.DatabaseName.Value, m.Id.Store.ToString(), m.Id.Epoch.Value,
        m.Id.Number, m.Branch.Value, m.Parent?.ToString(), m.ParentSequence.Value, m.Depth, m.Sequence.Value,
        m.TakenAt, m.Node, m.RocksDbVersion,
        [.. m.Options.Families.Select(f => new FamilyDocument(f.Name, f.Comparator, f.MergeOperator, f.Number))],
        [.. m.Files.Select(f => new SnapshotFileDocument(f.Name, f.Role, f.Bytes, f.Sha256, f.ObjectName))],
        m.TotalBytes, m.SentBytes,
        new SortedDictionary<string, string>(m.Labels.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal));

    private static SnapshotManifest ToManifest(this ManifestDocument d, string sha256) => new(
        d.Format, d.Program, DatabaseId.Parse(d.DatabaseId), DatabaseName.Parse(d.DatabaseName),
        new SnapshotId(StoreId.Parse(d.Store), new Epoch(d.Epoch), d.Number), BranchName.Parse(d.Branch),
        d.Parent is null ? null : StoreId.Parse(d.Parent), new Sequence(d.ParentSequence), d.Depth,
        new Sequence(d.Sequence), d.TakenAt, d.Node, d.RocksDbVersion,
        new OptionsFingerprint(
            [.. d.Families.Select(f => new FamilyFingerprint(f.Name, f.Comparator, f.MergeOperator, f.Number))]),
        [.. d.Files.Select(f => new SnapshotFile(f.Name, f.Role, f.Bytes, f.Sha256, f.Object))],
        d.TotalBytes, d.SentBytes, d.Labels, sha256);
}
