using System.Buffers;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>Single keys: whether they are there, how long their values are, and reading without a detour.</content>
public sealed partial class LocalStore
{
    /// <summary>As <see cref="TryGet"/>: completes at once when
    /// memory has the answer, and goes to the thread pool only for the disk.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB; must not change until the answer.</param>
    /// <param name="destination">Receives the value; untouched when the key is absent.</param>
    /// <param name="cancellationToken">Ends the waiting for a thread, not a read that has begun.</param>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    public ValueTask<bool> GetAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, IBufferWriter<byte> destination,
        CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<bool>(cancellationToken);
        }

        return TryGetFromMemory(columnFamily, key.Span, destination, out bool found)
            ? new ValueTask<bool>(found)
            : new ValueTask<bool>(
                Task.Run(() => TryGet(columnFamily, key.Span, destination), cancellationToken));
    }

    /// <summary>Whether a key has a value. May read the disk.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    public bool Exists(string? columnFamily, ReadOnlySpan<byte> key) => TryGetLength(columnFamily, key, out _);

    /// <summary>As <see cref="Exists(string?, ReadOnlySpan{byte})"/>, but only from memory.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="exists">Whether it has a value, when the method returns <see langword="true"/>.</param>
    /// <returns><see langword="false"/> when memory does not know and the disk is needed.</returns>
    public bool ExistsInMemory(string? columnFamily, ReadOnlySpan<byte> key, out bool exists) =>
        TryGetFromMemory(columnFamily, key, LengthCounter.OfThread, out exists);

    /// <summary>The length of a value, in bytes, without handing it out. May read the disk.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="length">The length; possibly zero.</param>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    public bool TryGetLength(string? columnFamily, ReadOnlySpan<byte> key, out long length)
    {
        CheckKey(key);
        Enter();
        try
        {
            ColumnFamily family = Family(columnFamily);
            bool found;
            if (TraitsOf(family) is { Expires: true })
            {
                LengthCounter counter = LengthCounter.OfThread;
                found = TryRead(family, key, counter, out _);
                length = counter.Length;
            }
            else
            {
                found = _database.TryGetLength(family, key, out length);
            }

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

    /// <summary>The lengths of several values, of one consistent view. May read the disk.</summary>
    /// <returns>One length for each key, in order; <see langword="null"/> where the key is absent.</returns>
    public IReadOnlyList<long?> MultiGetLength(string? columnFamily, IReadOnlyList<ReadOnlyMemory<byte>> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        for (int i = 0; i < keys.Count; i++)
        {
            CheckKey(keys[i].Span);
        }

        return keys.Count == 0 ? [] : Answered("MultiGet", () =>
        {
            ColumnFamily family = Family(columnFamily);
            FamilyTraits? traits = TraitsOf(family);
            long now = traits is null ? 0 : Now();
            using ReadSnapshot snapshot = _database.NewSnapshot();
            using ReadOptions options = new() { Snapshot = snapshot };
            using MultiGetResult result = _database.MultiGet(family, keys, options);
            long?[] lengths = new long?[keys.Count];
            for (int i = 0; i < lengths.Length; i++)
            {
                bool found = result.TryGet(i, out ReadOnlySpan<byte> value) && IsLive(traits, now, ref value);
                lengths[i] = found ? value.Length : null;
            }

            return lengths;
        });
    }

    /// <summary>Which of several keys have a value, in one consistent view. May read the disk.</summary>
    /// <returns>One answer for each key, in order.</returns>
    public IReadOnlyList<bool> MultiExists(string? columnFamily, IReadOnlyList<ReadOnlyMemory<byte>> keys) =>
        [.. MultiGetLength(columnFamily, keys).Select(length => length is not null)];
}
