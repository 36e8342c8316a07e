using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Branching.ClientApp.Formats;

/// <summary>
/// One JSON object a line: with a key field the whole object is the value, as written; without one the object says
/// <c>key</c> (or <c>key64</c>) and <c>value</c> (or <c>value64</c>).
/// </summary>
internal sealed class NdjsonReader(LineSource source, string? keyField) : RecordReader(source)
{
    // Deep enough for any document a person wrote, and far from what the stack of a parser can bear.
    private static readonly JsonReaderOptions _options = new() { MaxDepth = 512 };

    private readonly byte[]? _keyField = keyField is null ? null : Encoding.UTF8.GetBytes(keyField);
    private byte[] _decoded = new byte[4096];
    private int _decodedLength;

    private enum Field
    {
        None,
        Key,
        Value,
    }

    protected override ReadOutcome ReadRecord(ReadOnlyMemory<byte> line)
    {
        _decodedLength = 0;
        ReadOnlySpan<byte> bytes = line.Span;
        if (bytes.IndexOfAnyExcept(" \t"u8) < 0)
        {
            return Fail(0, "the line has only spaces");
        }

        if (!Utf8.IsValid(bytes))
        {
            return Fail(InvalidOffset(bytes), "not UTF-8 text");
        }

        // Unescaping writes at most as many bytes as it reads, so one buffer of the line's length holds all of them.
        if (_decoded.Length < bytes.Length)
        {
            _decoded = new byte[bytes.Length * 2];
        }

        var json = new Utf8JsonReader(bytes, _options);
        try
        {
            json.Read();
            if (json.TokenType != JsonTokenType.StartObject)
            {
                return Fail((int)json.TokenStartIndex, "not a JSON object");
            }

            return _keyField is null ? ReadPair(ref json, line) : ReadObject(ref json, line);
        }
        catch (JsonException malformed)
        {
            int offset = (int)(malformed.BytePositionInLine ?? 0);
            return Fail(offset, "not valid JSON: " + FirstSentence(malformed.Message));
        }
        catch (InvalidOperationException)
        {
            // A lone half of a surrogate pair, which no UTF-8 text can hold.
            return Fail((int)json.TokenStartIndex, "a string with half a surrogate pair");
        }
    }

    private ReadOutcome ReadObject(ref Utf8JsonReader json, ReadOnlyMemory<byte> line)
    {
        ReadOnlyMemory<byte> key = default;
        int keyOffset = -1;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool isKey = json.ValueTextEquals(_keyField);
            json.Read();
            if (!isKey)
            {
                json.Skip();
                continue;
            }

            if (keyOffset >= 0)
            {
                return Fail((int)json.TokenStartIndex, $"field '{keyField}' appears twice");
            }

            keyOffset = (int)json.TokenStartIndex;
            if (json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.Null)
            {
                return Fail(keyOffset, $"field '{keyField}' is no string, number or boolean");
            }

            key = json.TokenType == JsonTokenType.String ? Text(ref json, line) : Raw(ref json, line);
        }

        json.Read();
        return keyOffset < 0
            ? Fail(0, $"the object has no field '{keyField}'")
            : Accept(key, Trim(line), keyOffset, 0);
    }

    private ReadOutcome ReadPair(ref Utf8JsonReader json, ReadOnlyMemory<byte> line)
    {
        ReadOnlyMemory<byte> key = default;
        ReadOnlyMemory<byte> value = default;
        int keyOffset = -1;
        int valueOffset = -1;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            int nameOffset = (int)json.TokenStartIndex;
            (Field field, bool base64) = FieldOf(ref json);
            if (field == Field.None)
            {
                return Fail(
                    nameOffset, "a field other than key, key64, value, value64; --key FIELD imports whole objects");
            }

            if ((field == Field.Key ? keyOffset : valueOffset) >= 0)
            {
                return Fail(nameOffset, field == Field.Key ? "a second key" : "a second value");
            }

            json.Read();
            int offset = (int)json.TokenStartIndex;
            if (!TryReadBytes(ref json, line, field, base64, out ReadOnlyMemory<byte> bytes, out string reason))
            {
                return Fail(offset, reason);
            }

            (key, keyOffset) = field == Field.Key ? (bytes, offset) : (key, keyOffset);
            (value, valueOffset) = field == Field.Value ? (bytes, offset) : (value, valueOffset);
        }

        json.Read();
        return (keyOffset, valueOffset) switch
        {
            ( < 0, _) => Fail(0, "the object has no field 'key'; --key FIELD names another"),
            (_, < 0) => Fail(0, "the object has no field 'value'"),
            _ => Accept(key, value, keyOffset, valueOffset),
        };
    }

    private static (Field Field, bool Base64) FieldOf(ref Utf8JsonReader json)
        => json.ValueTextEquals("key"u8) ? (Field.Key, false)
            : json.ValueTextEquals("value"u8) ? (Field.Value, false)
            : json.ValueTextEquals("key64"u8) ? (Field.Key, true)
            : json.ValueTextEquals("value64"u8) ? (Field.Value, true)
            : (Field.None, false);

    private bool TryReadBytes(
        ref Utf8JsonReader json,
        ReadOnlyMemory<byte> line,
        Field field,
        bool base64,
        out ReadOnlyMemory<byte> bytes,
        out string reason)
    {
        bytes = default;
        reason = "";
        if (base64)
        {
            byte[]? decoded = null;
            if (json.TokenType != JsonTokenType.String || !json.TryGetBytesFromBase64(out decoded))
            {
                reason = "not a base64 string";
                return false;
            }

            bytes = decoded;
            return true;
        }

        if (json.TokenType == JsonTokenType.String)
        {
            bytes = Text(ref json, line);
            return true;
        }

        if (json.TokenType == JsonTokenType.Null || field == Field.Key)
        {
            reason = field == Field.Key ? "the key is no string" : "the value is null; an empty value is written \"\"";
            return false;
        }

        bytes = Raw(ref json, line);
        return true;
    }

    private ReadOnlyMemory<byte> Text(ref Utf8JsonReader json, ReadOnlyMemory<byte> line)
    {
        if (!json.ValueIsEscaped)
        {
            return line.Slice((int)json.TokenStartIndex + 1, json.ValueSpan.Length);
        }

        int length = json.CopyString(_decoded.AsSpan(_decodedLength));
        ReadOnlyMemory<byte> text = _decoded.AsMemory(_decodedLength, length);
        _decodedLength += length;
        return text;
    }

    private static ReadOnlyMemory<byte> Raw(ref Utf8JsonReader json, ReadOnlyMemory<byte> line)
    {
        int start = (int)json.TokenStartIndex;
        json.Skip();
        return line[start..(int)json.BytesConsumed];
    }

    private static ReadOnlyMemory<byte> Trim(ReadOnlyMemory<byte> line)
    {
        ReadOnlySpan<byte> bytes = line.Span;
        int first = bytes.IndexOfAnyExcept(" \t\r"u8);
        return line[first..(bytes.LastIndexOfAnyExcept(" \t\r"u8) + 1)];
    }

    private static int InvalidOffset(ReadOnlySpan<byte> bytes)
    {
        int position = 0;
        while (Rune.DecodeFromUtf8(bytes[position..], out _, out int length) == OperationStatus.Done)
        {
            position += length;
        }

        return position;
    }

    private static string FirstSentence(string message)
    {
        // System.Text.Json appends "LineNumber: … | BytePositionInLine: …", which counts from zero within this line.
        int end = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }
}
