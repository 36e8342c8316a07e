using Branching.RocksDb;
using Branching.Storage.Transactions;

namespace Branching.Storage;

/// <content>Transactions, and what else follows the writes of a store. None of it exists before its use.</content>
public sealed partial class LocalStore
{
    private readonly Lock _extrasLock = new();
    private StoreHooks? _hooks; // Set under the commit lock.
    private StoreEvents? _events;
    private KeyedLock? _locks;
    private SharedBuffers? _buffers;

    /// <summary>Locks by key for the users of this store; the store itself does not look at them.</summary>
    public KeyedLock Locks => Extra(ref _locks, () =>
    {
        KeyedLock locks = new(_time, Closed);
        ListAsOpen("keyed locks", () => locks.Count);
        return locks;
    });

    /// <summary>Memory that the users of this store share by key.</summary>
    public SharedBuffers SharedBuffers => Extra(ref _buffers, () =>
    {
        SharedBuffers buffers = new(_time, Closed);
        ListAsOpen("shared buffers", () => buffers.Count);
        return buffers;
    });

    /// <summary>Whether copies of records are still fresh. From its first use on, writes are counted.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>.</exception>
    public RecordVersions Versions
    {
        get
        {
            if (_hooks?.Versions is { } versions)
            {
                return versions;
            }

            return EnableHooks(hooks => hooks.EnableVersions(new RecordVersions(this))).Versions!;
        }
    }

    /// <summary>What happens in this store.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>.</exception>
    public StoreEvents Events
    {
        get
        {
            if (Volatile.Read(ref _events) is { } events)
            {
                return events;
            }

            EnableHooks(static _ => { });
            return Extra(ref _events, () => new StoreEvents(Label, _logger, _resources.Events));
        }
    }

    /// <summary>The transactions that have not ended, oldest first.</summary>
    public IReadOnlyList<StoreTransaction> OpenTransactions => Volatile.Read(ref _hooks)?.Open() ?? [];

    /// <summary>
    /// Age of the oldest snapshot of an open transaction: what was replaced since then stays on disk.
    /// <see langword="null"/>: there is none.
    /// </summary>
    public TimeSpan? OldestSnapshotAge => Volatile.Read(ref _hooks)?.OldestSnapshotAge();

    internal TimeProvider Time => _time;

    internal int MaxRequestBytes => _options.MaxRequestBytes;

    internal StoreEvents? OwnEvents => Volatile.Read(ref _events);

    internal StoreEvents EventsIfAny => Volatile.Read(ref _events) ?? _resources.Events;

    internal bool IsClosing => _gate.IsClosed;

    internal ulong LatestSequence
    {
        get
        {
            Enter();
            try
            {
                return _database.LatestSequence;
            }
            finally
            {
                _gate.Exit();
            }
        }
    }

    /// <summary>Begins a transaction. Dispose it. The first one of a store waits for the commit under way.</summary>
    /// <param name="options">
    /// How it behaves; <see langword="null"/>: <see cref="StoreTransactionOptions.Default"/>.
    /// </param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>, <see cref="FailureKind.Closed"/>,
    /// <see cref="FailureKind.Poisoned"/>.
    /// </exception>
    public StoreTransaction BeginTransaction(StoreTransactionOptions? options = null)
    {
        options ??= StoreTransactionOptions.Default;
        options.Check();
        ThrowIfPoisoned();
        return StoreTransaction.Begin(this, HooksWithWindow(), options);
    }

    /// <summary>
    /// Runs a body as a transaction and commits it; runs it again when it lost, up to
    /// <see cref="StoreTransactionOptions.MaxAttempts"/> times.
    /// </summary>
    /// <remarks>
    /// The body is given the transaction and the number of the attempt, from 1, and may commit or roll back by itself.
    /// What it throws ends the transaction and is thrown on, unless it is a conflict of this transaction.
    /// </remarks>
    /// <typeparam name="T">What the body answers.</typeparam>
    /// <param name="body">Reads and writes through the transaction it is given, and through nothing else.</param>
    /// <param name="options">How each attempt behaves.</param>
    /// <param name="cancellationToken">Given to the body; ends waiting between attempts.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.TransactionConflict"/>: every attempt lost. Others as
    /// <see cref="StoreTransaction.CommitAsync"/>.
    /// </exception>
    public Task<TransactionOutcome<T>> TransactionAsync<T>(
        Func<StoreTransaction, int, CancellationToken, Task<T>> body, StoreTransactionOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        options ??= StoreTransactionOptions.Default;
        options.Check();
        return new TransactionRun<T>(this, HooksWithWindow(), body, options).RunAsync(cancellationToken);
    }

    /// <summary>As the other one, for a body without an answer.</summary>
    public Task<TransactionOutcome<bool>> TransactionAsync(
        Func<StoreTransaction, int, CancellationToken, Task> body, StoreTransactionOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        return TransactionAsync(
            async (transaction, attempt, token) =>
            {
                await body(transaction, attempt, token).ConfigureAwait(false);
                return true;
            },
            options,
            cancellationToken);
    }

