using System.Buffers;
using System.Text;
using Branching.Storage.Codecs;

namespace Branching.Storage.Tests.Codecs;

/// <summary>A codec with what its order must be and where its values come from.</summary>
public abstract class CodecCase
{
    private static readonly Dictionary<string, CodecCase> _all =
        Simple().Concat(Composed()).ToDictionary(one => one.Name);

    public abstract string Name { get; }

    public static IReadOnlyDictionary<string, CodecCase> All => _all;

    /// <summary>Asserts that the bytes of random pairs order as the values do.</summary>
    public abstract void AssertOrder(Random random, int pairs);

    /// <summary>Asserts that values come back, whichever way they were encoded.</summary>
    public abstract void AssertRoundTrip(Random random, int values);

    /// <summary>Asserts that whatever is read from the bytes is written as the same bytes.</summary>
    /// <returns>How many of the inputs were read.</returns>
    public abstract int Fuzz(Random random, int inputs);

    /// <summary>The bytes that writing a value takes from the heap.</summary>
    public abstract long AllocatedBy(Random random, int writes);

    private static IEnumerable<CodecCase> Simple() =>
    [
        Of("byte", KeyCodecs.Byte, r => (byte)r.Next(256)),
        Of("sbyte", KeyCodecs.SByte, r => (sbyte)r.Next(256)),
        Of("short", KeyCodecs.Int16, r => (short)Samples.Bits(r)),
        Of("ushort", KeyCodecs.UInt16, r => (ushort)Samples.Bits(r)),
        Of("int", KeyCodecs.Int32, r => (int)Samples.Bits(r)),
        Of("uint", KeyCodecs.UInt32, r => (uint)Samples.Bits(r)),
        Of("long", KeyCodecs.Int64, r => (long)Samples.Bits(r)),
        Of("ulong", KeyCodecs.UInt64, Samples.Bits),
        Of("Int128", KeyCodecs.Int128, r => new Int128(Samples.Bits(r), Samples.Bits(r))),
        Of("UInt128", KeyCodecs.UInt128, r => new UInt128(Samples.Bits(r), Samples.Bits(r))),
        Of("Half", KeyCodecs.Half, r => BitConverter.UInt16BitsToHalf((ushort)r.Next(65536))),
        Of("float", KeyCodecs.Single, r => BitConverter.UInt32BitsToSingle((uint)Samples.FloatBits(r, 32, 23))),
        Of("double", KeyCodecs.Double, r => BitConverter.UInt64BitsToDouble(Samples.FloatBits(r, 64, 52))),
        Of("decimal", KeyCodecs.Decimal, Samples.Decimal),
        Of("bool", KeyCodecs.Boolean, r => r.Next(2) == 1),
        Of("char", KeyCodecs.Char, r => (char)r.Next(65536)),
        Of("Guid", KeyCodecs.Guid, Samples.Guid),
        Of("DateTime", KeyCodecs.UtcDateTime, r => new DateTime(Samples.Ticks(r), DateTimeKind.Utc)),
        Of("DateTimeOffset", KeyCodecs.DateTimeOffset, Samples.DateTimeOffset, Comparer<DateTimeOffset>.Create(
            (a, b) => (a.UtcTicks, a.Offset).CompareTo((b.UtcTicks, b.Offset)))),
        Of("DateOnly", KeyCodecs.DateOnly, r => DateOnly.FromDayNumber(r.Next(DateOnly.MaxValue.DayNumber + 1))),
        Of("TimeOnly", KeyCodecs.TimeOnly, r => new TimeOnly(r.NextInt64(TimeOnly.MaxValue.Ticks + 1))),
        Of("TimeSpan", KeyCodecs.TimeSpan, r => new TimeSpan((long)Samples.Bits(r))),
        Of("text", KeyCodecs.Text, Samples.Text, Samples.CodePoints),
        Of("plain text", KeyCodecs.PlainText, Samples.Text, Samples.CodePoints),
        Of("bytes", KeyCodecs.Bytes, Samples.Bytes, Samples.ByteOrder),
        Of("plain bytes", KeyCodecs.PlainBytes, Samples.Bytes, Samples.ByteOrder),
    ];

