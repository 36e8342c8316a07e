using System.Text.Json.Serialization;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Shared;

/// <summary>Who, as stored.</summary>
internal sealed record OwnerDocument(string NodeName, string NodeId, string ProcessId)
{
    public static OwnerDocument Of(OwnerIdentity owner) => new(owner.NodeName, owner.NodeId, owner.ProcessId);

    public OwnerIdentity ToIdentity() => new(NodeName, NodeId, ProcessId);
}

/// <summary><c>lives/&lt;number&gt;.json</c>.</summary>
internal sealed record LifeDocument(
    int Format, ulong Number, string Id, string Name, DateTimeOffset CreatedAt, string CreatedBy);

/// <summary><c>dropped.json</c>.</summary>
internal sealed record DroppedDocument(int Format, string Id, string Name, ulong Epoch, DateTimeOffset At);

/// <summary><c>epochs/&lt;epoch&gt;.json</c>. The nonce makes equality mean "ours". <c>Enters</c>: this owner puts an
/// <see cref="EnteredDocument"/> before it answers; one of a version that knew none answers once its lease says
/// <c>Serving</c>.</summary>
internal sealed record ClaimDocument(
    int Format, ulong Epoch, OwnerDocument Owner, DateTimeOffset At, long LeaseLengthMs, string Nonce, bool Drop,
    bool? Enters = null);

/// <summary><c>leases/&lt;epoch&gt;.json</c>.</summary>
internal sealed record LeaseDocument(
    int Format, ulong Epoch, string ProcessId, ulong Counter, long LengthMs, bool Serving, bool Released);

/// <summary><c>epochs/&lt;epoch&gt;.entered.json</c>.</summary>
internal sealed record EnteredDocument(int Format, ulong Epoch, string ProcessId);

/// <summary>A range of snapshots, as stored.</summary>
internal sealed record SnapshotRangeDocument(ulong Epoch, ulong First, ulong Last);

/// <summary>A range of changes of the catalog, as stored.</summary>
internal sealed record CatalogRangeDocument(ulong Epoch, ulong Last);

/// <summary><c>epochs/&lt;epoch&gt;.heads.json</c>.</summary>
internal sealed record HeadsDocument(
    int Format,
    ulong Epoch,
    SortedDictionary<string, List<SnapshotRangeDocument>> Stores,
    List<string> Retired,
    List<CatalogRangeDocument> Catalog,
    ulong? Entered = null);

/// <summary>A file of a snapshot, as stored.</summary>
internal sealed record SnapshotFileDocument(
    string Name, SnapshotFileRole Role, long Bytes, string Sha256, string Object);

/// <summary>A column family's options, as stored.</summary>
internal sealed record FamilyDocument(string Name, string Comparator, string? MergeOperator, uint Number);

/// <summary>A manifest.</summary>
internal sealed record ManifestDocument(
    int Format,
    string Program,
    string DatabaseId,
    string DatabaseName,
    string Store,
    ulong Epoch,
    ulong Number,
    string Branch,
    string? Parent,
    ulong ParentSequence,
    int Depth,
    ulong Sequence,
    DateTimeOffset TakenAt,
    string Node,
    string RocksDbVersion,
    List<FamilyDocument> Families,
    List<SnapshotFileDocument> Files,
    long TotalBytes,
    long SentBytes,
    SortedDictionary<string, string> Labels);

/// <summary>A tombstone, or the intention of one.</summary>
internal sealed record TombstoneDocument(int Format, string Snapshot, ulong Epoch, string Node, DateTimeOffset At);

/// <summary><c>pins/&lt;id&gt;.json</c>.</summary>
internal sealed record PinDocument(
    int Format, string Snapshot, string Reason, string CreatedBy, DateTimeOffset At, DateTimeOffset? ExpiresAt);

/// <summary>The last verification of a snapshot.</summary>
internal sealed record VerificationDocument(
    int Format, string Snapshot, VerificationLevel Level, bool Passed, DateTimeOffset At, string Node, string? Failure);

/// <summary>A change of a policy, as stored.</summary>
internal sealed record PolicyDocument(string Key, string? Value);

/// <summary>One change of the catalog.</summary>
internal sealed record CatalogChangeDocument(
    int Format, ulong Epoch, ulong Number, BranchDocument? Branch, PolicyDocument? Policy);

/// <summary>The whole catalog after a change.</summary>
internal sealed record CatalogBaseDocument(
    int Format, ulong Epoch, ulong Number, List<BranchDocument> Branches, SortedDictionary<string, string> Policies);

/// <summary>Marks the beginning of a collection by the storage's own clock.</summary>
internal sealed record CollectionDocument(int Format, ulong Epoch, DateTimeOffset At);

/// <summary><c>shared-storage.json</c>.</summary>
internal sealed record SharedMarkDocument(int Format, string Id, DateTimeOffset At);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = false,
    WriteIndented = true,
    NewLine = "\n")]
[JsonSerializable(typeof(LifeDocument))]
[JsonSerializable(typeof(DroppedDocument))]
[JsonSerializable(typeof(ClaimDocument))]
[JsonSerializable(typeof(LeaseDocument))]
[JsonSerializable(typeof(EnteredDocument))]
[JsonSerializable(typeof(HeadsDocument))]
[JsonSerializable(typeof(ManifestDocument))]
[JsonSerializable(typeof(TombstoneDocument))]
[JsonSerializable(typeof(PinDocument))]
[JsonSerializable(typeof(VerificationDocument))]
[JsonSerializable(typeof(CatalogChangeDocument))]
[JsonSerializable(typeof(CatalogBaseDocument))]
[JsonSerializable(typeof(CollectionDocument))]
[JsonSerializable(typeof(SharedMarkDocument))]
internal sealed partial class SharedDocuments : JsonSerializerContext;
