using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <summary>A database as shared storage knows it.</summary>
/// <param name="Life">Its identity.</param>
/// <param name="Ownership">Who owns it.</param>
internal sealed record SharedDatabase(Life Life, OwnershipStatus Ownership);

/// <summary>What shared storage knows of what is in a database; null: it does not.</summary>
/// <param name="Branches">Live branches, the main store included.</param>
/// <param name="Sequence">The sequence number of the main store's newest snapshot.</param>
/// <param name="LastSnapshotAt">When that was taken.</param>
internal readonly record struct SharedHoldings(int? Branches, ulong? Sequence, DateTimeOffset? LastSnapshotAt);

/// <summary>Reads from shared storage which databases there are and who owns them.</summary>
internal sealed class SharedDatabases(NodeStorage storage, TimeProvider time)
{
    // Small reads; more at once would only queue at the storage.
    private const int ReadAtOnce = 16;

    /// <summary>All databases that were not dropped, ordered by name.</summary>
    /// <param name="leftOut">Names that need not be looked at.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="StorageException">Shared storage cannot be read.</exception>
    public async Task<IReadOnlyList<SharedDatabase>> ListAsync(
        IReadOnlySet<string> leftOut, CancellationToken cancellationToken)
    {
        ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
        DatabaseLives lives = new(shared);
        List<SharedDatabase> databases = [];
        IEnumerable<DatabaseName> names =
            (await lives.ListAsync(cancellationToken)).Where(name => !leftOut.Contains(name.Value));
        foreach (DatabaseName[] some in names.Chunk(ReadAtOnce))
        {
            SharedDatabase?[] found = await Task.WhenAll(
                some.Select(name => FindAsync(shared, lives, name, cancellationToken)));
            databases.AddRange(found.OfType<SharedDatabase>());
        }

        return databases;
    }

    /// <summary>One database; null when there is none of that name.</summary>
    public async Task<SharedDatabase?> FindAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
        return await FindAsync(shared, new DatabaseLives(shared), name, cancellationToken);
    }

    /// <summary>What is in a database that nobody serves.</summary>
    public async Task<SharedHoldings> LookInsideAsync(SharedDatabase one, CancellationToken cancellationToken)
    {
        (DatabaseName name, DatabaseId id) = (one.Life.Name, one.Life.Id);
        try
        {
            ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
            CatalogState state = await new SharedCatalog(shared, name, id, storage.StorageLogger)
                .ReadAsync(cancellationToken);
            BranchRecord[] living = [.. state.Branches.Values.Where(record => record.State
                is not Storage.BranchState.Deleted)];
            if (living.Where(record => record.Name.IsMain).MaxBy(record => record.Id) is not { } main)
            {
                return default;
            }

            SnapshotManifest? newest = await new SnapshotRepository(shared, name, id, time, storage.StorageLogger)
                .NewestAsync(main.Id, cancellationToken);
            return new SharedHoldings(living.Length, newest?.Sequence.Value, newest?.TakenAt);
        }
        catch (StorageException)
        {
            // What cannot be read is not known; that the database is there is.
            return default;
        }
    }

    private async Task<SharedDatabase?> FindAsync(
        ISharedStorage shared, DatabaseLives lives, DatabaseName name, CancellationToken cancellationToken)
    {
        if (await lives.FindAsync(name, cancellationToken) is not { Dropped: false } life)
        {
            return null;
        }

        DatabaseOwnership ownership = new(shared, name, life.Id, storage.Ownership, time, storage.StorageLogger);
        OwnershipStatus status = await ownership.LookAsync(cancellationToken);
        return status.Dropped ? null : new SharedDatabase(life, status);
    }
}
