using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Branching.Storage.Codecs;

/// <summary>Turns values into bytes and back. Thread-safe.</summary>
/// <typeparam name="T">The type of the values.</typeparam>
public interface IValueCodec<T>
{
    /// <summary>Appends the bytes of a value to <paramref name="destination"/>.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: the value has no
    /// encoding.</exception>
    void Encode(T value, IBufferWriter<byte> destination);

    /// <summary>The value of these bytes.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.NotDecodable"/>: they are no value of this
    /// codec.</exception>
    T Decode(ReadOnlySpan<byte> source);
}

/// <summary>The value codecs there are.</summary>
public static class ValueCodecs
{
    /// <summary>The bytes as they are.</summary>
    public static IValueCodec<ReadOnlyMemory<byte>> Raw { get; } = new RawValueCodec();

    /// <summary>Text in UTF-8; half of a surrogate pair is refused.</summary>
    public static IValueCodec<string> Utf8 { get; } = new Utf8ValueCodec();

    /// <summary>JSON, by the rules of a type's metadata: those of a source generator, or of reflection.</summary>
    public static IValueCodec<T> Json<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return new JsonValueCodec<T>(type);
    }

    /// <summary>A key codec for values, for example for numbers of a fixed width.</summary>
    public static IValueCodec<T> Of<T>(IKeyCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        return new KeyValueCodec<T>(codec);
    }

    private sealed class RawValueCodec : IValueCodec<ReadOnlyMemory<byte>>
    {
        public void Encode(ReadOnlyMemory<byte> value, IBufferWriter<byte> destination) =>
            destination.Write(value.Span);

        public ReadOnlyMemory<byte> Decode(ReadOnlySpan<byte> source) => source.ToArray();
    }

    private sealed class Utf8ValueCodec : IValueCodec<string>
    {
        public void Encode(string value, IBufferWriter<byte> destination)
        {
            ArgumentNullException.ThrowIfNull(value);
            ArgumentNullException.ThrowIfNull(destination);
            int length = Utf8Text.Measure(value);
            destination.Advance(Utf8Text.Write(value, destination.GetSpan(length)));
        }

        public string Decode(ReadOnlySpan<byte> source) => Utf8Text.Read(source);
    }

    private sealed class KeyValueCodec<T>(IKeyCodec<T> codec) : IValueCodec<T>
    {
        public void Encode(T value, IBufferWriter<byte> destination) => codec.Encode(value, destination);

        public T Decode(ReadOnlySpan<byte> source) => codec.Decode(source);
    }

    private sealed class JsonValueCodec<T>(JsonTypeInfo<T> type) : IValueCodec<T>
    {
        private readonly JsonWriterOptions _options = new()
        {
            Encoder = type.Options.Encoder,
            Indented = type.Options.WriteIndented,
            SkipValidation = true, // The serializer writes nothing that is no JSON.
        };

        // A writer costs more than a small document; whoever uses it takes it away, so that a converter that encodes
        // something else meanwhile makes its own.
        private Utf8JsonWriter? _idle;

        public void Encode(T value, IBufferWriter<byte> destination)
        {
            ArgumentNullException.ThrowIfNull(destination);
            Utf8JsonWriter writer = Interlocked.Exchange(ref _idle, null) ?? new Utf8JsonWriter(destination, _options);
            writer.Reset(destination);
            JsonSerializer.Serialize(writer, value, type);
            writer.Flush();
            writer.Reset(EmptyWriter.Instance); // Holds on to nobody's buffer while it is idle.
            Volatile.Write(ref _idle, writer);
        }

        public T Decode(ReadOnlySpan<byte> source)
        {
            try
            {
                return JsonSerializer.Deserialize(source, type)!;
            }
            catch (JsonException e)
            {
                throw Codec.NotDecodable($"it is no JSON of a {typeof(T).Name}: {e.Message.TrimEnd('.')}", e);
            }
        }
    }

    private sealed class EmptyWriter : IBufferWriter<byte>
    {
        public static EmptyWriter Instance { get; } = new();

        public void Advance(int count) => ArgumentOutOfRangeException.ThrowIfNotEqual(count, 0);

        public Memory<byte> GetMemory(int sizeHint = 0) => throw new InvalidOperationException("Nobody writes here.");

        public Span<byte> GetSpan(int sizeHint = 0) => throw new InvalidOperationException("Nobody writes here.");
    }
}
