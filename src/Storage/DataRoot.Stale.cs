using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>What became of a local copy that another node's epoch may have made stale.</summary>
public enum LocalCopyState
{
    /// <summary>There is none, it is served, or it was never shared: nothing to look at.</summary>
    None = 0,

    /// <summary>No later owner has entered, so it may hold what nobody else does: it may go on, and stays.</summary>
    Current = 1,

    /// <summary>
    /// A later epoch is another node's, but no snapshot of the main store has arrived: it may be the only copy of the
    /// data, so it stays where it is and is not served.
    /// </summary>
    StaleAndOnly = 2,

    /// <summary>A later epoch is another node's: it was set aside whole.</summary>
    SetAside = 3,

    /// <summary>A later epoch is another node's; it was released in order, and shared storage holds all that it has. It
    /// was left.</summary>
    Released = 4,

    /// <summary>As <see cref="Released"/>, and it was removed.</summary>
    Removed = 5,
}

/// <content>Copies of a node that comes back after another one took over.</content>
public sealed partial class DataRoot
{
    /// <summary>Who owns a database now; <see langword="null"/>: shared storage does not know it.</summary>
    /// <exception cref="StorageException">Shared storage cannot be read; or <see cref="FailureKind.NotSupported"/>:
    /// there is none.</exception>
    public async Task<OwnershipStatus?> LookAtOwnerAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        ISharedStorage shared = await GetSharedStorageAsync(cancellationToken).ConfigureAwait(false);
        return await new DatabaseLives(shared).FindAsync(name, cancellationToken).ConfigureAwait(false)
            is { Dropped: false } life
            ? await OwnershipOf(_shared!, shared, life).LookAsync(cancellationToken).ConfigureAwait(false)
            : null;
    }

    /// <summary>Whether taking this database now would mean to restore it here: the local copy, if there is one, is not
    /// of the newest epoch.</summary>
    public bool WouldRestore(DatabaseName name, OwnershipStatus status)
    {
        ArgumentNullException.ThrowIfNull(status);
        return !(_databases.TryGetValue(name, out Database? local)
            && IsCurrent(local.Document, status));
    }

    /// <summary>Looks at the local copy of a database that this node does not serve, and sets it aside when another
    /// node's epoch came after its own.</summary>
    /// <param name="name">The database.</param>
    /// <param name="released">What is done when it was released in order and holds nothing that shared storage does
    /// not. Removing it is for those who know that the later owner serves all of it.</param>
    /// <param name="cancellationToken">Ends the look; what was begun with the copy is ended.</param>
    /// <exception cref="StorageException">Shared storage cannot be read; nothing was changed.</exception>
    public async Task<LocalCopyState> SetStaleAsideAsync(
        DatabaseName name, ReleasedCopyRule released, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        if (_shared is not { } access)
        {
            return LocalCopyState.None;
        }

        using IDisposable turn = await _turns.EnterAsync(name, cancellationToken).ConfigureAwait(false);
        ThrowIfDisposed();
        if (!_databases.TryGetValue(name, out Database? local) || local.Tenure is not null
            || !local.Document.IsShared)
        {
            return LocalCopyState.None;
        }

        ISharedStorage shared = await access.OpenAsync(cancellationToken).ConfigureAwait(false);
        Life? life = await new DatabaseLives(shared).FindAsync(name, cancellationToken).ConfigureAwait(false);
        if (life is not { Dropped: false } || life.Id != local.Id)
        {
            return LocalCopyState.None; // Dropped or another life: whoever asks for it next is told, with the reason.
        }

        OwnershipStatus status = await OwnershipOf(access, shared, life).LookAsync(cancellationToken)
            .ConfigureAwait(false);
        if (IsCurrent(local.Document, status)
            || (status.Entered < status.Newest && status.Entered.Value <= local.Document.Epoch))
        {
            return LocalCopyState.Current;
        }

        if (released != ReleasedCopyRule.SetAside
            && await TryFindReleasedAsync(shared, life, local, cancellationToken).ConfigureAwait(false) is { } note)
        {
            if (released == ReleasedCopyRule.Leave)
            {
                return LocalCopyState.Released;
            }

            if (await EndsWithItsSnapshotsAsync(local, note).ConfigureAwait(false))
            {
                await RemoveReleasedAsync(local).ConfigureAwait(false);
                return LocalCopyState.Removed;
            }
        }

        SnapshotView view = await new SnapshotRepository(shared, name, life.Id, _time, _logger)
            .ReadAsync(cancellationToken).ConfigureAwait(false);
        if (!view.Snapshots.Any(one => one.Branch.IsMain))
        {
            return LocalCopyState.StaleAndOnly;
        }

        await SetAsideLocalAsync(
            local.Document, WhyStale(status, local.Document), status.Newest, static _ => null).ConfigureAwait(false);
        return LocalCopyState.SetAside;
    }

    private static string WhyStale(OwnershipStatus status, DatabaseDocument? local) =>
        $"epoch {status.Entered} is node '{status.Holder?.NodeName}''s, and this copy is of epoch {local?.Epoch}";
}
