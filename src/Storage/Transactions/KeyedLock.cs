using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage.Transactions;

/// <summary>
/// Locks by key that the users of one store agree on; the store itself does not look at them. Fair: first come, first
/// served. Thread-safe.
/// </summary>
/// <remarks>
/// They live in this process while the store is open. Closing the store fails those who wait with
/// <see cref="FailureKind.Closed"/> and releases what is held. Nothing runs under a lock of this class.
/// </remarks>
public sealed class KeyedLock
{
    private readonly Lock _lock = new();
    private readonly Dictionary<FamilyKey, LinkedList<Turn>> _turns = new(FamilyKeyComparer.Instance);
    private readonly TimeProvider _time;
    private readonly Func<StorageException> _closedFailure;
    private bool _closed;

    internal KeyedLock(TimeProvider time, Func<StorageException> closed)
    {
        _time = time;
        _closedFailure = closed;
    }

    /// <summary>Keys that are held now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _turns.Count;
            }
        }
    }

    /// <summary>Whether anybody holds the key.</summary>
    public bool IsHeld(ReadOnlyMemory<byte> key)
    {
        lock (_lock)
        {
            return _turns.ContainsKey(new FamilyKey(0, key));
        }
    }

    /// <summary>Takes the key if nobody holds it or waits for it. Dispose what is answered.</summary>
    /// <param name="key">Any bytes, also none; copied when kept.</param>
    /// <param name="holder">The lock, when taken.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>.</exception>
    public bool TryTake(ReadOnlyMemory<byte> key, [NotNullWhen(true)] out KeyedLockHolder? holder)
    {
        Turn turn = Queue(new FamilyKey(0, key), onlyIfFree: true)!;
        holder = turn?.Holder;
        return holder is not null;
    }

    /// <summary>Takes the key when it is one's turn. Dispose what is answered.</summary>
    /// <param name="key">Any bytes, also none; copied when kept.</param>
    /// <param name="timeout">How long to wait at most.</param>
    /// <param name="cancellationToken">Gives the place in the queue up.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.LockTimedOut"/>, <see cref="FailureKind.Closed"/>.
    /// </exception>
    public ValueTask<KeyedLockHolder> TakeAsync(
        ReadOnlyMemory<byte> key, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        TakeAsync(new FamilyKey(0, key), timeout, cancellationToken);

    /// <summary>Runs an action while holding the key; releases it however the action ends.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.LockTimedOut"/>, <see cref="FailureKind.Closed"/>: the action did not run.
    /// </exception>
    public async ValueTask WithLockAsync(
        ReadOnlyMemory<byte> key, TimeSpan timeout, Func<CancellationToken, ValueTask> action,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(action);
        using KeyedLockHolder holder = await TakeAsync(key, timeout, cancellationToken).ConfigureAwait(false);
        await action(cancellationToken).ConfigureAwait(false);
    }

    internal async ValueTask<KeyedLockHolder> TakeAsync(
        FamilyKey key, TimeSpan timeout, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Turn turn = Queue(key, onlyIfFree: false)!;
        try
        {
            await turn.Came.Task.WaitAsync(timeout, _time, cancellationToken).ConfigureAwait(false);
            return turn.Holder;
        }
        catch (TimeoutException)
        {
            Release(turn);
            throw new StorageException(FailureKind.LockTimedOut,
                $"The lock of key {FamilyKey.Show(key.Key.Span)} was not free within {timeout.TotalSeconds:0.###} s. " +
                "Try again when its holder is done.");
        }
        catch (OperationCanceledException)
        {
            Release(turn);
            throw;
        }
    }

    internal void Release(Turn turn)
    {
        Turn? next = null;
        lock (_lock)
        {
            if (turn.IsOver)
            {
                return;
            }

            turn.IsOver = true;
            LinkedList<Turn> queue = _turns[turn.Key];
            bool held = ReferenceEquals(queue.First!.Value, turn);
            queue.Remove(turn);
            if (queue.Count == 0)
            {
                _turns.Remove(turn.Key);
            }
            else if (held)
            {
                next = queue.First.Value;
            }
        }

        next?.Came.TrySetResult();
    }

    internal void Close()
    {
        Turn[] open;
        lock (_lock)
        {
            _closed = true;
            open = [.. _turns.Values.SelectMany(queue => queue)];
            _turns.Clear();
            Array.ForEach(open, turn => turn.IsOver = true);
        }

        foreach (Turn turn in open)
        {
            turn.Came.TrySetException(_closedFailure());
        }
    }

    private Turn? Queue(FamilyKey key, bool onlyIfFree)
    {
        lock (_lock)
        {
            if (_closed)
            {
                throw _closedFailure();
            }

            if (_turns.TryGetValue(key, out LinkedList<Turn>? queue))
            {
                if (onlyIfFree)
                {
                    return null;
                }

                Turn later = new(this, queue.First!.Value.Key);
                queue.AddLast(later);
                return later;
            }

            Turn first = new(this, key.Copy());
            queue = new LinkedList<Turn>();
            queue.AddLast(first);
            _turns.Add(first.Key, queue);
            first.Came.SetResult();
            return first;
        }
    }

    /// <summary>A place in the queue of a key; the first one holds it.</summary>
    internal sealed class Turn
    {
        public Turn(KeyedLock owner, FamilyKey key)
        {
            Key = key;
            Holder = new KeyedLockHolder(owner, this);
        }

        public FamilyKey Key { get; }

        public KeyedLockHolder Holder { get; }

        public TaskCompletionSource Came { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsOver { get; set; }
    }
}

/// <summary>A held key of a <see cref="KeyedLock"/>; disposing releases it.</summary>
public sealed class KeyedLockHolder : IDisposable
{
    private readonly KeyedLock _owner;
    private readonly KeyedLock.Turn _turn;

    internal KeyedLockHolder(KeyedLock owner, KeyedLock.Turn turn)
    {
        _owner = owner;
        _turn = turn;
    }

    /// <summary>Whether it is held still: not released, and the store not closed.</summary>
    public bool IsHeld => !_turn.IsOver;

    /// <summary>Releases the key; further calls do nothing.</summary>
    public void Dispose() => _owner.Release(_turn);
}
