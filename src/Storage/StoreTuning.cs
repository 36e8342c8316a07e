using System.Globalization;
using Branching.RocksDb;
using Microsoft.Extensions.Options;

namespace Branching.Storage;

/// <summary>Options of one store that differ from those of its node; <see langword="null"/>: the node's.</summary>
/// <remarks>
/// They are labels of the branch, so they are in its mark, in the catalog, on shared storage and in every snapshot, and
/// whoever owns the database later opens the store with them. A branch of the store has them, too.
/// </remarks>
/// <param name="BlockCacheBytes">A block cache of the store's own, in bytes.</param>
/// <param name="MemtableBytes">Unflushed writes at which it writes a table file, in bytes; the node's budget of
/// memtables is the limit.</param>
/// <param name="MaxOpenFilesPerStore">Table files it keeps open.</param>
/// <param name="Compression">Compression of its table files from now on.</param>
public sealed record StoreTuning(
    long? BlockCacheBytes = null,
    long? MemtableBytes = null,
    int? MaxOpenFilesPerStore = null,
    Compression? Compression = null)
{
    /// <summary>The value that takes back what was recorded: the node's option counts again.</summary>
    public const string NodeValue = "node";

    /// <summary>Begins every label that holds one of them; the rest is the option's name.</summary>
    internal const string LabelPrefix = "branching/option/";

    private static readonly string[] _names =
    [
        nameof(BlockCacheBytes), nameof(Compression), nameof(MaxOpenFilesPerStore), nameof(MemtableBytes),
    ];

    /// <summary>Whether nothing differs.</summary>
    internal bool IsNone => this is
    { BlockCacheBytes: null, MemtableBytes: null, MaxOpenFilesPerStore: null, Compression: null };

    /// <summary>What the labels of a branch say. What cannot be read is the node's: no store stays closed for it.
    /// </summary>
    internal static StoreTuning FromLabels(IReadOnlyDictionary<string, string> labels)
    {
        StoreTuning tuning = new();
        foreach ((string label, string value) in labels)
        {
            if (label.StartsWith(LabelPrefix, StringComparison.Ordinal))
            {
                tuning = tuning.With(label[LabelPrefix.Length..], value) ?? tuning;
            }
        }

        return tuning;
    }

    /// <summary>These, with others over them, checked together with the options of the node.</summary>
    /// <param name="overrides">Values by name; <see cref="NodeValue"/> takes one back.</param>
    /// <param name="node">The options of the node.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>, naming each that is unknown,
    /// cannot be read or is outside of its range.</exception>
    internal StoreTuning Merge(IReadOnlyDictionary<string, string>? overrides, StorageOptions node)
    {
        List<string> failures = [];
        StoreTuning merged = this;
        foreach ((string name, string value) in overrides ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            if (!_names.Contains(name, StringComparer.Ordinal))
            {
                failures.Add(
                    $"'{Names.Show(name)}' is not an option that one store can have of its own; these are: " +
                    $"{string.Join(", ", _names)}.");
            }
            else if (merged.With(name, value) is { } changed)
            {
                merged = changed;
            }
            else
            {
                failures.Add($"{name} is '{Names.Show(value)}': use {Expected(name)}, or '{NodeValue}'.");
            }
        }

        foreach (IValidateOptions<StorageOptions> rules in (IValidateOptions<StorageOptions>[])
            [new StorageOptionsValidator(), new StorageOptionsRules()])
        {
            failures.AddRange(rules.Validate(name: null, merged.Over(node)).Failures ?? []);
        }

        return failures.Count == 0
            ? merged
            : throw new StorageException(
                FailureKind.InvalidArgument, $"The options of the restored store are refused: " +
                $"{string.Join(" ", failures)} Nothing was touched.");
    }

    /// <summary>The options of a node as this store has them.</summary>
    internal StorageOptions Over(StorageOptions node) => new()
    {
        DataRoot = node.DataRoot,
        BlockCacheBytes = BlockCacheBytes ?? node.BlockCacheBytes,
        MemtableBudgetBytes = node.MemtableBudgetBytes,
        MemtableBytes = MemtableBytes ?? node.MemtableBytes,
        MaxOpenFilesPerStore = MaxOpenFilesPerStore ?? node.MaxOpenFilesPerStore,
        Compression = Compression ?? node.Compression,
        MaxRequestBytes = node.MaxRequestBytes,
        WriteQueueBytes = node.WriteQueueBytes,
    };

    /// <summary>The labels that hold these.</summary>
    internal IEnumerable<KeyValuePair<string, string>> ToLabels()
    {
        (string Name, string? Value)[] values =
        [
            (nameof(BlockCacheBytes), BlockCacheBytes?.ToString(CultureInfo.InvariantCulture)),
            (nameof(Compression), Compression?.ToString()),
            (nameof(MaxOpenFilesPerStore), MaxOpenFilesPerStore?.ToString(CultureInfo.InvariantCulture)),
            (nameof(MemtableBytes), MemtableBytes?.ToString(CultureInfo.InvariantCulture)),
        ];
        return values.Where(one => one.Value is not null)
            .Select(one => KeyValuePair.Create(LabelPrefix + one.Name, one.Value!));
    }

    private StoreTuning? With(string name, string? value)
    {
        bool isNodes = value == NodeValue;
        bool isNumber = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        return name switch
        {
            nameof(BlockCacheBytes) when isNodes || isNumber =>
                this with { BlockCacheBytes = isNodes ? null : number },
            nameof(MemtableBytes) when isNodes || isNumber => this with { MemtableBytes = isNodes ? null : number },
            nameof(MaxOpenFilesPerStore) when isNodes || (isNumber && number <= int.MaxValue) =>
                this with { MaxOpenFilesPerStore = isNodes ? null : (int)number },
            nameof(Compression) when isNodes => this with { Compression = null },
            nameof(Compression) when !isNumber && Enum.TryParse(value, ignoreCase: true, out Compression compression)
                && Enum.IsDefined(compression) => this with { Compression = compression },
            _ => null,
        };
    }

    private static string Expected(string name) => name == nameof(Compression)
        ? string.Join(", ", Enum.GetNames<Compression>())
        : "a whole number without separators";
}
