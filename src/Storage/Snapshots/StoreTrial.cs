using Branching.RocksDb;

namespace Branching.Storage.Snapshots;

/// <summary>Opens a restored store for writing, to know that it opens, and compares it with its manifest.</summary>
internal static class StoreTrial
{
    private const long CacheBytes = 8L << 20;
    private const int OpenFiles = 64;

    /// <summary>Runs on a directory that nobody needs afterwards: opening changes it.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotDamaged"/>.</exception>
    public static void Run(
        SnapshotManifest manifest, string directory, RestoreOptions options, MergeCatalog merges) =>
        Run(manifest.Sequence, manifest.Options, $"snapshot {manifest.Id}", directory, options, merges);

    /// <summary>As above, of whatever says what the store must hold.</summary>
    public static void Run(
        Sequence sequence, OptionsFingerprint expected, string what, string directory, RestoreOptions options,
        MergeCatalog merges)
    {
        try
        {
            using BlockCache cache = new(options.Storage?.BlockCacheBytes ?? CacheBytes);
            DatabaseOptions plain = new()
            {
                BlockCache = cache,
                MaxOpenFiles = options.Storage?.MaxOpenFilesPerStore ?? OpenFiles,
                DefaultColumnFamily = FamilyOptions(options.Storage),
                AvoidFlushDuringRecovery = true,
                AvoidFlushDuringShutdown = true,
                InfoLogLevel = InfoLogLevel.Error,
            };
            using RocksDatabase database = RocksDatabase.Open(directory, plain, merges.Describe(directory, what));
            Compare(sequence, expected, database);
            if (options.ReadCheck)
            {
                ReadAll(database);
            }
        }
        catch (RocksDbException e)
        {
            throw new StorageException(
                FailureKind.SnapshotDamaged,
                $"The restored store does not open: {e.Message} Restore another snapshot.", e);
        }
    }

    /// <summary>A wrong option shows here, where nothing has been changed yet.</summary>
    private static ColumnFamilyOptions FamilyOptions(StorageOptions? storage) => storage is null
        ? new ColumnFamilyOptions()
        : new ColumnFamilyOptions { Compression = storage.Compression, WriteBufferBytes = storage.MemtableBytes };

    private static void Compare(Sequence sequence, OptionsFingerprint options, RocksDatabase database)
    {
        if (database.LatestSequence != sequence.Value)
        {
            throw Damaged($"ends at sequence {database.LatestSequence}, the manifest says {sequence}");
        }

        string[] found = [.. database.ColumnFamilies.Select(family => family.Name).Order(StringComparer.Ordinal)];
        string[] expected =
            [.. options.Families.Select(family => family.Name).Order(StringComparer.Ordinal)];
        if (!found.SequenceEqual(expected, StringComparer.Ordinal))
        {
            throw Damaged(
                $"has column families {string.Join(", ", found)}, the manifest says {string.Join(", ", expected)}");
        }
    }

    private static void ReadAll(RocksDatabase database)
    {
        foreach (ColumnFamily family in database.ColumnFamilies)
        {
            using ReadOptions options = new() { FillCache = false, VerifyChecksums = true };
            using Iterator iterator = database.NewIterator(family, options);
            for (iterator.SeekToFirst(); iterator.IsValid; iterator.Next())
            {
                _ = iterator.Key.Length + iterator.Value.Length; // Reading is the check.
            }

            iterator.ThrowIfFailed();
        }
    }

    private static StorageException Damaged(string what) => new(
        FailureKind.SnapshotDamaged, $"The restored store {what}. Restore another snapshot.");
}
