using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.RegularExpressions;
using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>How a merge joins an operand with the value that is there: a counter adds, a log appends.</summary>
/// <remarks>
/// <para>
/// Called by many threads at once, by reads and by RocksDB's compactions, maybe long after the merge was acknowledged:
/// the same inputs must give the same output for ever, whatever the time, the culture and the version. Change what it
/// computes only under a new <see cref="Name"/>.
/// </para>
/// <para>
/// It must not fail on what <see cref="Refuse"/> lets through: a merge that fails makes its key unreadable.
/// </para>
/// </remarks>
public abstract partial class ValueMerge
{
    /// <summary>64-bit whole numbers as decimal text (<c>-12</c>) are added, and wrap around at the ends.</summary>
    public static ValueMerge Add { get; } = new DecimalAdd();

    /// <summary>64-bit whole numbers in 8 bytes, little-endian, are added, and wrap around at the ends.</summary>
    public static ValueMerge AddInt64 { get; } = new BinaryAdd();

    /// <summary>Operands are put one behind the other.</summary>
    public static ValueMerge Append { get; } = new Appending();

    /// <summary>What every program of this version knows.</summary>
    internal static IReadOnlyList<ValueMerge> BuiltIn { get; } = [Add, AddInt64, Append];

    /// <summary>Recorded with every family that uses it: 1 to 64 of <c>a-z 0-9 . -</c>. Never changes.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Whether two operands may be joined before the value is known, by the same <see cref="Merge"/>: then compactions
    /// keep the lists of operands short. Default: no.
    /// </summary>
    public virtual bool IsAssociative => false;

    /// <summary>Why a value or an operand must not enter the family; <see langword="null"/>: it may.</summary>
    /// <remarks>Asked before anything reaches the disk, of values that are put and of operands alike.</remarks>
    public virtual string? Refuse(ReadOnlySpan<byte> value) => null;

    /// <summary>Writes the outcome of one merge.</summary>
    /// <param name="key">The key.</param>
    /// <param name="exists">Whether the key has a value.</param>
    /// <param name="existing">That value; empty when there is none.</param>
    /// <param name="operand">What is merged into it.</param>
    /// <param name="destination">Receives the new value.</param>
    public abstract void Merge(
        ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, ReadOnlySpan<byte> operand,
        IBufferWriter<byte> destination);

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal static bool IsName(string name) => LegalName().IsMatch(name);

    [GeneratedRegex(@"^[a-z0-9.-]{1,64}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LegalName();

    private static void Put(ReadOnlySpan<byte> bytes, IBufferWriter<byte> destination)
    {
        if (!bytes.IsEmpty)
        {
            bytes.CopyTo(destination.GetSpan(bytes.Length));
            destination.Advance(bytes.Length);
        }
    }

    private sealed class DecimalAdd : ValueMerge
    {
        private const int LongestNumber = 20; // -9223372036854775808

        public override string Name => "add";

        public override bool IsAssociative => true;

        public override string? Refuse(ReadOnlySpan<byte> value) => TryRead(value, out _)
            ? null
            : "it is no whole number of 64 bits as decimal text, for example 12 or -3";

        public override void Merge(
            ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, ReadOnlySpan<byte> operand,
            IBufferWriter<byte> destination)
        {
            long sum = unchecked((exists ? Read(existing) : 0) + Read(operand));
            Utf8Formatter.TryFormat(sum, destination.GetSpan(LongestNumber), out int written);
            destination.Advance(written);
        }

        private static bool TryRead(ReadOnlySpan<byte> text, out long number) =>
            Utf8Parser.TryParse(text, out number, out int read) && read == text.Length && text[0] != (byte)'+';

        private static long Read(ReadOnlySpan<byte> text) => TryRead(text, out long number)
            ? number
            : throw new InvalidDataException("A value of a family that adds is no number.");
    }

    private sealed class BinaryAdd : ValueMerge
    {
        public override string Name => "add-int64";

        public override bool IsAssociative => true;

        public override string? Refuse(ReadOnlySpan<byte> value) => value.Length == sizeof(long)
            ? null
            : $"it has {value.Length} bytes, a number of this family has {sizeof(long)}";

        public override void Merge(
            ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, ReadOnlySpan<byte> operand,
            IBufferWriter<byte> destination)
        {
            long before = exists ? BinaryPrimitives.ReadInt64LittleEndian(existing) : 0;
            long sum = unchecked(before + BinaryPrimitives.ReadInt64LittleEndian(operand));
            BinaryPrimitives.WriteInt64LittleEndian(destination.GetSpan(sizeof(long)), sum);
            destination.Advance(sizeof(long));
        }
    }

    private sealed class Appending : ValueMerge
    {
        public override string Name => "append";

        public override bool IsAssociative => true;

        public override void Merge(
            ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, ReadOnlySpan<byte> operand,
            IBufferWriter<byte> destination)
        {
            Put(existing, destination);
            Put(operand, destination);
        }
    }
}

/// <summary>The merge operators that a process knows, by name.</summary>
internal sealed class MergeCatalog
{
    private readonly Dictionary<string, ValueMerge> _byName = new(StringComparer.Ordinal);

    /// <param name="own">Those of the user, besides the built-in ones.</param>
    /// <exception cref="ArgumentException">A name is illegal or given twice.</exception>
    public MergeCatalog(IEnumerable<ValueMerge> own)
    {
        foreach (ValueMerge merge in ValueMerge.BuiltIn.Concat(own))
        {
            if (!ValueMerge.IsName(merge.Name))
            {
                throw new ArgumentException(
                    $"'{Names.Show(merge.Name)}' is no name of a merge operator: use 1 to 64 of a-z, 0-9, '.' and '-'.",
                    nameof(own));
            }

            if (!_byName.TryAdd(merge.Name, merge))
            {
                throw new ArgumentException($"There are two merge operators named '{merge.Name}'.", nameof(own));
            }
        }
    }

    /// <summary>The names, in order, for messages.</summary>
    public string Known => string.Join(", ", _byName.Keys.Order(StringComparer.Ordinal));

    public bool Knows(string name) => _byName.ContainsKey(name);

    /// <summary>The families of a closed store with the operators that their values are read with.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.MergeOperatorMissing"/>.</exception>
    public IReadOnlyList<ColumnFamilyDescriptor> Describe(string directory, string label) =>
    [
        .. RocksDatabase.ListColumnFamilies(directory).Select(native => new ColumnFamilyDescriptor(
            native,
            new ColumnFamilyOptions { MergeOperator = TraitsOf(FamilyIdentity.Parse(native), label)?.Operator })),
    ];

    /// <summary>How values of a family are treated; <see langword="null"/>: as they are.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.MergeOperatorMissing"/>.</exception>
    public FamilyTraits? TraitsOf(FamilyIdentity family, string label)
    {
        FamilySettings settings = family.Settings;
        if (settings.IsPlain)
        {
            return null;
        }

        ValueMerge? merge = null;
        if (settings.Merge is { } name && !_byName.TryGetValue(name, out merge))
        {
            throw new StorageException(
                FailureKind.MergeOperatorMissing,
                $"Column family '{family.Name}' of {label} needs merge operator '{Names.Show(name)}', which this " +
                $"program does not have (it has {Known}). Register it with StorageOptions.AddMerge, or use one that " +
                "is there.");
        }

        return new FamilyTraits(settings, merge);
    }
}
