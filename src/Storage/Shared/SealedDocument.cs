using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Branching.Storage.Shared;

/// <summary>JSON for people whose last member is the digest of the whole, so that any changed byte is found.</summary>
/// <remarks>
/// The digest is taken over the file's own bytes with the 64 digits as zeros; nothing is serialised again to check it,
/// so what a later version adds stays checkable. Every format keeps this last line.
/// </remarks>
internal static class SealedDocument
{
    private const int DigestLength = 64;
    private static readonly byte[] _before = Encoding.ASCII.GetBytes(",\n  \"sha256\": \"");
    private static readonly byte[] _after = Encoding.ASCII.GetBytes("\"\n}\n");

    /// <summary>The bytes of a document, with its digest.</summary>
    public static byte[] Seal<T>(T document, JsonTypeInfo<T> type)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(document, type);
        ReadOnlySpan<byte> open = body.AsSpan(0, body.Length - 2); // Without the closing line feed and brace.
        byte[] bytes = new byte[open.Length + _before.Length + DigestLength + _after.Length];
        open.CopyTo(bytes);
        _before.CopyTo(bytes.AsSpan(open.Length));
        _after.CopyTo(bytes.AsSpan(bytes.Length - _after.Length));
        Span<byte> digest = DigestOf(bytes);
        digest.Fill((byte)'0');
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(bytes)), digest);
        return bytes;
    }

    /// <summary>Reads a document; damage is a failure of <paramref name="damaged"/> that names it.</summary>
    public static T Open<T>(
        byte[] bytes, JsonTypeInfo<T> type, int format, string what, string name,
        FailureKind damaged = FailureKind.Corruption)
        where T : class
    {
        string? wrong = Check(bytes);
        if (wrong is null)
        {
            try
            {
                FormatDocument? number = JsonSerializer.Deserialize(bytes, Documents.Default.FormatDocument);
                Formats.Check(number?.Format ?? 0, format, what, name);
                return JsonSerializer.Deserialize(bytes, type) ?? throw new JsonException("null");
            }
            catch (JsonException e)
            {
                wrong = e.Message;
            }
        }

        throw new StorageException(
            damaged, $"{what} '{name}' is damaged: {wrong} It was left as it is; put back an undamaged copy.");
    }

    /// <summary>The digest that a sealed document carries.</summary>
    public static string DigestIn(byte[] bytes) => Encoding.ASCII.GetString(DigestOf(bytes));

    private static string? Check(byte[] bytes)
    {
        if (bytes.Length < _before.Length + DigestLength + _after.Length + 1
            || !bytes.AsSpan().EndsWith(_after)
            || !bytes.AsSpan(0, bytes.Length - DigestLength - _after.Length).EndsWith(_before))
        {
            return $"its {bytes.Length} bytes do not end with its digest.";
        }

        byte[] copy = [.. bytes];
        DigestOf(copy).Fill((byte)'0');
        string actual = Convert.ToHexStringLower(SHA256.HashData(copy));
        string expected = DigestIn(bytes);
        return actual == expected ? null : $"its digest is {actual}, but it says {Names.Show(expected)}.";
    }

    private static Span<byte> DigestOf(byte[] bytes) =>
        bytes.AsSpan(bytes.Length - _after.Length - DigestLength, DigestLength);
}
