using System.Globalization;

namespace Branching.Storage.Snapshots;

/// <summary>What RocksDB's own <c>OPTIONS</c> file says of the code that a store's data depend on.</summary>
/// <param name="Comparators">By column family: the order of its keys.</param>
/// <param name="MergeOperators">By column family: how its merges are resolved; absent without one.</param>
internal sealed record StoreOptionsFile(
    IReadOnlyDictionary<string, string> Comparators, IReadOnlyDictionary<string, string> MergeOperators)
{
    /// <summary>The order of keys in a family whose options name none: bytes, unsigned.</summary>
    public const string DefaultComparator = "leveldb.BytewiseComparator";

    private const string Section = "[CFOptions \"";
    private const string NoObject = "nullptr";

    /// <summary>Reads the newest file of a store's directory.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>: there is none.</exception>
    public static StoreOptionsFile Read(string directory)
    {
        string newest = Disk.List(directory)
            .Where(name => StoreFileNames.RoleOf(name) == SnapshotFileRole.Options)
            .MaxBy(name => ulong.Parse(name.AsSpan("OPTIONS-".Length), CultureInfo.InvariantCulture))
            ?? throw new StorageException(
                FailureKind.Corruption,
                $"The store at '{directory}' has no OPTIONS file, so it cannot be told what its data depend on. Open " +
                "the store once and try again.");
        return Parse(Disk.TryReadText(Path.Combine(directory, newest)) ?? "");
    }

    public static StoreOptionsFile Parse(string text)
    {
        Dictionary<string, string> comparators = new(StringComparer.Ordinal);
        Dictionary<string, string> merges = new(StringComparer.Ordinal);
        string? family = null;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Trim();
            if (line.StartsWith('['))
            {
                family = line.StartsWith(Section, StringComparison.Ordinal) && line.EndsWith(']')
                    ? line[Section.Length..^2]
                    : null;
                continue;
            }

            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (family is null || equals < 0)
            {
                continue;
            }

            string value = NameOf(line[(equals + 1)..].Trim());
            switch (line[..equals].Trim())
            {
                case "comparator":
                    comparators[family] = value.Length == 0 ? DefaultComparator : value;
                    break;
                case "merge_operator" when value.Length > 0:
                    merges[family] = value;
                    break;
                default:
                    break;
            }
        }

        return new StoreOptionsFile(comparators, merges);
    }

    /// <summary>An object is written as its name, or as <c>{id=name;option=value;}</c>.</summary>
    private static string NameOf(string value)
    {
        if (value is "" or NoObject)
        {
            return "";
        }

        if (value[0] != '{')
        {
            return value;
        }

        string? id = value.Trim('{', '}').Split(';')
            .FirstOrDefault(part => part.StartsWith("id=", StringComparison.Ordinal));
        return id is null ? value : id[3..];
    }
}
