using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Branching.ClientApp.Formats;

/// <summary>One field of a row.</summary>
/// <param name="Start">Where its decoded bytes begin.</param>
/// <param name="Length">How many they are.</param>
/// <param name="Offset">Where it begins in the line, for messages.</param>
internal readonly record struct FieldRange(int Start, int Length, int Offset);

/// <summary>Makes the JSON object of a row from every column but the key's.</summary>
internal sealed class ColumnObject : IDisposable
{
    private readonly JsonEncodedText[] _names;
    private readonly ArrayBufferWriter<byte> _json = new();
    private readonly Utf8JsonWriter _writer;

    /// <exception cref="UserError">No such column, or two of the same name.</exception>
    public ColumnObject(IReadOnlyList<string> header, string? keyColumn)
    {
        string? twice = header.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1)?.Key;
        if (twice is not null)
        {
            throw new UserError(
                ExitCode.Malformed,
                $"line 1: two columns are named '{twice}'",
                "rename one of them in the header line");
        }

        KeyIndex = keyColumn is null ? 0 : header.ToList().IndexOf(keyColumn);
        if (KeyIndex < 0)
        {
            throw new UserError(
                ExitCode.Malformed,
                $"line 1: the header has no column '{keyColumn}'",
                $"choose one of its columns: --key {string.Join(" | ", header.Take(20))}");
        }

        _names = [.. header.Select(name => JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping))];
        _writer = new Utf8JsonWriter(_json, RecordJson.WriterOptions);
    }

    public int Count => _names.Length;

    public int KeyIndex { get; }

    public void Dispose() => _writer.Dispose();

    public string NameOf(int column) => _names[column].Value;

    public static string NotText(string column) => $"column '{column}' is not UTF-8 text";

    public static UserError NoHeader(string format)
        => new(
            ExitCode.Malformed, $"the {format} file is empty: its first line must name the columns", "check the file");

    /// <summary>Writes the object.</summary>
    /// <returns>The index of a column that is not UTF-8, or -1.</returns>
    public int Write(ReadOnlyMemory<byte> decoded, ReadOnlySpan<FieldRange> fields, out ReadOnlyMemory<byte> value)
    {
        value = default;
        _json.ResetWrittenCount();
        _writer.Reset();
        _writer.WriteStartObject();
        for (int column = 0; column < fields.Length; column++)
        {
            if (column == KeyIndex)
            {
                continue;
            }

            ReadOnlySpan<byte> field = decoded.Span.Slice(fields[column].Start, fields[column].Length);
            if (!Utf8.IsValid(field))
            {
                return column;
            }

            _writer.WriteString(_names[column], field);
        }

        _writer.WriteEndObject();
        _writer.Flush();
        value = _json.WrittenMemory;
        return -1;
    }
}
