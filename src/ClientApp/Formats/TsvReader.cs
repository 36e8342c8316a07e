using System.Buffers;

namespace Branching.ClientApp.Formats;

/// <summary>Lines of <c>key TAB value</c>.</summary>
internal sealed class TsvReader(LineSource source) : RecordReader(source)
{
    internal const string UnknownEscape = @"a backslash begins none of \t \n \r \\ \0 \xHH";

    private readonly ArrayBufferWriter<byte> _decoded = new();

    protected override ReadOutcome ReadRecord(ReadOnlyMemory<byte> line)
    {
        ReadOnlySpan<byte> bytes = line.Span;
        int tab = bytes.IndexOf((byte)'\t');
        if (tab < 0)
        {
            return Fail(bytes.Length, "no tab after the key");
        }

        int second = bytes[(tab + 1)..].IndexOf((byte)'\t');
        if (second >= 0)
        {
            return Fail(tab + 1 + second, @"a second tab; a tab inside a value is written \t");
        }

        return bytes.Contains((byte)'\\')
            ? Decode(bytes, tab)
            : Accept(line[..tab], line[(tab + 1)..], 0, tab + 1);
    }

    private ReadOutcome Decode(ReadOnlySpan<byte> line, int tab)
    {
        _decoded.ResetWrittenCount();
        int bad = TsvEscapes.Decode(line[..tab], _decoded);
        if (bad >= 0)
        {
            return Fail(bad, UnknownEscape);
        }

        int keyLength = _decoded.WrittenCount;
        bad = TsvEscapes.Decode(line[(tab + 1)..], _decoded);
        if (bad >= 0)
        {
            return Fail(tab + 1 + bad, UnknownEscape);
        }

        return Accept(_decoded.WrittenMemory[..keyLength], _decoded.WrittenMemory[keyLength..], 0, tab + 1);
    }
}
