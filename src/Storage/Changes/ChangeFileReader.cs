using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Branching.Storage.Changes;

/// <summary>What a reader of one file found at its place.</summary>
internal enum FrameResult
{
    /// <summary>A whole frame.</summary>
    Frame,

    /// <summary>Bytes that are none; what can be said of them is in <see cref="ChangeFileReader.Fault"/>.</summary>
    Damage,

    /// <summary>The end.</summary>
    End,
}

/// <summary>Bytes of a file that are no frames.</summary>
/// <param name="Offset">Where they begin.</param>
/// <param name="Bytes">How many they are, up to the next whole frame or the end.</param>
/// <param name="First">The first sequence that is missing.</param>
/// <param name="Last">
/// The last one; smaller than <paramref name="First"/> when none is missing, null when no frame follows.
/// </param>
/// <param name="Reason">What is wrong.</param>
internal sealed record FrameFault(long Offset, long Bytes, ulong First, ulong? Last, string Reason)
{
    /// <summary>Whether the file ends before the frame does: what a write leaves that was cut short.</summary>
    public bool IsCutShort { get; init; }
}

/// <summary>Reads the frames of one file from its first to a given end. Not thread-safe; blocking.</summary>
/// <remarks>
/// Every frame is checked, also those that are only passed over. Behind damage the next frame is found by its first
/// bytes and its checksum; how much is compared on the way is limited, so that no content makes it take for ever.
/// </remarks>
internal sealed class ChangeFileReader : IDisposable
{
    private const int ChunkBytes = 256 << 10;

    // Checksums computed while looking behind damage, as a multiple of the file: enough for any honest content.
    private const int SearchFactor = 16;

    private readonly SafeFileHandle _file;
    private byte[] _buffer = [];
    private long _bufferStart;
    private int _buffered;
    private ulong _expected;
    private long _ticks;

    private ChangeFileReader(string path, SafeFileHandle file, long end)
    {
        Path = path;
        _file = file;
        End = end;
    }

    public string Path { get; }

    /// <summary>Nothing at or behind this offset is read. May grow between two reads.</summary>
    public long End { get; set; }

    /// <summary>Where the next frame begins, or where bytes begin that are none.</summary>
    public long Offset { get; private set; }

    /// <summary>The sequence that the next entry must begin with.</summary>
    public ulong Expected => _expected;

    /// <summary>The time of the last frame read.</summary>
    public long Ticks => _ticks;

    /// <summary>The file's header; <see langword="null"/> when it is damaged, which the first read reports.</summary>
    public FileHeader? Header { get; private set; }

    public FrameHeader Frame { get; private set; }

    /// <summary>The frame's payload, until the next read.</summary>
    public ReadOnlyMemory<byte> Payload { get; private set; }

    public FrameFault? Fault { get; private set; }

    /// <summary>Column families by number, as of the last frame read.</summary>
    public Dictionary<uint, FamilyIdentity> Families { get; } = [];

