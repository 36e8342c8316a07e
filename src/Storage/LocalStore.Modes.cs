using System.Buffers;

namespace Branching.Storage;

/// <summary>What a put does, given what is there.</summary>
public enum PutMode
{
    /// <summary>Sets the value, whatever is there.</summary>
    Upsert = 0,

    /// <summary>Sets the value only when the key has none.</summary>
    OnlyIfAbsent = 1,

    /// <summary>Sets the value only when the key has one.</summary>
    OnlyIfPresent = 2,

    /// <summary>Puts the value behind the one that is there.</summary>
    Append = 3,
}

/// <content>Writes of single keys, in the words of their callers. All go through <see cref="WriteAsync"/>.</content>
public sealed partial class LocalStore
{
    private const int ClearBatchKeys = 10_000;

    /// <summary>Sets one value as <paramref name="mode"/> says; the answer tells whether it was.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="value">Possibly empty.</param>
    /// <param name="mode">When, and how.</param>
    /// <param name="timeToLive">As <see cref="WriteOperation.TimeToLive"/>.</param>
    /// <param name="durability">What the answer promises.</param>
    /// <param name="cancellationToken">Withdraws the write while it waits.</param>
    /// <remarks>Without a condition it allocates nothing where <see cref="WriteAsync"/> does not: on the caller's own
    /// thread, that is, when it is buffered and nobody else writes.</remarks>
    /// <exception cref="StorageException">As <see cref="WriteAsync"/>.</exception>
    public ValueTask<WriteResult> PutAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, PutMode mode = PutMode.Upsert,
        TimeSpan timeToLive = default, Durability durability = Durability.Sync,
        CancellationToken cancellationToken = default)
    {
        WriteKind kind = mode == PutMode.Append ? WriteKind.Append : WriteKind.Put;
        Precondition[]? conditions = mode switch
        {
            PutMode.OnlyIfAbsent => [new Precondition(PreconditionKind.KeyAbsent, columnFamily, key, default)],
            PutMode.OnlyIfPresent => [new Precondition(PreconditionKind.KeyPresent, columnFamily, key, default)],
            PutMode.Upsert or PutMode.Append => null,
            _ => throw Refused($"put mode {(int)mode} is unknown"),
        };
        WriteOperation operation = new(kind, columnFamily, key, value, timeToLive);
        return WriteAsync(
            conditions is null
                ? SingleOperation.Rent(operation, durability)
                : new WriteRequest([operation], conditions, durability),
            cancellationToken);
    }

    /// <summary>Removes one key; an absent one is no error. It allocates as little as <see cref="PutAsync"/>.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="durability">What the answer promises.</param>
    /// <param name="cancellationToken">Withdraws the write while it waits.</param>
    /// <exception cref="StorageException">As <see cref="WriteAsync"/>.</exception>
    public ValueTask<WriteResult> DeleteAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, Durability durability = Durability.Sync,
        CancellationToken cancellationToken = default) =>
        WriteAsync(SingleOperation.Rent(WriteOperation.Delete(key, columnFamily), durability), cancellationToken);

    /// <summary>Joins an operand with one value, by the family's merge operator.</summary>
    /// <exception cref="StorageException">As <see cref="WriteAsync"/>; <see cref="FailureKind.InvalidArgument"/>: the
    /// family has no operator, or the operator does not take the operand.</exception>
    public ValueTask<WriteResult> MergeAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> operand,
        Durability durability = Durability.Sync, CancellationToken cancellationToken = default) => WriteAsync(
            SingleOperation.Rent(WriteOperation.Merge(key, operand, columnFamily), durability), cancellationToken);

    /// <summary>Removes one key and hands out the value that it had: no other caller gets the same one.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="destination">
    /// Receives the value. What is in it counts only when the answer says so: the removal can fail after the reading.
    /// </param>
    /// <param name="durability">What the answer promises.</param>
    /// <param name="cancellationToken">Withdraws the request while it waits.</param>
    /// <returns>Applied, unless the key was absent.</returns>
    /// <exception cref="StorageException">As <see cref="WriteAsync"/>.</exception>
    public ValueTask<WriteResult> TakeAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, IBufferWriter<byte> destination,
        Durability durability = Durability.Sync, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(destination);
        Precondition present = new(PreconditionKind.KeyPresent, columnFamily, key, default);
        return WriteAsync(
            new WriteRequest([WriteOperation.Delete(key, columnFamily)], [present], durability) { Taken = destination },
            cancellationToken);
    }

    /// <summary>Removes several keys in one step; absent ones are no error.</summary>
    /// <exception cref="StorageException">As <see cref="WriteAsync"/>.</exception>
    public ValueTask<WriteResult> MultiDeleteAsync(
        string? columnFamily, IReadOnlyList<ReadOnlyMemory<byte>> keys, Durability durability = Durability.Sync,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        WriteOperation[] operations = [.. keys.Select(key => WriteOperation.Delete(key, columnFamily))];
        return WriteAsync(new WriteRequest(operations, null, durability), cancellationToken);
    }

    /// <summary>Removes what a range holds now, step by step, and says how much it was.</summary>
    /// <remarks>
    /// <para>
    /// Each step removes the keys between two that were found, in one marker: memory and the log stay small however
    /// many there are. A key that is written into the range meanwhile may be removed too, and is then not counted.
    /// </para>
    /// <para>Cancelled or failed, the steps before have been made, and are durable as asked for.</para>
    /// </remarks>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="range">Which keys.</param>
    /// <param name="batchKeys">Keys removed in one step, 1 or more.</param>
    /// <param name="durability">What the answer promises.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <exception cref="StorageException">As <see cref="Scan"/> and <see cref="WriteAsync"/>.</exception>
    public async Task<ClearResult> ClearAsync(
        string? columnFamily, KeyRange range, int batchKeys = ClearBatchKeys, Durability durability = Durability.Sync,
        CancellationToken cancellationToken = default)
    {
        if (batchKeys < 1)
        {
            throw Refused($"a step of clearing has {batchKeys} keys; it has at least 1");
        }

        CheckRange(range);
        ThrowIfReadOnly();
        RangeOptions options = new()
        {
            ColumnFamily = columnFamily,
            Range = range,
            Content = RangeContent.KeysOnly,
            FillCache = false,
        };
        using ScanCursor cursor = await Task.Run(() => OpenCursor(options, cancellationToken), cancellationToken)
            .ConfigureAwait(false);
        long removed = 0;
        int steps = 0;
        while (await Task.Run(() => NextStep(cursor, batchKeys), cancellationToken).ConfigureAwait(false) is { } step)
        {
            // Only the last of them waits for the disk: the log is written in order.
            Durability needed = step.IsLast ? durability : Durability.Buffered;

            // The last key by itself: the key behind it, where the marker would end, may be longer than keys are.
            WriteOperation[] remove =
            [
                WriteOperation.DeleteRange(step.First, step.Last, columnFamily),
                WriteOperation.Delete(step.Last, columnFamily),
            ];
            await WriteAsync(new WriteRequest(remove, null, needed), cancellationToken).ConfigureAwait(false);
            removed += step.Keys;
            steps++;
            if (step.IsLast)
            {
                break;
            }
        }

        return new ClearResult(removed, steps);
    }

    private static ClearStep? NextStep(ScanCursor cursor, int batchKeys)
    {
        List<KeyValueEntry> page = [];
        ReadOnlyMemory<byte> first = default, last = default;
        int keys = 0;
        bool more = true;
        while (more && keys < batchKeys)
        {
            page.Clear();
            more = cursor.ReadPage(Math.Min(batchKeys - keys, LargestPageEntries), PageBytes, page);
            if (page.Count > 0)
            {
                first = keys == 0 ? page[0].Key : first;
                last = page[^1].Key;
                keys += page.Count;
            }
        }

        return keys == 0 ? null : new ClearStep(first, last, keys, !more);
    }

    private sealed record ClearStep(
        ReadOnlyMemory<byte> First, ReadOnlyMemory<byte> Last, int Keys, bool IsLast);
}

/// <summary>What a clearing removed.</summary>
/// <param name="Removed">Keys.</param>
/// <param name="Steps">Writes that removed them.</param>
public readonly record struct ClearResult(long Removed, int Steps);
