using System.Buffers;
using System.Buffers.Binary;

namespace Branching.Storage;

/// <summary>
/// The first 8 bytes of every value in a family whose keys expire: until when it lives, in milliseconds of Unix time,
/// big-endian; zero: for ever. At that moment the key is gone.
/// </summary>
internal static class ExpiryStamp
{
    /// <summary>Length of a stamp.</summary>
    public const int Bytes = 8;

    /// <summary>The stamp of a value that does not expire.</summary>
    public const long Never = 0;

    /// <summary>The longest time to live, about 3,000 years: added to any present it stays a legal stamp.</summary>
    public const long MaxMilliseconds = 100_000_000_000_000;

    // The last moment that a DateTimeOffset can name.
    private static readonly long _lastMilliseconds = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>Whether a key with this stamp is gone.</summary>
    public static bool IsExpired(long expiresAt, long now) => expiresAt != Never && expiresAt <= now;

    /// <summary>The stamp of a stored value.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>: it is too short to have
    /// one.</exception>
    public static long Read(ReadOnlySpan<byte> stored) => stored.Length >= Bytes
        ? BinaryPrimitives.ReadInt64BigEndian(stored)
        : throw new StorageException(
            FailureKind.Corruption,
            $"A stored value of {stored.Length} bytes has no expiry stamp, although keys of its family expire. " +
            "Restore the branch from a snapshot.");

    /// <summary>Takes the stamp off a stored value.</summary>
    /// <param name="stored">With its stamp; without it on return.</param>
    /// <param name="expiresAt">Until when it lives, UTC; <see langword="null"/>: for ever.</param>
    /// <returns><see langword="false"/>: it has none, or one that no writer makes.</returns>
    public static bool TryTake(ref ReadOnlyMemory<byte> stored, out DateTimeOffset? expiresAt)
    {
        expiresAt = null;
        if (stored.Length < Bytes)
        {
            return false;
        }

        long at = BinaryPrimitives.ReadInt64BigEndian(stored.Span);
        if (at < Never || at > _lastMilliseconds)
        {
            return false;
        }

        expiresAt = at == Never ? null : DateTimeOffset.FromUnixTimeMilliseconds(at);
        stored = stored[Bytes..];
        return true;
    }

    /// <summary>Writes a stamp in front of a value.</summary>
    public static void Write(Span<byte> destination, long expiresAt) =>
        BinaryPrimitives.WriteInt64BigEndian(destination, expiresAt);
}

/// <summary>
/// Takes one stored value from RocksDB, looks at its stamp and passes the rest on. One for each thread, so that a read
/// allocates nothing.
/// </summary>
internal sealed class StampReader : IBufferWriter<byte>
{
    // Kept for the next value of this thread; a longer one gets an array that is given back at once.
    private const int KeptBytes = 64 << 10;

    [ThreadStatic]
    private static StampReader? _own;

    private readonly byte[] _kept = new byte[KeptBytes];
    private byte[]? _rented;
    private int _length;

    /// <summary>The reader of this thread, empty. Give it back with <see cref="Clear"/>.</summary>
    public static StampReader OfThread => _own ??= new StampReader();

    /// <summary>What was read, the stamp included.</summary>
    public ReadOnlySpan<byte> Stored => (_rented ?? _kept).AsSpan(0, _length);

    public void Advance(int count) => _length += count;

    public Span<byte> GetSpan(int sizeHint = 0) => Room(sizeHint).Span;

    public Memory<byte> GetMemory(int sizeHint = 0) => Room(sizeHint);

    /// <summary>Passes the value on if it is alive.</summary>
    /// <returns>Whether it is.</returns>
    public bool TryPass(long now, IBufferWriter<byte> destination, out long expiresAt)
    {
        ReadOnlySpan<byte> stored = Stored;
        expiresAt = ExpiryStamp.Read(stored);
        if (ExpiryStamp.IsExpired(expiresAt, now))
        {
            return false;
        }

        ReadOnlySpan<byte> value = stored[ExpiryStamp.Bytes..];
        if (!value.IsEmpty)
        {
            value.CopyTo(destination.GetSpan(value.Length));
            destination.Advance(value.Length);
        }

        return true;
    }

    public void Clear()
    {
        _length = 0;
        if (_rented is { } rented)
        {
            _rented = null;
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private Memory<byte> Room(int sizeHint)
    {
        byte[] current = _rented ?? _kept;
        if (current.Length - _length < Math.Max(sizeHint, 1))
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(checked(_length + Math.Max(sizeHint, 1)));
            current.AsSpan(0, _length).CopyTo(larger);
            byte[]? old = _rented;
            _rented = larger;
            if (old is not null)
            {
                ArrayPool<byte>.Shared.Return(old);
            }

            current = larger;
        }

        return current.AsMemory(_length);
    }
}

/// <summary>Counts what is written to it and keeps nothing.</summary>
internal sealed class LengthCounter : IBufferWriter<byte>
{
    [ThreadStatic]
    private static LengthCounter? _own;

    private byte[] _scratch = new byte[4 << 10];

    /// <summary>The counter of this thread, at zero.</summary>
    public static LengthCounter OfThread
    {
        get
        {
            LengthCounter counter = _own ??= new LengthCounter();
            counter.Length = 0;
            return counter;
        }
    }

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    public void Advance(int count) => Length += count;

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_scratch.Length < sizeHint)
        {
            // A large value is rare; its array is not kept.
            return new byte[sizeHint];
        }

        return _scratch;
    }
}
