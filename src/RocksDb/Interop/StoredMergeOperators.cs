namespace Branching.RocksDb.Interop;

/// <summary>The merge operators a database was last opened with, as its newest options file names them.</summary>
/// <remarks>
/// RocksDB does not compare them. It refuses to open only when operands are in its log, and otherwise fails the reads
/// that meet an operand, and the compactions, after which it takes no more writes.
/// </remarks>
internal static class StoredMergeOperators
{
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: a family had another
    /// one.</exception>
    public static void Require(
        string directory, IReadOnlyList<ColumnFamilyDescriptor> families, IReadOnlyList<MergeOperator?> operators)
    {
        Dictionary<string, string> stored = Read(directory);
        for (int i = 0; i < families.Count; i++)
        {
            if (stored.TryGetValue(families[i].Name, out string? name) && name != operators[i]?.Name)
            {
                string given = operators[i] is { } other ? $"with '{other.Name}'" : "without one";
                throw new RocksDbException(
                    RocksDbStatus.InvalidArgument,
                    "open",
                    directory,
                    $"column family '{families[i].Name}' was last opened with merge operator '{name}', and is now to "
                    + $"be opened {given}; its operands could not be read. Set ColumnFamilyOptions.MergeOperator, or "
                    + "DatabaseOptions.AllowOtherMergeOperator when nothing was merged.");
            }
        }
    }

    /// <summary>Family to operator, for families that have one; empty when there is no options file.</summary>
    public static Dictionary<string, string> Read(string directory)
    {
        // A writer replaces its options file while a reader opens the database: then the next one is read.
        const int Attempts = 3;
        for (int attempt = 0; attempt < Attempts && Newest(directory) is { } file; attempt++)
        {
            try
            {
                return Parse(File.ReadLines(file));
            }
            catch (FileNotFoundException)
            {
                continue; // Replaced between the listing and the reading.
            }
        }

        return [];
    }

    /// <summary>Reads the lines of an options file.</summary>
    internal static Dictionary<string, string> Parse(IEnumerable<string> lines)
    {
        const string Section = "[CFOptions \"";
        const string Key = "merge_operator=";
        Dictionary<string, string> found = new(StringComparer.Ordinal);
        string? family = null;
        foreach (string line in lines)
        {
            string trimmed = line.Trim();
            if (trimmed.StartsWith('['))
            {
                family = trimmed.StartsWith(Section, StringComparison.Ordinal)
                    ? trimmed[Section.Length..].TrimEnd(']').TrimEnd('"')
                    : null;
            }
            else if (family is not null
                && trimmed.StartsWith(Key, StringComparison.Ordinal)
                && NameIn(trimmed[Key.Length..]) is { } name)
            {
                found[family] = name;
            }
        }

        return found;
    }

    /// <summary>Takes <c>name</c>, <c>{id=name;...}</c>, <c>nullptr</c> and nothing.</summary>
    private static string? NameIn(string value)
    {
        const string Id = "id=";
        string inner = value.Trim('{', '}', ' ');
        int id = inner.IndexOf(Id, StringComparison.Ordinal);
        string name = id < 0 ? inner : inner[(id + Id.Length)..].Split(';', 2)[0];
        return name.Length == 0 || name == "nullptr" ? null : name;
    }

    private static string? Newest(string directory) => Directory.Exists(directory)
        ? Directory
            .EnumerateFiles(directory, "OPTIONS-*")
            .Where(static file => !file.EndsWith(".dbtmp", StringComparison.Ordinal))
            .Max(StringComparer.Ordinal)
        : null;
}
