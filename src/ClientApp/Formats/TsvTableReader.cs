using System.Buffers;
using Branching.ClientApp.Terminal;

namespace Branching.ClientApp.Formats;

/// <summary>A header line, then rows; one column is the key, the others become a JSON object.</summary>
internal sealed class TsvTableReader : RecordReader
{
    private readonly ArrayBufferWriter<byte> _decoded = new();
    private readonly ColumnObject _columns;
    private readonly FieldRange[] _fields;

    public TsvTableReader(LineSource source, string keyColumn)
        : base(source)
    {
        if (!source.TryReadLine())
        {
            throw ColumnObject.NoHeader("tsv");
        }

        string header = System.Text.Encoding.UTF8.GetString(source.Line.Span).TrimEnd('\r');
        _columns = new ColumnObject(header.Split('\t'), keyColumn);
        _fields = new FieldRange[_columns.Count];
    }

    protected override void Dispose(bool disposing)
    {
        _columns.Dispose();
        base.Dispose(disposing);
    }

    protected override ReadOutcome ReadRecord(ReadOnlyMemory<byte> line)
    {
        _decoded.ResetWrittenCount();
        ReadOnlySpan<byte> bytes = line.Span;
        int position = 0;
        for (int column = 0; ; column++)
        {
            if (column == _fields.Length)
            {
                return Fail(position - 1, $"more fields than the {_fields.Length} columns of the header");
            }

            int tab = bytes[position..].IndexOf((byte)'\t');
            ReadOnlySpan<byte> field = tab < 0 ? bytes[position..] : bytes.Slice(position, tab);
            int from = _decoded.WrittenCount;
            int bad = TsvEscapes.Decode(field, _decoded);
            if (bad >= 0)
            {
                return Fail(position + bad, TsvReader.UnknownEscape);
            }

            _fields[column] = new FieldRange(from, _decoded.WrittenCount - from, position);
            if (tab < 0 && column < _fields.Length - 1)
            {
                string found = Screen.Count(column + 1, "field");
                return Fail(bytes.Length, $"{found}; the header has {_fields.Length} columns");
            }

            if (tab < 0)
            {
                return Finish();
            }

            position += tab + 1;
        }
    }

    private ReadOutcome Finish()
    {
        int invalid = _columns.Write(_decoded.WrittenMemory, _fields, out ReadOnlyMemory<byte> value);
        FieldRange key = _fields[_columns.KeyIndex];
        return invalid >= 0
            ? Fail(_fields[invalid].Offset, ColumnObject.NotText(_columns.NameOf(invalid)))
            : Accept(_decoded.WrittenMemory.Slice(key.Start, key.Length), value, key.Offset, 0);
    }
}
