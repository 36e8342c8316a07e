namespace Branching.Storage.Tests;

/// <summary>Damages bytes as disks, cut writes and malice do.</summary>
internal static class ByteMutation
{
    private const int MostSlice = 64;

    /// <summary>A copy with one to three changes; it may be what it was.</summary>
    /// <param name="good">What is damaged.</param>
    /// <param name="random">Decides how.</param>
    /// <param name="words">What a reader of this format takes for something of its own.</param>
    public static byte[] Of(byte[] good, Random random, byte[][] words)
    {
        byte[] bytes = [.. good];
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            bytes = One(bytes, random, words);
        }

        return bytes;
    }

    private static byte[] One(byte[] bytes, Random random, byte[][] words)
    {
        int at = random.Next(bytes.Length + 1);
        int length = random.Next(Math.Min(MostSlice, bytes.Length - at) + 1);
        int to = random.Next(bytes.Length - length + 1);
        byte[] slice = bytes[at..(at + length)];
        switch (random.Next(9))
        {
            case 0 when at < bytes.Length:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1 when random.Next(4) == 0:
                return bytes[..at];
            case 2:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 3:
                return [.. bytes[..to], .. slice, .. bytes[to..]];
            case 4:
                bytes.AsSpan(at, length).Clear();
                return bytes;
            case 5:
                random.NextBytes(bytes.AsSpan(at, length));
                return bytes;
            case 6:
                byte[] other = bytes[to..(to + length)];
                slice.CopyTo(bytes, to);
                other.CopyTo(bytes, at); // What overlaps is written twice: a change as good as any.
                return bytes;
            default:
                return [.. bytes[..at], .. words[random.Next(words.Length)], .. bytes[at..]];
        }
    }
}
