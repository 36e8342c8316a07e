using System.Text.Json;
using System.Text.Json.Serialization;
using Branching.Storage;

namespace Branching.Silo.Membership;

/// <summary>Who suspects a member, and since when.</summary>
/// <param name="By">The address of the suspecting member.</param>
/// <param name="At">When it said so.</param>
internal sealed record Suspicion(string By, DateTimeOffset At);

/// <summary>One member of a cluster, or one that was.</summary>
/// <param name="Silo">Address, port and generation; unique for ever, a restart has another generation.</param>
/// <param name="ETag">Changes with every change of the row.</param>
/// <param name="Status">The name of its state in the membership protocol.</param>
/// <param name="SiloName">The node's name, the same after each restart.</param>
/// <param name="HostName">The machine.</param>
/// <param name="RoleName">The program it runs; null when unknown.</param>
/// <param name="GatewayPort">The port for clients; 0 when it has none.</param>
/// <param name="UpdateZone">Not used by Branching; kept for the protocol.</param>
/// <param name="FaultZone">Not used by Branching; kept for the protocol.</param>
/// <param name="StartedAt">When the process started.</param>
/// <param name="AliveAt">When the member last said that it lives.</param>
/// <param name="Suspicions">Votes of others that it is dead; null when there were none.</param>
internal sealed record MemberRow(
    string Silo,
    string ETag,
    string Status,
    string? SiloName,
    string? HostName,
    string? RoleName,
    int GatewayPort,
    int UpdateZone,
    int FaultZone,
    DateTimeOffset StartedAt,
    DateTimeOffset AliveAt,
    IReadOnlyList<Suspicion>? Suspicions)
{
    /// <summary>The last sign of the row's life, the declaration of its death included.</summary>
    [JsonIgnore]
    public DateTimeOffset LastChangeAt => (Suspicions ?? []).Select(suspicion => suspicion.At)
        .Append(AliveAt).Append(StartedAt).Max();
}

/// <summary>The whole table of members in one version of it.</summary>
/// <param name="Format">The format number.</param>
/// <param name="Version">Starts from 1; zero is the table before its first change, which is never written.</param>
/// <param name="ETag">Names this version and its content.</param>
/// <param name="Members">Every row.</param>
internal sealed record MembershipDocument(int Format, int Version, string ETag, IReadOnlyList<MemberRow> Members)
{
    public static MembershipDocument Empty { get; } = new(MembershipDocuments.Format, 0, "0", []);

    public MemberRow? Find(string silo) => Members.FirstOrDefault(row => row.Silo == silo);
}

/// <summary>A member's sign of life, beside the table because it changes every few seconds.</summary>
internal sealed record AliveDocument(int Format, string Silo, DateTimeOffset At);

/// <summary>Only the format number of any of them.</summary>
internal sealed record MembershipFormat(int Format);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    WriteIndented = true)]
[JsonSerializable(typeof(MembershipFormat))]
[JsonSerializable(typeof(MembershipDocument))]
[JsonSerializable(typeof(AliveDocument))]
internal sealed partial class MembershipDocuments : JsonSerializerContext
{
    /// <summary>The format this version writes (docs/formats.md).</summary>
    public const int Format = 1;

    public static MembershipDocument ReadTable(byte[] content, string path)
        => Read(content, Default.MembershipDocument, path);

    public static AliveDocument ReadAlive(byte[] content, string path) => Read(content, Default.AliveDocument, path);

    public static byte[] Write(MembershipDocument document)
        => JsonSerializer.SerializeToUtf8Bytes(document, Default.MembershipDocument);

    public static byte[] Write(AliveDocument document)
        => JsonSerializer.SerializeToUtf8Bytes(document, Default.AliveDocument);

    private static T Read<T>(
        byte[] content, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string path)
        where T : class
    {
        try
        {
            // Only the number first: nothing else of a newer format is believed.
            int format = JsonSerializer.Deserialize(content, Default.MembershipFormat)?.Format ?? 0;
            if (format > Format)
            {
                throw new StorageException(
                    FailureKind.FormatTooNew,
                    $"The membership file '{path}' has format {format}; this version reads formats up to " +
                    $"{Format}. Run the newer version on every node of the cluster.");
            }

            return JsonSerializer.Deserialize(content, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"The membership file '{path}' is damaged: {e.Message} Stop every node of the cluster, delete that " +
                "file, and start the nodes again: members announce themselves.", e);
        }
    }
}
