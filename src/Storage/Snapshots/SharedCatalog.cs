using System.Collections.Immutable;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>One change of the shared catalog: of a branch, of a policy, or of both.</summary>
/// <param name="Branch">The whole new record of a branch; it supersedes earlier ones of that identity.</param>
/// <param name="Policy">The new value of a policy.</param>
public sealed record CatalogChange(BranchRecord? Branch = null, PolicyChange? Policy = null);

/// <summary>The new value of a policy.</summary>
/// <param name="Key">What it is the policy of: <c>database</c>, or a store id; 1 to 200 characters.</param>
/// <param name="Value">Its value, JSON or any text; <see langword="null"/> removes it.</param>
public sealed record PolicyChange(string Key, string? Value);

/// <summary>What the shared catalog says.</summary>
/// <param name="Branches">All records, deleted branches included, by identity.</param>
/// <param name="Policies">All policies by key.</param>
/// <param name="Ranges">The changes it is made of.</param>
public sealed record CatalogState(
    IReadOnlyDictionary<StoreId, BranchRecord> Branches,
    IReadOnlyDictionary<string, string> Policies,
    IReadOnlyList<CatalogRange> Ranges)
{
    /// <summary>Nothing.</summary>
    public static CatalogState Empty { get; } = new(
        new Dictionary<StoreId, BranchRecord>(), new Dictionary<string, string>(StringComparer.Ordinal), []);
}

/// <summary>The lineage and the policies of a database on shared storage, durable before a change is
/// answered.</summary>
/// <remarks>One file a change, so that a change costs one durable step whatever the number of branches; a base now
/// and then, so that reading stays short. Thread-safe.</remarks>
public sealed class SharedCatalog
{
    private const ulong CompactAfter = 500;
    private const int MaxAttempts = 3;
    private readonly ISharedStorage _shared;
    private readonly DatabasePaths _paths;
    private readonly ILogger _logger;
    private readonly EpochReader _epochs;
    private readonly CatalogReader _reader;

    /// <summary>The catalog of one database.</summary>
    /// <param name="shared">The shared storage.</param>
    /// <param name="name">The database's name.</param>
    /// <param name="id">The database's identity.</param>
    /// <param name="logger">Told of compactions.</param>
    public SharedCatalog(ISharedStorage shared, DatabaseName name, DatabaseId id, ILogger logger)
    {
        _shared = shared;
        _paths = new DatabasePaths(name, id);
        _logger = logger;
        _epochs = new EpochReader(shared, _paths);
        _reader = new CatalogReader(shared, _paths);
    }

    /// <summary>Reads the catalog as everybody sees it now.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>: a change is damaged or
    /// missing.</exception>
    public Task<CatalogState> ReadAsync(CancellationToken cancellationToken) =>
        _reader.ReadAsync(() => _epochs.ReadAsync(cancellationToken), cancellationToken);

    /// <summary>Reads the catalog as its owner knows it.</summary>
    public async Task<CatalogState> ReadAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        using IDisposable alone =
            await tenure.Memory.Cataloguing.AloneAsync(cancellationToken).ConfigureAwait(false);
        return await KnownAsync(tenure, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Records a change. On return every later owner knows it.</summary>
    /// <returns>Its number in this epoch.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: nobody will ever know it, or it counts for
    /// the new owner. Other kinds: its outcome is unknown until the next change succeeds.</exception>
    public async Task<ulong> AppendAsync(Tenure tenure, CatalogChange change, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        ArgumentNullException.ThrowIfNull(change);
        Check(change);
        using IDisposable alone =
            await tenure.Memory.Cataloguing.AloneAsync(cancellationToken).ConfigureAwait(false);
        ulong number = await PutAsync(tenure, change, cancellationToken).ConfigureAwait(false);
        tenure.Memory.Catalog = After(tenure.Memory.Catalog!, change, new CatalogRange(tenure.Epoch, number));
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        if (number % CompactAfter == 0)
        {
            await TryCompactAsync(tenure, cancellationToken).ConfigureAwait(false);
        }

        return number;
    }

    /// <summary>Writes the whole state as one base and deletes the changes that it replaces.</summary>
    public async Task CompactAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        using IDisposable alone =
            await tenure.Memory.Cataloguing.AloneAsync(cancellationToken).ConfigureAwait(false);
        await CompactAloneAsync(tenure, cancellationToken).ConfigureAwait(false);
    }

