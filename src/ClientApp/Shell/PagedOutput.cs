using System.Text;
using Branching.ClientApp.Shell.Editing;

namespace Branching.ClientApp.Shell;

/// <summary>
/// Standard output on a terminal, a screenful at a time: at the end of each the reader is asked, and may have the rest
/// left out.
/// </summary>
internal sealed class PagedOutput(
    Stream output, IShellConsole console, Action stop, CancellationToken cancellationToken) : Stream
{
    private const string Question = "-- more: blank for a page, Enter for a line, a for all, q to stop --";

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private int _rowsLeft = Math.Max(1, console.Height - 1);
    private int _column;
    private bool _stopped;
    private bool _all;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() => output.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty && !_stopped)
        {
            int end = buffer.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? buffer : buffer[..(end + 1)];
            output.Write(line);
            buffer = buffer[line.Length..];
            Count(line);
            if (end >= 0 && _rowsLeft <= 0 && !_all)
            {
                Ask();
            }
        }
    }

    public override ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private void Count(ReadOnlySpan<byte> line)
    {
        Span<char> characters = line.Length <= 512 ? stackalloc char[512] : new char[line.Length];
        int length = _decoder.GetChars(line, characters, flush: false);
        foreach (Rune rune in characters[..length].ToString().EnumerateRunes())
        {
            if (rune.Value == '\n')
            {
                _rowsLeft--;
                _column = 0;
            }
            else if ((_column += Math.Max(1, CellWidth.OfElement(rune.ToString()))) > console.Width)
            {
                _rowsLeft--;
                _column = 1;
            }
        }
    }

    private void Ask()
    {
        output.Flush();
        console.Write(Question);
        ConsoleKeyInfo key = KeyOrStop();
        console.Write("\r\x1b[K");
        bool interrupted = key.Modifiers.HasFlag(ConsoleModifiers.Control) && key.Key == ConsoleKey.C;
        if (interrupted || key.KeyChar is 'q' or 'Q' || key.Key == ConsoleKey.Escape)
        {
            _stopped = true;
            stop();
        }
        else if (key.KeyChar is 'a' or 'A')
        {
            _all = true;
        }
        else
        {
            _rowsLeft = key.Key == ConsoleKey.Enter || key.KeyChar is '\r' or '\n'
                ? 1
                : Math.Max(1, console.Height - 1);
        }
    }

    private ConsoleKeyInfo KeyOrStop()
    {
        try
        {
            // A stream's write cannot wait otherwise; the thread is the command's own.
            return console.ReadKeyAsync(cancellationToken).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            return new ConsoleKeyInfo('q', ConsoleKey.Q, shift: false, alt: false, control: false);
        }
    }
}
