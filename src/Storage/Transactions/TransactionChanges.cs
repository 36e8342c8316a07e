using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb;

namespace Branching.Storage.Transactions;

/// <summary>What a transaction would do to one key.</summary>
/// <param name="key">The key; owned.</param>
/// <param name="exists">Whether it has a value afterwards.</param>
/// <param name="value">The value as the transaction sees it; owned.</param>
internal sealed class KeyChange(ReadOnlyMemory<byte> key, bool exists, ReadOnlyMemory<byte> value)
{
    public ReadOnlyMemory<byte> Key { get; } = key;

    public bool Exists { get; } = exists;

    public ReadOnlyMemory<byte> Value { get; } = value;

    /// <summary>As in <see cref="WriteOperation"/>, for a key that is put.</summary>
    public TimeSpan TimeToLive { get; init; }

    /// <summary>The merges that the commit writes instead of the value; <see langword="null"/>: it writes the
    /// value.</summary>
    public PendingMerge? Merges { get; init; }

    /// <summary>Keys and values of what the commit writes for it.</summary>
    public long Bytes => Merges?.Bytes ?? Key.Length + Value.Length;

    /// <summary>What the commit writes for it, in order.</summary>
    public void AddTo(List<WriteOperation> operations, string? family)
    {
        if (Merges is { } last)
        {
            int first = operations.Count;
            for (PendingMerge? merge = last; merge is not null; merge = merge.Before)
            {
                operations.Add(new WriteOperation(WriteKind.Merge, family, Key, merge.Operand, merge.TimeToLive));
            }

            operations.Reverse(first, operations.Count - first);
        }
        else
        {
            operations.Add(Exists
                ? new WriteOperation(WriteKind.Put, family, Key, Value, TimeToLive)
                : WriteOperation.Delete(Key, family));
        }
    }
}

/// <summary>A merge into a value that only the store has, and those before it.</summary>
/// <param name="Before">The one before; <see langword="null"/>: it is the first.</param>
/// <param name="Operand">What is merged; owned.</param>
/// <param name="TimeToLive">As in <see cref="WriteOperation"/>.</param>
/// <param name="Bytes">Keys and operands of all of them.</param>
internal sealed record PendingMerge(
    PendingMerge? Before, ReadOnlyMemory<byte> Operand, TimeSpan TimeToLive, long Bytes);

/// <summary>A range that a transaction removes, or depends on.</summary>
/// <param name="From">Its first key; owned.</param>
/// <param name="To">The first key behind it; owned. Empty, as of no range that is removed: the family's end.</param>
/// <param name="Since">A sequence at which the transaction saw it.</param>
internal sealed record OwnRange(ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> To, ulong Since)
{
    public long Bytes => From.Length + To.Length;

    public bool Covers(ReadOnlySpan<byte> key) =>
        key.SequenceCompareTo(From.Span) >= 0 && EndsBehind(key);

    public bool EndsBehind(ReadOnlySpan<byte> key) => To.IsEmpty || key.SequenceCompareTo(To.Span) < 0;
}

/// <summary>What a transaction wrote in one column family, in key order.</summary>
internal sealed class FamilyChanges(ColumnFamily family, string? name)
{
    public ColumnFamily Family { get; } = family;

    /// <summary>The name as the caller wrote it; <see langword="null"/> for the default one.</summary>
    public string? Name { get; } = name;

    public SortedSet<KeyChange> Changes { get; } = new(KeyOrder.Instance);

    /// <summary>The ranges removed. What was changed in one before it was removed is no longer in
    /// <see cref="Changes"/>, so all changes come after all ranges.</summary>
    public List<OwnRange> Ranges { get; } = [];

