namespace Branching.Grains;

/// <summary>
/// Gathers the reads and writes of a transaction on one store at the client, and commits them in one call. Nothing is
/// held on the server meanwhile. One caller at a time.
/// </summary>
/// <remarks>
/// Each read shows the newest committed value and remembers its sequence; a key is read once, later reads of it answer
/// the same, and its own writes are seen. The commit is applied only if none of the keys that were read, absent ones
/// included, and nothing in the ranges that were read was written since: committed transactions are serializable.
/// Before the commit two reads may belong to different moments; a transaction that saw such a mixture is refused, so do
/// nothing outside of the store that depends on reads before the commit. Only what is read through the transaction is
/// checked, not what <see cref="IStoreGrain.ScanAsync"/> or another read of the store shows beside it; and a key that
/// expires is not written by that.
/// </remarks>
public sealed partial class OptimisticTransaction
{
    private const int SendAttempts = 5;

    private readonly IStoreGrain _store;
    private readonly Dictionary<StoreKey, (GetResponse Value, ulong Sequence)> _reads = new(StoreKeyComparer.Instance);
    private readonly Dictionary<StoreKey, WriteOperation> _writes = new(StoreKeyComparer.Instance);
    private ReadOnlyMemory<byte> _token;
    private bool _ended;

    /// <summary>Begins a transaction; calls nothing.</summary>
    /// <param name="store">The database or the branch.</param>
    /// <param name="durability">When the commit is answered.</param>
    public OptimisticTransaction(IStoreGrain store, WriteDurability durability = WriteDurability.Sync)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        Durability = durability;
    }

    /// <summary>When the commit is answered.</summary>
    public WriteDurability Durability { get; }

    /// <summary>Keys written.</summary>
    public int WriteCount => _writes.Count;

    /// <summary>Keys read from the store.</summary>
    public int ReadCount => _reads.Count;

    /// <summary>Whether a key was read by itself, and not only a range that it is in.</summary>
    /// <param name="key">1 to 65,536 bytes.</param>
    /// <param name="columnFamily">The column family; null is the default one.</param>
    public bool HasRead(ReadOnlyMemory<byte> key, string? columnFamily = null) =>
        _reads.ContainsKey(new StoreKey(key, columnFamily));

    /// <summary>Runs a body as a transaction and commits it; runs it again when it lost.</summary>
    /// <typeparam name="T">What the body answers.</typeparam>
    /// <param name="store">The database or the branch.</param>
    /// <param name="body">Gets the transaction and the number of the attempt, from 1; does not commit by
    /// itself.</param>
    /// <param name="maxAttempts">How often it runs at most; at least 1.</param>
    /// <param name="durability">When the commit is answered.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.TransactionConflict"/>: every attempt lost; or a
    /// call failed.</exception>
    public static async Task<T> RunAsync<T>(
        IStoreGrain store,
        Func<OptimisticTransaction, int, CancellationToken, Task<T>> body,
        int maxAttempts = 16,
        WriteDurability durability = WriteDurability.Sync,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxAttempts, 1);
        CommitConflict? conflict = null;
        for (int attempt = 1; attempt <= maxAttempts; attempt++)
        {
            OptimisticTransaction transaction = new(store, durability);
            T answer;
            try
            {
                answer = await body(transaction, attempt, cancellationToken);
            }
            catch (BranchingException e) when (
                e.Kind == FailureKind.TransactionConflict && transaction._ended && attempt < maxAttempts)
            {
                continue;
            }

            CommitResponse response = await transaction.CommitAsync(cancellationToken);
            if (response.Committed)
            {
                return answer;
            }

            conflict = response.Conflict;
        }

        throw new BranchingException(
            FailureKind.TransactionConflict,
            $"A transaction was given up after {maxAttempts} attempts: each time a key it had read was written " +
            $"meanwhile, at last one of column family '{conflict?.ColumnFamily}'. Nothing was applied; try later.",
            isTransient: true);
    }

    /// <summary>Reads one key as the transaction sees it.</summary>
    public async Task<GetResponse> GetAsync(
        ReadOnlyMemory<byte> key, string? columnFamily = null, CancellationToken cancellationToken = default)
        => (await GetAsync([new StoreKey(key, columnFamily)], cancellationToken))[0];

    /// <summary>Reads several keys as the transaction sees them; those not read before as of one moment.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.TransactionConflict"/>: the store was opened again
    /// since the first read, the transaction has ended; begin another one.</exception>
    public async Task<IReadOnlyList<GetResponse>> GetAsync(
        IReadOnlyList<StoreKey> keys, CancellationToken cancellationToken = default)
    {
        ThrowIfEnded();
        ArgumentNullException.ThrowIfNull(keys);
        StoreKey[] missing = [.. keys.Where(key => !IsReplaced(key) && !_reads.ContainsKey(key))
            .Distinct(StoreKeyComparer.Instance).Select(Copy)];
        if (missing.Length > 0)
        {
            TransactionReadResponse response = await _store.ReadForTransactionAsync(
                new TransactionReadRequest(missing), cancellationToken);
            Adopt(response.Token);
            for (int i = 0; i < missing.Length; i++)
            {
                _reads[missing[i]] = (response.Values[i], response.Sequence);
            }
        }

        return [.. keys.Select(Seen)];
    }

    /// <summary>Writes a key when the transaction commits; key and value are copied.</summary>
    /// <param name="key">1 to 65,536 bytes.</param>
    /// <param name="value">Any bytes, also none.</param>
    /// <param name="columnFamily">The column family; null is the default one.</param>
    /// <param name="timeToLive">How long it lives from the commit on: <see cref="WriteOperation.TimeToLive"/>.</param>
    public void Put(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, string? columnFamily = null,
        TimeSpan timeToLive = default)
    {
        ThrowIfEnded();
        StoreKey own = Copy(new StoreKey(key, columnFamily));
        _writes[own] = new WriteOperation(
            WriteOperationKind.Put, own.Key, value.ToArray(), columnFamily, timeToLive);
    }

    /// <summary>Puts bytes behind the value that a key has when the transaction commits; an absent key gets them as its
    /// value. The key is not read by that, so others may write it until the commit.</summary>
    /// <param name="key">1 to 65,536 bytes.</param>
    /// <param name="value">Any bytes, also none.</param>
    /// <param name="columnFamily">The column family; null is the default one.</param>
    /// <param name="timeToLive">Zero: what the key has; else as of <see cref="Put"/>.</param>
    public void Append(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, string? columnFamily = null,
        TimeSpan timeToLive = default)
    {
        ThrowIfEnded();
        StoreKey own = Copy(new StoreKey(key, columnFamily));
        WriteOperation former = _writes.GetValueOrDefault(own, new WriteOperation(
            WriteOperationKind.Append, own.Key, default, columnFamily));
        _writes[own] = former with
        {
            // Behind what the transaction itself has put or removed there is no other value to wait for.
            Kind = former.Kind == WriteOperationKind.Append ? WriteOperationKind.Append : WriteOperationKind.Put,
            Value = Join(former.Value, value),
            TimeToLive = timeToLive == default ? former.TimeToLive : timeToLive,
        };
    }

    /// <summary>Removes a key when the transaction commits.</summary>
    public void Delete(ReadOnlyMemory<byte> key, string? columnFamily = null)
    {
        ThrowIfEnded();
        StoreKey own = Copy(new StoreKey(key, columnFamily));
        _writes[own] = new WriteOperation(WriteOperationKind.Delete, own.Key, default, columnFamily);
    }

    /// <summary>
    /// Commits in one call. When the answer is lost it is asked for again, which applies nothing twice. The
    /// transaction has ended, whatever comes.
    /// </summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.TransactionEnded"/>: it had ended before.
    /// <see cref="FailureKind.OutcomeUnknown"/>: the answer was lost for good; it may have been applied.</exception>
    public async Task<CommitResponse> CommitAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfEnded();
        _ended = true;
        if (_token.IsEmpty)
        {
            TransactionReadRequest nothing = new([]);
            _token = (await _store.ReadForTransactionAsync(nothing, cancellationToken)).Token;
        }

        CommitRequest request = new(
            Guid.NewGuid(),
            _token,
            [.. _reads.Select(read => new TransactionRead(read.Key.Key, read.Value.Sequence, read.Key.ColumnFamily))],
            [.. _writes.Values],
            Durability,
            Ranges: _ranges.Count == 0 ? null : RangesRead());
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await _store.CommitAsync(request, cancellationToken);
            }
            catch (Exception e) when (attempt < SendAttempts && MayHaveBeenLost(e))
            {
                request = request with { IsRepeated = true };
            }
        }
    }

    // Moved and the like would be safe to send again too, but then the store was opened elsewhere and refuses it.
    private static bool MayHaveBeenLost(Exception e) => e is TimeoutException
        || e is BranchingException { Kind: FailureKind.TimedOut or FailureKind.LeaseExpired };

    private bool IsReplaced(StoreKey key) =>
        _writes.TryGetValue(key, out WriteOperation write) && write.Kind != WriteOperationKind.Append;

    private GetResponse Seen(StoreKey key) => !_writes.TryGetValue(key, out WriteOperation write)
        ? _reads[key].Value
        : write.Kind switch
        {
            WriteOperationKind.Append => new GetResponse(true, Join(_reads[key].Value.Value, write.Value)),
            var kind => new GetResponse(kind == WriteOperationKind.Put, write.Value),
        };

    private static ReadOnlyMemory<byte> Join(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second) =>
        (byte[])[.. first.Span, .. second.Span];

    private void Adopt(ReadOnlyMemory<byte> token)
    {
        if (!_token.IsEmpty && !_token.Span.SequenceEqual(token.Span))
        {
            _ended = true;
            throw new BranchingException(
                FailureKind.TransactionConflict,
                "The store was opened again since the transaction's first read, so its reads belong to no one " +
                "moment any more. Nothing was applied; begin another transaction.",
                isTransient: true);
        }

        _token = token;
    }

    private void ThrowIfEnded()
    {
        if (_ended)
        {
            throw new BranchingException(
                FailureKind.TransactionEnded, "The transaction has ended; begin another one.");
        }
    }

    private static StoreKey Copy(StoreKey key) => key with { Key = key.Key.ToArray() };

    private sealed class StoreKeyComparer : IEqualityComparer<StoreKey>
    {
        private const string Default = "default";

        public static StoreKeyComparer Instance { get; } = new();

        // The default family has a name and may also be left out; both are the same key.
        public static bool IsSameFamily(string? x, string? y) =>
            string.Equals(x ?? Default, y ?? Default, StringComparison.Ordinal);

        public bool Equals(StoreKey x, StoreKey y) =>
            IsSameFamily(x.ColumnFamily, y.ColumnFamily) && x.Key.Span.SequenceEqual(y.Key.Span);

        public int GetHashCode(StoreKey obj)
        {
            HashCode hash = default;
            hash.Add(obj.ColumnFamily ?? Default, StringComparer.Ordinal);
            hash.AddBytes(obj.Key.Span);
            return hash.ToHashCode();
        }
    }
}
