using System.Text.Json.Serialization;
using Branching.Storage.Shared;

namespace Branching.Storage.Changes;

/// <summary>Where a change log lies and whose it is.</summary>
/// <param name="Directory">The log's directory; created with the log, its parent too.</param>
/// <param name="Database">The life of the database.</param>
/// <param name="Store">The store.</param>
public sealed record ChangeLogPlace(string Directory, DatabaseId Database, StoreId Store)
{
    internal Disk Disk { get; init; } = new();

    /// <summary>The tenure under which the database is served now.</summary>
    internal Func<Epoch> Epoch { get; init; } = static () => default;
}

/// <summary>One history of a log: from its start on, sequences mean one thing.</summary>
/// <param name="Id">A random number.</param>
/// <param name="Number">1 for the first; later ones are higher.</param>
/// <param name="Start">The sequence after which it begins; what was before is as in the history before.</param>
internal sealed record ChangeHistory(ulong Id, ulong Number, ulong Start);

/// <summary>A consumer as it is stored.</summary>
/// <param name="Name">Its name.</param>
/// <param name="History">The history of what it acknowledged last.</param>
/// <param name="Sequence">What it acknowledged last.</param>
/// <param name="CreatedAt">When it was created, UTC.</param>
/// <param name="AcknowledgedAt">When it acknowledged last, UTC.</param>
/// <param name="DroppedAt">When it was dropped because it lagged too far behind, UTC.</param>
internal sealed record ConsumerDocument(
    string Name, ulong History, ulong Sequence, DateTimeOffset CreatedAt, DateTimeOffset? AcknowledgedAt = null,
    DateTimeOffset? DroppedAt = null);

/// <summary><c>state.json</c> of a change log: what is not in its files.</summary>
internal sealed record ChangeStateDocument(
    int Format, string Database, string Store, IReadOnlyList<ChangeHistory> Histories,
    IReadOnlyList<ConsumerDocument> Consumers);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n",
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ChangeStateDocument))]
internal sealed partial class ChangeDocuments : JsonSerializerContext;

/// <summary>Reads and replaces <c>state.json</c>.</summary>
internal static class ChangeState
{
    public const int Format = 1;

    // A position from before so many histories is refused, as if it were of another life.
    public const int KeptHistories = 64;

    private const string What = "The state of the change log";

    public static ChangeStateDocument? TryRead(ChangeLogPlace place) => TryRead(place.Directory);

    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>; it is left as it is.</exception>
    public static ChangeStateDocument? TryRead(string directory)
    {
        string path = Path.Combine(directory, ChangeFormat.StateName);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading", path, e);
        }

        ChangeStateDocument state = SealedDocument.Open(
            bytes, ChangeDocuments.Default.ChangeStateDocument, Format, What, path);
        return DatabaseId.TryParse(state.Database, out _) && StoreId.TryParse(state.Store, out _)
            ? state
            : throw new StorageException(
                FailureKind.Corruption,
                $"{What} '{path}' names no store. It was left as it is; put its own file back.");
    }

    /// <summary>Replaces the state in one step, durably.</summary>
    public static void Write(ChangeLogPlace place, ChangeStateDocument state)
    {
        Disk disk = place.Disk;
        string path = Path.Combine(place.Directory, ChangeFormat.StateName);
        string temporary = path + ChangeFormat.Unfinished;
        disk.DeleteFile(temporary);
        disk.WriteNewFile(temporary, SealedDocument.Seal(state, ChangeDocuments.Default.ChangeStateDocument));
        disk.Reach(ChangeStep.StateWritten);
        disk.Replace(temporary, path);
        disk.Reach(ChangeStep.StateReplaced);
        disk.FlushDirectory(place.Directory);
    }
}