    private static IEnumerable<CodecCase> Composed()
    {
        IKeyCodec<int?> number = KeyCodecs.NullableValue(KeyCodecs.Int32);
        IKeyCodec<string?> textLast = KeyCodecs.NullableReference(KeyCodecs.Text, nullsLast: true);
        IComparer<int?> nullFirst = Comparer<int?>.Default;
        IComparer<string?> nullLast = Comparer<string?>.Create((a, b) => (a, b) switch
        {
            (null, null) => 0,
            (null, _) => 1,
            (_, null) => -1,
            _ => Samples.CodePoints.Compare(a, b),
        });
        return
        [
            Of("int descending", KeyCodecs.Descending(KeyCodecs.Int32), r => (int)Samples.Bits(r), Down<int>()),
            Of("double descending", KeyCodecs.Descending(KeyCodecs.Double),
                r => BitConverter.UInt64BitsToDouble(Samples.FloatBits(r, 64, 52)), Down<double>()),
            Of("decimal descending", KeyCodecs.Descending(KeyCodecs.Decimal), Samples.Decimal, Down<decimal>()),
            Of("text descending", KeyCodecs.Descending(KeyCodecs.Text), Samples.Text, Down(Samples.CodePoints)),
            Of("bytes descending", KeyCodecs.Descending(KeyCodecs.Bytes), Samples.Bytes, Down(Samples.ByteOrder)),
            Of("nullable int", number, r => r.Next(4) == 0 ? null : (int)Samples.Bits(r), nullFirst),
            Of("text, null last", textLast, r => r.Next(4) == 0 ? null : Samples.Text(r), nullLast),
            Of("text, null last, descending", KeyCodecs.Descending(textLast),
                r => r.Next(4) == 0 ? null : Samples.Text(r), Down(nullLast)),
            Of("(text, long)", KeyCodecs.Tuple(KeyCodecs.Text, KeyCodecs.Int64),
                r => (Samples.ShortText(r), (long)Samples.Bits(r)),
                Pair(Samples.CodePoints, Comparer<long>.Default)),
            Of("(text descending, text)", KeyCodecs.Tuple(KeyCodecs.Descending(KeyCodecs.Text), KeyCodecs.Text),
                r => (Samples.ShortText(r), Samples.ShortText(r)),
                Pair(Down(Samples.CodePoints), Samples.CodePoints)),
            Of("(bytes, int? descending, text last)",
                KeyCodecs.Tuple(KeyCodecs.Bytes, KeyCodecs.Descending(number), textLast),
                r => (
                    Samples.ShortBytes(r), r.Next(3) == 0 ? null : r.Next(3), r.Next(3) == 0 ? null : Samples.Text(r)),
                Triple(Samples.ByteOrder, Down(nullFirst), nullLast)),
            Of("(decimal, bytes descending, Half, plain text)",
                KeyCodecs.Tuple(
                    KeyCodecs.Decimal, KeyCodecs.Descending(KeyCodecs.Bytes), KeyCodecs.Half, KeyCodecs.PlainText),
                r => ((decimal)r.Next(3), Samples.ShortBytes(r), (Half)r.Next(-1, 2), Samples.ShortText(r)),
                Quadruple(
                    Comparer<decimal>.Default, Down(Samples.ByteOrder), Comparer<Half>.Default, Samples.CodePoints)),
            Of("((Guid, bool) descending, DateOnly)",
                KeyCodecs.Tuple(
                    KeyCodecs.Descending(KeyCodecs.Tuple(KeyCodecs.Guid, KeyCodecs.Boolean)), KeyCodecs.DateOnly),
                r => ((Samples.Guid(r), r.Next(2) == 0), DateOnly.FromDayNumber(r.Next(3))),
                Pair(
                    Down(Pair(Comparer<Guid>.Default, Comparer<bool>.Default)), Comparer<DateOnly>.Default)),
        ];
    }

    private static Typed<T> Of<T>(
        string name, IKeyCodec<T> codec, Func<Random, T> sample, IComparer<T>? order = null) =>
        new Typed<T>(name, codec, sample, order ?? Comparer<T>.Default);

    private static Comparer<T> Down<T>(IComparer<T>? order = null) =>
        Comparer<T>.Create((a, b) => (order ?? Comparer<T>.Default).Compare(b, a));

    private static Comparer<(T1, T2)> Pair<T1, T2>(IComparer<T1> first, IComparer<T2> second) =>
        Comparer<(T1, T2)>.Create((a, b) =>
            first.Compare(a.Item1, b.Item1) is var one and not 0 ? one : second.Compare(a.Item2, b.Item2));

