using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Branching.Storage;

namespace Branching.Grains;

/// <summary>
/// Where a scan goes on: opaque to clients, and good for one store in one life of its database and for one range.
/// </summary>
/// <remarks>
/// Layout: format (1 byte), database id (16), epoch (8), store id (16), digest of range, direction and column family
/// (8), last key (1 to 65,536), digest of all that (8). The last digest finds damage; it is no secret and no proof of
/// origin: a token only chooses where to read in a store that its bearer may read anyway.
/// </remarks>
internal readonly record struct Continuation(
    DatabaseId Database, Epoch Epoch, StoreId Store, ulong Scan, ReadOnlyMemory<byte> LastKey)
{
    private const byte Format = 1;
    private const int IdBytes = 16;
    private const int DigestBytes = 8;
    private const int HeaderBytes = 1 + IdBytes + 8 + IdBytes + DigestBytes;

    /// <summary>The token.</summary>
    public byte[] ToBytes()
    {
        byte[] token = new byte[HeaderBytes + LastKey.Length + DigestBytes];
        Span<byte> rest = token;
        rest[0] = Format;
        rest = rest[1..];
        WriteId(ref rest, Database.ToString());
        BinaryPrimitives.WriteUInt64BigEndian(rest, Epoch.Value);
        rest = rest[8..];
        WriteId(ref rest, Store.ToString());
        BinaryPrimitives.WriteUInt64BigEndian(rest, Scan);
        rest = rest[DigestBytes..];
        LastKey.Span.CopyTo(rest);
        BinaryPrimitives.WriteUInt64BigEndian(rest[LastKey.Length..], Digest(token.AsSpan(..^DigestBytes)));
        return token;
    }

    /// <summary>Reads a token and checks that it belongs to this scan; <paramref name="expected"/> has any last
    /// key.</summary>
    /// <exception cref="StorageException"><see cref="Storage.FailureKind.InvalidContinuation"/>, with what
    /// differs.</exception>
    public static Continuation Parse(ReadOnlyMemory<byte> token, Continuation expected)
    {
        ReadOnlySpan<byte> bytes = token.Span;
        if (bytes[0] != Format)
        {
            throw Invalid($"its format is {bytes[0]}, this node reads {Format}");
        }

        if (bytes.Length <= HeaderBytes + DigestBytes
            || bytes.Length > HeaderBytes + LocalStore.MaxKeyBytes + DigestBytes)
        {
            throw Invalid($"it has {bytes.Length} bytes, which no token of this format has");
        }

        if (BinaryPrimitives.ReadUInt64BigEndian(bytes[^DigestBytes..]) != Digest(bytes[..^DigestBytes]))
        {
            throw Invalid("its checksum does not match its bytes");
        }

        ReadOnlySpan<byte> rest = bytes[1..];
        DatabaseId database = DatabaseId.Parse(ReadId(ref rest));
        Epoch epoch = new(BinaryPrimitives.ReadUInt64BigEndian(rest));
        rest = rest[8..];
        StoreId store = StoreId.Parse(ReadId(ref rest));
        ulong scan = BinaryPrimitives.ReadUInt64BigEndian(rest);
        Continuation found = new(database, epoch, store, scan, token[HeaderBytes..^DigestBytes]);
        string? difference = found.DifferenceTo(expected);
        return difference is null ? found : throw Invalid(difference);
    }

    /// <summary>A number for everything that must stay the same from page to page.</summary>
    public static ulong DigestOf(KeyRange range, bool reverse, string? columnFamily)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> lengths = stackalloc byte[12];
        // The default column family has a name and may also be left out; both are the same scan.
        byte[] family = Encoding.UTF8.GetBytes(columnFamily ?? LocalStore.DefaultColumnFamily);
        BinaryPrimitives.WriteInt32BigEndian(lengths, range.From.Length);
        BinaryPrimitives.WriteInt32BigEndian(lengths[4..], range.To.Length);
        BinaryPrimitives.WriteInt32BigEndian(lengths[8..], family.Length);
        hash.AppendData(lengths);
        hash.AppendData(range.From.Span);
        hash.AppendData(range.To.Span);
        hash.AppendData(family);
        hash.AppendData([(byte)(range.FromExclusive ? 1 : 0), (byte)(range.ToInclusive ? 1 : 0),
            (byte)(reverse ? 1 : 0)]);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    private string? DifferenceTo(Continuation expected)
    {
        if (Database != expected.Database)
        {
            return $"it belongs to database id {Database}, this one is {expected.Database} (the database was dropped " +
                "and created again, or is another)";
        }

        if (Epoch != expected.Epoch)
        {
            return $"it was given in epoch {Epoch}, the database is in epoch {expected.Epoch}";
        }

        if (Store != expected.Store)
        {
            return $"it belongs to store {Store}, this branch is store {expected.Store}";
        }

        return Scan == expected.Scan
            ? null
            : "it belongs to another range, direction or column family of this store";
    }

    private static StorageException Invalid(string why) => new(
        Storage.FailureKind.InvalidContinuation,
        $"The continuation cannot be used: {why}. Begin the scan again without a continuation.");

    private static ulong Digest(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    private static void WriteId(ref Span<byte> rest, string id)
    {
        Convert.FromHexString(id, rest, out _, out _);
        rest = rest[IdBytes..];
    }

    private static string ReadId(ref ReadOnlySpan<byte> rest)
    {
        string id = Convert.ToHexStringLower(rest[..IdBytes]);
        rest = rest[IdBytes..];
        return id;
    }
}
