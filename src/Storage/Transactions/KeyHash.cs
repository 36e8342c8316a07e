using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Branching.Storage.Transactions;

/// <summary>A 64-bit number for a key of a column family: other in every process, so nobody can aim at it.</summary>
internal static class KeyHash
{
    // Odd numbers without a pattern; a product's two halves folded together mix every bit of both factors.
    private const ulong First = 0x9E37_79B9_7F4A_7C15;
    private const ulong Second = 0xC2B2_AE3D_27D4_EB4F;

    private static readonly ulong _seed = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8));

    public static ulong Of(ulong scope, ReadOnlySpan<byte> key)
    {
        ulong hash = Fold(Fold(_seed ^ scope, First) ^ (uint)key.Length, Second);
        while (key.Length >= sizeof(ulong))
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(key), First) + Second;
            key = key[sizeof(ulong)..];
        }

        ulong tail = 0;
        foreach (byte next in key)
        {
            tail = (tail << 8) | next;
        }

        return Fold(hash ^ tail, First) ^ Fold(hash + tail, Second);
    }

    private static ulong Fold(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return high ^ low;
    }
}
