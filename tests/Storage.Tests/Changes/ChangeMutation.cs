using System.Text;
using Branching.Storage.Changes;

namespace Branching.Storage.Tests.Changes;

/// <summary>Damages the bytes of a log as disks, cut writes and malice do; reads what is left of them.</summary>
internal static class ChangeMutation
{
    public static byte[] Of(byte[] good, Random random)
    {
        byte[] bytes = [.. good];
        if (random.Next(8) == 0)
        {
            // Alone: with a second change under the right checksum it could be a frame that somebody did write.
            return Resealed(bytes, random);
        }

        for (int i = random.Next(1, 4); i > 0 && bytes.Length > 0; i--)
        {
            int at = random.Next(bytes.Length);
            int length = random.Next(1, Math.Min(64, bytes.Length - at) + 1);
            bytes = random.Next(6) switch
            {
                0 => Flipped(bytes, at, random),
                1 => bytes[..at],
                2 => [.. bytes[..at], .. bytes[(at + length)..]],
                3 => [.. bytes[..(at + length)], .. bytes[at..]],
                4 => [.. bytes[..at], .. new byte[length], .. bytes[(at + length)..]],
                _ => [.. bytes[..at], .. RandomBytes(length, random), .. bytes[(at + length)..]],
            };
        }

        return bytes;
    }

    /// <summary>Every entry that can be read without passing damage.</summary>
    public static string Read(string file)
    {
        StringBuilder text = new();
        using ChangeFileReader reader = ChangeFileReader.Open(file);
        List<Change> entries = [];
        while (reader.Read() is FrameResult.Frame)
        {
            if (reader.Frame.HasSequences)
            {
                entries.Clear();
                if (!FrameDecoder.TryEntries(reader.Frame, reader.Payload, reader.Families, 0, entries, out _))
                {
                    break;
                }

                entries.ForEach(entry => text.Append(LoggedStore.Show(entry)).Append('\n'));
            }
        }

        return text.ToString();
    }

    private static byte[] Flipped(byte[] bytes, int at, Random random)
    {
        bytes[at] ^= (byte)(1 << random.Next(8));
        return bytes;
    }

    private static byte[] RandomBytes(int length, Random random)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>A frame whose payload is changed and whose checksum is right: only its content can tell.</summary>
    private static byte[] Resealed(byte[] bytes, Random random)
    {
        if (bytes.Length < ChangeFormat.FileHeaderBytes)
        {
            return bytes;
        }

        ulong history = BitConverter.ToUInt64(bytes, 56);
        List<int> frames = [];
        for (int at = ChangeFormat.FileHeaderBytes;
            at + ChangeFormat.FrameHeaderBytes <= bytes.Length
                && ChangeFormat.TryReadFrameHeader(bytes.AsSpan(at), out FrameHeader header)
                && at + header.FrameBytes <= bytes.Length;
            at += header.FrameBytes)
        {
            if (header.Kind == FrameKind.Batch)
            {
                frames.Add(at);
            }
        }

        if (frames.Count == 0)
        {
            return bytes;
        }

        int begin = frames[random.Next(frames.Count)];
        ChangeFormat.TryReadFrameHeader(bytes.AsSpan(begin), out FrameHeader chosen);
        if (chosen.PayloadBytes == 0)
        {
            return bytes;
        }

        // The first bytes of a batch say how many operations its requests have.
        bytes[begin + ChangeFormat.FrameHeaderBytes + random.Next(Math.Min(4, chosen.PayloadBytes))] ^= 0x81;
        ChangeFormat.SealFrame(
            bytes.AsSpan(begin, chosen.FrameBytes), chosen.Kind, chosen.First, chosen.Last, chosen.Ticks, history);
        return bytes;
    }
}
