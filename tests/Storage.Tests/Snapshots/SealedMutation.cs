using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>Damages a sealed document: its bytes as they are, or its members under a digest that is right.</summary>
internal static class SealedMutation
{
    private const int DigestDigits = 64;
    private const string Seal = ",\n  \"sha256\": \"";
    private const string End = "\"\n}\n";

    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true, NewLine = "\n" };

    private static readonly byte[][] _words =
        [.. new[] { "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\ud800", "null", "-", "1e999", "\n", "\uFEFF" }
            .Select(Encoding.UTF8.GetBytes), [0xFF], [0]];

    private static readonly string[] _texts =
    [
        "", ".", "..", "../000001.sst", "/etc/passwd", "000001.sst", "000001.sst/..", "000001.blob", "CURRENT",
        "MANIFEST-000001", "MANIFEST-../1", "OPTIONS-000001", "IDENTITY", "\0", "a/b", "table", "Table", "current",
        "mark", "99", "changes/1.log", "changes/..", "changes/../CURRENT", "changes/.x", "objects/aa/bb.1-1",
        "objects/../../x", new('0', DigestDigits), new('A', DigestDigits), new('f', DigestDigits - 1), new('x', 5000),
        "größer", "\uD83D\uDE00", "2026-01-01T00:00:00+00:00", "18446744073709551616",
    ];

    private static readonly string[] _numbers =
        ["-1", "0", "1", "2", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "0.5", "1e400",
            "4611686018427387904", "4294967296", "-0"];

    /// <summary>Whether a document was changed under a right digest, and what came of it.</summary>
    public static (bool Resealed, byte[] Bytes) Of(byte[] good, Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                return (false, ByteMutation.Of(good, random, _words));
            case 1:
                byte[] open = good[..(good.Length - Seal.Length - DigestDigits - End.Length)];
                return (true, Sealed(ByteMutation.Of(open, random, _words)));
            default:
                JsonNode root = JsonNode.Parse(good)!;
                for (int i = random.Next(1, 4); i > 0; i--)
                {
                    Change(root, random);
                }

                root.AsObject().Remove("sha256");
                string text = root.ToJsonString(_indented);
                return (true, Sealed(Encoding.UTF8.GetBytes(text.TrimEnd('}', '\n'))));
        }
    }

    /// <summary>A document without its end, with the end that makes it whole.</summary>
    private static byte[] Sealed(byte[] open)
    {
        byte[] bytes = [.. open, .. Encoding.ASCII.GetBytes(Seal + new string('0', DigestDigits) + End)];
        string digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        Encoding.ASCII.GetBytes(digest, bytes.AsSpan(bytes.Length - End.Length - DigestDigits));
        return bytes;
    }

    private static void Change(JsonNode root, Random random)
    {
        JsonNode container = Pick(root, random);
        if (container is JsonObject members && members.Count > 0)
        {
            string name = members.ElementAt(random.Next(members.Count)).Key;
            JsonNode? value = members[name];
            switch (random.Next(6))
            {
                case 0:
                    members.Remove(name);
                    break;
                case 1:
                    members[name] = null;
                    break;
                case 2:
                    members.Remove(name);
                    members[random.Next(2) == 0 ? name.ToUpperInvariant() : "other"] = value;
                    break;
                case 3:
                    string second = members.ElementAt(random.Next(members.Count)).Key;
                    members[name] = members[second]?.DeepClone();
                    members[second] = value?.DeepClone();
                    break;
                default:
                    members[name] = Any(root, value, random);
                    break;
            }
        }
        else if (container is JsonArray elements)
        {
            int at = random.Next(elements.Count + 1);
            if (at < elements.Count && random.Next(3) == 0)
            {
                elements.RemoveAt(at);
            }
            else
            {
                JsonNode? twin = elements.Count > 0 ? elements[random.Next(elements.Count)]?.DeepClone() : null;
                elements.Insert(at, random.Next(3) == 0 ? Any(root, twin, random) : twin);
            }
        }
    }

    /// <summary>An object or an array somewhere in a document.</summary>
    private static JsonNode Pick(JsonNode root, Random random)
    {
        JsonNode found = root;
        while (random.Next(4) != 0)
        {
            JsonNode?[] inner = found switch
            {
                JsonObject members => [.. members.Select(member => member.Value).Where(IsContainer)],
                JsonArray elements => [.. elements.Where(IsContainer)],
                _ => [],
            };
            if (inner.Length == 0)
            {
                break;
            }

            found = inner[random.Next(inner.Length)]!;
        }

        return found;
    }

    private static bool IsContainer(JsonNode? node) => node is JsonObject or JsonArray;

    private static JsonNode? Any(JsonNode root, JsonNode? before, Random random) => random.Next(8) switch
    {
        0 => random.Next(2) == 0,
        1 => new JsonArray(),
        2 => new JsonObject(),
        3 => Pick(root, random).DeepClone(),
        4 or 5 when before is JsonValue value && value.GetValueKind() == JsonValueKind.String => Nearly(value, random),
        4 or 5 when before is JsonValue value && value.GetValueKind() == JsonValueKind.Number =>
            JsonNode.Parse(_numbers[random.Next(_numbers.Length)]),
        6 => JsonNode.Parse(_numbers[random.Next(_numbers.Length)]),
        _ => _texts[random.Next(_texts.Length)],
    };

    /// <summary>A text with one character changed, so that what is checked last is reached, too.</summary>
    private static JsonNode Nearly(JsonValue value, Random random)
    {
        string text = value.GetValue<string>();
        int at = random.Next(text.Length + 1);
        string with = random.Next(4) switch
        {
            0 => "",
            1 => "/",
            2 => random.Next(10).ToString(CultureInfo.InvariantCulture),
            _ => ((char)random.Next(' ', 'z')).ToString(),
        };
        return text[..at] + with + (at < text.Length ? text[(at + 1)..] : "");
    }
}
