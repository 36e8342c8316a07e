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
/// <param name="shared">The shared storage.</param>
/// <param name="name">The database's name.</param>
/// <param name="id">The database's identity.</param>
/// <param name="logger">Told of compactions.</param>
public sealed class SharedCatalog(ISharedStorage shared, DatabaseName name, DatabaseId id, ILogger logger)
{
    /// <summary>Reads the catalog as everybody sees it now.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>: a change is damaged or
    /// missing.</exception>
    public Task<CatalogState> ReadAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException($"{shared.Location} {name} {id} {logger.IsEnabled(LogLevel.None)}");

    /// <summary>Records a change. On return every later owner knows it.</summary>
    /// <returns>Its number in this epoch.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: nobody will ever know it. Other kinds: its
    /// outcome is unknown until the next change succeeds.</exception>
    public Task<ulong> AppendAsync(Tenure tenure, CatalogChange change, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Writes the whole state as one base and deletes the changes that it replaces.</summary>
    public Task CompactAsync(Tenure tenure, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
