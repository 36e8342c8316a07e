using Branching.RocksDb.Files;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

public sealed partial class DataRoot
{
    private const string LockName = "LOCK";
    private const string FormatName = "root.json";

    private static async Task<DataRoot> Open(
        StorageOptions options, SharedAccess? shared, bool serveDetached, DirtyStorePolicy dirtyStore, Disk disk,
        ILogger logger, TimeProvider time, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        string directory = Path.GetFullPath(options.DataRoot);
        DirectoryLock held = Take(directory, disk);
        DataRoot? root = null;
        try
        {
            root = new DataRoot(directory, options, shared, disk, logger, time, held)
            {
                _serveDetached = serveDetached,
            };
            root.Prepare();
            root.Reconciliation = root.Reconcile(cancellationToken);
            if (shared is null && dirtyStore == DirtyStorePolicy.Fresh)
            {
                await root.BeginAnewWhereDamagedAsync().ConfigureAwait(false);
            }

            logger.RootOpened(directory, root._databases.Count, time.GetElapsedTime(start).TotalMilliseconds);
            return root;
        }
        catch
        {
            if (root is not null)
            {
                foreach (Database database in root._databases.Values)
                {
                    await database.CloseAsync(markClean: false).ConfigureAwait(false);
                }

                await root._registry.DisposeAsync().ConfigureAwait(false);
                root._resources.Dispose();
            }

            held.Dispose();
            throw;
        }
    }

    /// <summary>Makes the directory when absent, refuses a foreign one, and takes the lock.</summary>
    private static DirectoryLock Take(string directory, Disk disk)
    {
        if (!System.IO.Directory.Exists(directory))
        {
            disk.CreateDirectory(directory);
            if (Path.GetDirectoryName(directory) is { } parent)
            {
                disk.FlushDirectory(parent);
            }
        }

        if (File.Exists(Path.Combine(directory, "CURRENT")))
        {
            throw new StorageException(
                FailureKind.UnknownStore,
                $"'{directory}' is a RocksDB store, not a data root. It was not touched: choose an empty directory.");
        }

        string path = Path.Combine(directory, LockName);
        try
        {
            return DirectoryLock.TryAcquire(path, out int? holder) ?? throw new StorageException(
                FailureKind.Locked,
                $"The data root '{directory}' is in use by " + (holder is { } pid ? $"process {pid}"
                    : "another process") +
                ". One process opens a data root at a time: stop that one, or choose another directory.");
        }
        catch (LocalFileException e)
        {
            throw Disk.Failed("Locking the data root with", path, e);
        }
    }

    private void Prepare()
    {
        string format = Path.Combine(Directory, FormatName);
        RootDocument? document = Disk.TryReadText(format) is { } text
            ? Documents.Read(text, Formats.Root, Documents.Default.RootDocument, "The data root's format", format)
            : null;
        if (document?.Id is null)
        {
            // Absent, or of a version without ids: the id says on shared storage which node an owner is.
            document = new RootDocument(Formats.Root, Guid.CreateVersion7(_time.GetUtcNow()).ToString("N"));
            WriteRoot(document);
        }
        else if (!Names.TryParseId(document.Id, out _))
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"The id in '{format}' is not 32 lower-case hexadecimal digits. The root was not opened: put back " +
                "the file of this root. A wrong id would let two nodes take each other for one.");
        }

        _document = document;
        NodeId = document.Id ?? throw new InvalidOperationException("A root without an id was not given one.");
        foreach (string place in (ReadOnlySpan<string>)[Databases, Building, Trash, Quarantine])
        {
            if (!System.IO.Directory.Exists(place))
            {
                _disk.CreateDirectory(place);
            }
        }

        _disk.FlushDirectory(Directory);
        _disk.Reach(CrashPoint.RootCreated);
    }

    private Reconciliation Reconcile(CancellationToken cancellationToken)
    {
        ReconciliationNotes notes = new();
        notes.RemovedUnfinished += SweepRoot(Building, "an unfinished database", notes);
        notes.FinishedDeletions += SweepRoot(Trash, "what was dropped or deleted", notes);
        SweepQuarantine();
        foreach (string entry in Disk.List(Databases).Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            string path = Path.Combine(Databases, entry);
            if (!DatabaseName.TryParse(entry, out DatabaseName name, out _) || !System.IO.Directory.Exists(path))
            {
                notes.UnknownEntries++;
                notes.Add($"'{path}' is not a database; it was left as it is.");
                continue;
            }

            try
            {
                _databases[name] = Load(path, notes);
            }
            catch (StorageException e)
            {
                // One damaged database must not keep the others from serving; using it throws this cause.
                _failed[name] = e;
                notes.FailedDatabases++;
                notes.Add($"Database '{name}' cannot be served: {e.Message}");
                _logger.DatabaseFailed(entry, e);
            }
        }

        _disk.Reach(CrashPoint.ReconcileDone);
        Reconciliation result = notes.ToResult();
        foreach (string finding in result.Findings.Except(result.Repairs, StringComparer.Ordinal))
        {
            _logger.Reconciled(Directory, finding);
        }

        foreach (string repair in result.Repairs)
        {
            _logger.Repaired(Directory, repair);
        }

        return result;
    }

    private int SweepRoot(string place, string what, ReconciliationNotes notes)
    {
        int swept = 0;
        foreach (string entry in Disk.List(place))
        {
            string path = Path.Combine(place, entry);
            if (!Names.TryParseId(entry, out _))
            {
                notes.UnknownEntries++;
                notes.Add($"'{path}' is not ours; it was left as it is.");
                continue;
            }

            if (notes.TryRemove(_disk, path))
            {
                swept++;
                notes.AddRepair($"Removed {what} at '{path}'.");
            }
        }

        return swept;
    }

    private Database Load(string directory, ReconciliationNotes notes)
    {
        DatabaseFiles files = new(_disk, directory, _time);
        DatabaseDocument document = files.ReadIdentity();
        if (document.IsShared && _shared is null && !_serveDetached)
        {
            throw new StorageException(
                FailureKind.Refused,
                $"it is on shared storage, another node may own it by now, and no shared storage is configured. Set " +
                $"{SharedStorageOptions.Section}:Directory; or, when this is the only copy that anybody still uses, " +
                $"{SharedStorageOptions.Section}:ServeDetached.");
        }

        if (_shared is null)
        {
            files.DeleteReleased(); // From here on it may be written to without an epoch of its own.
        }

        Catalog catalog = Catalog.Load(_disk, files.Catalog, DatabaseId.Parse(document.Id));
        try
        {
            new RestoreRecovery(files, document, catalog, _maxRestoreAttempts, notes).Run();
            IReadOnlyDictionary<StoreId, BranchState> states = new DatabaseReconciler(files, document, catalog,
                notes).Run();
            if (document.CleanShutdown)
            {
                document = document with { CleanShutdown = false };
                files.WriteIdentity(document);
            }

            bool isShared = document.IsShared || _shared is { Options.LookOnly: false };
            Database database = new(files, document, catalog, _registry, Options, _logger, _time,
                isShared ? _shared?.Options : null);
            database.Apply(states);
            return database;
        }
        catch
        {
            catalog.Dispose();
            throw;
        }
    }
}
