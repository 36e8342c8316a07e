using Branching.RocksDb.Files;

namespace Branching.Storage.Snapshots;

/// <summary>A file of a checkpoint; one that never changes has an identity.</summary>
internal sealed record CheckpointFile(
    string Path, string Name, SnapshotFileRole Role, long Bytes, FileIdentity? Identity)
{
    public SnapshotFile As(string sha256, string name) => new(Name, Role, Bytes, sha256, name);
}

/// <summary>What of a checkpoint is worth keeping.</summary>
internal static class CheckpointContents
{
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="store">The directory of the store that it is of.</param>
    /// <param name="tables">The tables it consists of; others are passed over.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>: one of them is missing.</exception>
    public static List<CheckpointFile> Read(string checkpoint, string store, IReadOnlySet<string> tables)
    {
        List<CheckpointFile> files = [];
        try
        {
            foreach (string name in Disk.List(checkpoint))
            {
                if (StoreFileNames.RoleOf(name) is { } role
                    && (role != SnapshotFileRole.Table || tables.Contains(name)))
                {
                    string path = Path.Combine(checkpoint, name);
                    FileStatus status = LocalFiles.GetStatus(path);
                    files.Add(new CheckpointFile(
                        path, name, role, status.Bytes,
                        StoreFileNames.IsImmutable(role) ? IdentityOf(status, Path.Combine(store, name)) : null));
                }
            }
        }
        catch (LocalFileException e)
        {
            throw Disk.Failed("Reading", checkpoint, e);
        }

        if (tables.Except(files.Select(file => file.Name), StringComparer.Ordinal).FirstOrDefault() is { } missing)
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"Table '{missing}', which the store at '{store}' consists of, is missing from its checkpoint at " +
                $"'{checkpoint}'. Look for it in the store: without it the store is damaged.");
        }

        return files;
    }

    /// <summary>
    /// Where links are refused the checkpoint's file is a copy, and only the store's own file of that name lasts.
    /// </summary>
    private static FileIdentity IdentityOf(FileStatus status, string original)
    {
        if (status.LinkCount == 1 && File.Exists(original))
        {
            try
            {
                FileStatus own = LocalFiles.GetStatus(original);
                if (own.Bytes == status.Bytes)
                {
                    return FileIdentity.Of(own);
                }
            }
            catch (LocalFileException) when (!File.Exists(original))
            {
                // Compacted away in this moment: the checkpoint's file is the only one left.
                return FileIdentity.Of(status);
            }
        }

        return FileIdentity.Of(status);
    }
}
