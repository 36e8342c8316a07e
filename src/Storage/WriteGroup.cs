using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>Requests that are committed together: one batch, at most one fsync. One per writer thread.</summary>
internal sealed class WriteGroup : IDisposable
{
    // A batch keeps the memory of the largest group it ever held; past this it is replaced.
    private const long KeepBatchBytes = 8L << 20;

    private readonly WriteOverlay _overlay = new();
    private readonly List<Staged> _staged = [];
    private byte[] _stamped = new byte[1 << 10];
    private long _now;
    private WriteBatch _batch = new();
    private bool _overlayFilled;
    private int _next;
    private int _marked;

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

    /// <summary>Operations in the batch up to and including the staged request at an index.</summary>
    public int OperationsEndOf(int index) => _staged[index].OperationsEnd;

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
        bool plain = CheckFamilies(operations, view);
        int failed = request.Preconditions is { Count: > 0 } conditions ? FirstFailing(conditions, view) : -1;
        if (failed < 0 && request.Check is { } check && !check.Passes(this, view))
        {
            failed = 0;
        }

        StagedOperation[]? resolved = null;
        if (failed < 0)
        {
            if (request.Taken is { } taken)
            {
                Take(request.Preconditions![0], taken, view);
            }

            resolved = plain ? null : Resolve(operations, view);
            for (int i = 0; i < operationCount; i++)
            {
                Append(resolved is null ? Plain(operations[i], view) : resolved[i], view, resolved is null);
            }

            Operations += operationCount;
            Sync |= request.Durability == Durability.Sync && operationCount > 0;
        }

