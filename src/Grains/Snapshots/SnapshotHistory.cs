using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Grains;

/// <summary>What a coordinator did, kept on shared storage so that it outlives its node.</summary>
/// <remarks>
/// <c>history/&lt;epoch, 20 digits&gt;.json</c> in the database's directory on shared storage, replaced by the owner of
/// that epoch only, so that a former owner can never overwrite a later one's. It informs people and the schedule;
/// nothing is decided by it that could lose data, so it is written when a run has ended and a failure is only logged.
/// </remarks>
internal sealed class SnapshotHistory(ISharedStorage shared, Database database, Tenure tenure)
{
    /// <summary>Runs that are remembered.</summary>
    public const int Remembered = 100;

    // The history of so many epochs is read: an owner that did nothing leaves none.
    private const int EpochsRead = 5;

    private readonly string _directory = $"databases/{database.Name}/{database.Id}/history";

    /// <summary>Reads what earlier owners and this one left, newest first.</summary>
    public async Task<IReadOnlyList<SnapshotRun>> ReadAsync(CancellationToken cancellationToken)
    {
        List<SnapshotRun> runs = [];
        IEnumerable<string> names = (await shared.ListAsync(_directory, cancellationToken))
            .Where(entry => !entry.IsDirectory)
            .Select(entry => entry.Name)
            .OrderDescending(StringComparer.Ordinal)
            .Take(EpochsRead);
        foreach (string name in names)
        {
            byte[]? text = await shared.TryReadAsync($"{_directory}/{name}", cancellationToken);
            runs.AddRange(text is null ? [] : Parse(text));
        }

        return [.. runs.OrderByDescending(run => run.StartedAt).Take(Remembered)];
    }

    /// <summary>Writes the history; this epoch's document then holds all of it.</summary>
    public async Task WriteAsync(IReadOnlyList<SnapshotRun> runs, CancellationToken cancellationToken)
    {
        HistoryDocument document = new(1, [.. runs.Take(Remembered)]);
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(document, SharedDocuments.Default.HistoryDocument);
        string name = tenure.Epoch.Value.ToString("D20", CultureInfo.InvariantCulture);
        await shared.ReplaceAsync($"{_directory}/{name}.json", text, cancellationToken);
    }

    internal static IReadOnlyList<SnapshotRun> Parse(byte[] text)
    {
        try
        {
            HistoryDocument? document = JsonSerializer.Deserialize(text, SharedDocuments.Default.HistoryDocument);
            return document?.Format == 1 ? document.Runs : [];
        }
        catch (JsonException)
        {
            // What happened before is then not known; the next run writes a whole document again.
            return [];
        }
    }
}

/// <summary>A document of the history.</summary>
internal sealed record HistoryDocument(int Format, IReadOnlyList<SnapshotRun> Runs);

/// <summary>A document of one failover.</summary>
internal sealed record FailoverDocument(int Format, FailoverRecord Failover);

/// <summary>A snapshot policy as it is kept in the database.</summary>
internal sealed record PolicyDocument(int Format, SnapshotPolicy Policy);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    WriteIndented = true)]
[JsonSerializable(typeof(HistoryDocument))]
[JsonSerializable(typeof(FailoverDocument))]
[JsonSerializable(typeof(PolicyDocument))]
internal sealed partial class SharedDocuments : JsonSerializerContext;
