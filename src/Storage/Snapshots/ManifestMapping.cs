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
        if (FindMissing(document) is { } missing)
        {
            throw Damaged(name, $"it has no {missing}.");
        }

        SnapshotManifest manifest;
        try
        {
            manifest = document.ToManifest(SealedDocument.DigestIn(bytes));
        }
        catch (StorageException e)
        {
            throw Damaged(name, e.Message, e);
        }

        if (manifest.Id != id || manifest.DatabaseId != database)
        {
            throw Damaged(name, $"it is the manifest of {manifest.Id} of database {manifest.DatabaseId}.");
        }

        return FindMalformed(manifest) is { } malformed ? throw Damaged(name, malformed) : manifest;
    }

    /// <summary>The first of a list of members that is absent: a reader of JSON leaves such a one null.</summary>
    public static string? FirstMissing(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        foreach ((string name, object? value) in members)
        {
            if (value is null)
            {
                return name;
            }
        }

        return null;
    }

    /// <summary>Whether a column family says all that it must.</summary>
    public static bool IsWhole(FamilyDocument? family) => family is { Name: not null, Comparator: not null };

    private static string? FindMissing(ManifestDocument d) =>
        FirstMissing(
            ("program", d.Program), ("databaseId", d.DatabaseId), ("databaseName", d.DatabaseName),
            ("store", d.Store), ("branch", d.Branch), ("node", d.Node), ("rocksDbVersion", d.RocksDbVersion),
            ("families", d.Families), ("files", d.Files), ("labels", d.Labels))
        ?? (!d.Families.TrueForAll(IsWhole) ? "name or comparator of a column family"
            : !d.Files.TrueForAll(static f => f is { Name: not null, Sha256: not null, Object: not null })
                ? "name, digest or object of a file"
            : d.Labels.Values.Any(static value => value is null) ? "value of a label"
            : null);

    private static string? FindMalformed(SnapshotManifest manifest) =>
        ManifestRules.FindMalformedFiles(manifest).FirstOrDefault()
        ?? (!ManifestRules.IsTotal(manifest.TotalBytes, manifest.Files.Select(file => file.Bytes))
                ? "its total is not the sum of its files."
            : manifest.SentBytes < 0 || manifest.Depth < 0 ? "what it sent or its depth is negative."
            : null);

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
