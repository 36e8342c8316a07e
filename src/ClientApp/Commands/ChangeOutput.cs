using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>Shows changes: one operation a line, or one entry a line of JSON.</summary>
internal sealed class ChangeOutput(Stream stream, ByteNotation notation, bool asJson)
{
    private readonly ArrayBufferWriter<byte> _buffer = new(64 * 1024);

    public async Task WriteAsync(IEnumerable<ChangeEntry> entries, CancellationToken cancellationToken)
    {
        foreach (ChangeEntry entry in entries)
        {
            if (asJson)
            {
                AppendJson(entry);
            }
            else
            {
                AppendText(entry);
            }
        }

        await stream.WriteAsync(_buffer.WrittenMemory, cancellationToken);
        await stream.FlushAsync(cancellationToken);
        _buffer.ResetWrittenCount();
    }

    public static void ShowConsumers(Invocation invocation, IReadOnlyList<ConsumerDescription> consumers)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(ToJson(consumers));
            return;
        }

        if (consumers.Count == 0)
        {
            invocation.Note("no consumers");
            return;
        }

        invocation.Screen.Table(
            ["NAME", ">ACKNOWLEDGED", ">LAG", ">WAITING", "PROBLEM"],
            consumers.Select(consumer => (IReadOnlyList<string>)
            [
                consumer.Name, Screen.Number((long)consumer.Acknowledged), Screen.Number((long)consumer.Lag),
                Screen.Bytes(consumer.LagBytes), consumer.Problem ?? "",
            ]));
    }

    public static JsonArray ToJson(IReadOnlyList<ConsumerDescription> consumers)
        => new([.. consumers.Select(consumer => new JsonObject
        {
            ["name"] = consumer.Name,
            ["acknowledged"] = consumer.Acknowledged,
            ["lag"] = consumer.Lag,
            ["lagBytes"] = consumer.LagBytes,
            ["createdAt"] = consumer.CreatedAt,
            ["acknowledgedAt"] = consumer.AcknowledgedAt,
            ["droppedAt"] = consumer.DroppedAt,
            ["problem"] = consumer.Problem,
        })]);

    public static JsonObject ToJson(PurgeChangesOutcome outcome) => new()
    {
        ["files"] = outcome.Files,
        ["entries"] = outcome.Entries,
        ["bytes"] = outcome.Bytes,
        ["keptFor"] = outcome.KeptFor,
        ["droppedConsumers"] = new JsonArray([.. outcome.DroppedConsumers.Select(name => JsonValue.Create(name))]),
    };

    private static string TimeOf(DateTimeOffset time)
        => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static string NameOf(LoggedOperationKind kind) => kind switch
    {
        LoggedOperationKind.Put => "put",
        LoggedOperationKind.Delete => "delete",
        LoggedOperationKind.DeleteRange => "delete-range",
        _ => "merge",
    };

    private static string NameOf(ChangeEntryGap gap) => gap switch
    {
        ChangeEntryGap.NotLogged => "not-logged",
        ChangeEntryGap.LostTail => "lost-tail",
        _ => "damaged",
    };

    private void AppendText(ChangeEntry entry)
    {
        if (entry.Kind == ChangeEntryKind.Gap)
        {
            Add($"{entry.First}-{entry.Last}\t{TimeOf(entry.Time)}\tgap\t{NameOf(entry.Gap)}\n");
            return;
        }

        ulong sequence = entry.First;
        foreach (LoggedOperation operation in entry.Operations)
        {
            Add($"{sequence++}\t{TimeOf(entry.Time)}\t{NameOf(operation.Kind)}\t{operation.ColumnFamily}\t");
            ByteText.AppendLine(operation.Key.Span, notation, _buffer);
            if (operation.Kind != LoggedOperationKind.Delete)
            {
                Add("\t");
                ByteText.AppendLine(operation.Value.Span, notation, _buffer);
            }

            if (operation.ExpiresAt is { } expiresAt)
            {
                Add($"\texpires {TimeOf(expiresAt)}");
            }

            Add("\n");
        }
    }

    private void Add(string text) => Encoding.UTF8.GetBytes(text, _buffer);

    private void AppendJson(ChangeEntry entry)
    {
        using var json = new Utf8JsonWriter(_buffer, RecordJson.WriterOptions);
        json.WriteStartObject();
        json.WriteNumber("first", entry.First);
        json.WriteNumber("last", entry.Last);
        json.WriteString("time", entry.Time);
        if (entry.Kind == ChangeEntryKind.Gap)
        {
            json.WriteString("gap", NameOf(entry.Gap));
        }
        else
        {
            json.WriteStartArray("operations");
            foreach (LoggedOperation operation in entry.Operations)
            {
                json.WriteStartObject();
                json.WriteString("kind", NameOf(operation.Kind));
                json.WriteString("columnFamily", operation.ColumnFamily);
                ByteText.WriteJson(json, "key", operation.Key.Span, notation);
                if (operation.Kind != LoggedOperationKind.Delete)
                {
                    ByteText.WriteJson(json, "value", operation.Value.Span, notation);
                }

                if (operation.ExpiresAt is { } expiresAt)
                {
                    json.WriteString("expiresAt", expiresAt);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteString("position", Convert.ToHexStringLower(entry.Position.Span));
        json.WriteEndObject();
        RecordJson.EndLine(json, _buffer);
    }
}
