using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage.Codecs;

/// <summary>The key codecs there are. Each orders like the type's own <c>CompareTo</c>, unless it says
/// otherwise.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "Each is named after the type that it encodes.")]
public static class KeyCodecs
{
    /// <summary>1 byte.</summary>
    public static IKeyCodec<byte> Byte { get; } = new IntegerKeyCodec<byte>();

    /// <summary>1 byte.</summary>
    public static IKeyCodec<sbyte> SByte { get; } = new IntegerKeyCodec<sbyte>();

    /// <summary>2 bytes.</summary>
    public static IKeyCodec<short> Int16 { get; } = new IntegerKeyCodec<short>();

    /// <summary>2 bytes.</summary>
    public static IKeyCodec<ushort> UInt16 { get; } = new IntegerKeyCodec<ushort>();

    /// <summary>4 bytes.</summary>
    public static IKeyCodec<int> Int32 { get; } = new IntegerKeyCodec<int>();

    /// <summary>4 bytes.</summary>
    public static IKeyCodec<uint> UInt32 { get; } = new IntegerKeyCodec<uint>();

    /// <summary>8 bytes.</summary>
    public static IKeyCodec<long> Int64 { get; } = new IntegerKeyCodec<long>();

    /// <summary>8 bytes.</summary>
    public static IKeyCodec<ulong> UInt64 { get; } = new IntegerKeyCodec<ulong>();

    /// <summary>16 bytes.</summary>
    public static IKeyCodec<Int128> Int128 { get; } = new IntegerKeyCodec<Int128>();

    /// <summary>16 bytes.</summary>
    public static IKeyCodec<UInt128> UInt128 { get; } = new IntegerKeyCodec<UInt128>();

    /// <summary>2 bytes. NaN is one value and the smallest; negative zero is read as zero.</summary>
    public static IKeyCodec<Half> Half { get; } = new FloatingKeyCodec<Half>(
        2, static value => BitConverter.HalfToUInt16Bits(value),
        static bits => BitConverter.UInt16BitsToHalf((ushort)bits));

    /// <summary>4 bytes. NaN is one value and the smallest; negative zero is read as zero.</summary>
    public static IKeyCodec<float> Single { get; } = new FloatingKeyCodec<float>(
        4, static value => BitConverter.SingleToUInt32Bits(value),
        static bits => BitConverter.UInt32BitsToSingle((uint)bits));

    /// <summary>8 bytes. NaN is one value and the smallest; negative zero is read as zero.</summary>
    public static IKeyCodec<double> Double { get; } = new FloatingKeyCodec<double>(
        8, BitConverter.DoubleToUInt64Bits, BitConverter.UInt64BitsToDouble);

    /// <summary>1 to 16 bytes. Trailing zeros are not kept: 1.50 is read as 1.5.</summary>
    public static IKeyCodec<decimal> Decimal { get; } = new DecimalKeyCodec();

    /// <summary>1 byte; <see langword="false"/> first.</summary>
    public static IKeyCodec<bool> Boolean { get; } = Map(
        Byte, static value => (byte)(value ? 1 : 0),
        static number => number <= 1 ? number == 1 : throw new FormatException($"{number} is neither true nor false"));

    /// <summary>2 bytes: one UTF-16 unit, not one character of text.</summary>
    public static IKeyCodec<char> Char { get; } = Map(UInt16, static value => value, static number => (char)number);

    /// <summary>16 bytes.</summary>
    public static IKeyCodec<Guid> Guid { get; } = new GuidKeyCodec();

    /// <summary>8 bytes. Only times in UTC: what another one means depends on the machine, so it is refused.</summary>
    public static IKeyCodec<DateTime> UtcDateTime { get; } = Map(
        Int64,
        static value => value.Kind == DateTimeKind.Utc
            ? value.Ticks
            : throw Codec.NoEncoding($"a time of kind {value.Kind} has no moment of its own; use UTC"),
        static ticks => new DateTime(ticks, DateTimeKind.Utc));

    /// <summary>10 bytes. Ordered by the moment; of one moment by the offset from UTC, which is kept.</summary>
    public static IKeyCodec<DateTimeOffset> DateTimeOffset { get; } = Map(
        Tuple(Int64, Int16),
        static value => (value.UtcTicks, (short)value.TotalOffsetMinutes),
        static parts => new DateTimeOffset(
            checked(parts.Item1 + (parts.Item2 * System.TimeSpan.TicksPerMinute)),
            System.TimeSpan.FromMinutes((long)parts.Item2)));

    /// <summary>4 bytes.</summary>
    public static IKeyCodec<DateOnly> DateOnly { get; } =
        Map(Int32, static value => value.DayNumber, System.DateOnly.FromDayNumber);

