using Branching.RocksDb;

namespace Branching.Storage.Snapshots;

/// <summary>Whether this program can serve what a snapshot holds; asked before the first byte is fetched.</summary>
public static class SnapshotCompatibility
{
    /// <summary>What keeps this program from opening the snapshot's store, a sentence each.</summary>
    /// <param name="manifest">The snapshot.</param>
    /// <param name="options">Where the user's merge operators are; <see langword="null"/>: there are none.</param>
    public static IReadOnlyList<string> FindDifferences(SnapshotManifest manifest, StorageOptions? options = null) =>
        FindDifferences(manifest, RocksDbLibrary.NativeVersion, new MergeCatalog(options?.OwnMerges ?? []));

    /// <summary>Refuses a snapshot that this program cannot open.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotIncompatible"/>.</exception>
    internal static void Check(SnapshotManifest manifest, MergeCatalog merges)
    {
        IReadOnlyList<string> differences = FindDifferences(manifest, RocksDbLibrary.NativeVersion, merges);
        if (differences.Count > 0)
        {
            throw new StorageException(
                FailureKind.SnapshotIncompatible,
                $"Snapshot {manifest.Id} cannot be restored here: {string.Join(" ", differences)} Nothing was " +
                "touched.");
        }
    }

    internal static IReadOnlyList<string> FindDifferences(
        SnapshotManifest manifest, Version native, MergeCatalog merges)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return FindDifferences(manifest.RocksDbVersion, manifest.Options, native, merges);
    }

    internal static IReadOnlyList<string> FindDifferences(
        string rocksDbVersion, OptionsFingerprint options, Version native, MergeCatalog merges)
    {
        List<string> differences = [];
        if (!Version.TryParse(rocksDbVersion, out Version? theirs))
        {
            differences.Add($"its RocksDB version '{Names.Show(rocksDbVersion)}' is not a version.");
        }
        else if (new Version(theirs.Major, theirs.Minor) > new Version(native.Major, native.Minor))
        {
            differences.Add(
                $"it was written by RocksDB {theirs}, this node has {native}: install librocksdb {theirs.Major}." +
                $"{theirs.Minor} or newer.");
        }

        foreach (FamilyFingerprint family in options.Families)
        {
            if (family.Comparator != StoreOptionsFile.DefaultComparator)
            {
                differences.Add(
                    $"column family '{family.Name}' is ordered by comparator '{Names.Show(family.Comparator)}', this " +
                    $"program knows only '{StoreOptionsFile.DefaultComparator}'.");
            }

            if (MergeOf(family, differences) is { } merge && !merges.Knows(merge))
            {
                differences.Add(
                    $"column family '{family.Name}' needs merge operator '{Names.Show(merge)}', this program has " +
                    $"{merges.Known}.");
            }
        }

        if (!options.Families.Any(family => family.Name == LocalStore.DefaultColumnFamily))
        {
            differences.Add($"it has no column family '{LocalStore.DefaultColumnFamily}', which every store has.");
        }

        return differences;
    }

    // Where keys expire the writer merges, and RocksDB knows of no operator; the family's name does.
    private static string? MergeOf(FamilyFingerprint family, List<string> differences)
    {
        try
        {
            return family.MergeOperator ?? FamilyIdentity.Parse(family.Name).Settings.Merge;
        }
        catch (StorageException e)
        {
            differences.Add(e.Message);
            return null;
        }
    }
}
