using Branching.RocksDb;

namespace Branching.Storage.Snapshots;

/// <summary>What a closed store's directory holds, read without changing what a snapshot takes from it.</summary>
/// <param name="Sequence">The sequence of its newest write, the log included.</param>
/// <param name="Options">What it depends on.</param>
/// <param name="Tables">The names of the table files it consists of.</param>
internal sealed record StoreInspection(Sequence Sequence, OptionsFingerprint Options, IReadOnlySet<string> Tables)
{
    // Enough for the small reads of an opening; the tables themselves are not looked at.
    private const int OpenFiles = 32;

    /// <summary>Opens the directory for reading: RocksDB replays the log into memory and writes only its LOG.</summary>
    /// <exception cref="StorageException">It cannot be opened.</exception>
    public static StoreInspection Read(string directory, string what, MergeCatalog merges)
    {
        try
        {
            StoreOptionsFile options = StoreOptionsFile.Read(directory);
            using RocksDatabase database = RocksDatabase.OpenReadOnly(
                directory,
                new DatabaseOptions
                {
                    MaxOpenFiles = OpenFiles,
                    MaxFileOpeningThreads = 1, // The usual 16 threads are begun and ended for a handful of tables.
                    InfoLogLevel = InfoLogLevel.Error,
                },
                families: merges.Describe(directory, what)); // Operands in its log are not read without.
            return new StoreInspection(
                new Sequence(database.LatestSequence),
                new OptionsFingerprint([.. database.ColumnFamilies
                    .OrderBy(family => family.Name, StringComparer.Ordinal)
                    .Select(family => new FamilyFingerprint(
                        family.Name,
                        options.Comparators.GetValueOrDefault(family.Name, StoreOptionsFile.DefaultComparator),
                        options.MergeOperators.GetValueOrDefault(family.Name), family.Id))]),
                database.GetLiveFiles().Select(file => file.Name.TrimStart('/')).ToHashSet(StringComparer.Ordinal));
        }
        catch (RocksDbException e)
        {
            throw StorageException.From(e, $"Opening {what} at '{directory}'");
        }
    }
}
