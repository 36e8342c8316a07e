using System.Globalization;
using System.Text;

namespace Branching.RocksDb.Interop;

/// <summary>The merge operators a database was last opened with, as its newest options file names them.</summary>
/// <remarks>
/// RocksDB does not compare them. Without its operator a family fails the reads that meet an operand, and the
/// compactions, after which the database takes no more writes. What is worse, recovery takes an operand in the log for
/// damage: in its default mode it drops everything from there on, and says nothing (observed with 7.8.3).
/// </remarks>
internal static class StoredMergeOperators
{
    private const string Key = "merge_operator=";

    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: a family had another
    /// one.</exception>
    public static void Require(
        string directory, IReadOnlyList<ColumnFamilyDescriptor> families, IReadOnlyList<MergeOperator?> operators)
    {
        Dictionary<string, string> stored = Read(directory);
        if (stored.Count == 0)
        {
            return;
        }

        for (int i = 0; i < families.Count; i++)
        {
            if (stored.TryGetValue(families[i].Name, out string? name) && name != operators[i]?.Name)
            {
                throw Refusal("open", directory, families[i].Name, name, operators[i]);
            }
        }
    }

    /// <summary>As <see cref="Require"/>, for a call that uses one operator for all families.</summary>
    public static void RequireOne(string operation, string directory, MergeOperator? given)
    {
        foreach ((string family, string name) in Read(directory))
        {
            if (name != given?.Name)
            {
                throw Refusal(operation, directory, family, name, given);
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
                byte[] text = File.ReadAllBytes(file);
                return NamesAny(text) ? Parse(Encoding.UTF8.GetString(text).Split('\n')) : [];
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

    /// <summary>Whether it is worth reading: nearly always no family has an operator.</summary>
    private static bool NamesAny(ReadOnlySpan<byte> text)
    {
        for (int at = text.IndexOf("merge_operator="u8); at >= 0; at = text.IndexOf("merge_operator="u8))
        {
            text = text[(at + Key.Length)..];
            if (!text.StartsWith("nullptr"u8))
            {
                return true;
            }
        }

        return false;
    }

    private static RocksDbException Refusal(
        string operation, string directory, string family, string stored, MergeOperator? given)
    {
        string now = given is null ? "without one" : $"with '{given.Name}'";
        return new RocksDbException(
            RocksDbStatus.InvalidArgument,
            operation,
            directory,
            $"column family '{family}' was last opened with merge operator '{stored}', and is now to be opened {now}; "
            + "its operands could not be read. Set ColumnFamilyOptions.MergeOperator, or "
            + "DatabaseOptions.AllowOtherMergeOperator when nothing was merged.");
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

    /// <summary>The file with the highest number; more than six digits sort wrongly as text.</summary>
    private static string? Newest(string directory)
    {
        const string Prefix = "OPTIONS-";
        string? newest = null;
        ulong highest = 0;
        foreach (string file in Directory.Exists(directory) ? Directory.EnumerateFiles(directory, Prefix + "*") : [])
        {
            // Not "OPTIONS-000007.dbtmp", which is being written.
            ReadOnlySpan<char> number = Path.GetFileName(file.AsSpan())[Prefix.Length..];
            if (ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
                && value >= highest)
            {
                (newest, highest) = (file, value);
            }
        }

        return newest;
    }
}
