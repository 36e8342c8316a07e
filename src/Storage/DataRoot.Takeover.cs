using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>What happens between the beginning of a tenure and the first answer.</content>
public sealed partial class DataRoot
{
    // More would only wait for each other at the disk.
    private const int StoresStagedAtOnce = 4;

    // Reading a manifest for each of a hundred thousand branches would hold up the opening; their lag shows later.
    private const int MostManifestsRead = 64;

    /// <summary>Where objects wait that an interrupted restore fetched; used by the next one.</summary>
    private string Fetched => Path.Combine(Directory, "fetched");

    /// <summary>The local copy is of the newest epoch: it goes on under the new one.</summary>
    private async Task<Database> KeepAsync(OwnedDatabase owned, CancellationToken cancellationToken)
    {
        DatabaseName name = owned.Name;
        bool adopted = owned.Before.Newest.Value == 0;
        StorageException? damage = _failed.GetValueOrDefault(name);
        if (damage is null && _databases.TryGetValue(name, out Database? database))
        {
            await EnterEpochAsync(owned, cancellationToken).ConfigureAwait(false);
            database.SetIdentity(database.Document with
            {
                Epoch = owned.Tenure.Epoch.Value,
                Claiming = null,
                Shared = true,
                CleanShutdown = false,
            });
            _disk.Reach(SharingStep.TenureRecorded);
            await AttachAsync(owned, database, adopted ? OwnedBy.Adoption : OwnedBy.Return, cancellationToken)
                .ConfigureAwait(false);
            damage = await FindDamageAsync(database, BranchName.Main, cancellationToken).ConfigureAwait(false);
            if (damage is null)
            {
                return Enter(owned, database);
            }
        }

        damage ??= NotFound(name);
        return owned.Access.Options.DirtyStore switch
        {
            DirtyStorePolicy.RestoreSnapshot => await ReplaceDamagedAsync(owned, damage, cancellationToken)
                .ConfigureAwait(false),
            DirtyStorePolicy.Fresh => await BeginFreshAsync(owned, damage, cancellationToken).ConfigureAwait(false),
            _ => throw new StorageException(
                damage.Kind,
                $"its local copy is damaged: {damage.Message} It was left as it is. Repair it, or set " +
                $"{SharedStorageOptions.Section}:DirtyStore to RestoreSnapshot (writes since the last snapshot are " +
                "lost then) or Fresh (everything is).", damage),
        };
    }

