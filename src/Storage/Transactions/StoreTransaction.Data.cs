using System.Buffers;
using Branching.RocksDb;

namespace Branching.Storage.Transactions;

public sealed partial class StoreTransaction
{
    /// <summary>Appends the value of a key, as the transaction sees it, to <paramref name="destination"/>.</summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="destination">Receives the value; untouched when the key is absent.</param>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.TransactionEnded"/>, <see cref="FailureKind.ColumnFamilyNotFound"/>,
    /// <see cref="FailureKind.Closed"/>; or reading failed.
    /// </exception>
    public bool TryGet(string? columnFamily, ReadOnlyMemory<byte> key, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        LocalStore.CheckKey(key.Span);
        using Use use = Begin();
        ColumnFamily family = _store.FamilyOf(columnFamily);
        return Read(family, columnFamily, key, destination, counts: Options.ValidateReads);
    }

    /// <summary>As <see cref="TryGet"/>; a new array, or <see langword="null"/> when the key is absent.</summary>
    public byte[]? Get(string? columnFamily, ReadOnlyMemory<byte> key)
    {
        ArrayBufferWriter<byte> value = new();
        return TryGet(columnFamily, key, value) ? value.WrittenSpan.ToArray() : null;
    }

    /// <summary>The values of several keys as the transaction sees them.</summary>
    /// <returns>One entry for each key, in order; <see langword="null"/> where the key is absent.</returns>
    /// <exception cref="StorageException">As <see cref="TryGet"/>.</exception>
    public IReadOnlyList<ReadOnlyMemory<byte>?> MultiGet(
        string? columnFamily, IReadOnlyList<ReadOnlyMemory<byte>> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        for (int i = 0; i < keys.Count; i++)
        {
            LocalStore.CheckKey(keys[i].Span);
        }

        using Use use = Begin();
        ColumnFamily family = _store.FamilyOf(columnFamily);
        ulong since = Since;
        ReadOnlyMemory<byte>?[] values = new ReadOnlyMemory<byte>?[keys.Count];
        List<int> missing = [];
        for (int i = 0; i < keys.Count; i++)
        {
            if (_changes.TryGet(family.Id, keys[i], out KeyChange? change))
            {
                values[i] = change.Exists ? change.Value : (ReadOnlyMemory<byte>?)null;
            }
            else if (!_changes.Removes(family.Id, keys[i].Span))
            {
                missing.Add(i);
            }
        }

        if (missing.Count > 0)
        {
            IReadOnlyList<ReadOnlyMemory<byte>?> read =
                _store.MultiGetAt(family, [.. missing.Select(i => keys[i])], _snapshot);
            for (int i = 0; i < missing.Count; i++)
            {
                values[missing[i]] = read[i];
                if (Options.ValidateReads)
                {
                    _changes.Track(new FamilyKey(family.Id, keys[missing[i]]), columnFamily, since);
                }
            }
        }

        return values;
    }

    /// <summary>One page of a range as the transaction sees it: the store with the transaction's own writes.</summary>
    /// <remarks>
    /// Without a snapshot each page shows the store as it is then. What others write into a range is never a conflict.
    /// </remarks>
    /// <exception cref="StorageException">As <see cref="TryGet"/>.</exception>
    public ScanPage Scan(ScanRequest request)
    {
        _store.Check(request);
        using Use use = Begin();
        ColumnFamily family = _store.FamilyOf(request.ColumnFamily);
        return _store.ScanMerged(family, request, _changes.Of(family.Id), _snapshot);
    }

    /// <summary>
    /// As <see cref="TryGet"/>, and the commit requires that the key was not written meanwhile: optimistic by looking,
    /// pessimistic by locking it now.
    /// </summary>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="key">1 byte to 64 KiB.</param>
    /// <param name="destination">Receives the value; untouched when the key is absent.</param>
    /// <param name="mode">How a pessimistic transaction locks it.</param>
    /// <param name="cancellationToken">Stops waiting for the lock.</param>
    /// <exception cref="StorageException">
    /// As <see cref="TryGet"/>; <see cref="FailureKind.LockTimedOut"/>, <see cref="FailureKind.Deadlock"/>; and
    /// <see cref="FailureKind.TransactionConflict"/> when the key was written after a pessimistic transaction's
    /// snapshot. All three carry the conflict; then roll back.
    /// </exception>
    public async ValueTask<bool> GetForUpdateAsync(
        string? columnFamily, ReadOnlyMemory<byte> key, IBufferWriter<byte> destination,
        LockMode mode = LockMode.Exclusive, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(destination);
        LocalStore.CheckKey(key.Span);
        using Use use = Begin();
        ColumnFamily family = _store.FamilyOf(columnFamily);
        await ClaimAsync(family, columnFamily, key, mode, cancellationToken).ConfigureAwait(false);
        return Read(family, columnFamily, key, destination, counts: false);
    }

    private bool Read(
        ColumnFamily family, string? name, ReadOnlyMemory<byte> key, IBufferWriter<byte> destination, bool counts)
    {
        if (_changes.TryGet(family.Id, key, out KeyChange? change))
        {
            if (change.Exists)
            {
                destination.Write(change.Value.Span);
            }

            return change.Exists;
        }

        if (_changes.Removes(family.Id, key.Span))
        {
            return false;
        }

        if (counts)
        {
            // Before the read: a write that comes between counts as one after it.
            _changes.Track(new FamilyKey(family.Id, key), name, Since);
        }

        return _store.ReadAt(family, key.Span, destination, _readOptions);
    }

    /// <summary>Makes the commit depend on a key: by its sequence, or by a lock.</summary>
    private async ValueTask ClaimAsync(
        ColumnFamily family, string? name, ReadOnlyMemory<byte> key, LockMode mode, CancellationToken cancellationToken)
    {
        FamilyKey claimed = new(family.Id, key);
        if (Options.Mode == TransactionMode.Optimistic)
        {
            _changes.Track(claimed, name, Since);
            return;
        }

        LockGrant grant = await _hooks.Locks.AcquireAsync(
            _owner, name ?? LocalStore.DefaultColumnFamily, claimed, mode, Options.LockTimeout, cancellationToken)
            .ConfigureAwait(false);
        if (State != StoreTransactionState.Active)
        {
            // It expired, or its store was closed, while it waited: what it got now nobody would give back.
            _hooks.Locks.ReleaseAll(_owner);
            throw Ended("used");
        }

        _changes.NoteLock(claimed, grant);
        if (grant != LockGrant.Held && _snapshot is not null
            && _hooks.FindConflict(claimed, name, _snapshot.Sequence) is { } conflict)
        {
            throw StorageException.From(
                conflict with { Transaction = Id }, FailureKind.TransactionConflict, _owner.What);
        }
    }
}
