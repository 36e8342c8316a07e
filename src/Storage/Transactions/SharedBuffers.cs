namespace Branching.Storage.Transactions;

/// <summary>Reads the bytes of a buffer; they are valid during the call.</summary>
public delegate T BufferReader<out T>(ReadOnlySpan<byte> bytes);

/// <summary>Changes the bytes of a buffer in place; they are valid during the call.</summary>
public delegate void BufferWriter(Span<byte> bytes);

/// <summary>
/// Named pieces of memory that the users of one open store share, with a notification of changes. Thread-safe.
/// </summary>
/// <remarks>They are not stored: they begin with the first use and end when the store closes.</remarks>
public sealed class SharedBuffers
{
    /// <summary>All buffers of a store together, in bytes.</summary>
    public const int MaxTotalBytes = 16 << 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<FamilyKey, SharedBuffer> _buffers = new(FamilyKeyComparer.Instance);
    private readonly TimeProvider _time;
    private readonly Func<StorageException> _closedFailure;
    private long _total;
    private bool _closed;

    internal SharedBuffers(TimeProvider time, Func<StorageException> closed)
    {
        _time = time;
        _closedFailure = closed;
    }

    /// <summary>Buffers that exist now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _buffers.Count;
            }
        }
    }

    /// <summary>The buffer of a key; made from <paramref name="initial"/> when there is none yet.</summary>
    /// <param name="key">Any bytes, also none; copied.</param>
    /// <param name="initial">The first content, which also gives the length; copied.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.RequestTooLarge"/>: all buffers together would pass <see cref="MaxTotalBytes"/>.
    /// <see cref="FailureKind.Closed"/>.
    /// </exception>
    public SharedBuffer GetOrAdd(ReadOnlyMemory<byte> key, ReadOnlySpan<byte> initial)
    {
        lock (_lock)
        {
            if (_closed)
            {
                throw _closedFailure();
            }

            FamilyKey name = new(0, key);
            if (_buffers.TryGetValue(name, out SharedBuffer? buffer))
            {
                return buffer;
            }

            if (_total + initial.Length > MaxTotalBytes)
            {
                throw new StorageException(FailureKind.RequestTooLarge,
                    $"A shared buffer of {initial.Length} bytes was not made: those of this store have {_total} " +
                    $"bytes, at most {MaxTotalBytes} are allowed. Remove some first.");
            }

            _total += initial.Length;
            buffer = new SharedBuffer(initial.ToArray(), _time);
            _buffers.Add(name.Copy(), buffer);
            return buffer;
        }
    }

    /// <summary>Forgets a buffer; those who have it may go on, those who wait for it end.</summary>
    public bool Remove(ReadOnlyMemory<byte> key)
    {
        SharedBuffer? removed;
        lock (_lock)
        {
            if (!_buffers.Remove(new FamilyKey(0, key), out removed))
            {
                return false;
            }

            _total -= removed.Length;
        }

        removed.Close(new StorageException(FailureKind.Closed, "The shared buffer was removed; ask for it again."));
        return true;
    }

    internal void Close()
    {
        SharedBuffer[] open;
        lock (_lock)
        {
            _closed = true;
            open = [.. _buffers.Values];
            _buffers.Clear();
        }

        foreach (SharedBuffer buffer in open)
        {
            buffer.Close(_closedFailure());
        }
    }
}

/// <summary>One piece of shared memory. Thread-safe; reads and changes of it come one after the other.</summary>
public sealed class SharedBuffer
{
    private readonly Lock _lock = new();
    private readonly byte[] _bytes;
    private readonly TimeProvider _time;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _closed;
    private long _version;

    internal SharedBuffer(byte[] bytes, TimeProvider time)
    {
        _bytes = bytes;
        _time = time;
    }

    /// <summary>Its length in bytes, which never changes.</summary>
    public int Length => _bytes.Length;

    /// <summary>How often it was changed or notified.</summary>
    public long Version
    {
        get
        {
            lock (_lock)
            {
                return _version;
            }
        }
    }

    /// <summary>Reads the bytes in place. Keep it short: others wait.</summary>
    public T Read<T>(BufferReader<T> reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        lock (_lock)
        {
            return reader(_bytes);
        }
    }

    /// <summary>Changes the bytes in place and notifies those who wait. Keep it short: others wait.</summary>
    /// <returns>The version after the change.</returns>
    public long Change(BufferWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        lock (_lock)
        {
            writer(_bytes);
        }

        return Notify();
    }

    /// <summary>Notifies those who wait without a change.</summary>
    /// <returns>The version after it.</returns>
    public long Notify()
    {
        TaskCompletionSource waiting;
        long version;
        lock (_lock)
        {
            version = ++_version;
            waiting = _changed;
            if (_closed is null)
            {
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        waiting.TrySetResult();
        return version;
    }

    /// <summary>Waits until it was changed or notified after <paramref name="version"/>.</summary>
    /// <param name="version">The last version the caller has seen; changes since then end the wait at once.</param>
    /// <param name="timeout">How long at most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The version now; at most <paramref name="version"/> when the time was over first.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>: removed, or the store was
    /// closed.</exception>
    public async ValueTask<long> WaitAsync(
        long version, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Task changed;
        lock (_lock)
        {
            if (_version > version)
            {
                return _version;
            }

            changed = _changed.Task;
        }

        try
        {
            await changed.WaitAsync(timeout, _time, cancellationToken).ConfigureAwait(false);
            return Version;
        }
        catch (TimeoutException)
        {
            return version;
        }
    }

    internal void Close(Exception why)
    {
        TaskCompletionSource waiting;
        lock (_lock)
        {
            _closed = why;
            waiting = _changed;
        }

        if (waiting.TrySetException(why))
        {
            _ = waiting.Task.Exception; // Nobody may be waiting; then nobody has to hear of it.
        }
    }
}
