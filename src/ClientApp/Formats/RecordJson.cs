using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Branching.ClientApp.Formats;

/// <summary>
/// Bytes in JSON: text under the plain name, what is not UTF-8 in base64 under the name with 64 appended.
/// </summary>
internal static class RecordJson
{
    public static JsonWriterOptions WriterOptions { get; } = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private static readonly JsonEncodedText _key = JsonEncodedText.Encode("key");
    private static readonly JsonEncodedText _key64 = JsonEncodedText.Encode("key64");
    private static readonly JsonEncodedText _value = JsonEncodedText.Encode("value");
    private static readonly JsonEncodedText _value64 = JsonEncodedText.Encode("value64");

    /// <summary>Writes <c>key</c> or <c>key64</c>.</summary>
    public static void WriteKey(Utf8JsonWriter json, ReadOnlySpan<byte> key) => Write(json, key, _key, _key64);

    /// <summary>Writes <c>value</c> or <c>value64</c>.</summary>
    public static void WriteValue(Utf8JsonWriter json, ReadOnlySpan<byte> value)
        => Write(json, value, _value, _value64);

    /// <summary>Ends a line of a stream of objects.</summary>
    public static void EndLine(Utf8JsonWriter json, IBufferWriter<byte> destination)
    {
        json.Flush();
        destination.Write("\n"u8);
        json.Reset();
    }

    private static void Write(
        Utf8JsonWriter json, ReadOnlySpan<byte> bytes, JsonEncodedText text, JsonEncodedText base64)
    {
        if (Utf8.IsValid(bytes))
        {
            json.WriteString(text, bytes);
        }
        else
        {
            json.WriteBase64String(base64, bytes);
        }
    }
}
