using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>The files of the shared catalog, by position.</summary>
internal sealed class CatalogFiles
{
    /// <summary>Changes and bases that are there.</summary>
    public SortedSet<(Epoch Epoch, ulong Number)> Changes { get; } = [];

    public SortedSet<(Epoch Epoch, ulong Number)> Bases { get; } = [];
}

/// <summary>Reads the shared catalog by the rule of an epoch.</summary>
/// <remarks>
/// An epoch puts change <c>n + 1</c> only when change <c>n</c> is durable, so its changes are 1 to its last. A base
/// holds everything up to and with its change; older files may be gone then.
/// </remarks>
internal sealed class CatalogReader(ISharedStorage shared, DatabasePaths paths)
{
    private const int AtOnce = 16;
    private const int MaxAttempts = 5;

    /// <summary>The ranges that count, with the last change made durable: its epoch may not have got that
    /// far.</summary>
    public async Task<IReadOnlyList<CatalogRange>> SettleAsync(EpochState state, CancellationToken cancellationToken)
    {
        CatalogFiles files = await ListAsync(cancellationToken).ConfigureAwait(false);
        IReadOnlyList<CatalogRange> ranges = RangesOf(state, files);
        if (ranges.Count > 0 && files.Changes.Contains((ranges[^1].Epoch, ranges[^1].Last)))
        {
            string name = paths.Change(ranges[^1].Epoch, ranges[^1].Last);
            byte[]? last = await shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
            if (last is not null)
            {
                // Taken, of course: the storage answers that only of durable names.
                await shared.PutIfAbsentAsync(name, last, cancellationToken).ConfigureAwait(false);
            }
        }

        return ranges;
    }

    public async Task<CatalogFiles> ListAsync(CancellationToken cancellationToken)
    {
        CatalogFiles files = new();
        foreach (SharedEntry entry in await shared.ListAsync(paths.Catalog, cancellationToken).ConfigureAwait(false))
        {
            if (!DatabasePaths.TryPair(entry.Name, out ulong epoch, out ulong number, out string rest))
            {
                continue;
            }

            if (rest == DatabasePaths.Suffix)
            {
                files.Changes.Add((new Epoch(epoch), number));
            }
            else if (rest == DatabasePaths.BaseSuffix)
            {
                files.Bases.Add((new Epoch(epoch), number));
            }
        }

        return files;
    }

    /// <summary>What counts: what the heads list, and all of the serving epoch's own; from the last base on.</summary>
    public static IReadOnlyList<CatalogRange> RangesOf(EpochState state, CatalogFiles files)
    {
        List<CatalogRange> ranges = [.. state.Heads?.Catalog ?? []];
        ulong own = files.Changes.Concat(files.Bases)
            .Where(f => f.Epoch == state.Serving).Select(f => f.Number).DefaultIfEmpty(0UL).Max();
        if (state.Serving.Value > 0 && own > 0)
        {
            ranges.Add(new CatalogRange(state.Serving, own));
        }

        if (BaseOf(ranges, files) is { } start)
        {
            ranges.RemoveAll(r => r.Epoch < start.Epoch);
        }

        return ranges;
    }

    public async Task<CatalogState> ReadAsync(
        Func<Task<EpochState>> readState, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            EpochState state = await readState().ConfigureAwait(false);
            CatalogFiles files = await ListAsync(cancellationToken).ConfigureAwait(false);
            IReadOnlyList<CatalogRange> ranges = RangesOf(state, files);
            (CatalogState? catalog, string missing) =
                await TryReadAsync(ranges, files, cancellationToken).ConfigureAwait(false);
            if (catalog is not null)
            {
                return catalog;
            }

            // The owner may have compacted it meanwhile: then a newer base is there.
            if (attempt == MaxAttempts)
            {
                throw new StorageException(
                    FailureKind.Corruption,
                    $"The catalog of database '{paths.Name}' on shared storage '{shared.Location}' lacks its change " +
                    $"'{missing}'. Put it back from a copy of the storage; nothing was changed.");
            }
        }
    }

    private static (Epoch Epoch, ulong Number)? BaseOf(List<CatalogRange> ranges, CatalogFiles files)
    {
        foreach ((Epoch Epoch, ulong Number) found in files.Bases.Reverse())
        {
            if (ranges.Exists(r => r.Epoch == found.Epoch && found.Number <= r.Last))
            {
                return found;
            }
        }

        return null;
    }

    private async Task<(CatalogState? State, string Missing)> TryReadAsync(
        IReadOnlyList<CatalogRange> ranges, CatalogFiles files, CancellationToken cancellationToken)
    {
        Dictionary<StoreId, BranchRecord> branches = [];
        Dictionary<string, string> policies = new(StringComparer.Ordinal);
        (Epoch Epoch, ulong Number)? start = BaseOf([.. ranges], files);
        if (start is { } at)
        {
            string name = paths.CatalogBase(at.Epoch, at.Number);
            byte[]? bytes = await shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
            if (bytes is null)
            {
                return (null, name);
            }

            CatalogBaseDocument document = SealedDocument.Open(
                bytes, SharedDocuments.Default.CatalogBaseDocument, Formats.Shared, "The catalog's base", name);
            document.Branches.ForEach(b => branches[StoreId.Parse(b.Id)] = b.ToRecord());
            foreach ((string key, string value) in document.Policies)
            {
                policies[key] = value;
            }
        }

        foreach (string[] some in NamesOf(ranges, start).Chunk(AtOnce))
        {
            byte[]?[] contents = await Task.WhenAll(
                some.Select(name => shared.TryReadAsync(name, cancellationToken))).ConfigureAwait(false);
            for (int i = 0; i < some.Length; i++)
            {
                if (contents[i] is not { } bytes)
                {
                    return (null, some[i]);
                }

                Apply(bytes, some[i], branches, policies);
            }
        }

        return (new CatalogState(branches, policies, ranges), "");
    }

    private IEnumerable<string> NamesOf(IReadOnlyList<CatalogRange> ranges, (Epoch Epoch, ulong Number)? start)
    {
        foreach (CatalogRange range in ranges)
        {
            for (ulong n = range.Epoch == start?.Epoch ? start.Value.Number + 1 : 1; n <= range.Last; n++)
            {
                yield return paths.Change(range.Epoch, n);
            }
        }
    }

    private static void Apply(
        byte[] bytes, string name, Dictionary<StoreId, BranchRecord> branches, Dictionary<string, string> policies)
    {
        CatalogChangeDocument change = SealedDocument.Open(
            bytes, SharedDocuments.Default.CatalogChangeDocument, Formats.Shared, "The catalog's change", name);
        if (change.Branch is { } branch)
        {
            branches[StoreId.Parse(branch.Id)] = branch.ToRecord();
        }

        if (change.Policy is { Value: { } value } set)
        {
            policies[set.Key] = value;
        }
        else if (change.Policy is { } removed)
        {
            policies.Remove(removed.Key);
        }
    }
}
