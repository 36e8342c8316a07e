using System.Runtime.CompilerServices;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage;

/// <content>Creating and dropping databases whose names belong to the whole cluster.</content>
public sealed partial class DataRoot
{
    /// <summary>
    /// Reserves the name and the first epoch before anything is visible; the main store's record on shared storage is
    /// the last step before the answer.
    /// </summary>
    /// <param name="access">Shared storage.</param>
    /// <param name="name">The name.</param>
    /// <param name="createdBy">Who asks.</param>
    /// <param name="build">Builds the database's directory; given its identity.</param>
    /// <param name="cancellationToken">Ends it before anything is visible.</param>
    private async Task<Database> CreateSharedAsync(
        SharedAccess access, DatabaseName name, string createdBy,
        Func<DatabaseDocument, CancellationToken, Task> build, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, _stopping.Token);
        using IDisposable turn = await _turns.EnterAsync(name, stop.Token).ConfigureAwait(false);
        ThrowIfDisposed();
        if (Contains(name))
        {
            throw Exists(name, "on this node");
        }

        ISharedStorage shared = await access.OpenAsync(stop.Token).ConfigureAwait(false);
        DatabaseLives lives = new(shared);
        if (await lives.FindAsync(name, stop.Token).ConfigureAwait(false) is { Dropped: false } other)
        {
            throw Exists(name, $"on shared storage, created by '{other.CreatedBy}' on {other.CreatedAt:u}");
        }

        DatabaseId id = DatabaseId.New(_time);
        Life life = await lives.ReserveAsync(name, id, createdBy, _time.GetUtcNow(), stop.Token).ConfigureAwait(false);
        _disk.Reach(SharingStep.LifeReserved);
        DatabaseOwnership ownership = OwnershipOf(access, shared, life);
        Claim claim = await ownership.ClaimAsync(Node, new ClaimOptions(), stop.Token).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable giveUp = claim.ConfigureAwait(false);
        _disk.Reach(SharingStep.ClaimMade);
        Tenure tenure = await claim.ServeAsync(stop.Token).ConfigureAwait(false);
        _disk.Reach(SharingStep.TenureServing);
        OwnedDatabase owned = Owned(
            access, shared, life, tenure, new OwnRequest(), progress: null, claim.Before);
        Database? database = null;
        try
        {
            DatabaseDocument document = DocumentOf(owned);
            await Task.Run(() => build(document, stop.Token), stop.Token).ConfigureAwait(false); // May take long.
            database = await MakeInTurnAsync(document).ConfigureAwait(false);
            await EnterEpochAsync(owned, stop.Token).ConfigureAwait(false);
            await AttachAsync(owned, database, OwnedBy.Creation, stop.Token).ConfigureAwait(false);
            return Enter(owned, database);
        }
        catch
        {
            _disk.TryDeleteTree(Path.Combine(Building, id.ToString()), _logger);
            await UndoCreationAsync(owned, database).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<Database> MakeInTurnAsync(DatabaseDocument document)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            return await Task.Run(() => MakeDatabaseAsync(document, static () => Task.CompletedTask))
                .ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task UndoCreationAsync(OwnedDatabase owned, Database? database)
    {
        try
        {
            await new DatabaseLives(owned.Shared).DropAsync(owned.Tenure, CancellationToken.None)
                .ConfigureAwait(false);
            if (database is not null)
            {
                await DropLocalAsync(database).ConfigureAwait(false);
            }
        }
        catch (StorageException e)
        {
            // Nothing was answered; dropping the name, or taking it on this node, ends what is left.
            _logger.NameStaysReserved(owned.Name, e);
            await ReleaseQuietlyAsync(owned.Tenure).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Drops a database for the whole cluster. The commit point is on shared storage; what is left on any node is set
    /// aside when that node comes back.
    /// </summary>
    private async Task DropSharedAsync(SharedAccess access, DatabaseName name, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, _stopping.Token);
        using IDisposable turn = await _turns.EnterAsync(name, stop.Token).ConfigureAwait(false);
        ThrowIfDisposed();
        ISharedStorage shared = await access.OpenAsync(stop.Token).ConfigureAwait(false);
        DatabaseLives lives = new(shared);
        Life? life = await lives.FindAsync(name, stop.Token).ConfigureAwait(false);
        if (life is not { Dropped: false })
        {
            await DropHereAsync(name, stop.Token).ConfigureAwait(false);
            return;
        }

        Database? serving = FindServing(name);
        if (serving is not null)
        {
            await serving.RetireAllAsync().ConfigureAwait(false);
        }

        Tenure tenure = serving?.Tenure ?? await ClaimToDropAsync(access, shared, life, stop.Token)
            .ConfigureAwait(false);
        try
        {
            await lives.DropAsync(tenure, stop.Token).ConfigureAwait(false);
        }
        catch
        {
            serving?.RestoreAll();
            throw;
        }

        _disk.Reach(SharingStep.DropShared);
        if (_databases.TryGetValue(name, out Database? local) && local.Id == life.Id)
        {
            await DropLocalAsync(local).ConfigureAwait(false);
        }

        await tenure.DisposeAsync().ConfigureAwait(false);
        await CleanQuietlyAsync(lives, life, stop.Token).ConfigureAwait(false);
        _disk.Reach(SharingStep.DropCleaned);
    }

    private async Task DropLocalAsync(Database database)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            await Task.Run(() => DropAsync(database)).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<Tenure> ClaimToDropAsync(
        SharedAccess access, ISharedStorage shared, Life life, CancellationToken cancellationToken)
    {
        DatabaseOwnership ownership = OwnershipOf(access, shared, life);
        OwnershipStatus status = await ownership.LookAsync(cancellationToken).ConfigureAwait(false);
        Claim claim = await ownership.ClaimAsync(
            Node, new ClaimOptions(FormerOwnerIsThisNode: IsThisNode(status.Owner)), cancellationToken)
            .ConfigureAwait(false);
        await using ConfiguredAsyncDisposable giveUp = claim.ConfigureAwait(false);
        return await claim.ServeAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task CleanQuietlyAsync(DatabaseLives lives, Life life, CancellationToken cancellationToken)
    {
        try
        {
            await lives.CleanAsync(life, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            // The database is gone; what lies there only takes room, and a later cleaning removes it.
            _logger.DroppedNotCleaned(life.Name, e);
        }
    }

    private static StorageException Exists(DatabaseName name, string where) => new(
        FailureKind.DatabaseExists, $"Database '{name}' exists already, {where}. Use it, or choose another name.");
}
