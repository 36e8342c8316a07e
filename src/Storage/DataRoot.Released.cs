using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>What is done with a stale copy that was released in order and that shared storage holds all of.</summary>
public enum ReleasedCopyRule
{
    /// <summary>It stays, until it is known that the later owner serves.</summary>
    Leave = 0,

    /// <summary>It is removed, after its stores were looked at once more.</summary>
    Remove = 1,

    /// <summary>It is set aside like every other stale copy.</summary>
    SetAside = 2,
}

/// <content>Copies that were given up by plan: nothing can be lost with them, so they need not be kept.</content>
/// <remarks>
/// <para>
/// An orderly release leaves a note in the copy when snapshots hold all of every store. The copy is
/// removed later only when all of this is true: the note is of the copy's own epoch; the heads of the next epoch name
/// each of those snapshots, so that they count for ever; the copy holds nothing but those stores, no store's log goes
/// further than its snapshot; and the later owner has them all restored. Whatever is in doubt is set aside.
/// </para>
/// <para>
/// Until the later owner serves, the copy is the second one of the data beside shared storage, and it stays.
/// </para>
/// </remarks>
public sealed partial class DataRoot
{
    /// <summary>The branches of the local copy of a database, served or not; empty when there is none. Cheap.</summary>
    public IReadOnlyList<BranchRecord> ListLocalBranches(DatabaseName name) =>
        _databases.TryGetValue(name, out Database? database) ? database.ListBranches() : [];

    /// <summary>After the release: without the note the copy is only set aside instead of removed one day.</summary>
    private void NoteRelease(Database database, Tenure tenure)
    {
        if (tenure.EndCause is { Kind: FailureKind.Fenced }
            || database.TryListHeldBySnapshots() is not { } held)
        {
            return;
        }

        try
        {
            new DatabaseFiles(_disk, database.Directory, _time).WriteReleased(new ReleasedDocument(
                Formats.Released, database.Id.ToString(), tenure.Epoch.Value, held));
            _disk.Reach(SharingStep.ReleaseNoted);
        }
        catch (StorageException e)
        {
            _logger.ReleaseNotNoted(database.Name, e);
        }
    }

    /// <summary>
    /// The note of a copy's release, if the later epoch names all its snapshots and the copy holds nothing beside them.
    /// </summary>
    private async Task<ReleasedDocument?> TryFindReleasedAsync(
        ISharedStorage shared, Life life, Database local, CancellationToken cancellationToken)
    {
        DatabaseFiles files = new(_disk, local.Directory, _time);
        ReleasedDocument? note;
        try
        {
            note = files.TryReadReleased();
            if (note is null || note.Database != local.Id.ToString() || note.Epoch != local.Document.Epoch
                || local.Document.Claiming is not null || !HoldsOnly(files, local, note))
            {
                return null;
            }
        }
        catch (StorageException e)
        {
            _logger.ReleaseNotRead(local.Name, e);
            return null;
        }

        HeadsRecord? heads = await new EpochReader(shared, new DatabasePaths(life.Name, life.Id))
            .TryReadHeadsAfterAsync(local.Epoch, cancellationToken).ConfigureAwait(false);
        return heads is not null && note.Stores.All(s => heads.Lists(SnapshotId.Parse(s.Snapshot))) ? note : null;
    }

    private static bool HoldsOnly(DatabaseFiles files, Database local, ReleasedDocument note)
    {
        HashSet<string> noted = [.. note.Stores.Select(s => SnapshotId.Parse(s.Snapshot).Store.ToString())];
        bool areItsStores = local.ListBranches().Where(r => r.State != BranchState.Lost).All(r =>
            r.State == BranchState.Ready && noted.Contains(r.Id.ToString()));
        return areItsStores
            && noted.SetEquals(Disk.List(files.Stores))
            && Disk.List(files.Quarantine).Count == 0
            && (!System.IO.Directory.Exists(files.Changes) || Disk.List(files.Changes).Count == 0)
            && files.TryReadIntent() is null;
    }

    /// <summary>Whether no store's log goes further than what was sent of it. Opens each store to read.</summary>
    private Task<bool> EndsWithItsSnapshotsAsync(Database local, ReleasedDocument note) => Task.Run(() =>
    {
        DatabaseFiles files = new(_disk, local.Directory, _time);
        return note.Stores.All(s =>
            LastSequence(files.StoreOf(SnapshotId.Parse(s.Snapshot).Store)).Sequence is { } last && last <= s.Sequence);
    });

    /// <summary>Removes a released copy whose place a restored one is about to take, unless something of it would be
    /// missing there.</summary>
    private async Task<bool> TryRemoveReleasedAsync(OwnedDatabase owned, Func<StoreId, Sequence?> restored)
    {
        if (!_databases.TryGetValue(owned.Name, out Database? local)
            || await TryFindReleasedAsync(owned.Shared, owned.Life, local, CancellationToken.None)
                .ConfigureAwait(false) is not { } note
            || !note.Stores.All(s => restored(SnapshotId.Parse(s.Snapshot).Store)?.Value >= s.Sequence)
            || !await EndsWithItsSnapshotsAsync(local, note).ConfigureAwait(false))
        {
            return false;
        }

        await RemoveReleasedAsync(local).ConfigureAwait(false);
        return true;
    }

    private async Task RemoveReleasedAsync(Database local)
    {
        // What an earlier removal could not delete would be in the way.
        _disk.TryDeleteTree(Path.Combine(Trash, local.Id.ToString()), _logger);
        await DropLocalAsync(local).ConfigureAwait(false);
        _logger.ReleasedCopyRemoved(local.Name, local.Epoch);
    }
}
