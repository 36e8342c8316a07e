using Branching.RocksDb;

namespace Branching.Storage.Snapshots;

/// <summary>Whether this program can serve what a snapshot holds; asked before the first byte is fetched.</summary>
public static class SnapshotCompatibility
{
    /// <summary>What keeps this program from opening the snapshot's store, a sentence each.</summary>
    public static IReadOnlyList<string> FindDifferences(SnapshotManifest manifest) =>
        FindDifferences(manifest, RocksDbLibrary.NativeVersion);

    /// <summary>Refuses a snapshot that this program cannot open.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotIncompatible"/>.</exception>
    public static void Check(SnapshotManifest manifest)
    {
        IReadOnlyList<string> differences = FindDifferences(manifest);
        if (differences.Count > 0)
        {
            throw new StorageException(
                FailureKind.SnapshotIncompatible,
                $"Snapshot {manifest.Id} cannot be restored here: {string.Join(" ", differences)} Nothing was " +
                "touched.");
        }
    }

    internal static IReadOnlyList<string> FindDifferences(SnapshotManifest manifest, Version native)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        List<string> differences = [];
        if (!Version.TryParse(manifest.RocksDbVersion, out Version? theirs))
        {
            differences.Add($"its RocksDB version '{Names.Show(manifest.RocksDbVersion)}' is not a version.");
        }
        else if (new Version(theirs.Major, theirs.Minor) > new Version(native.Major, native.Minor))
        {
            differences.Add(
                $"it was written by RocksDB {theirs}, this node has {native}: install librocksdb {theirs.Major}." +
                $"{theirs.Minor} or newer.");
        }

        foreach (FamilyFingerprint family in manifest.Options.Families)
        {
            if (family.Comparator != StoreOptionsFile.DefaultComparator)
            {
                differences.Add(
                    $"column family '{family.Name}' is ordered by comparator '{Names.Show(family.Comparator)}', this " +
                    $"program knows only '{StoreOptionsFile.DefaultComparator}'.");
            }

            if (family.MergeOperator is { } merge)
            {
                differences.Add(
                    $"column family '{family.Name}' needs merge operator '{Names.Show(merge)}', this program has " +
                    "none.");
            }
        }

        if (!manifest.Options.Families.Any(family => family.Name == LocalStore.DefaultColumnFamily))
        {
            differences.Add($"it has no column family '{LocalStore.DefaultColumnFamily}', which every store has.");
        }

        return differences;
    }
}
