namespace Branching.ClientApp.Formats;

/// <summary>
/// Cuts a stream into lines without copying them. The memory held is one buffer, which grows only for a line longer
/// than
/// it and never past the limit.
/// </summary>
internal sealed class LineSource : IDisposable
{
    private const int InitialBytes = 256 * 1024;

    private readonly Stream _stream;
    private readonly int _maxLineBytes;
    private byte[] _buffer;
    private int _start;
    private int _end;
    private int _next;
    private int _filled;
    private int _firstLineNext;
    private long _pendingLines = 1;
    private bool _endOfStream;

    public LineSource(
        Stream stream, int maxLineBytes = RecordLimits.MaxLineBytes, int initialBytes = InitialBytes)
    {
        _buffer = new byte[initialBytes];
        _stream = stream;
        _maxLineBytes = maxLineBytes;
        SkipByteOrderMark();
    }

    /// <summary>The line last read, without its line end; good until the next read.</summary>
    public ReadOnlyMemory<byte> Line => _buffer.AsMemory(_start, _end - _start);

    /// <summary>The number of the line last read, counted from 1; of an extended line, of its first.</summary>
    public long LineNumber { get; private set; }

    /// <summary>Whether the line last read is longer than the limit; then it is empty here.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Bytes taken from the stream.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Moves to the next line.</summary>
    /// <returns><see langword="false"/> at the end of the stream.</returns>
    public bool TryReadLine()
    {
        _start = _next;
        LineNumber += LineNumber == 0 ? 1 : _pendingLines;
        _pendingLines = 1;
        IsTooLong = false;
        if (!FindLineEnd(_start))
        {
            return false;
        }

        _firstLineNext = _next;
        return true;
    }

    /// <summary>Makes the present line longer by the one after it, the line end between them included.</summary>
    /// <returns><see langword="false"/> at the end of the stream or the limit; the line stays as it was.</returns>
    public bool TryExtendLine()
    {
        int lengthBefore = _end - _start;
        int firstLine = _firstLineNext - _start;
        int nextBefore = _next - _start;
        bool extended = FindLineEnd(_next, extending: true);
        _firstLineNext = _start + firstLine;
        if (extended)
        {
            _pendingLines++;
            return true;
        }

        _end = _start + lengthBefore;
        _next = _start + nextBefore;
        return false;
    }

    /// <summary>Takes extensions back: the next read begins after the first line.</summary>
    public void KeepFirstLineOnly()
    {
        _next = _firstLineNext;
        _pendingLines = 1;
    }

    public void Dispose() => _stream.Dispose();

    private bool FindLineEnd(int from, bool extending = false)
    {
        int scanned = from - _start;
        while (true)
        {
            int found = _buffer.AsSpan(_start + scanned, _filled - _start - scanned).IndexOf((byte)'\n');
            if (found >= 0)
            {
                _end = IsTooLong ? _start : _start + scanned + found;
                _next = _start + scanned + found + 1;
                return true;
            }

            scanned = _filled - _start;
            if (scanned >= _maxLineBytes)
            {
                if (extending)
                {
                    return false;
                }

                // The rest of the line is dropped as it comes.
                IsTooLong = true;
                scanned = 0;
                _start = _filled = 0;
            }

            if (!Fill())
            {
                bool any = extending ? _next < _filled : IsTooLong || _filled > _start;
                _end = IsTooLong ? _start : _filled;
                _next = _filled;
                return any;
            }
        }
    }

    private bool Fill()
    {
        if (_endOfStream)
        {
            return false;
        }

        if (_filled == _buffer.Length)
        {
            MakeRoom();
        }

        int read = _stream.Read(_buffer, _filled, _buffer.Length - _filled);
        _filled += read;
        BytesRead += read;
        _endOfStream = read == 0;
        return read > 0;
    }

    private void MakeRoom()
    {
        int kept = _filled - _start;
        byte[] target = kept > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
        Buffer.BlockCopy(_buffer, _start, target, 0, kept);
        _buffer = target;
        _end -= _start;
        _next -= _start;
        _filled = kept;
        _start = 0;
    }

    private void SkipByteOrderMark()
    {
        while (_filled < 3 && Fill())
        {
        }

        if (_buffer.AsSpan(0, _filled).StartsWith("\uFEFF"u8))
        {
            _next = 3;
        }
    }
}
