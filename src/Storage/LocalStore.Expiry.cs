using System.Buffers;
using System.Collections.Frozen;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>
/// Families with settings: keys that expire, values that merge. A store without any pays one comparison a call.
/// </content>
public sealed partial class LocalStore
{
    // Only families that are not plain; null while there is none, which is what every call asks first.
    private FrozenDictionary<ColumnFamily, FamilyTraits>? _traits;
    private long _latestTime;

    /// <summary>How long a key that has a value goes on living.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="timeToLive">What is left, more than zero; <see langword="null"/>: it does not expire.</param>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    public bool TryGetTimeToLive(string? columnFamily, ReadOnlySpan<byte> key, out TimeSpan? timeToLive)
    {
        CheckKey(key);
        timeToLive = null;
        Enter();
        try
        {
            bool found = TryRead(Family(columnFamily), key, LengthCounter.OfThread, out long expiresAt);
            Guard?.ThrowIfInvalid();
            if (!found || expiresAt == ExpiryStamp.Never)
            {
                return found;
            }

            long left = expiresAt - Now();
            timeToLive = TimeSpan.FromMilliseconds(left);
            return left > 0;
        }
        catch (RocksDbException e)
        {
            throw Failure("Get", e);
        }
        catch (ObjectDisposedException e) when (ColumnFamily.IsSubjectOf(e))
        {
            throw DroppedMeanwhile("Get", e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Whether keys of a family can expire.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ColumnFamilyNotFound"/>.</exception>
    public bool Expires(string? columnFamily) => TraitsOf(Family(columnFamily)) is { Expires: true };

    /// <summary>What is fixed about a family; <see langword="null"/>: nothing.</summary>
    internal FamilyTraits? TraitsOf(ColumnFamily family) =>
        Volatile.Read(ref _traits) is { } all && all.TryGetValue(family, out FamilyTraits? traits) ? traits : null;

    /// <summary>
    /// The time by which keys expire, in milliseconds of Unix time. It never goes back while the store is open: a key
    /// that was once seen as expired does not return when the clock is put back.
    /// </summary>
    internal long Now()
    {
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        long seen = Volatile.Read(ref _latestTime);
        while (now > seen)
        {
            long before = Interlocked.CompareExchange(ref _latestTime, now, seen);
            if (before == seen)
            {
                return now;
            }

            seen = before;
        }

        return seen;
    }

    /// <summary>Whether a stored value is alive; if so, without its stamp.</summary>
    internal static bool IsLive(FamilyTraits? traits, long now, ref ReadOnlySpan<byte> stored)
    {
        if (traits is not { Expires: true })
        {
            return true;
        }

        if (ExpiryStamp.IsExpired(ExpiryStamp.Read(stored), now))
        {
            return false;
        }

        stored = stored[ExpiryStamp.Bytes..];
        return true;
    }

    /// <summary>Reads a value as users see it. May read the disk.</summary>
    /// <param name="family">The family.</param>
    /// <param name="key">The key.</param>
    /// <param name="destination">Receives the value.</param>
    /// <param name="expiresAt">Until when it lives, in milliseconds of Unix time; zero: for ever.</param>
    /// <param name="options">How to read; <see langword="null"/>: the newest state.</param>
    /// <param name="at">The time by which keys expire; zero: now.</param>
    private bool TryRead(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, out long expiresAt,
        ReadOptions? options = null, long at = 0)
    {
        expiresAt = ExpiryStamp.Never;
        if (TraitsOf(family) is not { Expires: true })
        {
            return _database.TryGet(family, key, destination, options);
        }

        StampReader reader = StampReader.OfThread;
        try
        {
            return _database.TryGet(family, key, reader, options)
                && reader.TryPass(at == 0 ? Now() : at, destination, out expiresAt);
        }
        finally
        {
            reader.Clear();
        }
    }

    /// <summary>As <see cref="TryRead"/>, from memory alone.</summary>
    private bool TryReadFromMemory(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, out bool found)
    {
        if (TraitsOf(family) is not { Expires: true })
        {
            return _database.TryGetFromMemory(family, key, destination, out found);
        }

        StampReader reader = StampReader.OfThread;
        try
        {
            bool known = _database.TryGetFromMemory(family, key, reader, out found);
            found = found && reader.TryPass(Now(), destination, out _);
            return known;
        }
        finally
        {
            reader.Clear();
        }
    }

    /// <summary>Takes note of the families that the database has now.</summary>
    private FrozenDictionary<string, ColumnFamily> TakeFamilies()
    {
        Dictionary<string, ColumnFamily> families = new(StringComparer.Ordinal);
        Dictionary<ColumnFamily, FamilyTraits> traits = [];
        foreach (ColumnFamily family in _database.ColumnFamilies)
        {
            FamilyIdentity name = FamilyIdentity.Parse(family.Name);
            families.Add(name.Name, family);
            if (_resources.Merges.TraitsOf(name, Label) is { } own)
            {
                traits.Add(family, own);
            }
        }

        // First: whoever finds a family must find what is fixed about it.
        Volatile.Write(ref _traits, traits.Count == 0 ? null : traits.ToFrozenDictionary());
        return families.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
