namespace Branching.Storage.Transactions;

/// <summary>
/// What the writer asks before it stages a commit: nothing can come between the answer and the write. One commit each.
/// </summary>
internal abstract class CommitCheck
{
    /// <summary>Who holds the locks of the keys written; <see langword="null"/>: nobody does.</summary>
    public LockOwner? Owner { get; set; }

    /// <summary>What the commit lost against, once <see cref="Passes"/> has said no.</summary>
    public TransactionConflict? Conflict { get; protected set; }

    /// <summary>The same check with the holder of the locks.</summary>
    public CommitCheck OwnedBy(LockOwner owner)
    {
        Owner = owner;
        return this;
    }

    /// <summary>Whether the commit may be applied after what is staged already.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ColumnFamilyNotFound"/>.</exception>
    public abstract bool Passes(WriteGroup group, IWriteView view);
}

/// <summary>A plain write that locked its keys while transactions lock.</summary>
internal sealed class LockedWrite : CommitCheck
{
    public override bool Passes(WriteGroup group, IWriteView view) => true;
}

/// <summary>The commit of a <see cref="StoreTransaction"/>.</summary>
internal sealed class TransactionCheck(StoreHooks hooks, TransactionChanges changes, ulong id) : CommitCheck
{
    public override bool Passes(WriteGroup group, IWriteView view)
    {
        hooks.MarkStaged(group, view);
        foreach ((string? name, uint family) in changes.FamiliesUsed())
        {
            hooks.RequireSame(view, name, family);
        }

        // Locks that were broken or taken away protected nothing.
        if (Owner is { } owner && hooks.Locks.TryGetBroken(owner, out TransactionConflict? broken))
        {
            Conflict = broken;
            return false;
        }

        foreach ((FamilyKey key, TrackedKey tracked) in changes.Tracked)
        {
            hooks.RequireSame(view, tracked.FamilyName, key.Family);
            if (hooks.FindConflict(key, tracked.FamilyName, tracked.Since) is { } conflict)
            {
                Conflict = conflict with { Transaction = id };
                return false;
            }
        }

        foreach ((FamilyChanges family, OwnRange range) in changes.Ranges())
        {
            if (hooks.FindConflict(family.Family.Id, family.Name, range) is { } conflict)
            {
                Conflict = conflict with { Transaction = id };
                return false;
            }
        }

        return true;
    }
}

/// <summary>The commit of reads and writes that were gathered elsewhere.</summary>
internal sealed class ReadSetCheck(StoreHooks hooks, ReadSetCommit commit, Sequence begun) : CommitCheck
{
    public override bool Passes(WriteGroup group, IWriteView view)
    {
        IReadOnlyList<KeyRead> reads = commit.Reads;
        IReadOnlyList<RangeRead> ranges = commit.Ranges ?? [];
        if (commit.HasReads && commit.Life != hooks.Life)
        {
            // A family was dropped since, and what has its name now may be another one.
            Conflict = commit.TooOld(begun);
            return false;
        }

        hooks.MarkStaged(group, view);
        for (int i = 0; i < reads.Count; i++)
        {
            KeyRead read = reads[i];
            FamilyKey key = new(view.Family(read.ColumnFamily).Id, read.Key);
            if (hooks.FindConflict(key, read.ColumnFamily, read.Sequence.Value) is { } conflict)
            {
                Conflict = conflict;
                return false;
            }
        }

        for (int i = 0; i < ranges.Count; i++)
        {
            RangeRead range = ranges[i];
            uint family = view.Family(range.ColumnFamily).Id;
            OwnRange seen = new(range.From, range.To, range.Sequence.Value);
            if (hooks.FindConflict(family, range.ColumnFamily, seen) is { } conflict)
            {
                Conflict = conflict;
                return false;
            }
        }

        return true;
    }
}