    /// <summary>Opens a store, by RocksDB's own recovery, and says what is wrong with it.</summary>
    private static async Task<StorageException?> FindDamageAsync(
        Database database, BranchName branch, CancellationToken cancellationToken)
    {
        try
        {
            using StoreLease lease = await database.AcquireAsync(branch, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (StorageException e) when (Database.IsDamage(e))
        {
            return e;
        }
    }

    private async Task<Database> ReplaceDamagedAsync(
        OwnedDatabase owned, StorageException damage, CancellationToken cancellationToken)
    {
        _logger.DamagedDatabaseReplaced(owned.Name, damage);
        return await TakeOverAsync(owned, cancellationToken, $"it was damaged: {damage.Message}").ConfigureAwait(false);
    }

    private async Task<Database> BeginFreshAsync(
        OwnedDatabase owned, StorageException damage, CancellationToken cancellationToken)
    {
        _logger.DamagedDatabaseReplaced(owned.Name, damage);
        string building = Path.Combine(Building, owned.Life.Id.ToString());
        await Task.Run(() => _disk.DeleteTree(building), cancellationToken).ConfigureAwait(false);
        await BuildAsync(new DatabaseFiles(_disk, building, _time), DocumentOf(owned)).ConfigureAwait(false);
        Database database = await PublishAsync(
            owned, building, $"it was damaged, and a fresh one was asked for: {damage.Message}", static _ => null)
            .ConfigureAwait(false);
        await EnterEpochAsync(owned, cancellationToken).ConfigureAwait(false);
        await AttachAsync(owned, database, OwnedBy.FreshStart, cancellationToken).ConfigureAwait(false);
        return Enter(owned, database);
    }

    /// <summary>
    /// Restores all durable branches from shared storage and puts them in the place of the local copy.
    /// </summary>
    private async Task<Database> TakeOverAsync(
        OwnedDatabase owned, CancellationToken cancellationToken, string? why = null)
    {
        CatalogState state = await owned.Catalog.ReadAsync(cancellationToken).ConfigureAwait(false);
        SnapshotView view = await owned.Repository.ReadAsync(cancellationToken).ConfigureAwait(false);
        await EndUnfinishedCreationAsync(owned, state, cancellationToken).ConfigureAwait(false);
        string building = Path.Combine(Building, owned.Life.Id.ToString());
        await Task.Run(() => _disk.DeleteTree(building), cancellationToken).ConfigureAwait(false);
        DatabaseFiles files = new(_disk, building, _time);
        try
        {
            _disk.CreateDirectory(building);
            files.CreatePlaces();
            _disk.Reach(SharingStep.TakeoverStarted);
            string cache = Path.Combine(Fetched, owned.Life.Id.ToString());
            StoreStaging staging = new(
                owned, files, view,
                RestorerOf(
                    owned.Access, owned.Shared, owned.Repository, cache, new RestoreOptions(), progress: null),
                _logger);
            IReadOnlyList<BranchRecord> records = await staging.RunAsync(
                state.Branches.Values, StoresStagedAtOnce, cancellationToken).ConfigureAwait(false);
            await Task.Run(() => Complete(files, DocumentOf(owned), records), cancellationToken).ConfigureAwait(false);
            _disk.Reach(SharingStep.TakeoverStaged);
            owned.Progress?.Report(new TakeoverProgress(TakeoverStep.Publishing, owned.Tenure.Epoch));
            await owned.Tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
            Database database = await PublishAsync(
                owned, building, why ?? WhyStale(owned.Before, TryReadDocument(owned.Name)), staging.SequenceOf,
                mayRemove: why is null).ConfigureAwait(false);
            await EnterEpochAsync(owned, cancellationToken).ConfigureAwait(false);
            foreach (SnapshotManifest restored in staging.Restored)
            {
                database.NoteSnapshot(restored);
            }

            await AttachAsync(owned, database, OwnedBy.Restore, state, cancellationToken).ConfigureAwait(false);
            _disk.TryDeleteTree(cache, _logger);
            return Enter(owned, database);
        }
        catch
        {
            _disk.TryDeleteTree(building, _logger);
            throw;
        }
    }

    /// <summary>
    /// A creation on this very node that was killed before its answer left a reserved name and nothing else.
    /// </summary>
    private async Task EndUnfinishedCreationAsync(
        OwnedDatabase owned, CatalogState state, CancellationToken cancellationToken)
    {
        if (state.Branches.Values.Any(r => r.Name.IsMain && r.State != BranchState.Deleted))
        {
            return;
        }

        if (IsUnfinishedCreationHere(owned.Before, owned.Name))
        {
            await new DatabaseLives(owned.Shared).DropAsync(owned.Tenure, cancellationToken).ConfigureAwait(false);
            throw NotFound(owned.Name);
        }

        throw NothingButTheName(owned.Life, owned.Before);
    }

    /// <summary>Sets the local copy aside, if there is one, and makes the built one visible.</summary>
    private async Task<Database> PublishAsync(
        OwnedDatabase owned, string building, string reason, Func<StoreId, Sequence?> restored,
        bool mayRemove = false)
    {
        bool isRemoved = mayRemove && await TryRemoveReleasedAsync(owned, restored).ConfigureAwait(false);
        if (!isRemoved && TryReadDocument(owned.Name) is { } local)
        {
            await SetAsideLocalAsync(local, reason, owned.Before.Newest, restored).ConfigureAwait(false);
        }

        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            return await Task.Run(() =>
            {
                string final = Path.Combine(Databases, owned.Name.Value);
                _disk.Rename(building, final);
                _disk.Reach(SharingStep.TakeoverPublished);
                _disk.FlushDirectory(Databases);
                _disk.Reach(SharingStep.TakeoverPublishedDurably);
                Database database = Load(final, new ReconciliationNotes());
                _databases[owned.Name] = database;
                return database;
            }).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>From here on the copies of earlier epochs are stale, wherever they are; before it nothing of the
    /// database, here or on shared storage, was changed under this epoch.</summary>
    private async Task EnterEpochAsync(OwnedDatabase owned, CancellationToken cancellationToken)
    {
        await owned.Tenure.EnterAsync(cancellationToken).ConfigureAwait(false);
        _disk.Reach(SharingStep.EpochEntered);
    }

    private async Task AttachAsync(
        OwnedDatabase owned, Database database, OwnedBy how, CancellationToken cancellationToken) => await AttachAsync(
        owned, database, how, await owned.Catalog.ReadAsync(cancellationToken).ConfigureAwait(false), cancellationToken)
        .ConfigureAwait(false);

    private async Task AttachAsync(
        OwnedDatabase owned, Database database, OwnedBy how, CatalogState state, CancellationToken cancellationToken)
    {
        DurableLineage lineage = new(owned.Catalog, owned.Tenure, state, _disk);
        await lineage.SyncAsync(database.AllRecords, cancellationToken).ConfigureAwait(false);
        await database.AttachAsync(owned, lineage, how).ConfigureAwait(false);
        _disk.Reach(SharingStep.TenureAttached);
        if (how is OwnedBy.Return)
        {
            await NoteSnapshotsAsync(owned, database, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task NoteSnapshotsAsync(
        OwnedDatabase owned, Database database, CancellationToken cancellationToken)
    {
        foreach (BranchRecord record in database.ListBranches().Take(MostManifestsRead))
        {
            if (owned.Tenure.Heads.Newest(record.Id) is not { } newest)
            {
                continue;
            }

            try
            {
                database.NoteSnapshot(await owned.Repository.ReadManifestAsync(newest, cancellationToken)
                    .ConfigureAwait(false));
            }
            catch (StorageException e)
            {
                // Only the lag is unknown for it; whoever needs the snapshot itself hears of the damage.
                _logger.SnapshotNotNoted(database.Name, record.Name, e);
            }
        }
    }

    /// <summary>From here on calls reach the database; its tenure's end closes it.</summary>
    private Database Enter(OwnedDatabase owned, Database database)
    {
        _failed.TryRemove(owned.Name, out _);
        owned.Tenure.Ended.UnsafeRegister(_ => _ = EndAsync(database, owned.Tenure), null);
        database.Serve();
        return database;
    }

    /// <summary>The tenure is over: nothing is answered any more, and the local copy waits for what comes.</summary>
    private async Task EndAsync(Database database, Tenure tenure)
    {
        database.End(tenure.EndCause ?? new StorageException(
            FailureKind.Closed, $"this node's tenure of epoch {tenure.Epoch} is over; ask for it again."));
        try
        {
            using IDisposable turn = await _turns.EnterAsync(database.Name, _stopping.Token).ConfigureAwait(false);
            if (_databases.TryGetValue(database.Name, out Database? now) && ReferenceEquals(now, database))
            {
                await LayDownAsync(database).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is StorageException or OperationCanceledException or ObjectDisposedException)
        {
            _logger.EndedDatabaseNotClosed(database.Name, e);
        }
    }

    /// <summary>A database that was given its tenure and then did not come to serve: the next call for it begins anew,
    /// instead of finding a tenure that is over.</summary>
    private async Task LayDownUnservedAsync(DatabaseName name, Tenure tenure, Exception cause)
    {
        if (!_databases.TryGetValue(name, out Database? database) || !ReferenceEquals(database.Tenure, tenure))
        {
            return;
        }

        database.End(new StorageException(FailureKind.Closed, $"it did not come to serve: {cause.Message}"));
        try
        {
            await LayDownAsync(database).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or ObjectDisposedException)
        {
            _logger.EndedDatabaseNotClosed(name, e);
        }
    }

    /// <summary>Closes a database that serves no more and keeps its copy known, not served.</summary>
    private async Task LayDownAsync(Database database)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (Volatile.Read(ref _disposed) != 0)
            {
                return;
            }

            await database.CloseStoresAsync().ConfigureAwait(false);
            await database.CloseAsync(markClean: true).ConfigureAwait(false);
            try
            {
                _databases[database.Name] = await Task.Run(
                    () => Load(database.Directory, new ReconciliationNotes())).ConfigureAwait(false);
            }
            catch (StorageException e)
            {
                _databases.TryRemove(database.Name, out _);
                _failed[database.Name] = e;
                _logger.DatabaseFailed(database.Name.Value, e);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private static DatabaseDocument DocumentOf(OwnedDatabase owned) => new(
        Formats.Database, owned.Life.Id.ToString(), owned.Name.Value, owned.Life.CreatedAt, owned.Life.CreatedBy,
        owned.Tenure.Epoch.Value, CleanShutdown: false, Shared: true);

    private IStoreRestorer RestorerOf(
        SharedAccess? access, ISharedStorage shared, SnapshotRepository repository, string cache,
        RestoreOptions options, IProgress<SnapshotProgress>? progress)
    {
        if (access?.Restorer is { } replaced)
        {
            return replaced;
        }

        if (!System.IO.Directory.Exists(Fetched))
        {
            _disk.CreateDirectory(Fetched);
        }

        return new SnapshotStoreRestorer(
            Planner(), shared, repository,
            LocalObjects.Open(cache, _disk), options, progress);
    }
}
