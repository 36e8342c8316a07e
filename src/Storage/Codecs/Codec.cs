namespace Branching.Storage.Codecs;

/// <summary>What all codecs share: their failures, and the look at what is left.</summary>
internal static class Codec
{
    private const string Advice =
        "Read it with the codec that wrote it; if nothing else writes there, the data are damaged.";

    /// <summary>The first <paramref name="length"/> bytes; fewer are a failure.</summary>
    public static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> source, int length) => source.Length >= length
        ? source[..length]
        : throw NotDecodable($"{source.Length} bytes are left where {length} are needed");

    public static StorageException NotDecodable(string why, Exception? inner = null) => new(
        FailureKind.NotDecodable, $"The bytes are not what this codec writes: {why}. {Advice}", inner);

    public static StorageException NoEncoding(string why) => new(
        FailureKind.InvalidArgument, $"The value cannot be encoded: {why}.");
}
