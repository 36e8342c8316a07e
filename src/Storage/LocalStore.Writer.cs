using Branching.RocksDb;
using Branching.Storage.Changes;
using Branching.Storage.Transactions;

namespace Branching.Storage;

public sealed partial class LocalStore : IWriteView
{
    // After this many groups in a row a writer lets other stores have its thread, if any of them waits.
    private const int GroupsPerTurn = 16;

    private readonly WriteQueue _queue;
    private readonly DrainWork _drain;
    private long _groups;
    private long _syncGroups;
    private long _requests;
    private long _operations;
    private long _writtenBytes;

    /// <summary>Applies a request: all of its operations in one atomic step, or nothing.</summary>
    /// <remarks>
    /// <para>On return with <see cref="Durability.Sync"/> the write is fsynced. The request's buffers belong to the
    /// store until the answer.</para>
    /// <para>Cancelled or timed out before the writer took it, a request is withdrawn and nothing was applied;
    /// afterwards its outcome is awaited.</para>
    /// </remarks>
    /// <param name="request">What to write, and what must hold before.</param>
    /// <param name="cancellationToken">Withdraws the request while it waits.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>, <see cref="FailureKind.RequestTooLarge"/>,
    /// <see cref="FailureKind.ColumnFamilyNotFound"/>, <see cref="FailureKind.Closed"/>,
    /// <see cref="FailureKind.Overloaded"/>, <see cref="FailureKind.TimedOut"/>, <see cref="FailureKind.Poisoned"/>,
    /// and <see cref="FailureKind.LockTimedOut"/> or <see cref="FailureKind.Deadlock"/> while transactions lock its
    /// keys: nothing was applied. Any other: the write failed in the log, and may be there after the store is reopened.
    /// </exception>
    public ValueTask<WriteResult> WriteAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<WriteResult>(cancellationToken);
        }

        return Volatile.Read(ref _hooks) is { IsLocking: true }
            ? WriteRespectingLocksAsync(request, cancellationToken)
            : SubmitAsync(request, cancellationToken);
    }

    /// <summary>Puts a request into the queue, or writes it at once.</summary>
    internal ValueTask<WriteResult> SubmitAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        if (!TryMeasure(request, out long bytes, out bool reads, out StorageException? refusal))
        {
            return ValueTask.FromException<WriteResult>(refusal);
        }

        WriteTicket ticket = WriteTicket.Rent(request, bytes, _time.GetTimestamp());
        ticket.CallerWrites = MayWriteAtOnce(request, ticket, reads);
        return Offer(ticket, cancellationToken, out ValueTask<WriteResult> answer)
            ? answer
            : WaitForRoomAsync(ticket, cancellationToken);
    }

    /// <inheritdoc/>
    ColumnFamily IWriteView.Family(string? name) => Family(name);

    /// <inheritdoc/>
    FamilyTraits? IWriteView.TraitsOf(ColumnFamily family) => TraitsOf(family);

    /// <inheritdoc/>
    long IWriteView.Now() => Now();

    /// <inheritdoc/>
    bool IWriteView.TryRead(
        ColumnFamily family, ReadOnlySpan<byte> key, System.Buffers.IBufferWriter<byte> destination, long now,
        out long expiresAt) => TryRead(family, key, destination, out expiresAt, at: now);

    /// <inheritdoc/>
    string IWriteView.Label => Label;

    /// <inheritdoc/>
    bool IWriteView.Holds(ColumnFamily family, in Precondition condition)
    {
        if (TraitsOf(family) is { Expires: true })
        {
            return HoldsLive(family, condition);
        }

        if (condition.Kind == PreconditionKind.ValueEquals)
        {
            using PinnedValue pinned = _database.GetPinned(family, condition.Key.Span);
            return pinned.Found && pinned.Span.SequenceEqual(condition.Value.Span);
        }

        bool present = _database.Contains(family, condition.Key.Span);
        return present == (condition.Kind == PreconditionKind.KeyPresent);
    }

    private bool HoldsLive(ColumnFamily family, in Precondition condition)
    {
        System.Buffers.ArrayBufferWriter<byte> value = new();
        bool present = TryRead(family, condition.Key.Span, value, out _);
        return condition.Kind switch
        {
            PreconditionKind.KeyAbsent => !present,
            PreconditionKind.KeyPresent => present,
            _ => present && value.WrittenSpan.SequenceEqual(condition.Value.Span),
        };
    }

    private bool Offer(WriteTicket ticket, CancellationToken cancellationToken, out ValueTask<WriteResult> answer)
    {
        answer = ticket.Answer;
        switch (_queue.Offer(ticket))
        {
            case QueueAnswer.CallerWrites:
                WriteAtOnce(ticket, cancellationToken);
                return true;
            case QueueAnswer.NeedsWriter:
                _resources.Threads.Add(_drain);
                ticket.WithdrawOn(cancellationToken);
                return true;
            case QueueAnswer.Queued:
                ticket.WithdrawOn(cancellationToken);
                return true;
            case QueueAnswer.Closed:
                ticket.Discard();
                answer = ValueTask.FromException<WriteResult>(Closed());
                return true;
            default:
                return false;
        }
    }

    private async ValueTask<WriteResult> WaitForRoomAsync(WriteTicket ticket, CancellationToken cancellationToken)
    {
        ValueTask<WriteResult> answer;
        bool offered = false;
        try
        {
            do
            {
                TimeSpan left = _options.WriteTimeout - _time.GetElapsedTime(ticket.ArrivedAt);
                if (left <= TimeSpan.Zero)
                {
                    throw Overloaded();
                }

                await _queue.RoomAsync().WaitAsync(left, _time, cancellationToken).ConfigureAwait(false);
                offered = Offer(ticket, cancellationToken, out answer);
            }
            while (!offered);
        }
        catch (TimeoutException)
        {
            throw Overloaded();
        }
        finally
        {
            if (!offered)
            {
                ticket.Discard();
            }
        }

        return await answer.ConfigureAwait(false);
    }

    private StorageException Overloaded() => new(
        FailureKind.Overloaded,
        $"A write to {Label} found no room in the queue within {_options.WriteTimeout.TotalSeconds:0.###} s " +
        $"({_options.WriteQueueCapacity} requests, {_options.WriteQueueBytes} bytes). Nothing was applied; try later.");

    private StorageException TimedOut() => new(
        FailureKind.TimedOut,
        $"A write to {Label} did not get its turn within {_options.WriteTimeout.TotalSeconds:0.###} s. " +
        "It was withdrawn and nothing was applied; try later.");

    /// <summary>Withdraws requests that have waited too long for a writer that is stuck in a slow disk.</summary>
    private void WithdrawExpired()
    {
        long limit = (long)(_options.WriteTimeout.TotalSeconds * _time.TimestampFrequency);
        int withdrawn = _queue.WithdrawOlderThan(_time.GetTimestamp() - limit, TimedOut);
        if (withdrawn > 0)
        {
            _logger.WritesTimedOut(Label, withdrawn);
        }
    }

    /// <summary>Commits group after group until nothing waits. Runs on one writer thread at a time.</summary>
    private bool Drain(WriteGroup group)
    {
        for (int groups = 1; _queue.Take(group.Tickets, _options.WriteGroupMaxBytes); groups++)
        {
            CommitOrFail(group);
            if (groups >= GroupsPerTurn && _resources.Threads.HasWaiting)
            {
                return true;
            }
        }

        return false;
    }

    private void CommitOrFail(WriteGroup group)
    {
        try
        {
            lock (_commitLock)
            {
                TryCommitGroup(group, mayWait: true);
            }
        }
        catch (Exception cause)
        {
            FailDefective(group, cause);
        }
    }

    /// <summary>Answers every ticket of a group.</summary>
    /// <returns><see langword="false"/>: it would have to wait for RocksDB, and nothing was written.</returns>
    private bool TryCommitGroup(WriteGroup group, bool mayWait)
    {
        try
        {
            StageGroup(group);
        }
        catch (Exception cause)
        {
            // Nothing was written yet: the group fails, the store stays as it was.
            FailUnwritten(group, cause);
            return true;
        }

        if (group.Operations == 0)
        {
            Acknowledge(group, LastAcknowledged);
            return true;
        }

        long bytes = group.Batch.DataBytes;
        bool sync = group.Sync;
        Instruments? instruments = _resources.Instruments;
        long start = instruments is { MeasuresOperations: true } ? _time.GetTimestamp() : 0;
        if (!TryWriteGroup(group, mayWait, out bool written))
        {
            return false;
        }

        if (!written)
        {
            return true;
        }

        // Counted before it is answered: whoever has an answer finds it in the figures.
        Sequence end = new(_database.LatestSequence);
        Volatile.Write(ref _lastAcknowledged, end.Value);
        Progress?.NoteWritten(end, _time);
        Count(group, bytes, sync);
        instruments?.Committed(group.StagedCount, group.Operations, bytes, sync);
        if (start != 0)
        {
            instruments!.CommitTook(_time.GetElapsedTime(start), sync);
        }

        long tail = Interlocked.Add(ref _tailBytes, bytes);
        Acknowledge(group, end);
        NoteWritten(bytes, tail); // May start a flush, which no answer has to wait for.
        return true;
    }

    /// <summary>Writes a staged group to the change log, if there is one, and to RocksDB.</summary>
    /// <param name="group">The group; answered when it could not be written.</param>
    /// <param name="mayWait">Whether the thread may wait for the disk.</param>
    /// <param name="written">Whether it was written.</param>
    /// <returns><see langword="false"/>: the thread would have to wait, and nothing was written.</returns>
    private bool TryWriteGroup(WriteGroup group, bool mayWait, out bool written)
    {
        written = false;
        ChangeLog? changes = _changes;
        StoreHooks? hooks = _hooks; // It is set under the commit lock, which this thread holds.
        hooks?.BeforeCommit(group, this);
        try
        {
            if (changes is not null && !TryLog(changes, group, mayWait))
            {
                return false;
            }

            if (mayWait)
            {
                _seams.Commit.Commit(_database, group.Batch, group.Sync);
            }
            else if (!_seams.Commit.TryCommitAtOnce(_database, group.Batch))
            {
                changes?.Retract();
                return false;
            }

            hooks?.Committed(group, this, _database.LatestSequence);
            changes?.Commit(_database.LatestSequence);
            written = true;
            return true;
        }
        catch (RocksDbException e)
        {
            FailGroup(group, e);
            return true;
        }
        catch (StorageException e)
        {
            FailLogged(group, e);
            return true;
        }
        finally
        {
            hooks?.AfterCommit();
        }
    }

    /// <summary>Answers a committed group; without a valid tenure not before it is valid again.</summary>
    private void Acknowledge(WriteGroup group, Sequence end)
    {
        if (Guard is { MayAnswer: false } guard)
        {
            _ = AcknowledgeLaterAsync(guard, group.Hold(end));
            return;
        }

        group.Complete(end);
    }

    // The writer goes on meanwhile: what it writes now is held back as well.
    private static async Task AcknowledgeLaterAsync(IAnswerGuard guard, List<(WriteTicket, WriteResult)> held)
    {
        Exception? failure = null;
        try
        {
            await guard.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The outcome is unknown: a later owner may not have these writes.
            failure = e;
        }

        foreach ((WriteTicket ticket, WriteResult result) in held)
        {
            if (failure is null)
            {
                ticket.Complete(result);
            }
            else
            {
                ticket.Fail(failure);
            }
        }
    }

    private void StageGroup(WriteGroup group)
    {
        while (group.TryNext(out WriteTicket? ticket))
        {
            if (!ticket.TryTake())
            {
                ticket.Drop();
                continue;
            }

            if (_poison is { } cause)
            {
                ticket.Fail(Poisoned(cause));
                continue;
            }

            try
            {
                group.Stage(ticket, this);
            }
            catch (StorageException e)
            {
                ticket.Fail(e);
            }
            catch (RocksDbException e)
            {
                ticket.Fail(Failure("Reading a precondition", e));
            }
            catch (Exception e)
            {
                ticket.Fail(Defect(e));
                throw;
            }
        }
    }

    private void FailDefective(WriteGroup group, Exception cause)
    {
        // Nobody knows what was applied, so nobody may write on top of it.
        Poison(Defect(cause));
        group.FailAll(() => Defect(cause));
    }

    // A method of its own: a lambda in the commit itself would be an object for each commit, failed or not.
    private void FailUnwritten(WriteGroup group, Exception cause) => group.FailAll(() => Defect(cause));

    private StorageException Defect(Exception cause) =>
        new(FailureKind.Internal, $"The writer of {Label} failed: {cause.Message}", cause);

    private void FailGroup(WriteGroup group, RocksDbException e)
    {
        int count = group.StagedCount;
        StorageException Failed() => LocalStoreFailure.From(e, $"Writing a group of {count} requests to {Label}");

        // RocksDB refused these before it touched the log; whatever else happened leaves the log in doubt.
        bool untouched = e.Status is RocksDbStatus.ShutdownInProgress or RocksDbStatus.Incomplete or RocksDbStatus.Busy
            or RocksDbStatus.TryAgain or RocksDbStatus.TimedOut;
        if (!untouched || !TryRetract())
        {
            Poison(Failed());
        }

        group.Fail(e.Status == RocksDbStatus.ShutdownInProgress ? Closed : Failed);
    }

    /// <summary>The change log could not take the group, or does not match it: as a failed write of the log.</summary>
    private void FailLogged(WriteGroup group, StorageException e)
    {
        int count = group.StagedCount;
        StorageException Failed() => new(
            e.Kind, $"Writing a group of {count} requests to the change log of {Label} failed: {e.Message}", e);
        Poison(Failed());
        group.Fail(Failed);
    }

    private bool TryRetract()
    {
        try
        {
            _changes?.Retract();
            return true;
        }
        catch (StorageException e)
        {
            Poison(e);
            return false;
        }
    }

    private void Count(WriteGroup group, long bytes, bool sync)
    {
        // One writer at a time changes these; readers only need each of them whole.
        Volatile.Write(ref _groups, _groups + 1);
        Volatile.Write(ref _syncGroups, _syncGroups + (sync ? 1 : 0));
        Volatile.Write(ref _requests, _requests + group.StagedCount);
        Volatile.Write(ref _operations, _operations + group.Operations);
        Volatile.Write(ref _writtenBytes, _writtenBytes + bytes);
    }

    private sealed class DrainWork(LocalStore store) : IWriteWork
    {
        public bool Run(WriteGroup group) => store.Drain(group);
    }
}