    private static Comparer<(T1, T2, T3)> Triple<T1, T2, T3>(
        IComparer<T1> first, IComparer<T2> second, IComparer<T3> third) => Comparer<(T1, T2, T3)>.Create((a, b) =>
            Pair(first, second).Compare((a.Item1, a.Item2), (b.Item1, b.Item2)) is var one and not 0
                ? one
                : third.Compare(a.Item3, b.Item3));

    private static Comparer<(T1, T2, T3, T4)> Quadruple<T1, T2, T3, T4>(
        IComparer<T1> first, IComparer<T2> second, IComparer<T3> third, IComparer<T4> fourth) =>
        Comparer<(T1, T2, T3, T4)>.Create((a, b) =>
            Triple(first, second, third).Compare((a.Item1, a.Item2, a.Item3), (b.Item1, b.Item2, b.Item3))
                is var one and not 0
                ? one
                : fourth.Compare(a.Item4, b.Item4));

    private sealed class Typed<T>(string name, IKeyCodec<T> codec, Func<Random, T> sample, IComparer<T> order)
        : CodecCase
    {
        public override string Name => name;

        public override void AssertOrder(Random random, int pairs)
        {
            T[] values = [.. Enumerable.Range(0, 200).Select(_ => sample(random))];
            byte[][] keys = [.. values.Select(value => codec.Encode(value))];
            for (int i = 0; i < pairs; i++)
            {
                int a = random.Next(values.Length), b = random.Next(values.Length);
                int expected = Math.Sign(order.Compare(values[a], values[b]));
                int actual = Math.Sign(keys[a].AsSpan().SequenceCompareTo(keys[b]));
                Assert.True(expected == actual, $"{name}: {Show(values[a], keys[a])} and {Show(values[b], keys[b])}");
                Assert.True(
                    !codec.IsSelfDelimiting || expected == 0 || !keys[b].AsSpan().StartsWith(keys[a]),
                    $"{name}: {Show(values[b], keys[b])} begins with {Show(values[a], keys[a])}");
            }
        }

        public override void AssertRoundTrip(Random random, int values)
        {
            ArrayBufferWriter<byte> stream = new();
            for (int i = 0; i < values; i++)
            {
                T value = sample(random);
                byte[] key = codec.Encode(value);
                T back = codec.Decode(key);
                Assert.True(order.Compare(value, back) == 0, $"{name}: {Show(value, key)} is read as {back}");
                Assert.Equal(key, codec.Encode(back));
                Assert.Equal(key.Length, codec.Measure(value));
                stream.ResetWrittenCount();
                codec.Encode(value, stream);
                stream.Write<byte>([0x00, 0xFF, 0x17]);
                Assert.True(stream.WrittenSpan.StartsWith(key));
                if (codec.IsSelfDelimiting)
                {
                    codec.Read(stream.WrittenSpan, out int consumed);
                    Assert.Equal(key.Length, consumed);
                }
            }
        }

        public override int Fuzz(Random random, int inputs)
        {
            int read = 0;
            for (int i = 0; i < inputs; i++)
            {
                byte[] input = Samples.Mutate(random, codec.Encode(sample(random)), codec.Encode(sample(random)));
                try
                {
                    T value = codec.Decode(input);
                    read++;
                    byte[] again = codec.Encode(value);
                    Assert.True(
                        again.AsSpan().SequenceEqual(input),
                        $"{name}: {Convert.ToHexString(input)} is read as {Show(value, again)}");
                }
                catch (StorageException e) when (e.Kind == FailureKind.NotDecodable)
                {
                    Assert.Contains("not what this codec writes", e.Message, StringComparison.Ordinal);
                }
            }

            return read;
        }

        public override long AllocatedBy(Random random, int writes)
        {
            T value = sample(random);
            byte[] room = new byte[codec.Measure(value)];
            for (int i = 0; i < 100; i++)
            {
                codec.Write(value, room); // The first calls compile.
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < writes; i++)
            {
                codec.Write(value, room.AsSpan(0, codec.Measure(value)));
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        private static string Show(T value, byte[] key) => $"{value} ({Convert.ToHexString(key)})";
    }
}

/// <summary>Values with a taste for the edges.</summary>
internal static class Samples
{
    private static readonly string[] _pieces =
        ["", "\0", "\0\0", "a", "ab", "ä", "\u00FF", "\uFFFD", "\U0001F600", "\uE000", "z"];

    public static IComparer<string> CodePoints { get; } = Comparer<string>.Create((a, b) =>
        Encoding.UTF32.GetBytes(a).Chunk(4).Select(c => BitConverter.ToInt32(c))
            .SequenceCompareTo(Encoding.UTF32.GetBytes(b).Chunk(4).Select(c => BitConverter.ToInt32(c))));

    public static IComparer<ReadOnlyMemory<byte>> ByteOrder { get; } =
        Comparer<ReadOnlyMemory<byte>>.Create((a, b) => a.Span.SequenceCompareTo(b.Span));

    /// <summary>Numbers near powers of two, in either direction, as often as any others.</summary>
    public static ulong Bits(Random random)
    {
        ulong number = random.Next(3) switch
        {
            0 => (ulong)random.NextInt64(),
            1 => (1UL << random.Next(64)) + (ulong)random.Next(-2, 3),
            _ => (ulong)random.Next(-3, 4),
        };
        return random.Next(2) == 0 ? number : ~number;
    }

    public static ulong FloatBits(Random random, int bits, int mantissa)
    {
        ulong number = random.Next(4) switch
        {
            0 => ((1UL << (bits - 1 - mantissa)) - 1) << mantissa, // Infinity.
            1 => 0,
            2 => (ulong)random.Next(3) + (((1UL << (bits - 1 - mantissa)) - 1) << mantissa), // Infinity and NaNs.
            _ => Bits(random) >> (64 - bits),
        };
        return number ^ ((ulong)random.Next(2) << (bits - 1));
    }

    public static decimal Decimal(Random random) => random.Next(4) switch
    {
        0 => new decimal(
            (int)Bits(random), (int)Bits(random), (int)Bits(random), random.Next(2) == 0, (byte)random.Next(29)),
        1 => new decimal(random.Next(1000), 0, 0, random.Next(2) == 0, (byte)random.Next(29)),
        2 => random.Next(-20, 21) / 10m * (decimal)Math.Pow(10, random.Next(8)),
        _ => random.Next(2) == 0 ? decimal.MaxValue : decimal.MinValue,
    };

    public static Guid Guid(Random random)
    {
        byte[] bytes = new byte[16];
        bytes[random.Next(16)] = (byte)random.Next(256);
        bytes[random.Next(16)] = (byte)random.Next(256);
        return new Guid(bytes);
    }

    public static long Ticks(Random random) => random.Next(3) switch
    {
        0 => random.Next(3),
        1 => DateTime.MaxValue.Ticks - random.Next(3),
        _ => random.NextInt64(DateTime.MaxValue.Ticks + 1),
    };

    public static DateTimeOffset DateTimeOffset(Random random)
    {
        TimeSpan offset = TimeSpan.FromMinutes(random.Next(-14 * 60, (14 * 60) + 1));
        long day = TimeSpan.TicksPerDay;
        long moment = random.Next(2) == 0
            ? day * random.Next(1, 3)
            : random.NextInt64(day, DateTime.MaxValue.Ticks - day);
        return new DateTimeOffset(moment, TimeSpan.Zero).ToOffset(offset);
    }

    public static string Text(Random random) =>
        string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => _pieces[random.Next(_pieces.Length)]));

