using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb;

namespace Branching.Storage.Transactions;

/// <summary>What a transaction would do to one key.</summary>
/// <param name="key">The key; owned.</param>
/// <param name="exists">Whether it has a value afterwards.</param>
/// <param name="value">The value; owned.</param>
internal sealed class KeyChange(ReadOnlyMemory<byte> key, bool exists, ReadOnlyMemory<byte> value)
{
    public ReadOnlyMemory<byte> Key { get; } = key;

    public bool Exists { get; } = exists;

    public ReadOnlyMemory<byte> Value { get; } = value;

    public long Bytes => Key.Length + Value.Length;
}

/// <summary>What a transaction wrote in one column family, in key order.</summary>
internal sealed class FamilyChanges(ColumnFamily family, string? name)
{
    public ColumnFamily Family { get; } = family;

    /// <summary>The name as the caller wrote it; <see langword="null"/> for the default one.</summary>
    public string? Name { get; } = name;

    public SortedSet<KeyChange> Changes { get; } = new(KeyOrder.Instance);

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

    /// <summary>Writes or removes a key; copies both.</summary>
    public void Set(ColumnFamily family, string? familyName, in KeyValueEntry entry, bool exists)
    {
        if (!_families.TryGetValue(family.Id, out FamilyChanges? changes))
        {
            changes = new FamilyChanges(family, familyName);
            _families.Add(family.Id, changes);
        }

        Replace(changes, new KeyChange(entry.Key.ToArray(), exists, entry.Value.ToArray()));
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
        if (_savepoints.Count > 0)
        {
            _steps.Add(new Step(StepKind.Tracked, null, null, own));
        }
    }

    /// <summary>A lock was taken, or made exclusive.</summary>
    public void NoteLock(FamilyKey key, LockGrant grant)
    {
        if (_savepoints.Count > 0 && grant != LockGrant.Held)
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

    /// <summary>One operation for each changed key.</summary>
    public WriteOperation[] ToOperations()
    {
        WriteOperation[] operations = new WriteOperation[Count];
        int next = 0;
        foreach (FamilyChanges family in _families.Values)
        {
            foreach (KeyChange change in family.Changes)
            {
                operations[next++] = change.Exists
                    ? WriteOperation.Put(change.Key, change.Value, family.Name)
                    : WriteOperation.Delete(change.Key, family.Name);
            }
        }

        return operations;
    }

    /// <summary>The families that the commit names, each with the number it had.</summary>
    public IEnumerable<(string? Name, uint Family)> FamiliesUsed() =>
        _families.Values.Select(family => (family.Name, family.Family.Id));

    private void Replace(FamilyChanges changes, KeyChange change)
    {
        changes.TryGet(change.Key, out KeyChange? before);
        Put(changes, before, change);
        if (_savepoints.Count > 0)
        {
            FamilyKey key = new(changes.Family.Id, change.Key);
            _steps.Add(new Step(StepKind.Changed, changes, before, key));
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
    }

    private readonly record struct Step(StepKind Kind, FamilyChanges? Changes, KeyChange? Before, FamilyKey Key);
}

/// <summary>What a commit depends on for one key.</summary>
/// <param name="FamilyName">The family's name; <see langword="null"/> for the default one.</param>
/// <param name="Since">A sequence at which the key was read.</param>
internal readonly record struct TrackedKey(string? FamilyName, ulong Since);
