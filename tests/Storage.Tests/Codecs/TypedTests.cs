using System.Buffers;
using System.Text.Json.Serialization;
using Branching.Storage.Codecs;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Codecs;

public sealed partial class TypedTests
{
    [Fact]
    public async Task A_typed_view_reads_what_it_wrote_in_the_order_of_its_keys()
    {
        await using TestStore test = new();
        Typed<(string, int), Measurement> view = Measurements(test.Store);
        int[] minutes = [5, -3, 0, int.MinValue, int.MaxValue];

        foreach (int minute in minutes)
        {
            await view.PutAsync(("north", minute), new Measurement(minute, null), Durability.Buffered);
        }

        await view.PutAsync(("south", 1), new Measurement(1, "cold"), Durability.Buffered);
        await view.DeleteAsync(("north", 5), Durability.Buffered);

        Assert.True(view.TryGet(("south", 1), out Measurement? found));
        Assert.Equal(new Measurement(1, "cold"), found);
        Assert.False(view.TryGet(("north", 5), out _));
        Assert.Equal(
            [int.MinValue, -3, 0, int.MaxValue],
            view.Range(KeyCodecs.Tuple(KeyCodecs.Text, KeyCodecs.Int32).RangeOf("north")).Select(e => e.Key.Item2));
        Assert.Equal(
            [0, -3], view.Range(view.Between(("north", -3), ("north", 1)), reverse: true).Select(e => e.Key.Item2));
    }

    [Fact]
    public async Task A_range_longer_than_a_page_is_read_whole_and_of_one_view()
    {
        await using TestStore test = new();
        Typed<int, ReadOnlyMemory<byte>> view = new(test.Store, KeyCodecs.Int32, ValueCodecs.Raw);
        await test.Store.WriteAsync(
            new WriteRequest([.. Enumerable.Range(0, 1000).Select(i => view.Put(i, new byte[] { (byte)i }))]),
            CancellationToken.None);
        List<int> seen = [];

        foreach (KeyValuePair<int, ReadOnlyMemory<byte>> entry in view.Range(KeyRange.All))
        {
            seen.Add(entry.Key);
            await view.DeleteAsync(999, Durability.Buffered);
        }

        Assert.Equal(Enumerable.Range(0, 1000), seen);
    }

    [Fact]
    public async Task A_key_or_value_of_another_codec_is_refused_not_guessed()
    {
        await using TestStore test = new();
        Typed<(string, int), Measurement> view = Measurements(test.Store);
        await test.WriteAsync(TestStore.Put("foreign", "no json"));
        await test.Store.WriteAsync(
            new WriteRequest([WriteOperation.Put(
                KeyCodecs.Tuple(KeyCodecs.Text, KeyCodecs.Int32).Encode(("x", 1)), TestStore.Bytes("{}x"))]),
            CancellationToken.None);

        StorageException key = Assert.Throws<StorageException>(() => view.Range(KeyRange.All).ToList());
        StorageException value = Assert.Throws<StorageException>(() => view.TryGet(("x", 1), out _));

        Assert.Equal((FailureKind.NotDecodable, FailureKind.NotDecodable), (key.Kind, value.Kind));
    }

    [Fact]
    public void Value_codecs_give_back_what_they_took()
    {
        Assert.Equal("ä\0", Through(ValueCodecs.Utf8, "ä\0"));
        Assert.Equal([1, 0, 2], Through(ValueCodecs.Raw, new byte[] { 1, 0, 2 }).ToArray());
        Assert.Equal(-7L, Through(ValueCodecs.Of(KeyCodecs.Int64), -7L));
        Assert.Equal(
            new Measurement(2, "x"), Through(ValueCodecs.Json(TestJson.Default.Measurement), new Measurement(2, "x")));
        Assert.Equal(
            FailureKind.NotDecodable,
            Assert.Throws<StorageException>(() => ValueCodecs.Utf8.Decode([0xFF])).Kind);
    }

    [Fact]
    public void A_json_codec_is_reused_after_a_value_that_could_not_be_written()
    {
        IValueCodec<Measurement> codec = ValueCodecs.Json(TestJson.Default.Measurement);

        Assert.ThrowsAny<ArgumentException>(() => Through(codec, new Measurement(double.NaN, "no number of JSON")));

        Assert.Equal(new Measurement(2, "x"), Through(codec, new Measurement(2, "x")));
    }

    private static Typed<(string, int), Measurement> Measurements(LocalStore store) => new(
        store, KeyCodecs.Tuple(KeyCodecs.Text, KeyCodecs.Int32), ValueCodecs.Json(TestJson.Default.Measurement));

    private static T Through<T>(IValueCodec<T> codec, T value)
    {
        ArrayBufferWriter<byte> bytes = new();
        codec.Encode(value, bytes);
        return codec.Decode(bytes.WrittenSpan);
    }

    internal sealed record Measurement(double Degrees, string? Note);

    [JsonSerializable(typeof(Measurement))]
    internal sealed partial class TestJson : JsonSerializerContext;
}