    /// <summary>
    /// Something was written beside the writer, for example ingested: open transactions must not count on what they
    /// know. Under the commit lock.
    /// </summary>
    internal void NoteWrittenBeside() => _hooks?.NoteWrittenBeside(_database.LatestSequence);

    /// <summary>From here on what is written into ranges is remembered, for transactions that remove or read
    /// one.</summary>
    internal void FollowRanges(StoreHooks hooks)
    {
        if (!hooks.HasRecentWrites)
        {
            EnableHooks(made => made.EnableRecentWrites(
                _options.TransactionWindowBytes, _database.LatestSequence));
        }
    }

    internal StorageException ClosedFailure() => Closed();

    internal void ThrowIfClosed() => ThrowIfClosing();

    internal ColumnFamily FamilyOf(string? name) => Family(name);

    internal bool TryFamilyOf(string? name, out uint family)
    {
        bool known = Volatile.Read(ref _families).TryGetValue(name ?? DefaultColumnFamily, out ColumnFamily? found);
        family = found?.Id ?? 0;
        return known;
    }

    internal void Raise(StoreEventKind kind, StoreTransaction transaction)
    {
        StoreEvents events = EventsIfAny;
        if (events.HasObservers)
        {
            events.Raise(new StoreEvent(kind, Label) { Transaction = transaction, Sequence = transaction.CommittedAt });
        }
    }

    /// <summary>Locks what a write changes, key by key; a removed range waits for the locks in it.</summary>
    internal async ValueTask LockAsync(
        LockOwner owner, IReadOnlyList<WriteOperation> operations, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        LockTable table = _hooks!.Locks;
        for (int i = 0; i < operations.Count; i++)
        {
            WriteOperation operation = operations[i];
            ColumnFamily family = Family(operation.ColumnFamily);
            string name = operation.ColumnFamily ?? DefaultColumnFamily;
            FamilyKey key = new(family.Id, operation.Key);
            if (operation.Kind != WriteKind.DeleteRange)
            {
                await table.AcquireAsync(owner, name, key, LockMode.Exclusive, timeout, cancellationToken)
                    .ConfigureAwait(false);
                continue;
            }

            while (table.TryFindHeld(owner, family.Id, operation.Key.Span, operation.Value.Span, out FamilyKey held))
            {
                await table.AcquireAsync(owner, name, held, LockMode.Exclusive, timeout, cancellationToken)
                    .ConfigureAwait(false);
            }
        }
    }

    /// <summary>While transactions lock, a write waits for the locks of its keys like one of them.</summary>
    private async ValueTask<WriteResult> WriteRespectingLocksAsync(
        WriteRequest request, CancellationToken cancellationToken)
    {
        LockOwner owner = new(StoreHooks.NextId(), $"a write to {Label}");
        try
        {
            await LockAsync(owner, request.Operations, _options.WriteTimeout, cancellationToken)
                .ConfigureAwait(false);
            CommitCheck check = request.Check is null
                ? new LockedWrite { Owner = owner }
                : request.Check.OwnedBy(owner);
            return await SubmitAsync(request with { Check = check }, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _hooks!.Locks.ReleaseAll(owner);
            owner.End();
        }
    }

    private StoreHooks HooksWithWindow() => Volatile.Read(ref _hooks) is { HasWindow: true } hooks
        ? hooks
        : EnableHooks(made => made.EnableWindow(_options.TransactionWindowBytes, _database.LatestSequence));

    /// <summary>Under the commit lock, so that no commit is half followed.</summary>
    private StoreHooks EnableHooks(Action<StoreHooks> enable) => Inside("Transactions", () =>
    {
        lock (_commitLock)
        {
            StoreHooks hooks = _hooks ?? new StoreHooks(this, _time, Closed);
            enable(hooks);
            if (_hooks is null)
            {
                ListAsOpen("transactions", () => hooks.OpenCount);
                ListAsOpen("locked keys", () => hooks.Locks.Count);
                Volatile.Write(ref _hooks, hooks);
            }

            return hooks;
        }
    });

    private T Extra<T>(ref T? extra, Func<T> make)
        where T : class
    {
        if (Volatile.Read(ref extra) is { } there)
        {
            return there;
        }

        lock (_extrasLock)
        {
            ThrowIfClosing();
            return extra ??= make();
        }
    }

    /// <summary>First step of closing: nobody waits in the store any more for what others do.</summary>
    private void BeginClosingExtras()
    {
        Volatile.Read(ref _hooks)?.BeginClosing();
        lock (_extrasLock)
        {
            _locks?.Close();
            _buffers?.Close();
        }
    }

    /// <summary>After the last call has left: what holds native objects gives them back.</summary>
    private void EndExtras()
    {
        Volatile.Read(ref _hooks)?.EndOpen();
        Volatile.Read(ref _events)?.Complete();
    }
}
