using Branching.Storage.Shared;

namespace Branching.Storage.Ownership;

/// <summary>One life of a database name: from its reservation to its drop.</summary>
/// <param name="Number">1 for the first database of that name.</param>
/// <param name="Id">The database's identity.</param>
/// <param name="Name">The name.</param>
/// <param name="CreatedAt">When the name was reserved.</param>
/// <param name="CreatedBy">Who asked for it.</param>
/// <param name="Dropped">Whether it is over.</param>
public sealed record Life(
    ulong Number, DatabaseId Id, DatabaseName Name, DateTimeOffset CreatedAt, string CreatedBy, bool Dropped);

/// <summary>Which database a name means, for the whole cluster.</summary>
/// <param name="shared">The shared storage.</param>
public sealed class DatabaseLives(ISharedStorage shared)
{
    /// <summary>The last life of a name, dropped or not; <see langword="null"/> when there was none.</summary>
    public Task<Life?> FindAsync(DatabaseName name, CancellationToken cancellationToken) =>
        throw new NotSupportedException(shared.Location);

    /// <summary>Reserves a name; repeating it with the same identity gives the same life.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.DatabaseExists"/>: another database has the
    /// name.</exception>
    public Task<Life> ReserveAsync(
        DatabaseName name,
        DatabaseId id,
        string createdBy,
        DateTimeOffset at,
        CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Ends the life of the owner's database, and the tenure with it. The commit point is a claim of the
    /// next epoch that nobody can follow, so a fenced owner drops nothing.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: a later owner exists.</exception>
    public Task DropAsync(Tenure tenure, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Deletes what a dropped database left, apart from the few records that prove the drop.</summary>
    public Task CleanAsync(Life life, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>All names that ever had a life, ordered.</summary>
    public Task<IReadOnlyList<DatabaseName>> ListAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