    /// <summary>8 bytes.</summary>
    public static IKeyCodec<TimeOnly> TimeOnly { get; } =
        Map(Int64, static value => value.Ticks, static ticks => new TimeOnly(ticks));

    /// <summary>8 bytes.</summary>
    public static IKeyCodec<TimeSpan> TimeSpan { get; } =
        Map(Int64, static value => value.Ticks, static ticks => new TimeSpan(ticks));

    /// <summary>UTF-8, 2 bytes more than the text, one more for each NUL in it. Ordered by code points.</summary>
    /// <remarks>
    /// That is the order of <see cref="string.CompareOrdinal(string?, string?)"/> except for characters beyond U+FFFF,
    /// which come last here. Half of a surrogate pair is refused.
    /// </remarks>
    public static IKeyCodec<string> Text { get; } = new TextKeyCodec();

    /// <summary>UTF-8 as it is, in the order of <see cref="Text"/>. Not self-delimiting.</summary>
    public static IKeyCodec<string> PlainText { get; } = new PlainTextKeyCodec();

    /// <summary>Byte strings, 2 bytes more, one more for each zero byte. Ordered by bytes, unsigned.</summary>
    public static IKeyCodec<ReadOnlyMemory<byte>> Bytes { get; } = new BytesKeyCodec();

    /// <summary>Byte strings as they are, in the order of <see cref="Bytes"/>. Not self-delimiting.</summary>
    public static IKeyCodec<ReadOnlyMemory<byte>> PlainBytes { get; } = new PlainBytesKeyCodec();

    /// <summary>The order of another codec backwards, in as many bytes.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: it is not
    /// self-delimiting.</exception>
    public static IKeyCodec<T> Descending<T>(IKeyCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        return codec.IsSelfDelimiting
            ? new DescendingKeyCodec<T>(codec)
            : throw new StorageException(
                FailureKind.InvalidArgument,
                "A codec that is not self-delimiting has no descending order: a shorter key would still come before " +
                "a longer one that begins with it. Use KeyCodecs.Text or KeyCodecs.Bytes.");
    }

    /// <summary>Values that may be null, in one byte more.</summary>
    /// <param name="codec">The codec of the values.</param>
    /// <param name="nullsLast">Whether null comes after every value instead of before.</param>
    public static IKeyCodec<T?> NullableValue<T>(IKeyCodec<T> codec, bool nullsLast = false)
        where T : struct
    {
        ArgumentNullException.ThrowIfNull(codec);
        return new NullableKeyCodec<T?, T>(
            codec, static value => value is null, static value => value.GetValueOrDefault(), static value => value,
            nullsLast);
    }

    /// <summary>References that may be null, in one byte more.</summary>
    /// <param name="codec">The codec of the values.</param>
    /// <param name="nullsLast">Whether null comes after every value instead of before.</param>
    public static IKeyCodec<T?> NullableReference<T>(IKeyCodec<T> codec, bool nullsLast = false)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(codec);
        return new NullableKeyCodec<T?, T>(
            codec, static value => value is null, static value => value!, static value => value, nullsLast);
    }

    /// <summary>Another type, in the encoding and order of what it is turned into: an enumeration, an id.</summary>
    /// <param name="codec">The codec of what it is turned into.</param>
    /// <param name="to">Turns a value; no two values into the same.</param>
    /// <param name="from">
    /// Turns it back, and throws an <see cref="ArgumentException"/>, <see cref="OverflowException"/> or
    /// <see cref="FormatException"/> for what <paramref name="to"/> never gives.
    /// </param>
    public static IKeyCodec<T> Map<T, TInner>(IKeyCodec<TInner> codec, Func<T, TInner> to, Func<TInner, T> from)
    {
        ArgumentNullException.ThrowIfNull(codec);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(from);
        return new MappedKeyCodec<T, TInner>(codec, to, from);
    }

    /// <summary>Two parts: ordered by the first, then by the second.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: a part before the last is not
    /// self-delimiting.</exception>
    public static TupleKeyCodec<T1, T2> Tuple<T1, T2>(IKeyCodec<T1> first, IKeyCodec<T2> second) =>
        new(first, second);

    /// <summary>Three parts.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: a part before the last is not
    /// self-delimiting.</exception>
    public static TupleKeyCodec<T1, T2, T3> Tuple<T1, T2, T3>(
        IKeyCodec<T1> first, IKeyCodec<T2> second, IKeyCodec<T3> third) => new(first, second, third);

    /// <summary>Four parts.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: a part before the last is not
    /// self-delimiting.</exception>
    public static TupleKeyCodec<T1, T2, T3, T4> Tuple<T1, T2, T3, T4>(
        IKeyCodec<T1> first, IKeyCodec<T2> second, IKeyCodec<T3> third, IKeyCodec<T4> fourth) =>
        new(first, second, third, fourth);
}
