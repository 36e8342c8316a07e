using System.Buffers;
using Branching.ClientApp.Terminal;

namespace Branching.ClientApp.Formats;

/// <summary>
/// Comma-separated values after RFC 4180: a header line, fields in double quotes where they hold commas, quotes or line
/// ends. Fields are cut as bytes: decoding them first would cost speed, memory, and the exact place of what is
/// malformed (docs/adr/0004-record-readers.md).
/// </summary>
internal sealed class CsvReader : RecordReader
{
    private readonly ArrayBufferWriter<byte> _decoded = new();
    private readonly List<FieldRange> _fields = [];
    private readonly ColumnObject _columns;
    private int _position;

    public CsvReader(LineSource source, string? keyColumn)
        : base(source)
    {
        if (!source.TryReadLine())
        {
            throw ColumnObject.NoHeader("csv");
        }

        if (!TryCut())
        {
            throw new UserError(ExitCode.Malformed, Malformed!.ToString(), "mend the header line");
        }

        _columns = new ColumnObject(
            [.. _fields.Select(
                f => System.Text.Encoding.UTF8.GetString(_decoded.WrittenSpan.Slice(f.Start, f.Length)))],
            keyColumn);
    }

    protected override void Dispose(bool disposing)
    {
        _columns.Dispose();
        base.Dispose(disposing);
    }

    protected override ReadOutcome ReadRecord(ReadOnlyMemory<byte> line)
    {
        if (!TryCut())
        {
            // What follows a quote that was never closed is looked at again line by line.
            Source.KeepFirstLineOnly();
            return ReadOutcome.Malformed;
        }

        if (_fields.Count != _columns.Count)
        {
            int offset = _fields.Count > _columns.Count ? _fields[_columns.Count].Offset : Source.Line.Length;
            string columns = Screen.Count(_columns.Count, "column");
            return Fail(offset, $"{Screen.Count(_fields.Count, "field")}; the header has {columns}");
        }

        FieldRange key = _fields[_columns.KeyIndex];
        ReadOnlyMemory<byte> keyBytes = _decoded.WrittenMemory.Slice(key.Start, key.Length);
        if (_columns.Count == 2)
        {
            FieldRange other = _fields[1 - _columns.KeyIndex];
            return Accept(keyBytes, _decoded.WrittenMemory.Slice(other.Start, other.Length), key.Offset, other.Offset);
        }

        ReadOnlySpan<FieldRange> fields = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_fields);
        int invalid = _columns.Write(_decoded.WrittenMemory, fields, out ReadOnlyMemory<byte> value);
        return invalid >= 0
            ? Fail(_fields[invalid].Offset, ColumnObject.NotText(_columns.NameOf(invalid)))
            : Accept(keyBytes, value, key.Offset, 0);
    }

    private bool TryCut()
    {
        _decoded.ResetWrittenCount();
        _fields.Clear();
        _position = 0;
        bool more = true;
        while (more)
        {
            ReadOnlySpan<byte> record = Record();
            bool quoted = _position < record.Length && record[_position] == (byte)'"';
            if (!(quoted ? TryCutQuoted() : TryCutPlain()))
            {
                return false;
            }

            record = Record();
            more = _position < record.Length;
            if (more && record[_position] != (byte)',')
            {
                Fail(_position, "text after a closing quote");
                return false;
            }

            _position++;
        }

        return true;
    }

    private bool TryCutPlain()
    {
        ReadOnlySpan<byte> rest = Record()[_position..];
        int end = rest.IndexOfAny((byte)',', (byte)'"');
        if (end >= 0 && rest[end] == (byte)'"')
        {
            Fail(_position + end, "a quote inside a field that does not begin with one");
            return false;
        }

        ReadOnlySpan<byte> field = end < 0 ? rest : rest[..end];
        _fields.Add(new FieldRange(_decoded.WrittenCount, field.Length, _position));
        _decoded.Write(field);
        _position += field.Length;
        return true;
    }

    private bool TryCutQuoted()
    {
        int opened = _position;
        int from = _decoded.WrittenCount;
        _position++;
        while (true)
        {
            // Inside quotes a carriage return at the end of the line belongs to the field.
            ReadOnlySpan<byte> rest = Source.Line.Span[_position..];
            int quote = rest.IndexOf((byte)'"');
            _decoded.Write(quote < 0 ? rest : rest[..quote]);
            if (quote < 0)
            {
                _position += rest.Length;
                if (!Source.TryExtendLine())
                {
                    Fail(opened, "a quote that is never closed");
                    return false;
                }

                continue;
            }

            _position += quote + 1;
            if (quote + 1 < rest.Length && rest[quote + 1] == (byte)'"')
            {
                _decoded.Write("\""u8);
                _position++;
                continue;
            }

            _fields.Add(new FieldRange(from, _decoded.WrittenCount - from, opened));
            return true;
        }
    }

    private ReadOnlySpan<byte> Record()
    {
        ReadOnlySpan<byte> record = Source.Line.Span;
        return record.Length > 0 && record[^1] == (byte)'\r' ? record[..^1] : record;
    }
}
