namespace Branching.Storage;

public sealed partial class LocalStore
{
    /// <summary>The column families with the numbers RocksDB gave them: one created again has another.</summary>
    internal IReadOnlyDictionary<string, uint> ColumnFamilyNumbers => Inside(
        "Column families",
        () => Volatile.Read(ref _families).Values.ToDictionary(
            family => family.Name, family => family.Id, StringComparer.Ordinal));
}
