using System.Buffers;
using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Branching.ClientApp.Formats;

namespace Branching.ClientApp.Commands;

/// <summary>How bytes are written on a command line.</summary>
internal enum ByteNotation
{
    Text,
    Hex,
    Base64,
}

/// <summary>Reads and shows keys and values.</summary>
internal static class ByteText
{
    /// <summary>The notation that <c>--hex</c> and <c>--base64</c> ask for.</summary>
    public static ByteNotation NotationOf(ParseResult parsed, Option<bool> hex, Option<bool> base64)
        => (parsed.GetValue(hex), parsed.GetValue(base64)) switch
        {
            (true, true) => throw new UserError(
                ExitCode.Usage, "--hex and --base64 exclude each other", "leave one of them out"),
            (true, _) => ByteNotation.Hex,
            (_, true) => ByteNotation.Base64,
            _ => ByteNotation.Text,
        };

    /// <summary>The bytes that an argument stands for.</summary>
    public static byte[] Parse(string text, ByteNotation notation, string what)
    {
        try
        {
            return notation switch
            {
                ByteNotation.Hex => Convert.FromHexString(text),
                ByteNotation.Base64 => Convert.FromBase64String(text),
                _ => RawText.ToBytes(text),
            };
        }
        catch (FormatException)
        {
            string name = notation == ByteNotation.Hex ? "hexadecimal" : "base64";
            string example = notation == ByteNotation.Hex ? "6b6579" : "a2V5";
            throw new UserError(ExitCode.Usage, $"the {what} '{text}' is not {name}", $"write it like {example}");
        }
        catch (EncoderFallbackException)
        {
            throw new UserError(ExitCode.Usage, $"the {what} is not UTF-8 text", "give its bytes with --hex");
        }
    }

    /// <summary>
    /// Shows bytes on one line: what is unprintable escaped, so that it can be imported again as tsv.
    /// </summary>
    public static void AppendLine(ReadOnlySpan<byte> bytes, ByteNotation notation, IBufferWriter<byte> destination)
    {
        switch (notation)
        {
            case ByteNotation.Hex:
                destination.Write(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes)));
                break;
            case ByteNotation.Base64:
                destination.Write(Encoding.ASCII.GetBytes(Convert.ToBase64String(bytes)));
                break;
            default:
                AppendEscaped(bytes, destination);
                break;
        }
    }

    /// <summary>Shows bytes on one line, as a string.</summary>
    public static string ToLine(ReadOnlySpan<byte> bytes, ByteNotation notation = ByteNotation.Text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        AppendLine(bytes, notation, buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>
    /// Shows a whole value: text as it is, lines and all; anything else as <see cref="ToLine"/> does.
    /// </summary>
    public static string ToBlock(ReadOnlySpan<byte> bytes, ByteNotation notation)
    {
        if (notation == ByteNotation.Text && Utf8.IsValid(bytes))
        {
            string text = Encoding.UTF8.GetString(bytes);
            if (!text.Any(c => char.IsControl(c) && c is not ('\n' or '\t' or '\r')))
            {
                return text;
            }
        }

        return ToLine(bytes, notation);
    }

    /// <summary>Writes a key or a value as a JSON field.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="name">"key" or "value"; with Hex or 64 appended when it is not text.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="notation">As asked for.</param>
    public static void WriteJson(Utf8JsonWriter json, string name, ReadOnlySpan<byte> bytes, ByteNotation notation)
    {
        if (notation == ByteNotation.Hex)
        {
            json.WriteString(name + "Hex", Convert.ToHexStringLower(bytes));
        }
        else if (notation == ByteNotation.Base64 || !Utf8.IsValid(bytes))
        {
            json.WriteBase64String(name + "64", bytes);
        }
        else
        {
            json.WriteString(name, bytes);
        }
    }

    private static void AppendEscaped(ReadOnlySpan<byte> bytes, IBufferWriter<byte> destination)
    {
        while (!bytes.IsEmpty)
        {
            bool whole = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == OperationStatus.Done;
            if (whole && rune.Value is '\t' or '\n' or '\r' or '\\' or 0)
            {
                TsvEscapes.Encode(bytes[..1], destination);
            }
            else if (whole && !Rune.IsControl(rune))
            {
                destination.Write(bytes[..length]);
            }
            else
            {
                foreach (byte one in bytes[..length])
                {
                    TsvEscapes.EncodeHex(one, destination);
                }
            }

            bytes = bytes[length..];
        }
    }
}
