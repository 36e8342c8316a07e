using System.Security.Cryptography;
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
/// <remarks>A life begins with <c>lives/&lt;number&gt;.json</c> and ends with a claim that says so; only then the
/// next number may be taken.</remarks>
/// <param name="shared">The shared storage.</param>
public sealed class DatabaseLives(ISharedStorage shared)
{
    /// <summary>The last life of a name, dropped or not; <see langword="null"/> when there was none.</summary>
    public async Task<Life?> FindAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ulong last = 0;
        foreach (SharedEntry entry in await shared.ListAsync(DatabasePaths.LivesOf(name), cancellationToken)
            .ConfigureAwait(false))
        {
            if (entry.Name.Length == 20 + DatabasePaths.Suffix.Length
                && DatabasePaths.TryDigits(entry.Name.AsSpan(0, 20), out ulong number))
            {
                last = Math.Max(last, number);
            }
        }

        return last == 0 ? null : await ReadAsync(name, last, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reserves a name; repeating it with the same identity gives the same life.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.DatabaseExists"/>: another database has the
    /// name.</exception>
    public async Task<Life> ReserveAsync(
        DatabaseName name,
        DatabaseId id,
        string createdBy,
        DateTimeOffset at,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            Life? last = await FindAsync(name, cancellationToken).ConfigureAwait(false);
            if (last is { Dropped: false })
            {
                return last.Id == id ? last : throw new StorageException(
                    FailureKind.DatabaseExists,
                    $"Database '{name}' exists on shared storage '{shared.Location}' as {last.Id}, reserved at " +
                    $"{last.CreatedAt:u} by '{Names.Show(last.CreatedBy)}'. Open that one, drop it, or use " +
                    "another name.");
            }

            if (last?.Id == id)
            {
                throw new StorageException(
                    FailureKind.InvalidArgument,
                    $"Database {id} was dropped: an identity lives once. Create '{name}' with a new one.");
            }

            ulong number = (last?.Number ?? 0) + 1;
            LifeDocument document = new(Formats.Shared, number, id.ToString(), name.Value, at, createdBy);
            byte[] bytes = SealedDocument.Seal(document, SharedDocuments.Default.LifeDocument);
            if (await shared.PutOursAsync(DatabasePaths.LifeOf(name, number), bytes, cancellationToken)
                .ConfigureAwait(false))
            {
                return new Life(number, id, name, at, createdBy, Dropped: false);
            }
        }
    }

    /// <summary>Ends the life of the owner's database, and the tenure with it. The commit point is a claim of the
    /// next epoch that nobody can follow, so a fenced owner drops nothing.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: a later owner exists.</exception>
    public async Task DropAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        Epoch last = new(tenure.Epoch.Value + 1);
        DateTimeOffset at = tenure.Now;
        ClaimDocument claim = new(
            Formats.Shared, last.Value, OwnerDocument.Of(tenure.Owner), at, LeaseLengthMs: 0,
            RandomNumberGenerator.GetHexString(32, lowercase: true), Drop: true);
        byte[] bytes = SealedDocument.Seal(claim, SharedDocuments.Default.ClaimDocument);
        if (!await shared.PutOursAsync(tenure.Paths.Claim(last), bytes, cancellationToken).ConfigureAwait(false))
        {
            await tenure.CheckNewestAsync(cancellationToken).ConfigureAwait(false);
        }

        tenure.End(new StorageException(
            FailureKind.DatabaseNotFound, $"Database '{tenure.Name}' ({tenure.Database}) was dropped."));
        await PutDroppedAsync(tenure.Paths, last, at, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Deletes what a dropped database left, apart from the few records that prove the drop: an owner that
    /// was paused must still find the claim that fenced it.</summary>
    public async Task CleanAsync(Life life, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(life);
        DatabasePaths paths = new(life.Name, life.Id);
        if (await FindDropAsync(paths, cancellationToken).ConfigureAwait(false) is not { } drop)
        {
            throw new StorageException(
                FailureKind.Refused, $"Database '{life.Name}' ({life.Id}) is not dropped: nothing of it is deleted.");
        }

        await PutDroppedAsync(paths, new Epoch(drop.Epoch), drop.At, cancellationToken).ConfigureAwait(false);
        string[] places = [paths.Snapshots, paths.Catalog, paths.Objects, paths.Pins, paths.Leases, paths.Collections];
        foreach (string place in places)
        {
            await shared.DeleteTreeAsync(place, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>All names that ever had a life, ordered.</summary>
    public async Task<IReadOnlyList<DatabaseName>> ListAsync(CancellationToken cancellationToken)
    {
        List<DatabaseName> names = [];
        foreach (SharedEntry entry in await shared.ListAsync(DatabasePaths.Databases, cancellationToken)
            .ConfigureAwait(false))
        {
            if (entry.IsDirectory && DatabaseName.TryParse(entry.Name, out DatabaseName name, out _))
            {
                names.Add(name);
            }
        }

        return names;
    }

    private async Task<Life> ReadAsync(DatabaseName name, ulong number, CancellationToken cancellationToken)
    {
        string path = DatabasePaths.LifeOf(name, number);
        byte[] bytes = await shared.TryReadAsync(path, cancellationToken).ConfigureAwait(false)
            ?? throw new StorageException(
                FailureKind.Corruption,
                $"'{path}' on shared storage '{shared.Location}' is listed, but cannot be read. Check the storage.");
        LifeDocument life = SealedDocument.Open(
            bytes, SharedDocuments.Default.LifeDocument, Formats.Shared, "The reservation of the name", path);
        DatabaseId id = DatabaseId.Parse(life.Id);
        ClaimDocument? drop =
            await FindDropAsync(new DatabasePaths(name, id), cancellationToken).ConfigureAwait(false);
        return new Life(life.Number, id, name, life.CreatedAt, life.CreatedBy, drop is not null);
    }

    private async Task<ClaimDocument?> FindDropAsync(DatabasePaths paths, CancellationToken cancellationToken)
    {
        EpochReader epochs = new(shared, paths);
        EpochState state = await epochs.ReadAsync(cancellationToken).ConfigureAwait(false);
        ClaimDocument? newest =
            await epochs.TryReadClaimAsync(state.Newest, cancellationToken).ConfigureAwait(false);
        return newest is { Drop: true } ? newest : null;
    }

    private Task<bool> PutDroppedAsync(
        DatabasePaths paths, Epoch epoch, DateTimeOffset at, CancellationToken cancellationToken)
    {
        // Only a mark for people: the claim is what counts.
        DroppedDocument document = new(Formats.Shared, paths.Id.ToString(), paths.Name.Value, epoch.Value, at);
        return shared.PutIfAbsentAsync(
            paths.Dropped, SealedDocument.Seal(document, SharedDocuments.Default.DroppedDocument), cancellationToken);
    }
}
