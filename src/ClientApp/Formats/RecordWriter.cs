using System.Buffers;
using System.Text.Json;

namespace Branching.ClientApp.Formats;

/// <summary>Writes records to a stream. What it wrote, <see cref="RecordReader"/> reads back byte for byte.</summary>
internal abstract class RecordWriter(Stream stream) : IDisposable
{
    private const int FlushAtBytes = 128 * 1024;

    /// <summary>Bytes written so far.</summary>
    public long BytesWritten { get; private set; }

    protected ArrayBufferWriter<byte> Buffer { get; } = new(FlushAtBytes + 4096);

    /// <summary>A writer of the given format; it leaves the stream open.</summary>
    public static RecordWriter Create(RecordFormat format, Stream stream) => format switch
    {
        RecordFormat.Ndjson => new NdjsonWriter(stream),
        RecordFormat.Csv => new CsvWriter(stream),
        _ => new TsvWriter(stream),
    };

    /// <summary>Adds one record.</summary>
    public async ValueTask WriteAsync(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, CancellationToken cancellationToken)
    {
        Append(key.Span, value.Span);
        if (Buffer.WrittenCount >= FlushAtBytes)
        {
            await FlushAsync(cancellationToken);
        }
    }

    /// <summary>Hands everything to the stream.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        BytesWritten += Buffer.WrittenCount;
        await stream.WriteAsync(Buffer.WrittenMemory, cancellationToken);
        await stream.FlushAsync(cancellationToken);
        Buffer.ResetWrittenCount();
    }

    /// <summary>Releases the writer; what was not flushed is lost.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    protected abstract void Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);
}

/// <summary>Lines of <c>key TAB value</c>.</summary>
internal sealed class TsvWriter(Stream stream) : RecordWriter(stream)
{
    protected override void Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        // A reader takes these three bytes at the very beginning for a byte order mark.
        if (key.StartsWith("\uFEFF"u8))
        {
            TsvEscapes.EncodeHex(key[0], Buffer);
            key = key[1..];
        }

        TsvEscapes.Encode(key, Buffer);
        Buffer.Write("\t"u8);
        TsvEscapes.Encode(value, Buffer);
        Buffer.Write("\n"u8);
    }
}

/// <summary>One JSON object a line.</summary>
internal sealed class NdjsonWriter : RecordWriter
{
    private readonly Utf8JsonWriter _json;

    public NdjsonWriter(Stream stream)
        : base(stream)
        => _json = new Utf8JsonWriter(Buffer, RecordJson.WriterOptions);

    public override void Dispose()
    {
        _json.Dispose();
        base.Dispose();
    }

    protected override void Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        _json.WriteStartObject();
        RecordJson.WriteKey(_json, key);
        RecordJson.WriteValue(_json, value);
        _json.WriteEndObject();
        RecordJson.EndLine(_json, Buffer);
    }
}

/// <summary>Comma-separated values with the header <c>key,value</c>.</summary>
internal sealed class CsvWriter : RecordWriter
{
    private static readonly SearchValues<byte> _mustQuote = SearchValues.Create(",\"\r\n"u8);

    public CsvWriter(Stream stream)
        : base(stream)
        => Buffer.Write("key,value\n"u8);

    protected override void Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        AppendField(key);
        Buffer.Write(","u8);
        AppendField(value);
        Buffer.Write("\n"u8);
    }

    private void AppendField(ReadOnlySpan<byte> field)
    {
        if (field.IndexOfAny(_mustQuote) < 0)
        {
            Buffer.Write(field);
            return;
        }

        Buffer.Write("\""u8);
        for (int quote = field.IndexOf((byte)'"'); quote >= 0; quote = field.IndexOf((byte)'"'))
        {
            Buffer.Write(field[..(quote + 1)]);
            Buffer.Write("\""u8);
            field = field[(quote + 1)..];
        }

        Buffer.Write(field);
        Buffer.Write("\""u8);
    }
}
