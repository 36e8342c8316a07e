namespace Branching.Storage;

/// <summary>Brings one database's directories and catalog to one truth before it serves (docs/formats.md).</summary>
/// <remarks>
/// Runs before anything is opened, may be killed anywhere and run again. Deletes only what was never visible
/// (<c>building/</c>) or was on its way out (<c>trash/</c>); whatever else does not fit is set aside or left and
/// reported.
/// </remarks>
internal sealed class DatabaseReconciler(
    DatabaseFiles files, DatabaseDocument document, Catalog catalog, ReconciliationNotes notes)
{
    private readonly Dictionary<StoreId, BranchState> _states = [];
    private readonly DatabaseId _id = DatabaseId.Parse(document.Id);

    private Disk Disk => files.Disk;

    /// <returns>Branches that are not what the catalog says: missing ones.</returns>
    public IReadOnlyDictionary<StoreId, BranchState> Run()
    {
        files.CreatePlaces();
        SweepBuilding();
        FinishDeletions();
        HashSet<StoreId> present = LookAtStores();
        SweepChangeLogs();
        foreach (BranchRecord record in catalog.Records.Values)
        {
            if (record.State is BranchState.Lost or BranchState.Damaged)
            {
                continue; // It never had a store here: a takeover found nothing to restore it from.
            }

            if (record.State != BranchState.Deleted && !present.Contains(record.Id))
            {
                _states[record.Id] = BranchState.Missing;
                notes.MissingStores++;
                notes.Add($"Store {record.Id} of {Label(record)} is missing; the branch is listed and not served.");
            }
        }

        if (catalog.DroppedTornLine)
        {
            notes.AddRepair(
                $"The catalog of database '{document.Name}' ended in a torn line of an unanswered change; it was " +
                "dropped.");
        }

        if (catalog.IsRebuilt)
        {
            notes.AddRepair(
                $"The catalog of database '{document.Name}' was missing and was rebuilt from the stores' marks.");
        }

        return catalog.Records.Values.Any(r => r.Name.IsMain && r.State != BranchState.Deleted)
            ? _states
            : throw new StorageException(
                FailureKind.MissingStore,
                $"Database '{document.Name}' at '{files.Directory}' has no main store, neither in its catalog " +
                "nor on the " +
                "disk. Nothing was created in its place: put the database's directory back from a copy.");
    }

    private void SweepBuilding()
    {
        foreach (string entry in Disk.List(files.Building))
        {
            string path = Path.Combine(files.Building, entry);
            string id = entry.EndsWith(".tmp", StringComparison.Ordinal) ? entry[..^4] : entry;
            if (StoreId.TryParse(id, out _))
            {
                string what = WhatIs(path);
                if (notes.TryRemove(Disk, path))
                {
                    notes.RemovedUnfinished++;
                    notes.AddRepair($"Removed {what} at '{path}'.");
                }
            }
            else
            {
                SetAside(path, "found among unfinished work, but not named as ours");
            }
        }

        Disk.Reach(CrashPoint.ReconcileBuildingSwept);
    }

    /// <summary>Unfinished work in words: a branch, as far as its own mark was written.</summary>
    private string WhatIs(string path)
    {
        try
        {
            return $"the unfinished {Label(StoreMarker.Read(path, _id))}, whose creation was never answered,";
        }
        catch (StorageException)
        {
            // Not a branch, such as the files of a snapshot; or not that far.
            return $"unfinished work on database '{document.Name}'";
        }
    }

    private void FinishDeletions()
    {
        foreach (string entry in Disk.List(files.Trash))
        {
            string path = Path.Combine(files.Trash, entry);
            if (!StoreId.TryParse(entry, out StoreId id))
            {
                SetAside(path, "found among deleted stores, but not named as ours");
                continue;
            }

            if (catalog.Records.TryGetValue(id, out BranchRecord? record) && record.State != BranchState.Deleted)
            {
                // Make the step that brought it here durable before the catalog relies on it.
                Disk.FlushDirectory(files.Trash);
                Disk.FlushDirectory(files.Stores);
                catalog.Set(record with { State = BranchState.Deleted, DeletedAt = record.DeletedAt ?? StampOf(path) });
                Disk.Reach(CrashPoint.ReconcileTrashRecorded);
            }

            if (notes.TryRemove(Disk, path))
            {
                notes.FinishedDeletions++;
                notes.AddRepair($"Finished the deletion of store {id} of database '{document.Name}'.");
            }

            Disk.Reach(CrashPoint.ReconcileTrashSwept);
        }
    }

    /// <summary>The change log of a store that is gone says nothing any more.</summary>
    private void SweepChangeLogs()
    {
        if (!Directory.Exists(files.Changes))
        {
            return;
        }

        foreach (string entry in Disk.List(files.Changes))
        {
            string path = Path.Combine(files.Changes, entry);
            bool isOurs = StoreId.TryParse(entry, out StoreId id);
            if (!isOurs)
            {
                SetAside(path, "found among change logs, but not named as ours");
            }
            else if ((!catalog.Records.TryGetValue(id, out BranchRecord? record)
                || record.State == BranchState.Deleted) && notes.TryRemove(Disk, path))
            {
                notes.AddRepair($"Removed the change log of store {id} of database '{document.Name}', which is gone.");
            }
        }
    }

    private HashSet<StoreId> LookAtStores()
    {
        HashSet<StoreId> present = [];
        HashSet<BranchName> names =
            [.. catalog.Records.Values.Where(r => r.State != BranchState.Deleted).Select(r => r.Name)];
        foreach (string entry in Disk.List(files.Stores).Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(files.Stores, entry);
            if (!StoreId.TryParse(entry, out StoreId id))
            {
                Unknown(path, "its name is not a store id");
            }
            else if (!catalog.Records.TryGetValue(id, out BranchRecord? record))
            {
                if (TryAdopt(path, names))
                {
                    present.Add(id);
                }
            }
            else if (record.State == BranchState.Deleted)
            {
                SetAside(path, $"{Label(record)} was deleted, yet its store was here");
            }
            else
            {
                present.Add(id);
            }
        }

        return present;
    }

    /// <summary>
    /// A published store without a record: its creation was killed between the rename and the catalog.
    /// </summary>
    private bool TryAdopt(string path, HashSet<BranchName> names)
    {
        BranchRecord mark;
        try
        {
            mark = StoreMarker.Read(path, _id);
        }
        catch (StorageException e) when (e.Kind == FailureKind.UnknownStore)
        {
            Unknown(path, e.Message);
            return false;
        }

        if (!names.Add(mark.Name))
        {
            SetAside(path, $"its mark names {Label(mark)}, and another store has that name now");
            return false;
        }

        Disk.FlushDirectory(files.Stores);
        catalog.Set(mark with { State = BranchState.Ready });
        notes.AdoptedBranches++;
        notes.AddRepair($"Finished the creation of {Label(mark)}: store {mark.Id} was published but not recorded.");
        Disk.Reach(CrashPoint.ReconcileAdopted);
        return true;
    }

    private void Unknown(string path, string why)
    {
        notes.UnknownEntries++;
        notes.Add($"'{path}' was left as it is and is not served: {why}");
    }

    private void SetAside(string path, string reason)
    {
        string place = files.SetAside(path, reason);
        notes.Quarantined++;
        notes.AddRepair($"'{path}' was set aside in '{place}': {reason}.");
    }

    private static DateTimeOffset StampOf(string path) => new(Directory.GetLastWriteTimeUtc(path), TimeSpan.Zero);

    private string Label(BranchRecord record) => $"branch '{record.Name}' of database '{document.Name}'";
}
