using System.Text;

namespace Branching.ClientApp.Formats;

/// <summary>Reads the records of a file one after another. A malformed one does not stop it.</summary>
internal abstract class RecordReader(LineSource source) : IDisposable
{
    /// <summary>Key of the record last read; good until the next read.</summary>
    public ReadOnlyMemory<byte> Key { get; private set; }

    /// <summary>Value of the record last read; good until the next read.</summary>
    public ReadOnlyMemory<byte> Value { get; private set; }

    /// <summary>Why the last read answered <see cref="ReadOutcome.Malformed"/>.</summary>
    public MalformedRecord? Malformed { get; private set; }

    /// <summary>Bytes taken from the file.</summary>
    public long BytesRead => Source.BytesRead;

    protected LineSource Source { get; } = source;

    /// <summary>Opens a reader; it closes the stream.</summary>
    /// <param name="format">The file's format.</param>
    /// <param name="stream">The file's bytes.</param>
    /// <param name="keyColumn">The column or field that becomes the key; null for the format's default.</param>
    /// <exception cref="UserError">The header line lacks the key column.</exception>
    public static RecordReader Open(RecordFormat format, Stream stream, string? keyColumn)
    {
        var source = new LineSource(stream);
        try
        {
            return format switch
            {
                RecordFormat.Ndjson => new NdjsonReader(source, keyColumn),
                RecordFormat.Csv => new CsvReader(source, keyColumn),
                _ when keyColumn is null => new TsvReader(source),
                _ => new TsvTableReader(source, keyColumn),
            };
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Reads the next record. Blank lines are passed over.</summary>
    public ReadOutcome Read()
    {
        while (Source.TryReadLine())
        {
            if (Source.IsTooLong)
            {
                return Fail(0, $"the line is longer than {RecordLimits.MaxLineBytes:N0} bytes");
            }

            ReadOnlyMemory<byte> line = Source.Line;
            if (line.Length > 0 && line.Span[^1] == (byte)'\r')
            {
                line = line[..^1];
            }

            if (line.Length > 0)
            {
                return ReadRecord(line);
            }
        }

        return ReadOutcome.End;
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => Source.Dispose();

    /// <summary>Reads one record from a line that is not empty; its line end is cut off.</summary>
    protected abstract ReadOutcome ReadRecord(ReadOnlyMemory<byte> line);

    /// <summary>Answers a record, or what is wrong with its size.</summary>
    protected ReadOutcome Accept(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, int keyOffset, int valueOffset)
    {
        if (key.IsEmpty)
        {
            return Fail(keyOffset, "the key is empty");
        }

        if (key.Length > RecordLimits.MaxKeyBytes)
        {
            return Fail(
                keyOffset, $"the key has {key.Length:N0} bytes; at most {RecordLimits.MaxKeyBytes:N0} are allowed");
        }

        int total = key.Length + value.Length;
        if (total > RecordLimits.MaxRecordBytes)
        {
            return Fail(
                valueOffset,
                $"key and value have {total:N0} bytes together; at most {RecordLimits.MaxRecordBytes:N0} are allowed");
        }

        Key = key;
        Value = value;
        return ReadOutcome.Record;
    }

    /// <summary>Answers a malformed record at a byte offset from the beginning of the present line.</summary>
    protected ReadOutcome Fail(int offset, string reason)
    {
        ReadOnlySpan<byte> before = Source.Line.Span[..Math.Min(offset, Source.Line.Length)];
        long line = Source.LineNumber + before.Count((byte)'\n');
        ReadOnlySpan<byte> inLine = before[(before.LastIndexOf((byte)'\n') + 1)..];
        Malformed = new MalformedRecord(line, Encoding.UTF8.GetCharCount(inLine) + 1, reason);
        return ReadOutcome.Malformed;
    }
}
