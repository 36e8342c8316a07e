using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>Requests that are committed together: one batch, at most one fsync. One per writer thread.</summary>
internal sealed class WriteGroup : IDisposable
{
    // A batch keeps the memory of the largest group it ever held; past this it is replaced.
    private const long KeepBatchBytes = 8L << 20;

    private readonly WriteOverlay _overlay = new();
    private readonly List<(WriteTicket Ticket, int OperationsEnd, int FailedPrecondition)> _staged = [];
    private WriteBatch _batch = new();
    private bool _overlayFilled;
    private int _next;

    /// <summary>Where the queue puts the tickets of the group.</summary>
    public List<WriteTicket> Tickets { get; } = [];

    /// <summary>The next ticket that was taken from the queue and not looked at.</summary>
    public bool TryNext([NotNullWhen(true)] out WriteTicket? ticket)
    {
        ticket = _next < Tickets.Count ? Tickets[_next++] : null;
        return ticket is not null;
    }

    /// <summary>Tickets whose answer depends on the commit.</summary>
    public int StagedCount => _staged.Count;

    /// <summary>Operations in the batch.</summary>
    public int Operations { get; private set; }

    /// <summary>Whether any staged request asks for an fsync.</summary>
    public bool Sync { get; private set; }

    /// <summary>The RocksDB batch.</summary>
    public WriteBatch Batch => _batch;

    /// <summary>
    /// Evaluates the preconditions of a taken ticket against <paramref name="view"/> and the requests staged before,
    /// and adds its operations when all hold. Throws before anything was added.
    /// </summary>
    public void Stage(WriteTicket ticket, IWriteView view)
    {
        WriteRequest request = ticket.Request;
        IReadOnlyList<WriteOperation> operations = request.Operations;
        int operationCount = operations.Count;
        for (int i = 0; i < operationCount; i++)
        {
            view.Family(operations[i].ColumnFamily); // An unknown family fails the request before anything is added.
        }

        int failed = request.Preconditions is { Count: > 0 } conditions ? FirstFailing(conditions, view) : -1;
        if (failed < 0)
        {
            for (int i = 0; i < operationCount; i++)
            {
                WriteOperation operation = operations[i];
                Append(view.Family(operation.ColumnFamily), operation);
            }

            Operations += operationCount;
            Sync |= request.Durability == Durability.Sync && operationCount > 0;
        }

        _staged.Add((ticket, Operations, failed));
    }

    /// <summary>Answers every staged ticket; <paramref name="end"/> is the store's sequence after the batch.</summary>
    public void Complete(Sequence end)
    {
        ulong start = end.Value - (ulong)Operations;
        foreach ((WriteTicket ticket, int operationsEnd, int failed) in _staged)
        {
            ticket.Complete(new WriteResult(failed < 0, new Sequence(start + (ulong)operationsEnd), failed));
        }

        Clear();
    }

    /// <summary>Answers every staged ticket with a failure of its own.</summary>
    public void Fail(Func<StorageException> failure)
    {
        foreach ((WriteTicket ticket, _, _) in _staged)
        {
            ticket.Fail(failure());
        }

        Clear();
    }

    /// <summary>Answers with a failure every ticket that has no answer yet, staged or not.</summary>
    public void FailAll(Func<StorageException> failure)
    {
        while (TryNext(out WriteTicket? ticket))
        {
            if (ticket.TryTake())
            {
                ticket.Fail(failure());
            }
            else
            {
                ticket.Drop();
            }
        }

        Fail(failure);
    }

    /// <inheritdoc/>
    public void Dispose() => _batch.Dispose();

    /// <summary>Forgets what was staged; the tickets are as they were when they were taken from the queue.</summary>
    public void Unstage()
    {
        _staged.Clear();
        _next = 0;
        ClearBatch();
    }

    private void Clear()
    {
        _staged.Clear();
        Tickets.Clear();
        _next = 0;
        ClearBatch();
    }

    private void ClearBatch()
    {
        Operations = 0;
        Sync = false;
        if (_overlayFilled)
        {
            _overlay.Clear();
            _overlayFilled = false;
        }

        if (_batch.DataBytes > KeepBatchBytes)
        {
            _batch.Dispose();
            _batch = new WriteBatch();
        }
        else
        {
            _batch.Clear();
        }
    }

    private void Append(ColumnFamily family, in WriteOperation operation)
    {
        switch (operation.Kind)
        {
            case WriteKind.Put:
                _batch.Put(family, operation.Key.Span, operation.Value.Span);
                break;
            case WriteKind.Delete:
                _batch.Delete(family, operation.Key.Span);
                break;
            default:
                _batch.DeleteRange(family, operation.Key.Span, operation.Value.Span);
                break;
        }

        if (_overlayFilled)
        {
            _overlay.Add(family, operation);
        }
    }

    private int FirstFailing(IReadOnlyList<Precondition> conditions, IWriteView view)
    {
        FillOverlay(view);
        for (int i = 0; i < conditions.Count; i++)
        {
            Precondition condition = conditions[i];
            ColumnFamily family = view.Family(condition.ColumnFamily);
            bool holds = _overlay.TryGet(family, condition.Key, out bool exists, out ReadOnlyMemory<byte> value)
                ? condition.Kind switch
                {
                    PreconditionKind.KeyAbsent => !exists,
                    PreconditionKind.KeyPresent => exists,
                    _ => exists && value.Span.SequenceEqual(condition.Value.Span),
                }
                : view.Holds(family, condition);
            if (!holds)
            {
                return i;
            }
        }

        return -1;
    }

    // Most groups carry no precondition, so the overlay is built when the first one comes.
    private void FillOverlay(IWriteView view)
    {
        if (_overlayFilled)
        {
            return;
        }

        _overlayFilled = true;
        foreach ((WriteTicket ticket, _, int failed) in _staged)
        {
            IReadOnlyList<WriteOperation> operations = ticket.Request.Operations;
            for (int i = 0; failed < 0 && i < operations.Count; i++)
            {
                WriteOperation operation = operations[i];
                _overlay.Add(view.Family(operation.ColumnFamily), operation);
            }
        }
    }
}

/// <summary>What a group needs of its store. Called by the writer only.</summary>
internal interface IWriteView
{
    /// <summary>The open column family of that name.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ColumnFamilyNotFound"/>.</exception>
    ColumnFamily Family(string? name);

    /// <summary>Whether the condition holds for what is committed.</summary>
    bool Holds(ColumnFamily family, in Precondition condition);
}

/// <summary>The step that makes a group durable. A seam: tests let it fail.</summary>
internal interface IWriteCommit
{
    /// <summary>Writes the batch; with <paramref name="sync"/> it is fsynced on return.</summary>
    void Commit(RocksDatabase database, WriteBatch batch, bool sync);

    /// <summary>Writes the batch, unsynced, if RocksDB takes it without making the thread wait.</summary>
    /// <returns><see langword="false"/>: it would have to wait, and nothing was written.</returns>
    bool TryCommitAtOnce(RocksDatabase database, WriteBatch batch) => false;
}
