using System.Buffers;
using Branching.RocksDb;

namespace Branching.Storage.Transactions;

public sealed partial class StoreTransaction
{
    /// <summary>Sets the value of a key when the transaction commits.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB; copied.</param>
    /// <param name="value">The value, possibly empty; copied.</param>
    /// <param name="cancellationToken">Stops waiting for the lock.</param>
    /// <exception cref="StorageException">
    /// As <see cref="GetForUpdateAsync"/>; <see cref="FailureKind.InvalidArgument"/> when the family does not take it;
    /// <see cref="FailureKind.RequestTooLarge"/> when the transaction would become larger than one request may be. The
    /// write was not taken then.
    /// </exception>
    public ValueTask PutAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value,
        CancellationToken cancellationToken = default) =>
        SetAsync(new WriteOperation(WriteKind.Put, columnFamily, key, value), cancellationToken);

    /// <summary>As <see cref="PutAsync(string?, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, CancellationToken)"/>, in
    /// a family whose keys expire.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB; copied.</param>
    /// <param name="value">The value, possibly empty; copied.</param>
    /// <param name="timeToLive">How long it lives from the commit on: 1 ms or more, or
    /// <see cref="Timeout.InfiniteTimeSpan"/>; zero: the family's default. The transaction itself sees it as long as it
    /// is open.</param>
    /// <param name="cancellationToken">Stops waiting for the lock.</param>
    /// <exception cref="StorageException">As the other one; <see cref="FailureKind.InvalidArgument"/> also when the
    /// keys of the family do not expire.</exception>
    public ValueTask PutAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, TimeSpan timeToLive,
        CancellationToken cancellationToken = default) =>
        SetAsync(new WriteOperation(WriteKind.Put, columnFamily, key, value, timeToLive), cancellationToken);

    /// <summary>Removes a key when the transaction commits; removing an absent one is not an error.</summary>
    /// <exception cref="StorageException">As
    /// <see cref="PutAsync(string?, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, CancellationToken)"/>.</exception>
    public ValueTask DeleteAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, CancellationToken cancellationToken = default) =>
        SetAsync(WriteOperation.Delete(key, columnFamily), cancellationToken);

    /// <summary>Joins an operand with the value of a key, by the merge operator of its family.</summary>
    /// <remarks>
    /// The transaction reads the value to show the outcome, so the key counts as written and as read: two transactions
    /// that merge into one key conflict. Merges that only add up go past transactions, as plain writes.
    /// </remarks>
    /// <param name="columnFamily">A column family with a merge operator.</param>
    /// <param name="key">1 byte to 64 KiB; copied.</param>
    /// <param name="operand">What is merged; copied.</param>
    /// <param name="timeToLive">As of a put; zero: the key keeps what it has.</param>
    /// <param name="cancellationToken">Stops waiting for the lock.</param>
    /// <exception cref="StorageException">As
    /// <see cref="PutAsync(string?, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, CancellationToken)"/>;
    /// <see cref="FailureKind.InvalidArgument"/> also when the family has no merge operator.</exception>
    public async ValueTask MergeAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> operand, TimeSpan timeToLive = default,
        CancellationToken cancellationToken = default)
    {
        WriteOperation merge = new(WriteKind.Merge, columnFamily, key, operand, timeToLive);
        using Use use = Begin();
        ColumnFamily family = Require(merge);
        await ClaimAsync(family, columnFamily, key, LockMode.Exclusive, cancellationToken).ConfigureAwait(false);
        KeyChange change = Merged(family, merge);
        RequireRoom(change.Bytes);
        _changes.Set(family, columnFamily, change);
    }

    /// <summary>
    /// Removes every key from <paramref name="from"/> up to, not including, <paramref name="toExclusive"/> when the
    /// transaction commits. Its own reads and scans see the range empty, apart from what it puts there afterwards.
    /// </summary>
    /// <remarks>
    /// The commit is refused when anything in the range was written since the transaction's snapshot; without one,
    /// since this call. The store begins to remember whole keys with the first call: a transaction that began before
    /// that can lose once as too old, and succeeds when it runs again.
    /// </remarks>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="from">The first key: 1 byte to 64 KiB; copied.</param>
    /// <param name="toExclusive">The first key that stays, not before <paramref name="from"/>; copied.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.NotSupported"/>: the transaction is pessimistic, and only keys can be locked.
    /// <see cref="FailureKind.InvalidArgument"/>; <see cref="FailureKind.RequestTooLarge"/>; others as
    /// <see cref="TryGet"/>. Nothing was removed then.
    /// </exception>
    public void DeleteRange(string? columnFamily, ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> toExclusive)
    {
        WriteOperation removal = WriteOperation.DeleteRange(from, toExclusive, columnFamily);
        using Use use = Begin();
        ColumnFamily family = Require(removal);
        if (Options.Mode == TransactionMode.Pessimistic)
        {
            throw new StorageException(FailureKind.NotSupported,
                $"{Capitalized(_owner.What)} cannot remove a range: it locks what it writes, and there are locks of " +
                "keys only. Use an optimistic transaction, or delete key by key, or remove the range by a plain " +
                "write. What the transaction took before stands.");
        }

        RequireRoom(from.Length + toExclusive.Length);
        _store.FollowRanges(_hooks);
        _changes.RemoveRange(family, columnFamily, new OwnRange(from.ToArray(), toExclusive.ToArray(), Since));
    }

    private async ValueTask SetAsync(WriteOperation write, CancellationToken cancellationToken)
    {
        using Use use = Begin();
        ColumnFamily family = Require(write);
        RequireRoom(write.Key.Length + write.Value.Length);
        await ClaimAsync(family, write.ColumnFamily, write.Key, LockMode.Exclusive, cancellationToken)
            .ConfigureAwait(false);
        bool exists = write.Kind == WriteKind.Put;
        KeyChange change = new(write.Key.ToArray(), exists, write.Value.ToArray()) { TimeToLive = write.TimeToLive };
        _changes.Set(family, write.ColumnFamily, change);
    }

    /// <summary>The key after a merge. Folded into what the transaction wrote itself; a value that only the store has
    /// stays there, with its time to live, and the commit merges into it.</summary>
    private KeyChange Merged(ColumnFamily family, in WriteOperation merge)
    {
        bool known = _changes.TryGet(family.Id, merge.Key, out KeyChange? before);
        bool exists = known ? before!.Exists : !_changes.Removes(family.Id, merge.Key.Span);
        bool isOwn = known ? before!.Merges is null : !exists;
        ReadOnlyMemory<byte> existing = known ? before!.Value : default;
        if (!known && exists)
        {
            ArrayBufferWriter<byte> read = new();
            exists = _store.ReadAt(family, merge.Key.Span, read, _readOptions);
            existing = read.WrittenMemory;
        }

        ArrayBufferWriter<byte> joined = new();
        _store.TraitsOf(family)!.Merge!.Merge(merge.Key.Span, exists, existing.Span, merge.Value.Span, joined);
        byte[] key = merge.Key.ToArray();
        if (isOwn)
        {
            bool keeps = exists && merge.TimeToLive == default;
            TimeSpan lives = keeps ? before!.TimeToLive : merge.TimeToLive;
            return new KeyChange(key, exists: true, joined.WrittenMemory) { TimeToLive = lives };
        }

        long bytes = (before?.Bytes ?? 0) + key.Length + merge.Value.Length;
        return new KeyChange(key, exists: true, joined.WrittenMemory)
        {
            Merges = new PendingMerge(before?.Merges, merge.Value.ToArray(), merge.TimeToLive, bytes),
        };
    }

    /// <summary>The family of an operation that it takes.</summary>
    private ColumnFamily Require(in WriteOperation operation)
    {
        ColumnFamily family = _store.FamilyOf(operation.ColumnFamily);
        _store.RequireLegal(family, operation, Capitalized(_owner.What));
        return family;
    }

    private void RequireRoom(long more)
    {
        long bytes = _changes.Bytes + more;
        if (bytes > _store.MaxRequestBytes)
        {
            throw new StorageException(FailureKind.RequestTooLarge,
                $"{Capitalized(_owner.What)} would have {bytes} bytes of keys and values; at most " +
                $"{_store.MaxRequestBytes} are allowed (MaxRequestBytes). The write was not taken; commit what is " +
                "there, or raise the limit.");
        }
    }
}
