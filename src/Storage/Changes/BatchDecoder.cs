using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage.Changes;

/// <summary>Reads the records of a RocksDB write batch: what its log holds, behind the header of 12 bytes.</summary>
/// <remarks>
/// The tags are those of RocksDB's log, which never change, because older logs must be readable (<c>db/dbformat.h</c>,
/// <c>db/write_batch.cc</c>). A tag that is not known is refused, never passed over.
/// </remarks>
internal static class BatchDecoder
{
    /// <summary>Bytes of sequence and count that a batch begins with.</summary>
    public const int HeaderBytes = 12;

    private const byte Delete = 0, Put = 1, Merge = 2, LogData = 3, FamilyDelete = 4, FamilyPut = 5, FamilyMerge = 6,
        SingleDelete = 7, FamilySingleDelete = 8, Nothing = 13, FamilyDeleteRange = 14, DeleteRange = 15;

    /// <summary>Adds the next operation of <paramref name="rest"/>; log data is passed over.</summary>
    /// <returns><see langword="false"/>: there is none left, or <paramref name="why"/> these are no records.</returns>
    public static bool TryRead(
        ref ReadOnlyMemory<byte> rest, IReadOnlyDictionary<uint, FamilyIdentity> families,
        out ChangeOperation operation, out string? why)
    {
        operation = default;
        why = null;
        while (!rest.IsEmpty)
        {
            byte tag = rest.Span[0];
            rest = rest[1..];
            if (tag == Nothing)
            {
                continue;
            }

            if (tag == LogData)
            {
                if (TryBytes(ref rest, out _))
                {
                    continue;
                }

                why = "a record of log data reaches past the end";
                return false;
            }

            return TryOperation(tag, ref rest, families, out operation, out why);
        }

        return false;
    }

    private static bool TryOperation(
        byte tag, ref ReadOnlyMemory<byte> rest, IReadOnlyDictionary<uint, FamilyIdentity> families,
        out ChangeOperation operation, out string? why)
    {
        operation = default;
        ChangeOperationKind? kind = tag switch
        {
            Put or FamilyPut => ChangeOperationKind.Put,
            Delete or FamilyDelete or SingleDelete or FamilySingleDelete => ChangeOperationKind.Delete,
            Merge or FamilyMerge => ChangeOperationKind.Merge,
            DeleteRange or FamilyDeleteRange => ChangeOperationKind.DeleteRange,
            _ => null,
        };
        if (kind is null)
        {
            why = $"a record has the unknown tag {tag}";
            return false;
        }

        uint family = 0;
        bool named = tag is FamilyPut or FamilyDelete or FamilySingleDelete or FamilyMerge or FamilyDeleteRange;
        ReadOnlyMemory<byte> value = default;
        if ((named && !TryNumber(ref rest, out family)) || !TryBytes(ref rest, out ReadOnlyMemory<byte> key)
            || (kind != ChangeOperationKind.Delete && !TryBytes(ref rest, out value)))
        {
            why = $"a record of tag {tag} reaches past the end";
            return false;
        }

        if (!families.TryGetValue(family, out FamilyIdentity identity))
        {
            why = $"a record is of column family {family}, which was not named before";
            return false;
        }

        DateTimeOffset? expiresAt = null;
        if (kind == ChangeOperationKind.Put && identity.Settings.Expires
            && !ExpiryStamp.TryTake(ref value, out expiresAt))
        {
            why = $"a value of column family '{identity.Name}', whose keys expire, has no expiry stamp";
            return false;
        }

        why = null;
        operation = new ChangeOperation(kind.Value, identity.Name, key, value, expiresAt);
        return true;
    }

    /// <summary>Reads a number of up to 32 bits, seven bits a byte.</summary>
    public static bool TryNumber(ref ReadOnlyMemory<byte> rest, out uint number)
    {
        number = 0;
        ReadOnlySpan<byte> bytes = rest.Span;
        for (int i = 0; i < bytes.Length && i < 5; i++)
        {
            uint part = bytes[i] & 0x7Fu;
            if (i == 4 && part > 0xF)
            {
                return false;
            }

            number |= part << (7 * i);
            if (bytes[i] < 0x80)
            {
                rest = rest[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads a length and as many bytes.</summary>
    public static bool TryBytes(ref ReadOnlyMemory<byte> rest, [NotNullWhen(true)] out ReadOnlyMemory<byte> bytes)
    {
        bytes = default;
        if (!TryNumber(ref rest, out uint length) || length > (uint)rest.Length)
        {
            return false;
        }

        bytes = rest[..(int)length];
        rest = rest[(int)length..];
        return true;
    }

    /// <summary>Writes a number as <see cref="TryNumber"/> reads it; at most five bytes.</summary>
    public static int WriteNumber(Span<byte> to, uint number)
    {
        int length = 0;
        while (number >= 0x80)
        {
            to[length++] = (byte)(number | 0x80);
            number >>= 7;
        }

        to[length++] = (byte)number;
        return length;
    }
}