    /// <summary>Whether the transaction removed a stored key, unless <see cref="Changes"/> knows better.</summary>
    public bool Removes(ReadOnlySpan<byte> key)
    {
        for (int i = 0; i < Ranges.Count; i++)
        {
            if (Ranges[i].Covers(key))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The changes in a range that was just removed.</summary>
    public KeyChange[] Within(OwnRange range) =>
    [
        .. Changes.GetViewBetween(Probe(range.From), Probe(range.To)).Where(change => range.Covers(change.Key.Span)),
    ];

    /// <summary>The changes of a range in scan order.</summary>
    public IEnumerable<KeyChange> Within(ScanBounds bounds, bool reverse)
    {
        if (Changes.Count == 0 || bounds.IsEmpty)
        {
            return [];
        }

        KeyChange lower = bounds.Lower is { } from ? Probe(from) : Changes.Min!;
        KeyChange upper = bounds.Upper is { } to ? Probe(to) : Changes.Max!;
        if (KeyOrder.Instance.Compare(lower, upper) > 0)
        {
            return [];
        }

        SortedSet<KeyChange> view = Changes.GetViewBetween(lower, upper);
        IEnumerable<KeyChange> ordered = reverse ? view.Reverse() : view;

        // The view includes its upper end, a range does not.
        return bounds.Upper is { } end ? ordered.Where(change => !change.Key.Span.SequenceEqual(end)) : ordered;
    }

    public bool TryGet(ReadOnlyMemory<byte> key, [NotNullWhen(true)] out KeyChange? change) =>
        Changes.TryGetValue(Probe(key), out change);

    private static KeyChange Probe(ReadOnlyMemory<byte> key) => new(key, false, default);

    private sealed class KeyOrder : IComparer<KeyChange>
    {
        public static KeyOrder Instance { get; } = new();

        public int Compare(KeyChange? x, KeyChange? y) => x!.Key.Span.SequenceCompareTo(y!.Key.Span);
    }
}

/// <summary>
/// What a transaction has written, which keys its commit depends on, and how to take back the newest of it. One caller
/// at a time.
/// </summary>
internal sealed class TransactionChanges
{
    private readonly Dictionary<uint, FamilyChanges> _families = [];
    private readonly Dictionary<FamilyKey, TrackedKey> _tracked = new(FamilyKeyComparer.Instance);
    private readonly List<Step> _steps = [];
    private readonly List<int> _savepoints = [];

    /// <summary>Keys and values written, in bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Keys written.</summary>
    public int Count { get; private set; }

    /// <summary>Ranges removed.</summary>
    public int RangeCount { get; private set; }

    /// <summary>Whether a commit has neither anything to write nor any key to look at; locks are not known here.
    /// </summary>
    public bool IsEmpty => Count == 0 && RangeCount == 0 && _tracked.Count == 0;

    /// <summary>The keys on which the commit depends, with the sequence of the oldest reading of each.</summary>
    public IReadOnlyDictionary<FamilyKey, TrackedKey> Tracked => _tracked;

    /// <summary>How many savepoints there are.</summary>
    public int Savepoints => _savepoints.Count;

    public bool TryGet(uint family, ReadOnlyMemory<byte> key, [NotNullWhen(true)] out KeyChange? change)
    {
        change = null;
        return _families.TryGetValue(family, out FamilyChanges? changes) && changes.TryGet(key, out change);
    }

    /// <summary>The changes of a family, when there are any.</summary>
    public FamilyChanges? Of(uint family) => _families.GetValueOrDefault(family);

    /// <summary>Whether a range that was removed covers a key of which <see cref="TryGet"/> knows nothing.</summary>
    public bool Removes(uint family, ReadOnlySpan<byte> key) =>
        _families.TryGetValue(family, out FamilyChanges? changes) && changes.Removes(key);

    /// <summary>Writes or removes a key; takes the change as it is.</summary>
    public void Set(ColumnFamily family, string? familyName, KeyChange change) =>
        Replace(ChangesOf(family, familyName), change);

    /// <summary>Removes a range with what was changed in it; takes the range as it is.</summary>
    public void RemoveRange(ColumnFamily family, string? familyName, OwnRange range)
    {
        FamilyChanges changes = ChangesOf(family, familyName);
        foreach (KeyChange before in changes.Within(range))
        {
            Put(changes, before, null);
            Note(new Step(StepKind.Changed, changes, before, new FamilyKey(family.Id, before.Key)));
        }

        changes.Ranges.Add(range);
        Bytes += range.Bytes;
        RangeCount++;
        Note(new Step(StepKind.RangeRemoved, changes, null, default));
    }

    /// <summary>The commit depends on the key as it was then; the oldest reading counts.</summary>
    public void Track(FamilyKey key, string? familyName, ulong since)
    {
        if (_tracked.ContainsKey(key))
        {
            return;
        }

        FamilyKey own = key.Copy();
        _tracked.Add(own, new TrackedKey(familyName, since));
        Note(new Step(StepKind.Tracked, null, null, own));
    }

    /// <summary>A lock was taken, or made exclusive.</summary>
    public void NoteLock(FamilyKey key, LockGrant grant)
    {
        if (grant != LockGrant.Held && _savepoints.Count > 0)
        {
            StepKind kind = grant == LockGrant.New ? StepKind.Locked : StepKind.Upgraded;
            _steps.Add(new Step(kind, null, null, key.Copy()));
        }
    }

    /// <summary>Remembers this moment; answers its depth.</summary>
    public int SetSavepoint()
    {
        _savepoints.Add(_steps.Count);
        return _savepoints.Count;
    }

    /// <summary>Takes back what came after the savepoint of that depth, which stays; later ones go.</summary>
    public void RollBackTo(int depth, Action<FamilyKey, bool> release)
    {
        int end = _savepoints[depth - 1];
        for (int i = _steps.Count - 1; i >= end; i--)
        {
            Undo(_steps[i], release);
        }

        _steps.RemoveRange(end, _steps.Count - end);
        _savepoints.RemoveRange(depth, _savepoints.Count - depth);
    }

    /// <summary>Forgets the savepoint of that depth and later ones; what was done since stays.</summary>
    public void Release(int depth)
    {
        _savepoints.RemoveRange(depth - 1, _savepoints.Count - depth + 1);
        if (_savepoints.Count == 0)
        {
            _steps.Clear();
        }
    }

    /// <summary>What the commit writes: in each family first the ranges, then the keys.</summary>
    public WriteOperation[] ToOperations()
    {
        List<WriteOperation> operations = new(Count + RangeCount);
        foreach (FamilyChanges family in _families.Values)
        {
            foreach (OwnRange range in family.Ranges)
            {
                operations.Add(WriteOperation.DeleteRange(range.From, range.To, family.Name));
            }

            foreach (KeyChange change in family.Changes)
            {
                change.AddTo(operations, family.Name);
            }
        }

        return [.. operations];
    }

    /// <summary>The ranges removed, on which the commit depends.</summary>
    public IEnumerable<(FamilyChanges Family, OwnRange Range)> Ranges() =>
        _families.Values.SelectMany(family => family.Ranges.Select(range => (family, range)));

    /// <summary>The families that the commit names, each with the number it had.</summary>
    public IEnumerable<(string? Name, uint Family)> FamiliesUsed() =>
        _families.Values.Select(family => (family.Name, family.Family.Id));

    private void Replace(FamilyChanges changes, KeyChange change)
    {
        changes.TryGet(change.Key, out KeyChange? before);
        Put(changes, before, change);
        Note(new Step(StepKind.Changed, changes, before, new FamilyKey(changes.Family.Id, change.Key)));
    }

    private FamilyChanges ChangesOf(ColumnFamily family, string? familyName)
    {
        if (!_families.TryGetValue(family.Id, out FamilyChanges? changes))
        {
            changes = new FamilyChanges(family, familyName);
            _families.Add(family.Id, changes);
        }

        return changes;
    }

    /// <summary>Remembers how to take a step back; before the first savepoint nobody can.</summary>
    private void Note(in Step step)
    {
        if (_savepoints.Count > 0)
        {
            _steps.Add(step);
        }
    }

    private void Put(FamilyChanges changes, KeyChange? before, KeyChange? after)
    {
        if (before is not null)
        {
            changes.Changes.Remove(before);
            Bytes -= before.Bytes;
            Count--;
        }

        if (after is not null)
        {
            changes.Changes.Add(after);
            Bytes += after.Bytes;
            Count++;
        }
    }

    private void Undo(in Step step, Action<FamilyKey, bool> release)
    {
        switch (step.Kind)
        {
            case StepKind.Changed:
                step.Changes!.TryGet(step.Key.Key, out KeyChange? now);
                Put(step.Changes, now, step.Before);
                break;
            case StepKind.Tracked:
                _tracked.Remove(step.Key);
                break;
            case StepKind.RangeRemoved:
                Bytes -= step.Changes!.Ranges[^1].Bytes;
                RangeCount--;
                step.Changes.Ranges.RemoveAt(step.Changes.Ranges.Count - 1);
                break;
            default:
                release(step.Key, step.Kind == StepKind.Upgraded);
                break;
        }
    }

    private enum StepKind
    {
        Changed = 0,
        Tracked = 1,
        Locked = 2,
        Upgraded = 3,
        RangeRemoved = 4,
    }

    private readonly record struct Step(StepKind Kind, FamilyChanges? Changes, KeyChange? Before, FamilyKey Key);
}

/// <summary>What a commit depends on for one key.</summary>
/// <param name="FamilyName">The family's name; <see langword="null"/> for the default one.</param>
/// <param name="Since">A sequence at which the key was read.</param>
internal readonly record struct TrackedKey(string? FamilyName, ulong Since);
