namespace Branching.Storage;

/// <summary>What became of a ticket that was offered to a <see cref="WriteQueue"/>.</summary>
internal enum QueueAnswer
{
    /// <summary>It waits, and a writer is on its way.</summary>
    Queued = 0,

    /// <summary>It waits; the caller must send a writer.</summary>
    NeedsWriter = 1,

    /// <summary>There is no room.</summary>
    Full = 2,

    /// <summary>The store takes no more writes.</summary>
    Closed = 3,

    /// <summary>It does not wait: the caller is the writer now, until <see cref="WriteQueue.EndTurn"/>.</summary>
    CallerWrites = 4,
}

/// <summary>The bounded queue of one store. Thread-safe; at most one writer empties it at a time.</summary>
internal sealed class WriteQueue(int capacity, long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WriteTicket?[] _ring = new WriteTicket?[Math.Min(capacity, 16)];
    private TaskCompletionSource? _room;
    private int _head;
    private int _count;
    private long _bytes;
    private bool _writerSent;
    private bool _closed;

    /// <summary>Completes when the queue is closed and its last ticket was answered.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Tickets waiting now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _count;
            }
        }
    }

    /// <summary>Takes a ticket in, or makes its caller the writer when it would be and there is none.</summary>
    public QueueAnswer Offer(WriteTicket ticket)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return QueueAnswer.Closed;
            }

            // Without a writer nothing waits.
            if (ticket.CallerWrites && !_writerSent)
            {
                _writerSent = true;
                return QueueAnswer.CallerWrites;
            }

            // A request of any legal size is let in when nothing else waits.
            if (_count == capacity || (_count > 0 && _bytes + ticket.Bytes > maxBytes))
            {
                return QueueAnswer.Full;
            }

            if (_count == _ring.Length)
            {
                Grow();
            }

            ticket.CallerWrites = false;
            _ring[(_head + _count) % _ring.Length] = ticket;
            _count++;
            _bytes += ticket.Bytes;
            bool needsWriter = !_writerSent;
            _writerSent = true;
            return needsWriter ? QueueAnswer.NeedsWriter : QueueAnswer.Queued;
        }
    }

    /// <summary>A task that completes when there may be room again; completed when there is some now.</summary>
    public Task RoomAsync()
    {
        lock (_lock)
        {
            if (_closed || (_count < capacity && _bytes < maxBytes))
            {
                return Task.CompletedTask;
            }

            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    /// <summary>
    /// Moves the next tickets to <paramref name="group"/>, up to <paramref name="groupBytes"/> but at least one.
    /// <see langword="false"/>: nothing waits, and the writer's turn is over.
    /// </summary>
    public bool Take(List<WriteTicket> group, long groupBytes)
    {
        TaskCompletionSource? room;
        lock (_lock)
        {
            if (_count == 0)
            {
                EndTurnOfLast();
                return false;
            }

            long taken = 0;
            while (_count > 0 && (taken == 0 || taken + _ring[_head]!.Bytes <= groupBytes))
            {
                WriteTicket ticket = _ring[_head]!;
                _ring[_head] = null;
                _head = (_head + 1) % _ring.Length;
                _count--;
                taken += Math.Max(1, ticket.Bytes);
                _bytes -= ticket.Bytes;
                group.Add(ticket);
            }

            room = _room;
            _room = null;
        }

        room?.TrySetResult();
        return true;
    }

    /// <summary>Ends the turn of a caller that was the writer.</summary>
    /// <returns>Whether tickets wait: then a writer must be sent.</returns>
    public bool EndTurn()
    {
        lock (_lock)
        {
            if (_count > 0)
            {
                return true;
            }

            EndTurnOfLast();
            return false;
        }
    }

    /// <summary>Takes no more tickets; those that wait are still answered.</summary>
    public void Close()
    {
        TaskCompletionSource? room;
        lock (_lock)
        {
            _closed = true;
            room = _room;
            _room = null;
            if (!_writerSent)
            {
                _drained.TrySetResult();
            }
        }

        room?.TrySetResult();
    }

    /// <summary>Withdraws tickets that arrived before <paramref name="deadline"/>; says how many.</summary>
    public int WithdrawOlderThan(long deadline, Func<Exception> why)
    {
        lock (_lock)
        {
            int withdrawn = 0;
            for (int i = 0; i < _count; i++)
            {
                WriteTicket ticket = _ring[(_head + i) % _ring.Length]!;
                if (ticket.ArrivedAt > deadline)
                {
                    break; // Tickets wait in order of arrival.
                }

                withdrawn += ticket.TryWithdraw(why()) ? 1 : 0;
            }

            return withdrawn;
        }
    }

    private void EndTurnOfLast()
    {
        _writerSent = false;
        if (_closed)
        {
            _drained.TrySetResult();
        }
    }

    private void Grow()
    {
        WriteTicket?[] larger = new WriteTicket?[Math.Min(capacity, _ring.Length * 2)];
        for (int i = 0; i < _count; i++)
        {
            larger[i] = _ring[(_head + i) % _ring.Length];
        }

        _ring = larger;
        _head = 0;
    }
}