        _staged.Add(new Staged(ticket, Operations, failed, resolved));
    }

    /// <summary>The staged requests that are applied, from the nth staged one on.</summary>
    public IEnumerable<WriteRequest> AppliedFrom(int first)
    {
        for (int i = first; i < _staged.Count; i++)
        {
            if (_staged[i].FailedPrecondition < 0)
            {
                yield return _staged[i].Ticket.Request;
            }
        }
    }

    /// <summary>As <see cref="AppliedFrom"/>, each only once.</summary>
    public IEnumerable<WriteRequest> TakeUnmarked()
    {
        int first = _marked;
        _marked = _staged.Count;
        return AppliedFrom(first);
    }

    /// <summary>Answers every staged ticket; <paramref name="end"/> is the store's sequence after the batch.</summary>
    public void Complete(Sequence end)
    {
        ulong start = end.Value - (ulong)Operations;
        foreach ((WriteTicket ticket, int operationsEnd, int failed, _) in _staged)
        {
            ticket.Complete(ResultOf(start, operationsEnd, failed));
        }

        Clear();
    }

    /// <summary>As <see cref="Complete"/>, but hands the answers out for a later time.</summary>
    public List<(WriteTicket Ticket, WriteResult Result)> Hold(Sequence end)
    {
        ulong start = end.Value - (ulong)Operations;
        List<(WriteTicket, WriteResult)> held = new(_staged.Count);
        foreach ((WriteTicket ticket, int operationsEnd, int failed, _) in _staged)
        {
            // The caller will have the awaitable, and its continuation must not run on whoever answers.
            ticket.CallerWrites = false;
            held.Add((ticket, ResultOf(start, operationsEnd, failed)));
        }

        Clear();
        return held;
    }

    /// <summary>Answers every staged ticket with a failure of its own.</summary>
    public void Fail(Func<StorageException> failure)
    {
        foreach ((WriteTicket ticket, _, _, _) in _staged)
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

    private static WriteResult ResultOf(ulong start, int operationsEnd, int failed) =>
        new(failed < 0, new Sequence(start + (ulong)operationsEnd), failed);

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
        _now = 0;
        _marked = 0;
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

    /// <summary>
    /// An unknown family, and an operation that its family does not take, fail the request before anything is added.
    /// </summary>
    /// <returns>Whether every operation goes into the batch as it is.</returns>
    private static bool CheckFamilies(IReadOnlyList<WriteOperation> operations, IWriteView view)
    {
        bool plain = true;
        for (int i = 0; i < operations.Count; i++)
        {
            WriteOperation operation = operations[i];
            FamilyTraits? traits = view.TraitsOf(view.Family(operation.ColumnFamily));
            if (traits is not null || operation.Kind > WriteKind.DeleteRange || operation.TimeToLive != default)
            {
                WriteResolution.Check(operation, i, traits, view);
                plain = false;
            }
        }

        return plain;
    }

    private static StagedOperation Plain(in WriteOperation operation, IWriteView view) => new(
        operation.Kind, view.Family(operation.ColumnFamily), null, operation.Key, operation.Value, ExpiryStamp.Never);

    private long Now(IWriteView view) => _now != 0 ? _now : _now = view.Now();

    /// <summary>What the operations come to, each on top of those before it. Adds nothing to the batch.</summary>
    private StagedOperation[] Resolve(IReadOnlyList<WriteOperation> operations, IWriteView view)
    {
        long now = Now(view);
        bool reads = false;
        for (int i = 0; i < operations.Count; i++)
        {
            reads |= operations[i].Kind > WriteKind.DeleteRange;
        }

        if (reads)
        {
            FillOverlay(view);
        }

        StagedOperation[] resolved = new StagedOperation[operations.Count];
        try
        {
            for (int i = 0; i < resolved.Length; i++)
            {
                resolved[i] = WriteResolution.Resolve(operations[i], i, view, _overlay, now);
                Overlay(resolved[i], view);
            }
        }
        catch
        {
            // The request fails alone; what it has put there is forgotten, and the rest found again when needed.
            _overlay.Clear();
            _overlayFilled = false;
            throw;
        }

        return resolved;
    }

    private void Take(in Precondition condition, IBufferWriter<byte> taken, IWriteView view)
    {
        ColumnFamily family = view.Family(condition.ColumnFamily);
        FillOverlay(view);
        if (_overlay.TryGet(family, condition.Key, out _, out ReadOnlyMemory<byte> value, out _))
        {
            taken.Write(value.Span);
        }
        else
        {
            view.TryRead(family, condition.Key.Span, taken, Now(view), out _);
        }
    }

    private void Append(in StagedOperation operation, IWriteView view, bool overlay)
    {
        switch (operation.Kind)
        {
            case WriteKind.Put when operation.Traits is { Expires: true }:
                _batch.Put(operation.Family, operation.Key.Span, Stamped(operation));
                break;
            case WriteKind.Put:
                _batch.Put(operation.Family, operation.Key.Span, operation.Value.Span);
                break;
            case WriteKind.Delete:
                _batch.Delete(operation.Family, operation.Key.Span);
                break;
            case WriteKind.Merge:
                _batch.Merge(operation.Family, operation.Key.Span, operation.Value.Span);
                break;
            default:
                _batch.DeleteRange(operation.Family, operation.Key.Span, operation.Value.Span);
                break;
        }

        if (overlay)
        {
            Overlay(operation, view);
        }
    }

    private ReadOnlySpan<byte> Stamped(in StagedOperation operation)
    {
        int length = ExpiryStamp.Bytes + operation.Value.Length;
        if (_stamped.Length < length)
        {
            _stamped = GC.AllocateUninitializedArray<byte>(Math.Max(length, 2 * _stamped.Length));
        }

        ExpiryStamp.Write(_stamped, operation.ExpiresAt);
        operation.Value.Span.CopyTo(_stamped.AsSpan(ExpiryStamp.Bytes));
        return _stamped.AsSpan(0, length);
    }

    private void Overlay(in StagedOperation operation, IWriteView view)
    {
        if (!_overlayFilled)
        {
            return;
        }

        _overlay.Add(operation.Kind == WriteKind.Merge
            ? operation with { Value = WriteResolution.Foresee(operation, view, _overlay, Now(view)) }
            : operation);
    }

    private int FirstFailing(IReadOnlyList<Precondition> conditions, IWriteView view)
    {
        FillOverlay(view);
        for (int i = 0; i < conditions.Count; i++)
        {
            Precondition condition = conditions[i];
            ColumnFamily family = view.Family(condition.ColumnFamily);
            bool holds = _overlay.TryGet(
                family, condition.Key, out bool exists, out ReadOnlyMemory<byte> value, out _)
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
        foreach ((WriteTicket ticket, _, int failed, StagedOperation[]? resolved) in _staged)
        {
            IReadOnlyList<WriteOperation> operations = ticket.Request.Operations;
            for (int i = 0; failed < 0 && i < operations.Count; i++)
            {
                Overlay(resolved is null ? Plain(operations[i], view) : resolved[i], view);
            }
        }
    }

    /// <param name="Ticket">The request.</param>
    /// <param name="OperationsEnd">Operations in the batch after it.</param>
    /// <param name="FailedPrecondition">Index of the one that did not hold; -1: all do.</param>
    /// <param name="Resolved">Its operations as they are in the batch, when they differ from those asked for.</param>
    private readonly record struct Staged(
        WriteTicket Ticket, int OperationsEnd, int FailedPrecondition, StagedOperation[]? Resolved);
}

/// <summary>What a group needs of its store. Called by the writer only.</summary>
internal interface IWriteView
{
    /// <summary>The open column family of that name.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ColumnFamilyNotFound"/>.</exception>
    ColumnFamily Family(string? name);

    /// <summary>What the store is, in the words of messages.</summary>
    string Label { get; }

    /// <summary>What is fixed about a family; <see langword="null"/>: nothing.</summary>
    FamilyTraits? TraitsOf(ColumnFamily family);

    /// <summary>The time by which keys expire, in milliseconds of Unix time.</summary>
    long Now();

    /// <summary>Reads a committed value as users see it.</summary>
    bool TryRead(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, long now, out long expiresAt);

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
