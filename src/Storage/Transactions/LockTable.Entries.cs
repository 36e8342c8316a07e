namespace Branching.Storage.Transactions;

internal sealed partial class LockTable
{
    /// <summary>One key that is locked or waited for. Under the table's lock.</summary>
    internal sealed class Entry(FamilyKey key, string familyName)
    {
        private readonly List<(LockOwner Owner, LockMode Mode)> _holders = [];

        public FamilyKey Key { get; } = key;

        public string FamilyName { get; } = familyName;

        public LinkedList<Waiter> Waiters { get; } = new();

        public bool IsUnused => _holders.Count == 0 && Waiters.Count == 0;

        public LockMode? ModeOf(LockOwner owner)
        {
            int index = IndexOf(owner);
            return index < 0 ? null : _holders[index].Mode;
        }

        public bool IsHeldByOtherThan(LockOwner owner) =>
            _holders.Exists(holder => !ReferenceEquals(holder.Owner, owner));

        public bool TryGrant(LockOwner owner, LockMode mode, bool mayPass, out LockGrant grant)
        {
            int index = IndexOf(owner);
            if (index >= 0)
            {
                bool enough = mode == LockMode.Shared || _holders[index].Mode == LockMode.Exclusive;
                grant = enough ? LockGrant.Held : LockGrant.Upgraded;
                if (!enough && _holders.Count == 1)
                {
                    _holders[0] = (owner, LockMode.Exclusive);
                    return true;
                }

                return enough;
            }

            grant = LockGrant.New;
            if (!mayPass || _holders.Exists(holder => Excludes(holder.Mode, mode)))
            {
                return false;
            }

            _holders.Add((owner, mode));
            owner.Hold(this);
            return true;
        }

        /// <summary>A holder who wants the key alone goes ahead: everybody else waits for it anyway.</summary>
        public void Enqueue(Waiter waiter)
        {
            if (waiter.IsUpgrade)
            {
                Waiters.AddFirst(waiter);
            }
            else
            {
                Waiters.AddLast(waiter);
            }
        }

        /// <summary>Whom a waiter waits for: holders that exclude it, and those that are before it.</summary>
        public IEnumerable<LockOwner> BlockersOf(Waiter waiter)
        {
            foreach ((LockOwner holder, LockMode mode) in _holders)
            {
                if (!ReferenceEquals(holder, waiter.Owner) && Excludes(mode, waiter.Mode))
                {
                    yield return holder;
                }
            }

            if (waiter.IsUpgrade)
            {
                yield break;
            }

            foreach (Waiter before in Waiters)
            {
                if (ReferenceEquals(before, waiter))
                {
                    yield break;
                }

                yield return before.Owner;
            }
        }

        public void Remove(LockOwner owner, bool toShared)
        {
            int index = IndexOf(owner);
            if (index < 0)
            {
                return;
            }

            if (toShared)
            {
                _holders[index] = (owner, LockMode.Shared);
                return;
            }

            _holders.RemoveAt(index);
            owner.LetGo(this);
        }

        public void Break()
        {
            foreach ((LockOwner owner, _) in _holders)
            {
                owner.Broken ??= new TransactionConflict(ConflictKind.LockBroken, FamilyName, Key.Key)
                {
                    Transaction = owner.Id,
                };
            }
        }

        private int IndexOf(LockOwner owner) => _holders.FindIndex(holder => ReferenceEquals(holder.Owner, owner));

        private static bool Excludes(LockMode held, LockMode wanted) =>
            held == LockMode.Exclusive || wanted == LockMode.Exclusive;
    }

    /// <summary>One owner waiting for one key.</summary>
    internal sealed class Waiter(LockOwner owner, Entry entry, LockMode mode, bool isUpgrade)
    {
        public LockOwner Owner { get; } = owner;

        public Entry Entry { get; } = entry;

        public LockMode Mode { get; } = mode;

        public bool IsUpgrade { get; } = isUpgrade;

        public TaskCompletionSource<LockGrant> Answer { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>Somebody who locks keys: a transaction, or a plain write while transactions lock.</summary>
/// <param name="id">A number of its own in the process.</param>
/// <param name="what">What it is, for messages.</param>
internal sealed class LockOwner(ulong id, string what)
{
    private readonly HashSet<LockTable.Entry> _held = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ulong Id { get; } = id;

    public string What { get; } = what;

    /// <summary>Completes when the owner has ended, however it did.</summary>
    public Task Ended => _ended.Task;

    /// <summary>What it waits for now. Under the table's lock.</summary>
    internal LockTable.Waiter? Waiting { get; set; }

    /// <summary>Its locked key that somebody wrote all the same. Under the table's lock.</summary>
    internal TransactionConflict? Broken { get; set; }

    /// <summary>Whether it holds any lock. Under the table's lock.</summary>
    internal bool HoldsAny => _held.Count > 0;

    public void End() => _ended.TrySetResult();

    internal void Hold(LockTable.Entry entry) => _held.Add(entry);

    internal void LetGo(LockTable.Entry entry) => _held.Remove(entry);

    internal LockTable.Entry[] TakeHeld()
    {
        LockTable.Entry[] held = [.. _held];
        _held.Clear();
        return held;
    }
}
