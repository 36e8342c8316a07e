namespace Branching.Storage;

public sealed partial class DataRoot
{
    // Drops whose commit point was passed but not made durable: dropping again finishes them. Guarded by _turn.
    private readonly Dictionary<DatabaseName, DatabaseId> _unfinishedDrops = [];

    /// <summary>Creates a database with an empty main store. Durable on return.</summary>
    /// <exception cref="StorageException">
    /// Nothing is left behind. <see cref="FailureKind.DatabaseExists"/>, <see cref="FailureKind.DiskFull"/>…
    /// </exception>
    public async Task<Database> CreateDatabaseAsync(
        DatabaseName name, string createdBy, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        if (name.Value.Length == 0 || createdBy is null or { Length: > 256 })
        {
            throw new StorageException(
                name.Value.Length == 0 ? FailureKind.InvalidName : FailureKind.InvalidArgument,
                "The database was not created: it needs a name, and a creator of at most 256 characters.");
        }

        try
        {
            return _shared is { } access
                ? await CreateSharedAsync(access, name, createdBy, BuildEmptyAsync, cancellationToken)
                    .ConfigureAwait(false)
                : await CreateHereAsync(name, createdBy, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind != FailureKind.DatabaseExists)
        {
            throw new StorageException(e.Kind, $"Database '{name}' was not created: {e.Message}", e);
        }
    }

    private async Task<Database> CreateHereAsync(
        DatabaseName name, string createdBy, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            if (Contains(name))
            {
                throw Exists(name, "on this node");
            }

            DatabaseDocument document = NewDocument(name, createdBy);
            return await Task.Run(
                () => MakeDatabaseAsync(document, () => BuildEmptyAsync(document, CancellationToken.None)),
                CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Drops a database with all its branches. It is out of sight on return.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.DatabaseNotFound"/>; <see cref="FailureKind.InUse"/>: a branch was still in use after 5
    /// s, and the database serves on; or why the file system refused. The message says whether the database serves on
    /// or is gone and a loss of power might bring it back; dropping it again goes on from there.
    /// </exception>
    public async Task DropDatabaseAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        try
        {
            if (_failed.TryGetValue(name, out StorageException? cause))
            {
                throw new StorageException(
                    cause.Kind,
                    $"it cannot be opened, so it is left whole for a person to look at ({cause.Message}) Move " +
                    $"'{Path.Combine(Databases, name.Value)}' away while this node is stopped.", cause);
            }

            await (_shared is { } access
                ? DropSharedAsync(access, name, cancellationToken)
                : DropHereAsync(name, cancellationToken)).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind != FailureKind.DatabaseNotFound)
        {
            throw new StorageException(e.Kind, $"Database '{name}' was not dropped: {e.Message}", e);
        }
    }

    private async Task DropHereAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            if (_databases.TryGetValue(name, out Database? database))
            {
                await Task.Run(() => DropAsync(database), CancellationToken.None).ConfigureAwait(false);
            }
            else if (_unfinishedDrops.TryGetValue(name, out DatabaseId id))
            {
                await Task.Run(() => FinishDrop(name, id), CancellationToken.None).ConfigureAwait(false);
            }
            else
            {
                throw NotFound(name);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private Task BuildEmptyAsync(DatabaseDocument document, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return BuildAsync(new DatabaseFiles(_disk, Path.Combine(Building, document.Id), _time), document);
    }

    private async Task<Database> MakeDatabaseAsync(DatabaseDocument document, Func<Task> build)
    {
        DatabaseName name = DatabaseName.Parse(document.Name);
        DatabaseId id = DatabaseId.Parse(document.Id);
        string building = Path.Combine(Building, id.ToString());
        string final = Path.Combine(Databases, name.Value);
        string visible = building;
        try
        {
            _disk.Reach(CrashPoint.DatabaseBuildingStarted);
            await build().ConfigureAwait(false);
            _disk.Reach(CrashPoint.DatabaseBuilt);
            _disk.Rename(building, final);
            visible = final;
            _disk.Reach(CrashPoint.DatabasePublished);
            _disk.FlushDirectory(Databases);
            _disk.Reach(CrashPoint.DatabasePublishedDurably);
            Database database = Load(final, new ReconciliationNotes());
            _databases[name] = database;
            _unfinishedDrops.Remove(name);
            _logger.DatabaseCreated(name, id);
            return database;
        }
        catch
        {
            UndoDatabase(visible, final, id);
            throw;
        }
    }

    private async Task BuildAsync(DatabaseFiles files, DatabaseDocument document)
    {
        _disk.CreateDirectory(files.Directory);
        files.CreatePlaces();
        DatabaseId id = DatabaseId.Parse(document.Id);
        BranchRecord main = NewMain(document, totalBytes: null);
        string store = files.StoreOf(main.Id);
        LocalStore opened = _disk.Step(DiskStepKind.CreateStore, store, () => LocalStore.Open(
            store, $"branch 'main' of database '{document.Name}'", _resources, create: true, _logger, _time));
        await opened.DisposeAsync().ConfigureAwait(false);
        _disk.Reach(CrashPoint.DatabaseMainStoreMade);

        // RocksDB fsyncs what recovery needs, but not every file it made.
        foreach (string file in System.IO.Directory.GetFiles(store))
        {
            _disk.FlushFile(file);
        }

        StoreMarker.Write(_disk, store, main, id);
        _disk.FlushDirectory(store);
        Complete(files, document, [main]);
    }

    /// <summary>The identity of a new database that only this node knows.</summary>
    private DatabaseDocument NewDocument(DatabaseName name, string createdBy) => new(
        Formats.Database, DatabaseId.New(_time).ToString(), name.Value, _time.GetUtcNow(), createdBy, Epoch: 1,
        CleanShutdown: false);

    /// <summary>The record of a new database's main store.</summary>
    private BranchRecord NewMain(DatabaseDocument document, long? totalBytes) => new(
        StoreId.New(_time), BranchName.Main, ParentId: null, ParentName: null, default, Depth: 0, document.CreatedAt,
        document.CreatedBy, new Dictionary<string, string>(StringComparer.Ordinal), BranchState.Ready, LinkedFiles: 0,
        CopiedFiles: 0, totalBytes);

    /// <summary>What a database's directory needs beside its stores, and the durability of all of it.</summary>
    private void Complete(DatabaseFiles files, DatabaseDocument document, IReadOnlyList<BranchRecord> records)
    {
        Catalog.Create(_disk, files.Catalog, DatabaseId.Parse(document.Id), records);
        files.WriteIdentity(document);
        foreach (string place in (ReadOnlySpan<string>)[files.Stores, files.Building, files.Trash, files.Quarantine,
            files.Catalog])
        {
            _disk.FlushDirectory(place);
        }

        _disk.FlushDirectory(files.Directory);
        _disk.FlushDirectory(Building);
    }

    private void UndoDatabase(string visible, string final, DatabaseId id)
    {
        try
        {
            string doomed = visible;
            if (visible == final)
            {
                doomed = Path.Combine(Trash, id.ToString());
                _disk.Rename(final, doomed);
                _disk.FlushDirectory(Trash);
                _disk.FlushDirectory(Databases);
            }

            _disk.DeleteTree(doomed);
        }
        catch (StorageException e)
        {
            _logger.LeftBehind(visible, e);
        }
    }

    private async Task DropAsync(Database database)
    {
        _disk.Reach(CrashPoint.DropStarted);
        if (!database.IsClosed)
        {
            await database.RetireAllAsync().ConfigureAwait(false);
        }

        string trash = Path.Combine(Trash, database.Id.ToString());
        try
        {
            _disk.Rename(database.Directory, trash);
        }
        catch
        {
            database.RestoreAll();
            throw;
        }

        // The rename is the commit point: whatever fails from here, the database is gone from sight.
        _databases.TryRemove(database.Name, out _);
        await database.CloseAsync(markClean: false).ConfigureAwait(false);
        database.ForgetAll();
        _disk.Reach(CrashPoint.DropRenamed);
        FinishDrop(database.Name, database.Id);
    }

    private void FinishDrop(DatabaseName name, DatabaseId id)
    {
        string trash = Path.Combine(Trash, id.ToString());
        try
        {
            _disk.FlushDirectory(Trash);
            _disk.FlushDirectory(Databases);
        }
        catch (StorageException e)
        {
            _unfinishedDrops[name] = id;
            throw new StorageException(
                e.Kind,
                $"it is out of sight, but a loss of power might bring it back: {e.Message} Drop it again to make " +
                "sure.", e);
        }

        _unfinishedDrops.Remove(name);
        _disk.Reach(CrashPoint.DropRenamedDurably);
        _disk.TryDeleteTree(trash, _logger);

        _disk.Reach(CrashPoint.DropDeleted);
        _logger.DatabaseRemoved(name, id);
    }
}
