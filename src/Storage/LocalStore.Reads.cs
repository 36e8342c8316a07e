using System.Buffers;
using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    /// <summary>The longest key, in bytes.</summary>
    public const int MaxKeyBytes = 64 << 10;

    /// <summary>Appends the value of a key to <paramref name="destination"/>. May read the disk.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="destination">Receives the value; untouched when the key is absent.</param>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    public bool TryGet(string? columnFamily, ReadOnlySpan<byte> key, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckKey(key);
        Enter();
        using ReadTimer timer = new(_resources.Instruments, StoreOperations.Get);
        try
        {
            bool found = TryRead(Family(columnFamily), key, destination, out _);
            Guard?.ThrowIfInvalid();
            return found;
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

    /// <summary>As <see cref="TryGet"/>, but only from memory.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="destination">Receives the value when <paramref name="found"/>.</param>
    /// <param name="found">Whether the key has a value, when the method returns <see langword="true"/>.</param>
    /// <returns><see langword="false"/> when memory does not know and the disk is needed.</returns>
    public bool TryGetFromMemory(
        string? columnFamily, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, out bool found)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckKey(key);
        Enter();
        try
        {
            using ReadTimer timer = new(_resources.Instruments, StoreOperations.GetFromMemory);
            bool known = TryReadFromMemory(Family(columnFamily), key, destination, out found);
            Guard?.ThrowIfInvalid();
            return known;
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

    /// <summary>The values of several keys, of one consistent view. May read the disk.</summary>
    /// <returns>One entry for each key, in order; <see langword="null"/> where the key is absent.</returns>
    public IReadOnlyList<ReadOnlyMemory<byte>?> MultiGet(string? columnFamily, IReadOnlyList<ReadOnlyMemory<byte>> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        for (int i = 0; i < keys.Count; i++)
        {
            CheckKey(keys[i].Span);
        }

        if (keys.Count == 0)
        {
            return [];
        }

        Enter();
        using ReadTimer timer = new(_resources.Instruments, StoreOperations.MultiGet);
        try
        {
            using ReadSnapshot snapshot = _database.NewSnapshot();
            using ReadOptions options = new() { Snapshot = snapshot };
            ColumnFamily family = Family(columnFamily);
            using MultiGetResult result = _database.MultiGet(family, keys, options);
            ReadOnlyMemory<byte>?[] values = CopyOut(result, TraitsOf(family));
            Guard?.ThrowIfInvalid();
            return values;
        }
        catch (RocksDbException e)
        {
            throw Failure("MultiGet", e);
        }
        catch (ObjectDisposedException e) when (ColumnFamily.IsSubjectOf(e))
        {
            throw DroppedMeanwhile("MultiGet", e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    // One array holds all values: a hundred small values are one allocation, not a hundred.
    private ReadOnlyMemory<byte>?[] CopyOut(MultiGetResult result, FamilyTraits? traits)
    {
        long now = traits is null ? 0 : Now();
        int total = 0;
        for (int i = 0; i < result.Count; i++)
        {
            total = checked(total + (result.TryGet(i, out ReadOnlySpan<byte> value) ? value.Length : 0));
        }

        ReadOnlyMemory<byte>?[] values = new ReadOnlyMemory<byte>?[result.Count];
        byte[] bytes = GC.AllocateUninitializedArray<byte>(total);
        int position = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if (result.TryGet(i, out ReadOnlySpan<byte> value) && IsLive(traits, now, ref value))
            {
                value.CopyTo(bytes.AsSpan(position));
                values[i] = bytes.AsMemory(position, value.Length);
                position += value.Length;
            }
        }

        return values;
    }

    private ColumnFamily Family(string? name)
    {
        if (name is null)
        {
            return _defaultFamily;
        }

        return Volatile.Read(ref _families).TryGetValue(name, out ColumnFamily? family)
            ? family
            : throw NoSuchFamily(name);
    }

    private StorageException DroppedMeanwhile(string operation, ObjectDisposedException e) => new(
        FailureKind.ColumnFamilyNotFound,
        $"{operation} on {Label} failed: its column family was dropped meanwhile. Create it again to go on.", e);

    private StorageException NoSuchFamily(string name) => new(
        FailureKind.ColumnFamilyNotFound, $"{Label} has no column family '{Names.Show(name)}'; create it first.");

    internal static void CheckKey(ReadOnlySpan<byte> key)
    {
        if (key.IsEmpty)
        {
            throw new StorageException(FailureKind.InvalidArgument, "A key is empty; keys have 1 byte to 64 KiB.");
        }

        if (key.Length > MaxKeyBytes)
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"A key has {key.Length} bytes, more than the {MaxKeyBytes} that are allowed.");
        }
    }
}
