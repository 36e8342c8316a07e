namespace Branching.Storage.Codecs;

/// <summary>
/// Bytes of any length, made self-delimiting: a zero byte is followed by 0xFF, and two zero bytes are the end.
/// </summary>
/// <remarks>The end is smaller than whatever may stand in its place, so a shorter one comes before a longer one that
/// begins with it.</remarks>
internal static class Escaped
{
    private const byte AfterZero = 0xFF;
    private const int EndBytes = 2;

    public static int Measure(int length, int zeros) => checked(length + zeros + EndBytes);

    /// <summary>Escapes <paramref name="length"/> bytes that stand at the end of the room they need.</summary>
    /// <param name="room">As long as <see cref="Measure"/> says; the end mark excepted, the bytes are at its
    /// end.</param>
    /// <param name="length">How many they are.</param>
    public static void Spread(Span<byte> room, int length)
    {
        int target = 0;
        for (int source = room.Length - EndBytes - length; source < room.Length - EndBytes; source++)
        {
            byte one = room[source];
            room[target++] = one;
            if (one == 0)
            {
                room[target++] = AfterZero;
            }
        }

        room[target..].Clear();
    }

    /// <summary>How long the bytes are with their escapes and without, the end mark not counted.</summary>
    public static (int Escaped, int Plain) Find(ReadOnlySpan<byte> source)
    {
        int zeros = 0;
        int at = 0;
        while (true)
        {
            int zero = source[at..].IndexOf((byte)0);
            if (zero < 0 || at + zero + 1 >= source.Length)
            {
                throw Codec.NotDecodable("its end mark is missing");
            }

            at += zero;
            switch (source[at + 1])
            {
                case 0:
                    return (at, at - zeros);
                case AfterZero:
                    zeros++;
                    at += 2;
                    break;
                default:
                    throw Codec.NotDecodable($"a zero byte is followed by 0x{source[at + 1]:X2}");
            }
        }
    }

    /// <summary>Copies without the escapes.</summary>
    public static void CopyPlain(ReadOnlySpan<byte> escaped, Span<byte> destination)
    {
        int target = 0;
        for (int source = 0; source < escaped.Length; source++)
        {
            destination[target++] = escaped[source];
            source += escaped[source] == 0 ? 1 : 0;
        }
    }

    public static int Consumed(int escaped) => escaped + EndBytes;
}
