using Branching.RocksDb;
using Branching.Storage.Transactions;

namespace Branching.Storage;

/// <content>Transactions whose reads and writes are gathered elsewhere and committed in one call.</content>
public sealed partial class LocalStore
{
    /// <summary>Reads keys of any families as of one moment, for a commit that is sent whole. Blocking.</summary>
    /// <exception cref="StorageException">As <see cref="MultiGet"/>.</exception>
    public TransactionReads ReadForCommit(IReadOnlyList<(string? ColumnFamily, ReadOnlyMemory<byte> Key)> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        foreach ((_, ReadOnlyMemory<byte> key) in keys)
        {
            CheckKey(key.Span);
        }

        StoreHooks hooks = HooksWithWindow();
        Guid life = hooks.Life; // Before any family is looked up, so that one dropped meanwhile is not missed.
        using ReadSnapshot snapshot = NewSnapshot();
        ReadOnlyMemory<byte>?[] values = new ReadOnlyMemory<byte>?[keys.Count];
        foreach (IGrouping<string?, int> family in Enumerable.Range(0, keys.Count)
            .GroupBy(i => keys[i].ColumnFamily, StringComparer.Ordinal))
        {
            int[] places = [.. family];
            IReadOnlyList<ReadOnlyMemory<byte>?> read =
                MultiGetAt(Family(family.Key), [.. places.Select(i => keys[i].Key)], snapshot);
            for (int i = 0; i < places.Length; i++)
            {
                values[places[i]] = read[i];
            }
        }

        return new TransactionReads(values, new Sequence(snapshot.Sequence), life);
    }

    /// <summary>Reads a page of a range as of one moment, for a commit that is sent whole. Blocking.</summary>
    /// <remarks>From the first one on the store remembers the keys of its writes whole, up to
    /// <see cref="StorageOptions.TransactionWindowBytes"/>: only so can it tell that one has appeared in a
    /// range.</remarks>
    /// <param name="request">As for <see cref="Scan"/>.</param>
    /// <param name="life">As <see cref="TransactionReads.Life"/>.</param>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public ScanPage ScanForCommit(ScanRequest request, out Guid life)
    {
        StoreHooks hooks = HooksWithWindow();
        FollowRanges(hooks); // Before the view is taken, so that nothing after it is missed.
        life = hooks.Life;
        return Scan(request);
    }

    /// <summary>
    /// Commits reads and writes that were gathered elsewhere: all writes are applied in one atomic step if nothing
    /// that was read was written since, otherwise nothing. Asked for again with the same id it answers as before.
    /// </summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.OutcomeUnknown"/>: it was sent before, and what became of it is not remembered here.
    /// Others as <see cref="WriteAsync"/>.
    /// </exception>
    public async Task<CommitResult> CommitAsync(ReadSetCommit commit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commit);
        CheckReads(commit);
        StoreHooks hooks = HooksWithWindow();
        IReadOnlyList<RangeRead> ranges = commit.Ranges ?? [];
        ulong oldest = commit.Reads.Select(read => read.Sequence.Value)
            .Concat(ranges.Select(range => range.Sequence.Value)).DefaultIfEmpty().Min();
        bool sameOpening = (!commit.HasReads && !commit.IsRepeated) || hooks.IsOfThisOpening(commit.Life);
        if (commit.IsRepeated && (!sameOpening || hooks.Commits.MayHaveForgotten(commit.Id, oldest)))
        {
            throw Unknown(commit, sameOpening ? "too many came after it" : "the store was opened again since", null);
        }

        if (!sameOpening)
        {
            return new CommitResult(false, LastAcknowledged, commit.TooOld(LastAcknowledged));
        }

        if (ranges.Count > 0)
        {
            FollowRanges(hooks); // Ranges that no scan for a commit has read are too old for what begins here.
        }

        Task<CommitResult> outcome = hooks.Commits.GetOrBegin(
            commit.Id, () => ApplyAsync(hooks, commit, cancellationToken), out bool isNew);
        if (isNew)
        {
            return await outcome.ConfigureAwait(false);
        }

        try
        {
            return await outcome.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (!CommitMemory.AppliedNothing(e))
        {
            throw Unknown(commit, "its first try failed when it may have been applied already", e);
        }
    }

    private StorageException Unknown(ReadSetCommit commit, string why, Exception? cause) => new(
        FailureKind.OutcomeUnknown,
        $"Whether commit {commit.Id} was applied to {Label} is not known: {why}. Read what it would have written " +
        "before running it again.",
        cause);

    private async Task<CommitResult> ApplyAsync(
        StoreHooks hooks, ReadSetCommit commit, CancellationToken cancellationToken)
    {
        ReadSetCheck check = new(hooks, commit, LastAcknowledged);
        WriteRequest request = new(commit.Operations, null, commit.Durability) { Check = check };
        WriteResult result = hooks.IsLocking
            ? await WriteRespectingLocksAsync(request, cancellationToken).ConfigureAwait(false)
            : await SubmitAsync(request, cancellationToken).ConfigureAwait(false);
        return new CommitResult(result.Applied, result.Sequence, check.Conflict);
    }

    private void CheckReads(ReadSetCommit commit)
    {
        ArgumentNullException.ThrowIfNull(commit.Reads, nameof(commit));
        ArgumentNullException.ThrowIfNull(commit.Operations, nameof(commit));
        for (int i = 0; i < commit.Reads.Count; i++)
        {
            if (CheckKeyLength(commit.Reads[i].Key.Length, "read", i) is { } refusal)
            {
                throw refusal;
            }
        }

        foreach (RangeRead range in commit.Ranges ?? [])
        {
            if (range.From.Length > MaxKeyBytes + 1 || range.To.Length > MaxKeyBytes + 1)
            {
                throw new StorageException(FailureKind.InvalidArgument,
                    $"A commit to {Label} was refused: it depends on a range with bounds of {range.From.Length} and " +
                    $"{range.To.Length} bytes; bounds have at most {MaxKeyBytes + 1}. Nothing was applied; use " +
                    "bounds that are keys, or one byte behind one.");
            }
        }
    }
}
