using Branching.RocksDb;
using Branching.RocksDb.Files;

namespace Branching.Storage.Snapshots;

public sealed partial class SnapshotRestorer
{
    /// <summary>
    /// Puts the store together from local objects; durable on return, its entry in the parent excepted.
    /// </summary>
    private (int Linked, int Copied, BranchRecord Record) Stage(
        SnapshotManifest manifest, string staged, LocalObjects objects, RestoreOptions options, ProgressCount count,
        CancellationToken cancellationToken)
    {
        count.Begin(SnapshotPhase.Staging, manifest.Files.Count, manifest.TotalBytes);
        _disk.DeleteTree(staged);
        _disk.CreateDirectory(staged);
        int linked = 0;
        foreach (SnapshotFile file in manifest.Files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (file.Role == SnapshotFileRole.Mark && options.Target is not null)
            {
                continue; // It becomes another's store, with a mark of its own.
            }

            linked += Place(objects.Require(file), Path.Combine(staged, file.Name), file.Role) ? 1 : 0;
            count.Done(file.Name, file.Bytes);
            _disk.Reach(SnapshotStep.RestoreFileStaged);
        }

        KeepDigests(manifest, staged);
        BranchRecord record = Mark(manifest, staged, options);
        _disk.Reach(SnapshotStep.RestoreMarked);
        count.Enter(SnapshotPhase.Verifying);
        CheckFamilies(manifest, staged);
        if (options.OpenCheck || options.ReadCheck)
        {
            TryOut(manifest, staged, options);
            _disk.Reach(SnapshotStep.RestoreChecked);
        }

        _disk.FlushDirectory(staged);
        _disk.Reach(SnapshotStep.RestoreStaged);
        return (linked, manifest.Files.Count - linked, record);
    }

    /// <returns>Whether the file was linked.</returns>
    private bool Place(string source, string target, SnapshotFileRole role)
    {
        // RocksDB appends to, truncates and replaces everything else.
        if (StoreFileNames.IsImmutable(role) && TryLink(source, target))
        {
            return true;
        }

        Copy(source, target);
        return false;
    }

    private void Copy(string source, string target)
    {
        _disk.Step(DiskStepKind.WriteFile, target, () => File.Copy(source, target, overwrite: false));
        _disk.FlushFile(target);
    }

    /// <summary>The restored store's next snapshot need not read what was verified here.</summary>
    private void KeepDigests(SnapshotManifest manifest, string staged) => DigestCache.Write(
        _disk, staged,
        manifest.Files.Where(file => StoreFileNames.IsImmutable(file.Role)).Select(file => KeyValuePair.Create(
            FileIdentity.Of(LocalFiles.GetStatus(Path.Combine(staged, file.Name))), file.Sha256)));

    private BranchRecord Mark(SnapshotManifest manifest, string staged, RestoreOptions options)
    {
        if (options.Target is { } target)
        {
            StoreMarker.Write(_disk, staged, target.Record, target.Database);
            return target.Record;
        }

        string path = Path.Combine(staged, StoreMarker.FileName);
        BranchRecord record = StoreMarker.Parse(Disk.TryReadText(path) ?? "", path, manifest.DatabaseId);
        return record.Id == manifest.Id.Store
            ? record
            : throw new StorageException(
                FailureKind.SnapshotDamaged,
                $"File '{StoreMarker.FileName}' of the snapshot marks store {record.Id}, not {manifest.Id.Store}.");
    }

    /// <summary>A family that is not in the files would come back empty, so it is missed here.</summary>
    private static void CheckFamilies(SnapshotManifest manifest, string staged)
    {
        try
        {
            IEnumerable<string> found = RocksDatabase.ListColumnFamilies(staged).Order(StringComparer.Ordinal);
            string[] expected =
                [.. manifest.Options.Families.Select(family => family.Name).Order(StringComparer.Ordinal)];
            if (!found.SequenceEqual(expected, StringComparer.Ordinal))
            {
                throw new StorageException(
                    FailureKind.SnapshotDamaged,
                    $"The restored files hold column families {string.Join(", ", found)}; the manifest says " +
                    $"{string.Join(", ", expected)}. Restore another snapshot.");
            }
        }
        catch (RocksDbException e)
        {
            throw StorageException.From(e, $"Reading the column families of '{staged}'");
        }
    }

    /// <summary>Opens a copy made of links, so that the trial changes nothing of what will be published.</summary>
    private void TryOut(SnapshotManifest manifest, string staged, RestoreOptions options)
    {
        string trial = Path.Combine(Path.GetDirectoryName(staged)!, StoreId.New(_time).ToString());
        try
        {
            _disk.CreateDirectory(trial);
            foreach (SnapshotFile file in manifest.Files.Where(file => file.Role != SnapshotFileRole.Mark))
            {
                Place(Path.Combine(staged, file.Name), Path.Combine(trial, file.Name), file.Role);
            }

            StoreTrial.Run(manifest, trial, options, Merges);
        }
        finally
        {
            _disk.TryDeleteTree(trial, _logger);
        }
    }
}
