using System.Text.Json;
using System.Text.Json.Serialization;
using Branching.Storage.Changes;

namespace Branching.Storage;

/// <summary>Numbers of the formats this version writes and reads (docs/formats.md).</summary>
internal static class Formats
{
    public const int Root = 1;
    public const int Database = 2;

    /// <summary>A database that never was on shared storage is written as this, which 0.1 reads.</summary>
    public const int DatabaseOfOneNode = 1;
    public const int Restore = 1;
    public const int Catalog = 1;
    public const int Marker = 1;
    public const int Released = 1;

    /// <summary>Every document on shared storage but manifests, which count for themselves.</summary>
    public const int Shared = 1;

    /// <summary>Refuses what another version wrote.</summary>
    public static void Check(int found, int supported, string what, string path)
    {
        if (found > supported)
        {
            throw new StorageException(
                FailureKind.FormatTooNew,
                $"{what} '{path}' has format {found}; this version reads formats up to {supported}. It was left " +
                "as it is: " +
                "run the newer version that wrote it.");
        }

        if (found < 1)
        {
            throw new StorageException(
                FailureKind.FormatTooOld,
                $"{what} '{path}' has format {found}; this version reads formats from 1. It was left as it is: " +
                "open it with an older version first.");
        }
    }
}

/// <summary><c>root.json</c>. A root of 0.1 has no id; it gets one when it is opened. <c>Shared</c> is the identity of
/// the shared storage it used last.</summary>
internal sealed record RootDocument(int Format, string? Id = null, string? Shared = null);

/// <summary><c>database.json</c>.</summary>
internal sealed record DatabaseDocument(
    int Format, string Id, string Name, DateTimeOffset CreatedAt, string CreatedBy, ulong Epoch, bool CleanShutdown,
    bool? Shared = null, ClaimIntent? Claiming = null)
{
    /// <summary>Whether shared storage knows this database, so that serving it needs a tenure.</summary>
    [JsonIgnore]
    public bool IsShared => Shared == true;

    /// <summary>
    /// As it is written: a version that knows nothing of ownership must refuse a shared database, not serve it.
    /// </summary>
    public DatabaseDocument Numbered() =>
        this with { Format = IsShared ? Formats.Database : Formats.DatabaseOfOneNode };
}

/// <summary>An epoch about to be claimed, recorded before: after a crash the local store is known to be its.</summary>
internal sealed record ClaimIntent(ulong Epoch, string ProcessId);

/// <summary>First line of a catalog file.</summary>
internal sealed record CatalogDocument(int Format, string Database, long Generation);

/// <summary>One line of a catalog file, and the body of a store's <c>branch.json</c>.</summary>
internal sealed record BranchDocument(
    int Format,
    string Database,
    string Id,
    string Name,
    string? Parent,
    string? ParentName,
    ulong Sequence,
    int Depth,
    DateTimeOffset CreatedAt,
    string CreatedBy,
    Dictionary<string, string>? Labels,
    BranchState State,
    int LinkedFiles,
    int CopiedFiles,
    long? TotalBytes,
    DateTimeOffset? DeletedAt,
    string? OperationId,
    BranchDurability? Durability = null,
    ChangeLogDocument? ChangeLog = null)
{
    public static BranchDocument From(BranchRecord record, DatabaseId database) => new(
        Formats.Marker, database.ToString(), record.Id.ToString(), record.Name.Value, record.ParentId?.ToString(),
        record.ParentName?.Value, record.BranchSequence.Value, record.Depth, record.CreatedAt, record.CreatedBy,
        record.Labels.Count == 0 ? null : record.Labels.ToDictionary(StringComparer.Ordinal), record.State,
        record.LinkedFiles, record.CopiedFiles, record.TotalBytes, record.DeletedAt, record.OperationId,
        record.Durability == BranchDurability.Durable ? null : record.Durability,
        record.ChangeLog is { } log ? ChangeLogDocument.From(log) : null);

    public BranchRecord ToRecord() => new(
        StoreId.Parse(Id), BranchName.Parse(Name), Parent is null ? null : StoreId.Parse(Parent),
        ParentName is null ? null : BranchName.Parse(ParentName), new Sequence(Sequence), Depth, CreatedAt, CreatedBy,
        (IReadOnlyDictionary<string, string>?)Labels ?? System.Collections.Frozen.FrozenDictionary<string,
            string>.Empty,
        State, LinkedFiles, CopiedFiles, TotalBytes, DeletedAt, OperationId, Durability ?? BranchDurability.Durable,
        ChangeLog?.ToSettings());
}

/// <summary>Only the format number, read before anything else is believed.</summary>
internal sealed record FormatDocument(int Format);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = false)]
[JsonSerializable(typeof(FormatDocument))]
[JsonSerializable(typeof(RootDocument))]
[JsonSerializable(typeof(DatabaseDocument))]
[JsonSerializable(typeof(CatalogDocument))]
[JsonSerializable(typeof(BranchDocument))]
[JsonSerializable(typeof(QuarantineReason))]
[JsonSerializable(typeof(RestoreIntent))]
[JsonSerializable(typeof(ReleasedDocument))]
internal sealed partial class Documents : JsonSerializerContext
{
    /// <summary>Reads one document after its format number; damage is a failure that names the file.</summary>
    public static T Read<T>(
        string text, int format, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what, string path)
        where T : class
    {
        try
        {
            FormatDocument? number = JsonSerializer.Deserialize(text, Default.FormatDocument);
            Formats.Check(number?.Format ?? 0, format, what, path);
            return JsonSerializer.Deserialize(text, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"{what} '{path}' is damaged: {e.Message} It was left as it is; put back an undamaged copy.", e);
        }
    }
}

/// <summary><c>reason.json</c> of a quarantined entry.</summary>
internal sealed record QuarantineReason(
    string From, string Reason, DateTimeOffset At, StaleDatabase? Database = null);

/// <summary>What a database was when it was set aside whole, for the person who looks at it.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Epoch">The epoch its stores were last written under.</param>
/// <param name="NewestEpoch">The newest epoch on shared storage at that time.</param>
/// <param name="Branches">Each branch's last local sequence and what was snapshotted of it.</param>
internal sealed record StaleDatabase(
    string Id, ulong Epoch, ulong NewestEpoch, IReadOnlyList<StaleBranch> Branches);

/// <summary>One branch of a database set aside.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Store">Its store.</param>
/// <param name="LocalSequence">Its last local sequence; absent when the store could not be read.</param>
/// <param name="RestoredSequence">The sequence that was restored in its place; absent when none was.</param>
/// <param name="Problem">Why the store could not be read.</param>
internal sealed record StaleBranch(
    string Name, string Store, ulong? LocalSequence, ulong? RestoredSequence, string? Problem);
