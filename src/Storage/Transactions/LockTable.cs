using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage.Transactions;

/// <summary>What a request for a lock got.</summary>
internal enum LockGrant
{
    /// <summary>The owner held it already, in this mode or a stronger one.</summary>
    Held = 0,

    /// <summary>It is new to the owner.</summary>
    New = 1,

    /// <summary>The owner held it in shared mode and now holds it alone.</summary>
    Upgraded = 2,
}

/// <summary>
/// The locked keys of one store and who waits for them. Fair: who came first is served first, except that a holder who
/// wants the key for itself goes ahead. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// One lock protects the whole table: what is done under it is short, and a circle of waiting owners can be seen only
/// when nobody changes it. An owner waits for one key at a time, so the graph of who waits for whom has one edge
/// label per owner, and a circle can only close with the request that is made last: it is the one refused.
/// </para>
/// <para>Continuations of those who waited never run under the table's lock.</para>
/// </remarks>
internal sealed partial class LockTable(TimeProvider time, Func<StorageException> closed)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<FamilyKey, Entry> _entries = new(FamilyKeyComparer.Instance);
    private bool _isClosed;

    /// <summary>Keys that are locked or waited for.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Locks a key for an owner.</summary>
    /// <param name="owner">Who asks; it waits for one key at a time.</param>
    /// <param name="familyName">The family, for messages.</param>
    /// <param name="key">The key; copied when it is kept.</param>
    /// <param name="mode">How.</param>
    /// <param name="timeout">How long to wait; zero: not at all.</param>
    /// <param name="cancellationToken">Stops waiting; then nothing was locked.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.LockTimedOut"/> and <see cref="FailureKind.Deadlock"/>, with the conflict;
    /// <see cref="FailureKind.Closed"/>.
    /// </exception>
    public ValueTask<LockGrant> AcquireAsync(
        LockOwner owner, string familyName, FamilyKey key, LockMode mode, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Waiter waiter;
        lock (_lock)
        {
            if (_isClosed)
            {
                throw closed();
            }

            if (!_entries.TryGetValue(key, out Entry? entry))
            {
                entry = new Entry(key.Copy(), familyName);
                _entries.Add(entry.Key, entry);
            }

            if (entry.TryGrant(owner, mode, mayPass: entry.Waiters.Count == 0, out LockGrant grant))
            {
                return ValueTask.FromResult(grant);
            }

            waiter = new Waiter(owner, entry, mode, isUpgrade: entry.ModeOf(owner) is not null);
            if (FindCircle(waiter) is { } circle)
            {
                throw Lost(ConflictKind.Deadlock, FailureKind.Deadlock, waiter, circle);
            }

            if (timeout <= TimeSpan.Zero)
            {
                throw Lost(ConflictKind.LockTimedOut, FailureKind.LockTimedOut, waiter, []);
            }

            entry.Enqueue(waiter);
            owner.Waiting = waiter;
        }

        return WaitAsync(waiter, timeout, cancellationToken);
    }

    /// <summary>Gives one lock back, or makes it shared again.</summary>
    public void Release(LockOwner owner, FamilyKey key, bool toShared)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out Entry? entry))
            {
                entry.Remove(owner, toShared);
                Serve(entry);
            }
        }
    }

    /// <summary>Gives back all that an owner holds; further calls do nothing.</summary>
    public void ReleaseAll(LockOwner owner)
    {
        lock (_lock)
        {
            foreach (Entry entry in owner.TakeHeld())
            {
                entry.Remove(owner, toShared: false);
                Serve(entry);
            }
        }
    }

    /// <summary>A key was written by somebody who holds no lock: its holders may not commit any more.</summary>
    public void Break(FamilyKey key)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out Entry? entry))
            {
                entry.Break();
            }
        }
    }

    /// <summary>As <see cref="Break(FamilyKey)"/>, for every locked key of a range.</summary>
    public void BreakRange(uint family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive)
    {
        lock (_lock)
        {
            foreach (Entry entry in _entries.Values)
            {
                if (entry.Key.Family == family && entry.Key.Key.Span.SequenceCompareTo(from) >= 0
                    && entry.Key.Key.Span.SequenceCompareTo(toExclusive) < 0)
                {
                    entry.Break();
                }
            }
        }
    }

    /// <summary>As <see cref="Break(FamilyKey)"/>, for every locked key.</summary>
    public void BreakAll()
    {
        lock (_lock)
        {
            foreach (Entry entry in _entries.Values)
            {
                entry.Break();
            }
        }
    }

    /// <summary>A key of a range that somebody else than <paramref name="owner"/> holds.</summary>
    public bool TryFindHeld(
        LockOwner owner, uint family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive, out FamilyKey key)
    {
        lock (_lock)
        {
            foreach (Entry entry in _entries.Values)
            {
                if (entry.Key.Family == family && entry.IsHeldByOtherThan(owner)
                    && entry.Key.Key.Span.SequenceCompareTo(from) >= 0
                    && entry.Key.Key.Span.SequenceCompareTo(toExclusive) < 0)
                {
                    key = entry.Key;
                    return true;
                }
            }
        }

        key = default;
        return false;
    }

    /// <summary>Whether an owner holds any lock.</summary>
    public bool IsHolder(LockOwner owner)
    {
        lock (_lock)
        {
            return owner.HoldsAny;
        }
    }

    /// <summary>The locked key of an owner that was written by somebody else.</summary>
    public bool TryGetBroken(LockOwner owner, [NotNullWhen(true)] out TransactionConflict? conflict)
    {
        lock (_lock)
        {
            conflict = owner.Broken;
            return conflict is not null;
        }
    }

    /// <summary>Fails those that wait; nothing is locked any more.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            foreach (Entry entry in _entries.Values)
            {
                foreach (Waiter waiter in entry.Waiters)
                {
                    waiter.Owner.Waiting = null;
                    waiter.Answer.TrySetException(closed());
                }

                entry.Waiters.Clear();
            }

            _entries.Clear();
        }
    }

    private async ValueTask<LockGrant> WaitAsync(Waiter waiter, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            return await waiter.Answer.Task.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            StorageException? lost = Withdraw(waiter);
            if (lost is not null)
            {
                throw lost;
            }
        }
        catch (OperationCanceledException)
        {
            if (Withdraw(waiter) is null && waiter.Answer.Task.IsCompletedSuccessfully)
            {
                LockGrant granted = await waiter.Answer.Task.ConfigureAwait(false);
                Release(waiter.Owner, waiter.Entry.Key, toShared: granted == LockGrant.Upgraded);
            }

            throw;
        }

        // It was granted, or the table was closed, in the moment in which the time ended.
        return await waiter.Answer.Task.ConfigureAwait(false);
    }

    /// <summary>Takes a waiter out of its queue; <see langword="null"/>: it has its answer already.</summary>
    private StorageException? Withdraw(Waiter waiter)
    {
        lock (_lock)
        {
            if (!waiter.Entry.Waiters.Remove(waiter))
            {
                return null;
            }

            waiter.Owner.Waiting = null;
            StorageException lost = Lost(ConflictKind.LockTimedOut, FailureKind.LockTimedOut, waiter, []);
            Serve(waiter.Entry);
            return lost;
        }
    }

    /// <summary>Grants what can be granted from the head of the queue on.</summary>
    private void Serve(Entry entry)
    {
        while (entry.Waiters.First is { } first
            && entry.TryGrant(first.Value.Owner, first.Value.Mode, mayPass: true, out LockGrant grant))
        {
            entry.Waiters.RemoveFirst();
            first.Value.Owner.Waiting = null;
            first.Value.Answer.TrySetResult(grant);
        }

        if (entry.IsUnused)
        {
            _entries.Remove(entry.Key);
        }
    }

    /// <summary>The circle that <paramref name="start"/> would close, or <see langword="null"/>.</summary>
    private static List<LockWait>? FindCircle(Waiter start)
    {
        HashSet<LockOwner> seen = [];
        List<LockWait> path = [];
        return Leads(start) ? path : null;

        bool Leads(Waiter waiter)
        {
            path.Add(new LockWait(waiter.Owner.Id, waiter.Entry.FamilyName, waiter.Entry.Key.Key));
            foreach (LockOwner blocker in waiter.Entry.BlockersOf(waiter))
            {
                if (ReferenceEquals(blocker, start.Owner)
                    || (seen.Add(blocker) && blocker.Waiting is { } next && Leads(next)))
                {
                    return true;
                }
            }

            path.RemoveAt(path.Count - 1);
            return false;
        }
    }

    private static StorageException Lost(
        ConflictKind kind, FailureKind failure, Waiter waiter, IReadOnlyList<LockWait> circle)
    {
        LockOwner? other = waiter.Entry.BlockersOf(waiter).FirstOrDefault();
        TransactionConflict conflict = new(kind, waiter.Entry.FamilyName, waiter.Entry.Key.Key)
        {
            Transaction = waiter.Owner.Id,
            Other = other?.Id ?? 0,
            OtherEnded = other?.Ended ?? Task.CompletedTask,
            Circle = circle,
        };
        return StorageException.From(conflict, failure, waiter.Owner.What);
    }
}
