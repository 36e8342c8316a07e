using System.Globalization;
using System.Text.Json.Serialization;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <summary><c>backups.json</c>: says that a directory is one of backups, and which.</summary>
/// <param name="Format">Number of the format.</param>
/// <param name="Id">Random; tells this directory from every other.</param>
/// <param name="Last">The highest number given, when its backup is gone.</param>
/// <param name="HasUnsynced">Whether files were ever put without an fsync: who relies on them makes up for it.</param>
internal sealed record BackupMarkDocument(int Format, string Id, ulong Last, bool HasUnsynced = false);

/// <summary>A file of a backup, as stored.</summary>
internal sealed record BackupFileDocument(string Name, SnapshotFileRole? Role, long Bytes, string Sha256);

/// <summary>A manifest, as stored.</summary>
internal sealed record BackupManifestDocument(
    int Format,
    string Program,
    ulong Number,
    string Source,
    string Label,
    SortedDictionary<string, string> Metadata,
    DateTimeOffset TakenAt,
    ulong Sequence,
    string RocksDbVersion,
    List<FamilyDocument> Families,
    List<BackupFileDocument> Files,
    long TotalBytes,
    long NewBytes,
    bool Flushed,
    bool Durable,
    string? ImportedFrom);

/// <summary><c>restored.json</c>: what a store was restored from. It stays in the store.</summary>
/// <param name="Format">Number of the format.</param>
/// <param name="Staging">Name of the directory it was put together in.</param>
/// <param name="Manifest">Digest of the backup's manifest.</param>
/// <param name="Directory">The backup directory.</param>
/// <param name="Number">The backup.</param>
/// <param name="At">When.</param>
internal sealed record RestoredDocument(
    int Format, string Staging, string Manifest, string Directory, ulong Number, DateTimeOffset At)
{
    public const string FileName = "restored.json";
    public const int CurrentFormat = 1;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = false,
    WriteIndented = true,
    NewLine = "\n")]
[JsonSerializable(typeof(BackupMarkDocument))]
[JsonSerializable(typeof(BackupManifestDocument))]
[JsonSerializable(typeof(RestoredDocument))]
internal sealed partial class BackupDocuments : JsonSerializerContext;

/// <summary>Names in a backup directory.</summary>
internal static class BackupNames
{
    public const string Mark = "backups.json";
    public const string Manifests = "backups";
    public const string Objects = "objects";
    public const string Lock = "LOCK";
    public const string Readers = "READERS";
    private const string Extension = ".json";
    private const int Digits = 20;

    public static string ManifestOf(BackupId id) =>
        $"{Manifests}/{id.Value.ToString("D20", CultureInfo.InvariantCulture)}{Extension}";

    public static string ObjectOf(string sha256) => $"{Objects}/{sha256[..2]}/{sha256}";

    public static bool TryParse(string name, out BackupId id)
    {
        id = default;
        string number = name.EndsWith(Extension, StringComparison.Ordinal) ? name[..^Extension.Length] : "";
        return number.Length == Digits && BackupId.TryParse(number, out id);
    }
}

/// <summary>Between a manifest and what is stored of it.</summary>
internal static class BackupMapping
{
    private const int MostFiles = 10_000_000;

    public static byte[] Seal(this BackupManifest manifest) =>
        SealedDocument.Seal(manifest.ToDocument(), BackupDocuments.Default.BackupManifestDocument);

    /// <summary>Reads a manifest. Every name in it is one that leads nowhere outside of a store.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.BackupDamaged"/> or
    /// <see cref="FailureKind.FormatTooNew"/>.</exception>
    public static BackupManifest Open(byte[] bytes, BackupId? id, string name)
    {
        BackupManifestDocument document = SealedDocument.Open(
            bytes, BackupDocuments.Default.BackupManifestDocument, BackupManifest.CurrentFormat,
            "The manifest of a backup", name, FailureKind.BackupDamaged);
        if (FindMissing(document) is { } missing)
        {
            throw Damaged(name, $"it has no {missing}");
        }

        BackupManifest manifest = document.ToManifest(SealedDocument.DigestIn(bytes));
        string? wrong = id is { } expected && manifest.Id != expected
            ? $"it is the manifest of backup {manifest.Id}"
            : FindMalformed(manifest).FirstOrDefault();
        return wrong is null ? manifest : throw Damaged(name, wrong);
    }

