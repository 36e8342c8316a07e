using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Ownership;

/// <summary>Looks at and takes the ownership of one database.</summary>
/// <param name="shared">The shared storage.</param>
/// <param name="name">The database's name.</param>
/// <param name="id">The database's identity.</param>
/// <param name="options">Lengths of leases.</param>
/// <param name="time">The clock of this process.</param>
/// <param name="logger">Told of claims, takeovers and fencing.</param>
public sealed class DatabaseOwnership(
    ISharedStorage shared,
    DatabaseName name,
    DatabaseId id,
    OwnershipOptions options,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>Who owns the database now.</summary>
    public Task<OwnershipStatus> LookAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException(
            $"{shared.Location} {name} {id} {options.LeaseLength} {time.GetUtcNow()} {logger.IsEnabled(LogLevel.None)}");

    /// <summary>Claims the next epoch, after the former owner's lease has ended.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.NotOwner"/>: the owner renews its lease, or another taker was faster;
    /// <see cref="FailureKind.DatabaseNotFound"/>: the database is dropped.
    /// </exception>
    public Task<Claim> ClaimAsync(OwnerIdentity me, ClaimOptions options, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
