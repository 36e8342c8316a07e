namespace Branching.Storage;

/// <content>What a node without shared storage does with a damaged database, when it was told to begin anew.</content>
public sealed partial class DataRoot
{
    /// <summary>
    /// Sets every damaged database aside whole and begins an empty one under its name. Only for
    /// <see cref="DirtyStorePolicy.Fresh"/>, and before anything is served; RocksDB's own recovery comes first.
    /// </summary>
    private async Task BeginAnewWhereDamagedAsync()
    {
        foreach (DatabaseName name in ListDatabases())
        {
            StorageException? damage = _failed.GetValueOrDefault(name)
                ?? await FindDamageAsync(_databases[name], BranchName.Main, CancellationToken.None)
                    .ConfigureAwait(false);
            if (damage is not null && Database.IsDamage(damage))
            {
                await BeginAnewAsync(name, damage).ConfigureAwait(false);
            }
        }
    }

    private async Task BeginAnewAsync(DatabaseName name, StorageException damage)
    {
        _logger.DamagedDatabaseReplaced(name, damage);
        DatabaseDocument document = NewDocument(name, "policy 'fresh'");
        if (_databases.TryRemove(name, out Database? database))
        {
            document = document with { CreatedBy = database.CreatedBy };
            await database.CloseStoresAsync().ConfigureAwait(false);
            await database.CloseAsync(markClean: false).ConfigureAwait(false);
        }

        SetAsideDatabase(
            name, $"it was damaged, and a fresh one was asked for: {damage.Message}",
            database is null ? null : Describe(database.Document, database, default, static _ => null));
        _failed.TryRemove(name, out _);
        await MakeDatabaseAsync(document, () => BuildEmptyAsync(document, CancellationToken.None))
            .ConfigureAwait(false);
    }
}
