using System.Buffers;

namespace Branching.Storage.Codecs;

/// <summary>
/// Turns values into keys whose byte order is the order of the values, and back. Thread-safe; makes no garbage when
/// it writes.
/// </summary>
/// <remarks>
/// <para>
/// Every value has exactly one encoding, and reading accepts that one alone: whatever <see cref="Read"/> accepts,
/// <see cref="Write"/> gives again byte for byte. Two values that compare as equal have the same encoding.
/// </para>
/// <para>
/// An encoding that is self-delimiting is never the beginning of another one, so encodings can follow each other and
/// the whole orders like the tuple. docs/formats.md describes the bytes; they never change.
/// </para>
/// </remarks>
/// <typeparam name="T">The type of the values.</typeparam>
public interface IKeyCodec<T>
{
    /// <summary>Whether reading finds the end by itself, so that something else may follow.</summary>
    bool IsSelfDelimiting { get; }

    /// <summary>How many bytes <see cref="Write"/> writes.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: the value has no
    /// encoding.</exception>
    int Measure(T value);

    /// <summary>Writes the encoding to the beginning of <paramref name="destination"/>.</summary>
    /// <param name="value">The value.</param>
    /// <param name="destination">At least as long as <see cref="Measure"/> says.</param>
    /// <returns>The bytes written, as many as <see cref="Measure"/> says.</returns>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: the value has no
    /// encoding.</exception>
    int Write(T value, Span<byte> destination);

    /// <summary>Reads the value at the beginning of <paramref name="source"/>.</summary>
    /// <param name="source">The encoding; with a self-delimiting codec anything may follow it.</param>
    /// <param name="consumed">How many bytes belong to the value.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.NotDecodable"/>: no value is written like
    /// this.</exception>
    T Read(ReadOnlySpan<byte> source, out int consumed);
}

/// <summary>What is done with whole keys.</summary>
public static class KeyCodecExtensions
{
    /// <summary>Appends the key of a value to <paramref name="destination"/>.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: the value has no
    /// encoding.</exception>
    public static void Encode<T>(this IKeyCodec<T> codec, T value, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(codec);
        ArgumentNullException.ThrowIfNull(destination);
        int length = codec.Measure(value);
        destination.Advance(codec.Write(value, destination.GetSpan(length)[..length]));
    }

    /// <summary>The key of a value, in an array of its own.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: the value has no
    /// encoding.</exception>
    public static byte[] Encode<T>(this IKeyCodec<T> codec, T value)
    {
        ArgumentNullException.ThrowIfNull(codec);
        byte[] key = new byte[codec.Measure(value)];
        codec.Write(value, key);
        return key;
    }

    /// <summary>The value of a whole key: bytes that are left over are refused.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.NotDecodable"/>: no value has this key.</exception>
    public static T Decode<T>(this IKeyCodec<T> codec, ReadOnlySpan<byte> key)
    {
        ArgumentNullException.ThrowIfNull(codec);
        T value = codec.Read(key, out int consumed);
        return consumed == key.Length
            ? value
            : throw Codec.NotDecodable($"{key.Length - consumed} bytes follow it");
    }
}