    public static string ShortText(Random random) => _pieces[random.Next(5)];

    public static ReadOnlyMemory<byte> Bytes(Random random)
    {
        byte[] bytes = new byte[random.Next(8)];
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)(random.Next(5) switch { 0 => 0, 1 => 0xFF, 2 => 1, 3 => 0xFE, _ => random.Next(256) });
        }

        return random.Next(50) == 0 ? Enumerable.Repeat(bytes, 200).SelectMany(b => b).ToArray() : bytes;
    }

    public static ReadOnlyMemory<byte> ShortBytes(Random random) => Bytes(random) is var bytes && bytes.Length > 2
        ? bytes[..2]
        : bytes;

    public static byte[] Mutate(Random random, byte[] key, byte[] other)
    {
        List<byte> bytes = [.. key];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(bytes.Count + 1);
            switch (random.Next(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)(random.Next(4) switch { 0 => 0, 1 => 0xFF, 2 => 1, _ => random.Next(256) });
                    break;
                case 2 when at < bytes.Count:
                    bytes.RemoveAt(at);
                    break;
                case 3:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 4:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 5:
                    bytes.RemoveRange(at, bytes.Count - at);
                    bytes.AddRange(other.Skip(random.Next(other.Length + 1)));
                    break;
                default:
                    bytes.AddRange(other);
                    break;
            }
        }

        return [.. bytes];
    }

    private static int SequenceCompareTo(this IEnumerable<int> first, IEnumerable<int> second) =>
        first.ToArray().AsSpan().SequenceCompareTo(second.ToArray());
}
