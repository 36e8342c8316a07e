namespace Branching.Storage;

/// <content>
/// Writes that the caller's own thread commits. Handing a write to a writer thread and its answer back takes longer
/// than writing a small batch to the operating system's cache, so an uncontended buffered write is not handed over.
/// </content>
public sealed partial class LocalStore
{
    // About a hundred small records: beyond that the hand-over is a small part of the time, and the caller may be a
    // grain whose turn must not be held for long.
    private const long AtOnceMaxBytes = 64L << 10;

    // RocksDB slows writers down for seconds at a time; asking it again at every write would cost each an exception.
    private static readonly TimeSpan _afterRefusal = TimeSpan.FromMilliseconds(100);

    private readonly TakeOverWork _takeOver;

    // Belongs to the caller that is the writer, or to the thread that takes over from it; never to two at once.
    private WriteGroup? _callersGroup;
    private long _refusedAt;

    // A synced write blocks for the disk, and a precondition, a merge and an append may read it.
    private bool MayWriteAtOnce(WriteRequest request, WriteTicket ticket, bool reads)
    {
        if (request.Durability == Durability.Sync || ticket.Bytes > AtOnceMaxBytes || reads
            || request.Preconditions is { Count: > 0 })
        {
            return false;
        }

        long refusedAt = Volatile.Read(ref _refusedAt);
        return refusedAt == 0 || _time.GetElapsedTime(refusedAt, ticket.ArrivedAt) > _afterRefusal;
    }

    /// <summary>The caller is the writer: commits its own ticket, or hands it to a writer thread.</summary>
    private void WriteAtOnce(WriteTicket ticket, CancellationToken cancellationToken)
    {
        WriteGroup group = _callersGroup ??= new WriteGroup();
        group.Tickets.Add(ticket);
        if (TryCommitAtOnce(group))
        {
            if (_queue.EndTurn())
            {
                _resources.Threads.Add(_drain);
            }

            return;
        }

        group.Unstage();
        ticket.WaitAfterAll();
        _resources.Threads.Add(_takeOver);
        ticket.WithdrawOn(cancellationToken);
    }

    private bool TryCommitAtOnce(WriteGroup group)
    {
        // A column family is being made or dropped, which takes as long as the disk.
        if (!_commitLock.TryEnter())
        {
            return false;
        }

        try
        {
            if (TryCommitGroup(group, mayWait: false))
            {
                return true;
            }

            Volatile.Write(ref _refusedAt, Math.Max(1, _time.GetTimestamp()));
            return false;
        }
        catch (Exception cause)
        {
            FailDefective(group, cause);
            return true;
        }
        finally
        {
            _commitLock.Exit();
        }
    }

    private bool TakeOver(WriteGroup group)
    {
        CommitOrFail(_callersGroup!);
        return Drain(group);
    }

    private sealed class TakeOverWork(LocalStore store) : IWriteWork
    {
        public bool Run(WriteGroup group)
        {
            if (store.TakeOver(group))
            {
                store._resources.Threads.Add(store._drain);
            }

            return false;
        }
    }
}
