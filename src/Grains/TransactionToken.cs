using System.Buffers.Binary;
using System.Security.Cryptography;
using Branching.Storage;

namespace Branching.Grains;

/// <summary>Where a transaction read: opaque to clients, and good for one opening of one store.</summary>
/// <remarks>
/// Layout: format (1 byte), database id (16), epoch (8), store id (16), opening of the store (16), digest of all that
/// (8). The digest finds damage; it is no secret: a token only says which sequences the reads are of.
/// </remarks>
internal readonly record struct TransactionToken(DatabaseId Database, Epoch Epoch, StoreId Store, Guid Life)
{
    private const byte Format = 1;
    private const int IdBytes = 16;
    private const int DigestBytes = 8;
    private const int Bytes = 1 + IdBytes + 8 + IdBytes + IdBytes + DigestBytes;

    /// <summary>The token.</summary>
    public byte[] ToBytes()
    {
        byte[] token = new byte[Bytes];
        Span<byte> rest = token;
        rest[0] = Format;
        rest = rest[1..];
        Convert.FromHexString(Database.ToString(), rest, out _, out _);
        rest = rest[IdBytes..];
        BinaryPrimitives.WriteUInt64BigEndian(rest, Epoch.Value);
        rest = rest[8..];
        Convert.FromHexString(Store.ToString(), rest, out _, out _);
        rest = rest[IdBytes..];
        Life.TryWriteBytes(rest);
        BinaryPrimitives.WriteUInt64BigEndian(rest[IdBytes..], Digest(token.AsSpan(..^DigestBytes)));
        return token;
    }

    /// <summary>Reads a token and checks that it belongs to this store; the epoch and opening may be others.</summary>
    /// <exception cref="StorageException"><see cref="Storage.FailureKind.InvalidContinuation"/>.</exception>
    public static TransactionToken Parse(ReadOnlyMemory<byte> token, DatabaseId database, StoreId store)
    {
        ReadOnlySpan<byte> bytes = token.Span;
        if (bytes.Length != Bytes || bytes[0] != Format)
        {
            throw Invalid($"it has {bytes.Length} bytes or a format that this node does not read");
        }

        if (BinaryPrimitives.ReadUInt64BigEndian(bytes[^DigestBytes..]) != Digest(bytes[..^DigestBytes]))
        {
            throw Invalid("its checksum does not match its bytes");
        }

        ReadOnlySpan<byte> rest = bytes[1..];
        DatabaseId ofDatabase = DatabaseId.Parse(Convert.ToHexStringLower(rest[..IdBytes]));
        Epoch epoch = new(BinaryPrimitives.ReadUInt64BigEndian(rest[IdBytes..]));
        rest = rest[(IdBytes + 8)..];
        StoreId ofStore = StoreId.Parse(Convert.ToHexStringLower(rest[..IdBytes]));
        if (ofDatabase != database)
        {
            throw Invalid($"it belongs to database id {ofDatabase}, this one is {database} (the database was dropped " +
                "and created again, or is another)");
        }

        return ofStore == store
            ? new TransactionToken(ofDatabase, epoch, ofStore, new Guid(rest.Slice(IdBytes, IdBytes)))
            : throw Invalid($"it belongs to store {ofStore}, this branch is store {store}");
    }

    private static StorageException Invalid(string why) => new(
        Storage.FailureKind.InvalidContinuation,
        $"The token of the transaction cannot be used: {why}. Nothing was applied; begin another transaction.");

    private static ulong Digest(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }
}