    private static StorageException Damaged(string name, string why) => new(
        FailureKind.BackupDamaged,
        $"The manifest of a backup '{name}' is damaged: {why}. It was left as it is; use another backup.");

    private static string? FindMissing(BackupManifestDocument d) =>
        ManifestMapping.FirstMissing(
            ("program", d.Program), ("source", d.Source), ("label", d.Label), ("metadata", d.Metadata),
            ("rocksDbVersion", d.RocksDbVersion), ("families", d.Families), ("files", d.Files))
        ?? (d.Number == 0 ? "number"
            : !d.Families.TrueForAll(ManifestMapping.IsWhole) ? "name or comparator of a column family"
            : !d.Files.TrueForAll(static f => f is { Name: not null, Sha256: not null }) ? "name or digest of a file"
            : d.Metadata.Values.Any(static value => value is null) ? "value of an entry"
            : null);

    private static IEnumerable<string> FindMalformed(BackupManifest manifest)
    {
        if (manifest.Files.Count > MostFiles)
        {
            yield return $"it lists more than {MostFiles} files";
        }

        HashSet<string> names = new(StringComparer.Ordinal);
        Dictionary<string, long> lengths = new(StringComparer.Ordinal);
        foreach (BackupFile file in manifest.Files)
        {
            if (file.Role is { } role ? StoreFileNames.RoleOf(file.Name) != role : !ChangeLogFiles.IsName(file.Name))
            {
                yield return $"'{Names.Show(file.Name)}' is not the name of such a file";
            }
            else if (!names.Add(file.Name))
            {
                yield return $"file '{file.Name}' is listed twice";
            }
            else if (file.Bytes < 0 || !LocalObjects.IsDigest(file.Sha256))
            {
                yield return $"file '{file.Name}' has no valid length or SHA-256";
            }
            else if (lengths.TryGetValue(file.Sha256, out long other) && other != file.Bytes)
            {
                yield return $"file '{file.Name}' has the content of another, and another length";
            }
            else
            {
                lengths[file.Sha256] = file.Bytes;
            }
        }

        foreach (SnapshotFileRole role in (SnapshotFileRole[])[SnapshotFileRole.Current, SnapshotFileRole.Manifest])
        {
            if (manifest.Files.Count(file => file.Role == role) != 1)
            {
                yield return $"it does not list exactly one file of role {role}";
            }
        }

        if (!ManifestRules.IsTotal(manifest.TotalBytes, manifest.Files.Select(file => file.Bytes)))
        {
            yield return "its total is not the sum of its files";
        }
        else if (manifest.NewBytes < 0)
        {
            yield return "what was new of it is negative";
        }
    }

    private static BackupManifestDocument ToDocument(this BackupManifest m) => new(
        m.Format, m.Program, m.Id.Value, m.Source, m.Label,
        new SortedDictionary<string, string>(
            m.Metadata.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal),
        m.TakenAt, m.Sequence.Value, m.RocksDbVersion,
        [.. m.Options.Families.Select(f => new FamilyDocument(f.Name, f.Comparator, f.MergeOperator, f.Number))],
        [.. m.Files.Select(f => new BackupFileDocument(f.Name, f.Role, f.Bytes, f.Sha256))],
        m.TotalBytes, m.NewBytes, m.IsFlushed, m.IsDurable, m.ImportedFrom);

    private static BackupManifest ToManifest(this BackupManifestDocument d, string sha256) => new(
        d.Format, d.Program, new BackupId(d.Number), d.Source, d.Label, d.Metadata, d.TakenAt,
        new Sequence(d.Sequence), d.RocksDbVersion,
        new OptionsFingerprint(
            [.. d.Families.Select(f => new FamilyFingerprint(f.Name, f.Comparator, f.MergeOperator, f.Number))]),
        [.. d.Files.Select(f => new BackupFile(f.Name, f.Role, f.Bytes, f.Sha256))],
        d.TotalBytes, d.NewBytes, d.Flushed, d.Durable, d.ImportedFrom, sha256);
}
