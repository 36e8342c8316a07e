using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage.Changes;

/// <summary>
/// A place in one history of one store: everything up to and including <see cref="Sequence"/> was read.
/// </summary>
/// <remarks>
/// <para>
/// A sequence alone is not enough: after a loss of power, or restored from a snapshot, a store gives the same sequences
/// to other writes. So a position names the history too: a random number that the log draws whenever it cannot prove
/// that it goes on exactly where it was.
/// </para>
/// <para>
/// As bytes: format (1), database id (16), store id (16), epoch (8), history (8), sequence (8), CRC-32C of all that
/// (4). The checksum finds damage; it is no secret.
/// </para>
/// </remarks>
/// <param name="Database">The life of the database.</param>
/// <param name="Store">The store.</param>
/// <param name="Epoch">The tenure in which the position was given; 0 without shared storage.</param>
/// <param name="History">The history that it belongs to.</param>
/// <param name="Sequence">The last sequence read.</param>
public readonly record struct ChangePosition(
    DatabaseId Database, StoreId Store, Epoch Epoch, ulong History, Sequence Sequence)
{
    /// <summary>How many bytes a position has.</summary>
    public const int ByteLength = 1 + 16 + 16 + 8 + 8 + 8 + 4;

    private const byte Format = 1;

    /// <summary>The position as bytes.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[ByteLength];
        Span<byte> rest = bytes;
        rest[0] = Format;
        ChangeFormat.WriteId(rest[1..], Database.ToString());
        ChangeFormat.WriteId(rest[17..], Store.ToString());
        BinaryPrimitives.WriteUInt64LittleEndian(rest[33..], Epoch.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(rest[41..], History);
        BinaryPrimitives.WriteUInt64LittleEndian(rest[49..], Sequence.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[57..], ChangeFormat.Checksum(rest[..57], 0));
        return bytes;
    }

    /// <summary>The position as text: its bytes in hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(ToBytes());

    /// <summary>Reads a position.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ChangePositionInvalid"/>: these bytes are none.
    /// </exception>
    public static ChangePosition Parse(ReadOnlySpan<byte> bytes) => TryParse(bytes, out ChangePosition position)
        ? position
        : throw new StorageException(
            FailureKind.ChangePositionInvalid,
            $"These {bytes.Length} bytes are no position of a change log: " + (bytes.Length == ByteLength
                ? "their checksum or format is wrong."
                : $"one has {ByteLength} bytes.") + " Begin from a sequence, or from the first one.");

    /// <summary>Reads a position.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out ChangePosition position)
    {
        position = default;
        if (bytes.Length != ByteLength || bytes[0] != Format
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[57..]) != ChangeFormat.Checksum(bytes[..57], 0))
        {
            return false;
        }

        position = new ChangePosition(
            DatabaseId.Parse(ChangeFormat.ReadId(bytes[1..])),
            StoreId.Parse(ChangeFormat.ReadId(bytes[17..])),
            new Epoch(BinaryPrimitives.ReadUInt64LittleEndian(bytes[33..])),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[41..]),
            new Sequence(BinaryPrimitives.ReadUInt64LittleEndian(bytes[49..])));
        return true;
    }

    /// <summary>Reads a position from the text of <see cref="ToString"/>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ChangePosition position)
    {
        position = default;
        Span<byte> bytes = stackalloc byte[ByteLength];
        return text?.Length == 2 * ByteLength
            && Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done
            && TryParse(bytes, out position);
    }
}

/// <summary>Where reading begins.</summary>
public readonly record struct ChangeStart
{
    private ChangeStart(ChangeStartKind kind) => Kind = kind;

    internal ChangeStartKind Kind { get; }

    internal ulong After { get; private init; }

    internal DateTimeOffset Time { get; private init; }

    internal ChangePosition From { get; private init; }

    internal string? Name { get; private init; }

    /// <summary>With the oldest entry that the log has.</summary>
    public static ChangeStart First { get; } = new(ChangeStartKind.First);

    /// <summary>With the first entry that is committed after the call.</summary>
    public static ChangeStart Now { get; } = new(ChangeStartKind.Now);

    /// <summary>With the entry that holds this sequence.</summary>
    public static ChangeStart At(Sequence sequence) =>
        new(ChangeStartKind.Sequence) { After = Math.Max(1, sequence.Value) - 1 };

    /// <summary>With the first entry behind this sequence.</summary>
    public static ChangeStart Behind(Sequence sequence) => new(ChangeStartKind.Sequence) { After = sequence.Value };

    /// <summary>With the first entry that was committed at this time or later.</summary>
    public static ChangeStart Since(DateTimeOffset time) => new(ChangeStartKind.Time) { Time = time };

    /// <summary>Behind what was read when the position was given.</summary>
    public static ChangeStart Behind(ChangePosition position) => new(ChangeStartKind.Position) { From = position };

    /// <summary>Behind what a consumer has acknowledged.</summary>
    public static ChangeStart OfConsumer(string name) => new(ChangeStartKind.Consumer) { Name = name };
}

internal enum ChangeStartKind
{
    First,
    Now,
    Sequence,
    Time,
    Position,
    Consumer,
}