    private static void Check(CatalogChange change)
    {
        if (change is { Branch: null, Policy: null })
        {
            throw new StorageException(FailureKind.InvalidArgument, "A change of the catalog changes something.");
        }

        if (change.Policy is { } policy && policy.Key.Length is 0 or > 200)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The key of a policy has 1 to 200 characters, not {policy.Key.Length}.");
        }
    }

    /// <summary>Puts the next change, durably. One number is retried until it is known what it holds: changes must
    /// have no gaps.</summary>
    private async Task<ulong> PutAsync(Tenure tenure, CatalogChange change, CancellationToken cancellationToken)
    {
        TenureMemory memory = tenure.Memory;
        for (int attempt = 1; attempt <= MaxAttempts; attempt++)
        {
            CatalogState known = await KnownAsync(tenure, cancellationToken).ConfigureAwait(false);
            ulong number = LastOf(known, tenure.Epoch) + 1;
            CatalogChangeDocument document = new(
                Formats.Shared, tenure.Epoch.Value, number,
                change.Branch is null ? null : BranchDocument.From(change.Branch, tenure.Database),
                change.Policy is null ? null : new PolicyDocument(change.Policy.Key, change.Policy.Value));
            byte[] bytes = SealedDocument.Seal(document, SharedDocuments.Default.CatalogChangeDocument);
            memory.CatalogInDoubt = true;
            bool ours = await _shared.PutOursAsync(_paths.Change(tenure.Epoch, number), bytes, cancellationToken)
                .ConfigureAwait(false);
            if (ours)
            {
                memory.CatalogInDoubt = false;
                return number;
            }

            // An earlier change, whose failure was answered, arrived after all: it is read and counted.
        }

        throw new StorageException(
            FailureKind.Internal,
            $"The catalog of database '{tenure.Name}' has changes of epoch {tenure.Epoch} that this process did not " +
            "make. Stop the other process that uses this data root.");
    }

    private async Task<CatalogState> KnownAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        TenureMemory memory = tenure.Memory;
        if (memory.Catalog is null || memory.CatalogInDoubt)
        {
            memory.Catalog = await ReadOwnAsync(tenure, cancellationToken).ConfigureAwait(false);
            memory.CatalogInDoubt = false;
        }

        return memory.Catalog;
    }

    private async Task<CatalogState> ReadOwnAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        EpochState state = new(tenure.Epoch, tenure.Epoch, tenure.Heads);
        try
        {
            return await _reader.ReadAsync(() => Task.FromResult(state), cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption)
        {
            // A later owner may have compacted what this epoch began with: then it is no damage.
            await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    private static ulong LastOf(CatalogState state, Epoch epoch) =>
        state.Ranges.Count > 0 && state.Ranges[^1].Epoch == epoch ? state.Ranges[^1].Last : 0;

    private static CatalogState After(CatalogState state, CatalogChange change, CatalogRange last)
    {
        // Immutable, so that a change among a hundred thousand branches copies a few nodes, not all of them.
        ImmutableDictionary<StoreId, BranchRecord> branches = state.Branches.ToImmutableDictionary();
        ImmutableDictionary<string, string> policies = state.Policies.ToImmutableDictionary(StringComparer.Ordinal);
        if (change.Branch is { } branch)
        {
            branches = branches.SetItem(branch.Id, branch);
        }

        if (change.Policy is { Value: { } value } set)
        {
            policies = policies.SetItem(set.Key, value);
        }
        else if (change.Policy is { } removed)
        {
            policies = policies.Remove(removed.Key);
        }

        return new CatalogState(branches, policies, [.. state.Ranges.Where(r => r.Epoch < last.Epoch), last]);
    }

    private async Task TryCompactAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        try
        {
            await CompactAloneAsync(tenure, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            // The change itself is recorded; only reading it takes longer.
            _logger.NotCompacted(tenure.Name, e);
        }
    }

    private async Task CompactAloneAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        CatalogState state = await KnownAsync(tenure, cancellationToken).ConfigureAwait(false);
        if (state.Ranges.Count == 0)
        {
            return;
        }

        CatalogRange last = state.Ranges[^1];
        CatalogBaseDocument document = new(
            Formats.Shared, last.Epoch.Value, last.Last,
            [.. state.Branches.Values.OrderBy(b => b.Id).Select(b => BranchDocument.From(b, tenure.Database))],
            new SortedDictionary<string, string>(
                state.Policies.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal));
        byte[] bytes = SealedDocument.Seal(document, SharedDocuments.Default.CatalogBaseDocument);

        // Taken: somebody wrote the base of the same changes before, so it says the same.
        await _shared.PutIfAbsentAsync(_paths.CatalogBase(last.Epoch, last.Last), bytes, cancellationToken)
            .ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        CatalogFiles files = await _reader.ListAsync(cancellationToken).ConfigureAwait(false);
        foreach ((Epoch epoch, ulong number) in files.Changes.Where(f => IsReplaced(f, last, orSame: true)))
        {
            await _shared.DeleteAsync(_paths.Change(epoch, number), cancellationToken).ConfigureAwait(false);
        }

        foreach ((Epoch epoch, ulong number) in files.Bases.Where(f => IsReplaced(f, last, orSame: false)))
        {
            await _shared.DeleteAsync(_paths.CatalogBase(epoch, number), cancellationToken).ConfigureAwait(false);
        }

        _logger.Compacted(tenure.Name, last.Epoch, last.Last);
    }

    private static bool IsReplaced((Epoch Epoch, ulong Number) file, CatalogRange by, bool orSame) =>
        file.Epoch < by.Epoch
        || (file.Epoch == by.Epoch && (file.Number < by.Last || (orSame && file.Number == by.Last)));
}
