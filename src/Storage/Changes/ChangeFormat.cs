using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Branching.Storage.Changes;

/// <summary>What a frame of a change log file holds. The numbers are stored.</summary>
internal enum FrameKind : byte
{
    /// <summary>One group of requests that was committed in one RocksDB batch.</summary>
    Batch = 1,

    /// <summary>Sequences that the log has nothing of; the payload is a <see cref="ChangeGapReason"/>.</summary>
    Gap = 2,

    /// <summary>The names of the column families from here on. Also says that the file is being written.</summary>
    Families = 3,

    /// <summary>The log was closed, or the file was full; the payload is the number of entries in the file.</summary>
    Closed = 4,
}

/// <summary>A frame's header.</summary>
/// <param name="Kind">What its payload is.</param>
/// <param name="First">The first sequence in it; of a frame without any, the last one before it.</param>
/// <param name="Last">The last sequence in it.</param>
/// <param name="Ticks">When it was written, in ticks of UTC.</param>
/// <param name="PayloadBytes">Length of what follows the header.</param>
internal readonly record struct FrameHeader(FrameKind Kind, ulong First, ulong Last, long Ticks, int PayloadBytes)
{
    public int FrameBytes => ChangeFormat.FrameHeaderBytes + PayloadBytes;

    public bool HasSequences => Kind is FrameKind.Batch or FrameKind.Gap;
}

/// <summary>The first bytes of a change log file.</summary>
internal sealed record FileHeader(
    DatabaseId Database, StoreId Store, ulong First, ulong History, ulong HistoryNumber, ulong HistoryStart,
    long CreatedTicks);

/// <summary>The bytes of a change log (docs/formats.md). No state, no files.</summary>
/// <remarks>
/// All numbers are little-endian. A frame's checksum covers its whole header and payload and begins from the history's
/// number, so that a frame that some user stores as a value is never taken for one of the log when a damaged length is
/// searched past.
/// </remarks>
internal static class ChangeFormat
{
    public const int Version = 1;
    public const int FileHeaderBytes = 96;
    public const int FrameHeaderBytes = 40;
    public const string Suffix = ".log";
    public const string Unfinished = ".new";
    public const string Damaged = ".damaged";
    public const string StateName = "state.json";

    private const ulong FileMagic = 0x474F_4C43_4E41_5242; // "BRANCLOG"
    private const uint FrameMagic = 0x464C_4342; // "BCLF"

    public static string NameOf(ulong first) => first.ToString("D20", CultureInfo.InvariantCulture) + Suffix;

    /// <summary>Reads the first sequence from a file's name.</summary>
    public static bool TryParseName(string name, out ulong first)
    {
        first = 0;
        return name.Length == 20 + Suffix.Length && name.EndsWith(Suffix, StringComparison.Ordinal)
            && ulong.TryParse(name.AsSpan(0, 20), NumberStyles.None, CultureInfo.InvariantCulture, out first);
    }

