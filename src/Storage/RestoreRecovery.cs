namespace Branching.Storage;

/// <summary>
/// Finishes or undoes the swap of a restore that was interrupted, before anything looks for a store (docs/formats.md).
/// </summary>
/// <remarks>
/// <para>
/// A restore into an existing branch writes its intent, stages the new store in <c>building/</c>, notes in the intent
/// that it is staged, moves the old store to quarantine and the new one to <c>stores/</c>. That last rename is the
/// commit point, and the new store's own mark is the stamp: whoever finds it in <c>stores/</c> rolls forward.
/// </para>
/// <para>
/// Before it is staged nothing was changed: the debris goes. Between the two renames there is no live store; both are
/// whole and the second rename is made. After too many attempts, or when neither store is where it can be, the database
/// is not served until a person has looked: nothing is guessed. A restore that has ended is not applied again when its
/// record is found once more.
/// </para>
/// </remarks>
internal sealed class RestoreRecovery(
    DatabaseFiles files, DatabaseDocument document, Catalog catalog, int maxAttempts, ReconciliationNotes notes)
{
    private readonly DatabaseId _id = DatabaseId.Parse(document.Id);

    private Disk Disk => files.Disk;

    public void Run()
    {
        if (files.TryReadIntent() is not { } intent)
        {
            return;
        }

        StoreId store = StoreId.Parse(intent.Store);
        if (catalog.Records.TryGetValue(store, out BranchRecord? known) && known.State == BranchState.Deleted)
        {
            // It ended, and later its branch was deleted or replaced: somebody put the record back, from a copy.
            files.DeleteIntent();
            notes.AddRepair($"Removed the record of a restore of branch '{intent.Branch}' of database " +
                $"'{document.Name}' from snapshot {intent.Snapshot}: that restore had ended, and store {store} was " +
                "deleted since.");
            return;
        }

        if (intent.Attempts >= maxAttempts)
        {
            throw Stuck(intent, $"{intent.Attempts} starts tried to finish it");
        }

        files.WriteIntent(intent with { Attempts = intent.Attempts + 1 });
        Disk.Reach(SharingStep.RecoveryCounted);
        StoreId replaced = StoreId.Parse(intent.Replaces);
        if (Directory.Exists(files.StoreOf(store)))
        {
            Finish(intent, store, replaced);
        }
        else if (intent.IsStaged && !Directory.Exists(files.StoreOf(replaced)))
        {
            if (!Directory.Exists(files.BuildingOf(store)))
            {
                throw Stuck(intent, "neither the old store nor the new one is there");
            }

            Disk.FlushDirectory(files.Quarantine);
            Disk.Rename(files.BuildingOf(store), files.StoreOf(store));
            Disk.Reach(SharingStep.RecoverySwapped);
            Finish(intent, store, replaced);
        }
        else
        {
            Undo(intent, store);
        }
    }

    private void Finish(RestoreIntent intent, StoreId store, StoreId replaced)
    {
        Disk.FlushDirectory(files.Stores);
        BranchRecord mark = StoreMarker.Read(files.StoreOf(store), _id);
        Record(files, catalog, mark, replaced, intent.At);
        files.DeleteIntent();
        notes.AddRepair($"Finished the restore of branch '{intent.Branch}' of database '{document.Name}' from " +
            $"snapshot {intent.Snapshot}: its store is {store} now.");
    }

    private void Undo(RestoreIntent intent, StoreId store)
    {
        Disk.DeleteTree(files.BuildingOf(store));
        files.DeleteIntent();
        notes.RemovedUnfinished++;
        notes.AddRepair($"Undid the restore of branch '{intent.Branch}' of database '{document.Name}' from snapshot " +
            $"{intent.Snapshot}: nothing had been changed. Ask for it again.");
    }

    /// <summary>Makes the catalog say what the swap did; may be repeated.</summary>
    public static void Record(
        DatabaseFiles files, Catalog catalog, BranchRecord restored, StoreId replaced, DateTimeOffset at)
    {
        if (!catalog.Records.ContainsKey(restored.Id))
        {
            // Else it is recorded, and may have been changed since.
            catalog.Set(restored with { State = BranchState.Ready });
        }

        files.Disk.Reach(SharingStep.RestoreRecorded);
        if (catalog.Records.TryGetValue(replaced, out BranchRecord? old) && old.State != BranchState.Deleted)
        {
            catalog.Set(old with { State = BranchState.Deleted, DeletedAt = at });
        }

        files.Disk.Reach(SharingStep.RestoreRetired);
    }

    private StorageException Stuck(RestoreIntent intent, string why) => new(
        FailureKind.Refused,
        $"the restore of branch '{intent.Branch}' from snapshot {intent.Snapshot} was interrupted and cannot be " +
        $"finished: {why}. Nothing is guessed. Look at '{files.Stores}', '{files.Building}' and " +
        $"'{files.Quarantine}': move store {intent.Replaces} back from quarantine to '{files.Stores}' if it is not " +
        $"there, delete '{files.Intent}', and ask for the restore again.");
}
