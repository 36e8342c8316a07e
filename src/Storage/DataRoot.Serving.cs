namespace Branching.Storage;

/// <content>What others ask of a root about the databases it serves.</content>
public sealed partial class DataRoot
{
    private volatile bool _abandoned;

    /// <summary>A directory for what is thrown away soon; nothing in it survives a start.</summary>
    public string ScratchDirectory => Building;

    /// <summary>The database when this node serves it now; <see langword="null"/> otherwise. Cheap.</summary>
    public Database? TryGetServing(DatabaseName name) => FindServing(name);

    /// <summary>The epoch that the local copy of a database belongs to; <see langword="null"/> without one.</summary>
    public Epoch? EpochOf(DatabaseName name) =>
        _databases.TryGetValue(name, out Database? database) ? database.Epoch : null;

    /// <summary>
    /// Closes the root as a crash would: databases are not handed over, their leases run out by themselves.
    /// </summary>
    public async ValueTask AbandonAsync()
    {
        _abandoned = true;
        // First of all nobody answers or publishes any more; closing the stores may take a while.
        await Task.WhenAll(_databases.Values.Select(database => ReleaseQuietlyAsync(database.Tenure)))
            .ConfigureAwait(false);
        await DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Removes the local copy of a shared database that this node released: what its snapshots hold is all that is
    /// left.
    /// </summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InUse"/>: this node serves it;
    /// <see cref="FailureKind.Refused"/>: it never was on shared storage.</exception>
    public async Task RemoveLocalCopyAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        using IDisposable turn = await _turns.EnterAsync(name, cancellationToken).ConfigureAwait(false);
        if (!_databases.TryGetValue(name, out Database? local))
        {
            return;
        }

        if (local.IsServing || !local.Document.IsShared)
        {
            throw new StorageException(
                local.IsServing ? FailureKind.InUse : FailureKind.Refused,
                local.IsServing
                    ? $"The local copy of database '{name}' was not removed: this node serves it."
                    : $"The local copy of database '{name}' was not removed: it never was on shared storage.");
        }

        await DropLocalAsync(local).ConfigureAwait(false);
    }
}