    /// <summary>Opens a file; its header is read at once.</summary>
    /// <param name="path">The file.</param>
    /// <param name="end">How far it may be read; <see langword="null"/>: to its end as it is now.</param>
    /// <exception cref="IOException">It cannot be opened or read.</exception>
    public static ChangeFileReader Open(string path, long? end = null)
    {
        SafeFileHandle file = File.OpenHandle(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        ChangeFileReader reader = new(path, file, end ?? RandomAccess.GetLength(file));
        try
        {
            reader.ReadHeader();
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }

        Payload = default;
        _buffered = 0;
    }

    /// <summary>Reads the next frame, or what is in its place.</summary>
    public FrameResult Read()
    {
        Fault = null;
        Payload = default;
        if (Header is not { } header)
        {
            return FrameResult.End; // Its damage was reported when it was opened.
        }

        if (Offset >= End)
        {
            return FrameResult.End;
        }

        if (!TryFrameAt(Offset, header.History, out FrameHeader frame, out string why, out bool cutShort))
        {
            return Damage(why, cutShort, header.History);
        }

        ulong begins = frame.HasSequences ? frame.First : frame.First + 1;
        if (begins < _expected || frame.Ticks < _ticks || (!frame.HasSequences && frame.First != frame.Last))
        {
            return Damage("a whole frame does not follow the one before it", cutShort: false, header.History);
        }

        if (begins > _expected)
        {
            Fault = new FrameFault(Offset, 0, _expected, begins - 1, "the frames between two whole ones are missing");
            _expected = begins;
            return FrameResult.Damage;
        }

        Accept(frame);
        return FrameResult.Frame;
    }

    private void ReadHeader()
    {
        int length = (int)Math.Min(ChangeFormat.FileHeaderBytes, End);
        if (ChangeFormat.TryReadFileHeader(Bytes(0, length), Path, out FileHeader? header, out string why))
        {
            Header = header;
            Offset = ChangeFormat.FileHeaderBytes;
            _expected = header.First;
            _ticks = header.CreatedTicks;
        }
        else
        {
            ulong first = ChangeFormat.TryParseName(System.IO.Path.GetFileName(Path), out ulong named) ? named : 1;
            Fault = new FrameFault(0, End, first, null, why) { IsCutShort = End < ChangeFormat.FileHeaderBytes };
            _expected = first;
        }
    }

    private void Accept(FrameHeader frame)
    {
        Frame = frame;
        Payload = _buffer.AsMemory(
            (int)(Offset - _bufferStart) + ChangeFormat.FrameHeaderBytes, frame.PayloadBytes);
        Offset += frame.FrameBytes;
        _expected = frame.Last + 1;
        _ticks = frame.Ticks;
        if (frame.Kind == FrameKind.Families && !FrameDecoder.TryFamilies(Payload, Families))
        {
            Families.Clear(); // Batches behind it then say that they cannot be read.
        }
    }

    private bool TryFrameAt(long offset, ulong history, out FrameHeader frame, out string why, out bool cutShort)
    {
        frame = default;
        cutShort = End - offset < ChangeFormat.FrameHeaderBytes;
        if (cutShort)
        {
            why = $"the {End - offset} bytes up to the end are fewer than a frame's header";
            return false;
        }

        if (!ChangeFormat.TryReadFrameHeader(Bytes(offset, ChangeFormat.FrameHeaderBytes), out frame))
        {
            why = "no frame begins here";
            return false;
        }

        cutShort = frame.FrameBytes > End - offset;
        if (cutShort)
        {
            why = $"a frame of {frame.FrameBytes} bytes begins here, and only {End - offset} are there";
            return false;
        }

        why = "the checksum of a frame does not match";
        return ChangeFormat.Checks(Bytes(offset, frame.FrameBytes), history);
    }

    /// <summary>Finds the next whole frame behind bytes that are none.</summary>
    private FrameResult Damage(string why, bool cutShort, ulong history)
    {
        long from = Offset;
        long budget = SearchFactor * Math.Max(End, ChunkBytes);
        for (long at = NextMagic(from + 1); at >= 0 && budget > 0; at = NextMagic(at + 1))
        {
            budget -= ChangeFormat.FrameHeaderBytes;
            if (End - at < ChangeFormat.FrameHeaderBytes
                || !ChangeFormat.TryReadFrameHeader(Bytes(at, ChangeFormat.FrameHeaderBytes), out FrameHeader frame)
                || frame.FrameBytes > End - at)
            {
                continue;
            }

            budget -= frame.FrameBytes;
            ulong begins = frame.HasSequences ? frame.First : frame.First + 1;
            if (begins < _expected || frame.Ticks < _ticks || !TryFrameAt(at, history, out _, out _, out _))
            {
                continue;
            }

            Fault = new FrameFault(from, at - from, _expected, begins - 1, why);
            _expected = begins;
            Offset = at;
            return FrameResult.Damage;
        }

        Fault = new FrameFault(from, End - from, _expected, null, why) { IsCutShort = cutShort };
        Offset = End;
        return FrameResult.Damage;
    }

    private long NextMagic(long from)
    {
        while (End - from >= ChangeFormat.FrameHeaderBytes)
        {
            int length = (int)Math.Min(ChunkBytes, End - from);
            int found = ChangeFormat.FindMagic(Bytes(from, length));
            if (found >= 0)
            {
                return from + found;
            }

            from += length - 3; // Its four bytes may lie on both sides.
        }

        return -1;
    }

    /// <summary>Bytes of the file, valid until the next call.</summary>
    private ReadOnlySpan<byte> Bytes(long offset, int length)
    {
        if (offset < _bufferStart || offset + length > _bufferStart + _buffered)
        {
            Fill(offset, length);
        }

        return _buffer.AsSpan((int)(offset - _bufferStart), length);
    }

    private void Fill(long offset, int length)
    {
        int wanted = (int)Math.Min(Math.Max(length, ChunkBytes), End - offset);
        if (_buffer.Length < wanted)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(wanted);
            if (_buffer.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
            }

            _buffer = larger;
        }

        _bufferStart = offset;
        _buffered = 0;
        while (_buffered < wanted)
        {
            int read = RandomAccess.Read(_file, _buffer.AsSpan(_buffered, wanted - _buffered), offset + _buffered);
            if (read == 0)
            {
                throw new EndOfStreamException(
                    $"'{Path}' ends at byte {offset + _buffered}, before byte {End} that it must have.");
            }

            _buffered += read;
        }
    }
}
