using System.Globalization;
using Branching.Storage.Codecs;
using Branching.Storage.Tests.LocalStores;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Codecs;

public sealed class KeyCodecTests(ITestOutputHelper output)
{
    private static readonly int _inputs = int.TryParse(
        Environment.GetEnvironmentVariable("BRANCHING_FUZZ_INPUTS"), CultureInfo.InvariantCulture, out int inputs)
        ? inputs
        : 500;

    public static TheoryData<string> Cases => [.. CodecCase.All.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Keys_order_as_their_values_do(string name) => CodecCase.All[name].AssertOrder(Seeded(), 2000);

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_value_comes_back_whole_and_is_written_one_way_only(string name) =>
        CodecCase.All[name].AssertRoundTrip(Seeded(), 300);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Writing_a_key_makes_no_garbage(string name) =>
        Assert.Equal(0, CodecCase.All[name].AllocatedBy(Seeded(), 1000));

    [Fact]
    public void Whatever_a_key_decoder_reads_is_written_as_the_same_bytes()
    {
        Random random = Seeded();
        int inputs = 0, read = 0;

        foreach (CodecCase one in CodecCase.All.Values)
        {
            read += one.Fuzz(random, _inputs);
            inputs += _inputs;
        }

        output.WriteLine($"{inputs} inputs, {read} of them read");
        Assert.InRange(read, 1, inputs - 1); // Both answers were given.
    }

    [Fact]
    public void Numbers_text_and_tuples_are_written_as_the_page_of_formats_says()
    {
        Assert.Equal("8000000000000001", Hex(KeyCodecs.Int64.Encode(1)));
        Assert.Equal("7FFFFFFFFFFFFFFF", Hex(KeyCodecs.Int64.Encode(-1)));
        Assert.Equal("BFF8000000000000", Hex(KeyCodecs.Double.Encode(1.5)));
        Assert.Equal("4007FFFFFFFFFFFF", Hex(KeyCodecs.Double.Encode(-1.5)));
        Assert.Equal("0000000000000000", Hex(KeyCodecs.Double.Encode(double.NaN)));
        Assert.Equal("8000000000000000", Hex(KeyCodecs.Double.Encode(-0.0)));
        Assert.Equal("C11E", Hex(KeyCodecs.Decimal.Encode(1.50m)));
        Assert.Equal("3EE1", Hex(KeyCodecs.Decimal.Encode(-1.5m)));
        Assert.Equal("C31944", Hex(KeyCodecs.Decimal.Encode(123.4m)));
        Assert.Equal("80", Hex(KeyCodecs.Decimal.Encode(0m)));
        Assert.Equal("610000", Hex(KeyCodecs.Text.Encode("a")));
        Assert.Equal("6100FF620000", Hex(KeyCodecs.Text.Encode("a\0b")));
        Assert.Equal("9EFFFF", Hex(KeyCodecs.Descending(KeyCodecs.Text).Encode("a")));
        Assert.Equal("00", Hex(KeyCodecs.NullableValue(KeyCodecs.Byte).Encode(null)));
        Assert.Equal("0107", Hex(KeyCodecs.NullableValue(KeyCodecs.Byte).Encode((byte)7)));
        Assert.Equal("02", Hex(KeyCodecs.NullableValue(KeyCodecs.Byte, nullsLast: true).Encode(null)));
        Assert.Equal(
            "61000080000007", Hex(KeyCodecs.Tuple(KeyCodecs.Text, KeyCodecs.Int32).Encode(("a", 7))));
        Assert.Equal(
            "00112233445566778899AABBCCDDEEFF",
            Hex(KeyCodecs.Guid.Encode(Guid.Parse("00112233-4455-6677-8899-aabbccddeeff"))));
        Assert.Equal(
            "8000000861C46800803C",
            Hex(KeyCodecs.DateTimeOffset.Encode(new DateTimeOffset(2 * TimeSpan.TicksPerHour, TimeSpan.FromHours(1)))));
    }

    [Fact]
    public void A_nan_and_a_negative_zero_have_one_encoding_each()
    {
        Assert.True(double.IsNaN(KeyCodecs.Double.Decode(KeyCodecs.Double.Encode(-double.NaN))));
        Assert.Equal(KeyCodecs.Double.Encode(double.NaN), KeyCodecs.Double.Encode(-double.NaN));
        Assert.False(double.IsNegative(KeyCodecs.Double.Decode(KeyCodecs.Double.Encode(-0.0))));
        AssertRefused(KeyCodecs.Double, "7FFFFFFFFFFFFFFF"); // The bits of negative zero, turned.
        AssertRefused(KeyCodecs.Double, "FFF8000000000000"); // The bits of a NaN, turned.
        AssertRefused(KeyCodecs.Double, "0000000000000001");
    }

    [Theory]
    [InlineData("DateTime", "7FFFFFFFFFFFFFFF")] // Before the first day.
    [InlineData("DateTimeOffset", "80000000000000000000")] // An offset of more than 14 hours.
    [InlineData("bool", "02")]
    [InlineData("text", "61")] // No end.
    [InlineData("text", "610001")] // No escape.
    [InlineData("text", "FF0000")] // No UTF-8.
    [InlineData("text", "C1800000")] // An overlong form.
    [InlineData("text", "EDA0800000")] // Half of a surrogate pair.
    [InlineData("text", "61000000")] // Something follows.
    [InlineData("decimal", "C11F00")] // A needless pair of digits.
    [InlineData("decimal", "C10A")] // A needless zero in front.
    [InlineData("decimal", "FF1E")] // Too large.
    [InlineData("nullable int", "02")] // Null is first here.
    public void Bytes_that_no_value_has_are_refused(string name, string hex)
    {
        byte[] key = Convert.FromHexString(hex);
        StorageException failure = name switch
        {
            "DateTime" => Refused(KeyCodecs.UtcDateTime, key),
            "DateTimeOffset" => Refused(KeyCodecs.DateTimeOffset, key),
            "bool" => Refused(KeyCodecs.Boolean, key),
            "decimal" => Refused(KeyCodecs.Decimal, key),
            "nullable int" => Refused(KeyCodecs.NullableValue(KeyCodecs.Int32), key),
            _ => Refused(KeyCodecs.Text, key),
        };

        Assert.Contains("Read it with the codec that wrote it", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_without_an_encoding_is_refused_with_advice()
    {
        DateTime local = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Local);

        StorageException time = Assert.Throws<StorageException>(() => KeyCodecs.UtcDateTime.Encode(local));
        StorageException text = Assert.Throws<StorageException>(() => KeyCodecs.Text.Encode("a\uD800b"));

        Assert.Equal((FailureKind.InvalidArgument, FailureKind.InvalidArgument), (time.Kind, text.Kind));
        Assert.Contains("use UTC", time.Message, StringComparison.Ordinal);
        Assert.Contains("character 1", text.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_codec_that_finds_no_end_may_only_be_the_last_part()
    {
        Assert.Throws<StorageException>(() => KeyCodecs.Tuple(KeyCodecs.PlainText, KeyCodecs.Byte));
        Assert.Throws<StorageException>(() => KeyCodecs.Descending(KeyCodecs.PlainBytes));

        TupleKeyCodec<byte, string> last = KeyCodecs.Tuple(KeyCodecs.Byte, KeyCodecs.PlainText);

        Assert.Equal(((byte)7, "a\0b"), last.Decode(last.Encode(((byte)7, "a\0b"))));
        Assert.False(last.IsSelfDelimiting);
    }

    [Fact]
    public void The_range_of_a_part_holds_the_keys_that_begin_with_it_and_no_others()
    {
        TupleKeyCodec<string, int> codec = KeyCodecs.Tuple(KeyCodecs.Text, KeyCodecs.Int32);

        KeyRange range = codec.RangeOf("a");

        Assert.All(
            [("a", int.MinValue), ("a", 0), ("a", int.MaxValue)], key => Assert.True(Holds(range, codec.Encode(key))));
        Assert.All(
            [("", 0), ("ab", 0), ("a\0", 0), ("b", 0)], key => Assert.False(Holds(range, codec.Encode(key))));
    }

    [Fact]
    public void A_type_of_ones_own_is_encoded_like_what_it_is_turned_into()
    {
        IKeyCodec<DayOfWeek> codec = KeyCodecs.Map(
            KeyCodecs.Byte, static (DayOfWeek day) => (byte)day,
            static number => Enum.IsDefined((DayOfWeek)number)
                ? (DayOfWeek)number
                : throw new FormatException($"{number} is no day"));

        Assert.Equal(DayOfWeek.Friday, codec.Decode([5]));
        Assert.Contains("7 is no day", Refused(codec, [7]).Message, StringComparison.Ordinal);
    }

    private static bool Holds(KeyRange range, byte[] key) =>
        key.AsSpan().SequenceCompareTo(range.From.Span) >= 0 && key.AsSpan().SequenceCompareTo(range.To.Span) < 0;

    private static void AssertRefused<T>(IKeyCodec<T> codec, string hex) => Refused(codec, Convert.FromHexString(hex));

    private static StorageException Refused<T>(IKeyCodec<T> codec, byte[] key)
    {
        StorageException failure = Assert.Throws<StorageException>(() => { codec.Decode(key); });
        Assert.Equal(FailureKind.NotDecodable, failure.Kind);
        return failure;
    }

    private static string Hex(byte[] bytes) => Convert.ToHexString(bytes);

    private Random Seeded()
    {
        output.WriteLine($"BRANCHING_SEED={TestStore.Seed}");
        return new Random(TestStore.Seed);
    }
}