    public static void WriteFileHeader(Span<byte> to, FileHeader header)
    {
        to = to[..FileHeaderBytes];
        to.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(to, FileMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(to[12..], FileHeaderBytes);
        WriteId(to[16..], header.Database.ToString());
        WriteId(to[32..], header.Store.ToString());
        BinaryPrimitives.WriteUInt64LittleEndian(to[48..], header.First);
        BinaryPrimitives.WriteUInt64LittleEndian(to[56..], header.History);
        BinaryPrimitives.WriteUInt64LittleEndian(to[64..], header.HistoryNumber);
        BinaryPrimitives.WriteUInt64LittleEndian(to[72..], header.HistoryStart);
        BinaryPrimitives.WriteInt64LittleEndian(to[80..], header.CreatedTicks);
        BinaryPrimitives.WriteUInt32LittleEndian(to[92..], Checksum(to[..92], 0));
    }

    /// <summary>Reads a file's header; <paramref name="why"/> says what is wrong with it.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.FormatTooNew"/>: the header is whole, and of a later
    /// version.</exception>
    public static bool TryReadFileHeader(
        ReadOnlySpan<byte> from, string path, [NotNullWhen(true)] out FileHeader? header, out string why)
    {
        header = null;
        if (from.Length < FileHeaderBytes)
        {
            why = $"it has {from.Length} bytes, fewer than the {FileHeaderBytes} of a header";
            return false;
        }

        from = from[..FileHeaderBytes];
        if (BinaryPrimitives.ReadUInt64LittleEndian(from) != FileMagic
            || BinaryPrimitives.ReadUInt32LittleEndian(from[92..]) != Checksum(from[..92], 0))
        {
            why = "the checksum of its header does not match";
            return false;
        }

        Formats.Check(
            (int)Math.Min(int.MaxValue, BinaryPrimitives.ReadUInt32LittleEndian(from[8..])), Version,
            "The change log file", path);
        header = new FileHeader(
            DatabaseId.Parse(ReadId(from[16..])), StoreId.Parse(ReadId(from[32..])),
            BinaryPrimitives.ReadUInt64LittleEndian(from[48..]), BinaryPrimitives.ReadUInt64LittleEndian(from[56..]),
            BinaryPrimitives.ReadUInt64LittleEndian(from[64..]), BinaryPrimitives.ReadUInt64LittleEndian(from[72..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[80..]));
        why = "";
        if (BinaryPrimitives.ReadUInt32LittleEndian(from[12..]) == FileHeaderBytes && header.First > 0
            && IsTime(header.CreatedTicks))
        {
            return true;
        }

        header = null;
        why = "its header holds a value that no header has";
        return false;
    }

    /// <summary>Writes the header of a frame whose payload stands behind it already.</summary>
    public static void SealFrame(Span<byte> frame, FrameKind kind, ulong first, ulong last, long ticks, ulong history)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame, FrameMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], (uint)(frame.Length - FrameHeaderBytes));
        frame[12] = (byte)kind;
        frame[13..16].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(frame[16..], first);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[24..], last);
        BinaryPrimitives.WriteInt64LittleEndian(frame[32..], ticks);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], FrameChecksum(frame, history));
    }

    /// <summary>Reads a frame's header without its checksum; the payload may not be there yet.</summary>
    public static bool TryReadFrameHeader(ReadOnlySpan<byte> from, out FrameHeader header)
    {
        header = default;
        if (from.Length < FrameHeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(from) != FrameMagic)
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(from[4..]);
        FrameKind kind = (FrameKind)from[12];
        ulong first = BinaryPrimitives.ReadUInt64LittleEndian(from[16..]);
        ulong last = BinaryPrimitives.ReadUInt64LittleEndian(from[24..]);
        long ticks = BinaryPrimitives.ReadInt64LittleEndian(from[32..]);
        if (length > int.MaxValue - FrameHeaderBytes || kind is < FrameKind.Batch or > FrameKind.Closed
            || (from[13] | from[14] | from[15]) != 0 || last < first || !IsTime(ticks))
        {
            return false;
        }

        header = new FrameHeader(kind, first, last, ticks, (int)length);
        return true;
    }

    /// <summary>Whether a whole frame is what was written.</summary>
    public static bool Checks(ReadOnlySpan<byte> frame, ulong history) =>
        BinaryPrimitives.ReadUInt32LittleEndian(frame[8..]) == FrameChecksum(frame, history);

    /// <summary>Where the next frame could begin; -1: nowhere in these bytes.</summary>
    public static int FindMagic(ReadOnlySpan<byte> bytes) => bytes.IndexOf("BCLF"u8);

    /// <summary>CRC-32C.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes, ulong seed) => ~Continue(Seed(seed), bytes);

    public static void WriteId(Span<byte> to, string id) => Convert.FromHexString(id, to[..16], out _, out _);

    public static string ReadId(ReadOnlySpan<byte> from) => Convert.ToHexStringLower(from[..16]);

    public static DateTimeOffset TimeOf(long ticks) => new(ticks, TimeSpan.Zero);

    private static bool IsTime(long ticks) => ticks >= 0 && ticks <= DateTime.MaxValue.Ticks;

    // The checksum's own four bytes are left out.
    private static uint FrameChecksum(ReadOnlySpan<byte> frame, ulong history) =>
        ~Continue(Continue(Seed(history), frame[..8]), frame[12..]);

    private static uint Seed(ulong seed) => BitOperations.Crc32C(uint.MaxValue, seed);

    private static uint Continue(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(
                crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        }

        foreach (byte b in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return crc;
    }
}
