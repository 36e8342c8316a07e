using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage;

/// <summary>The name of a database: 1 to 63 of <c>a-z 0-9 . _ -</c>, beginning with a letter or digit.</summary>
/// <remarks>
/// The name is also the name of a directory, so it is restricted to what every file system keeps apart.
/// </remarks>
public readonly record struct DatabaseName
{
    /// <summary>The longest legal name, in characters.</summary>
    public const int MaxLength = 63;

    private readonly string? _value;

    private DatabaseName(string value) => _value = value;

    /// <summary>The name as text; empty for <c>default</c>.</summary>
    public string Value => _value ?? "";

    /// <summary>Reads a name.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidName"/>.</exception>
    public static DatabaseName Parse(string text) => TryParse(text, out DatabaseName name, out string? why)
        ? name
        : throw new StorageException(FailureKind.InvalidName, $"'{Names.Show(text)}' is not a database name: {why}");

    /// <summary>Reads a name; <paramref name="why"/> says what is wrong with it.</summary>
    public static bool TryParse(string? text, out DatabaseName name, [NotNullWhen(false)] out string? why)
    {
        name = default;
        why = Check(text);
        if (why is not null)
        {
            return false;
        }

        name = new DatabaseName(text!);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;

    private static string? Check(string? text)
    {
        const string Rule = "use 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit.";
        if (string.IsNullOrEmpty(text))
        {
            return "it is empty; " + Rule;
        }

        if (text.Length > MaxLength)
        {
            return $"it has {text.Length} characters, more than {MaxLength}; " + Rule;
        }

        if (!char.IsAsciiLetterLower(text[0]) && !char.IsAsciiDigit(text[0]))
        {
            return $"it begins with '{Names.Show(text[..1])}'; " + Rule;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('.' or '_' or '-'))
            {
                return $"it contains '{Names.Show(c.ToString())}'; " + Rule;
            }
        }

        return null;
    }
}

/// <summary>The name of a branch: 1 to 128 of <c>A-Z a-z 0-9 . _ / -</c>, in segments separated by <c>/</c>.</summary>
/// <remarks>
/// Names that differ by case are different branches; no file is ever named after a branch. The default value of
/// the struct is no name: its <see cref="Value"/> is empty.
/// </remarks>
public readonly record struct BranchName
{
    /// <summary>The longest legal name, in characters.</summary>
    public const int MaxLength = 128;

    private readonly string? _value;

    private BranchName(string value) => _value = value;

    /// <summary>The main store of every database. It always exists and is neither created nor deleted.</summary>
    public static BranchName Main { get; } = new("main");

    /// <summary>The name as text; empty for <c>default</c>.</summary>
    public string Value => _value ?? "";

    /// <summary>Whether this is <see cref="Main"/>.</summary>
    public bool IsMain => Value == "main";

    /// <summary>Reads a name.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidName"/>.</exception>
    public static BranchName Parse(string text) => TryParse(text, out BranchName name, out string? why)
        ? name
        : throw new StorageException(FailureKind.InvalidName, $"'{Names.Show(text)}' is not a branch name: {why}");

    /// <summary>Reads a name; <paramref name="why"/> says what is wrong with it.</summary>
    public static bool TryParse(string? text, out BranchName name, [NotNullWhen(false)] out string? why)
    {
        name = default;
        why = Check(text);
        if (why is not null)
        {
            return false;
        }

        name = new BranchName(text!);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;

    private static string? Check(string? text)
    {
        const string Rule = "use 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and '/' between non-empty segments.";
        if (string.IsNullOrEmpty(text))
        {
            return "it is empty; " + Rule;
        }

        if (text.Length > MaxLength)
        {
            return $"it has {text.Length} characters, more than {MaxLength}; " + Rule;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '/' or '-'))
            {
                return $"it contains '{Names.Show(c.ToString())}'; " + Rule;
            }
        }

        if (text[0] is '-' or '.' || text[^1] == '.')
        {
            return "it begins with '-' or '.', or ends with '.'; " + Rule;
        }

        foreach (Range range in text.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> segment = text.AsSpan(range);
            if (segment is "" or "." or "..")
            {
                return "it has an empty, '.' or '..' segment, or begins or ends with '/'; " + Rule;
            }
        }

        return null;
    }
}

/// <summary>The durable identity of one store; the name of its directory. 32 lower-case hexadecimal digits.</summary>
public readonly record struct StoreId : IComparable<StoreId>
{
    private readonly Guid _value;

    private StoreId(Guid value) => _value = value;

    /// <summary>A new identity; later ones sort after earlier ones as text.</summary>
    public static StoreId New(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        return new StoreId(Guid.CreateVersion7(time.GetUtcNow()));
    }

    /// <summary>Reads an identity.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    public static StoreId Parse(string text) => TryParse(text, out StoreId id)
        ? id
        : throw new StorageException(
            FailureKind.InvalidArgument,
            $"'{Names.Show(text)}' is not a store id: use 32 lower-case hexadecimal digits.");

    /// <summary>Reads an identity of exactly 32 lower-case hexadecimal digits.</summary>
    public static bool TryParse(string? text, out StoreId id)
    {
        bool parsed = Names.TryParseId(text, out Guid value);
        id = new StoreId(value);
        return parsed;
    }

    /// <inheritdoc/>
    public int CompareTo(StoreId other) => _value.CompareTo(other._value);

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => _value.ToString("N");

    /// <summary>Whether the left identity sorts before the right one.</summary>
    public static bool operator <(StoreId left, StoreId right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left identity sorts after the right one.</summary>
    public static bool operator >(StoreId left, StoreId right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left identity does not sort after the right one.</summary>
    public static bool operator <=(StoreId left, StoreId right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left identity does not sort before the right one.</summary>
    public static bool operator >=(StoreId left, StoreId right) => left.CompareTo(right) >= 0;
}

/// <summary>The durable identity of one life of a database. 32 lower-case hexadecimal digits.</summary>
public readonly record struct DatabaseId
{
    private readonly Guid _value;

    private DatabaseId(Guid value) => _value = value;

    /// <summary>A new identity.</summary>
    public static DatabaseId New(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        return new DatabaseId(Guid.CreateVersion7(time.GetUtcNow()));
    }

    /// <summary>Reads an identity.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    public static DatabaseId Parse(string text) => TryParse(text, out DatabaseId id)
        ? id
        : throw new StorageException(
            FailureKind.InvalidArgument,
            $"'{Names.Show(text)}' is not a database id: use 32 lower-case hexadecimal digits.");

    /// <summary>Reads an identity of exactly 32 lower-case hexadecimal digits.</summary>
    public static bool TryParse(string? text, out DatabaseId id)
    {
        bool parsed = Names.TryParseId(text, out Guid value);
        id = new DatabaseId(value);
        return parsed;
    }

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => _value.ToString("N");
}

/// <summary>RocksDB's sequence number after a committed batch: a point in one store's history.</summary>
public readonly record struct Sequence(ulong Value) : IComparable<Sequence>
{
    /// <inheritdoc/>
    public int CompareTo(Sequence other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Whether the left point is earlier.</summary>
    public static bool operator <(Sequence left, Sequence right) => left.Value < right.Value;

    /// <summary>Whether the left point is later.</summary>
    public static bool operator >(Sequence left, Sequence right) => left.Value > right.Value;

    /// <summary>Whether the left point is not later.</summary>
    public static bool operator <=(Sequence left, Sequence right) => left.Value <= right.Value;

    /// <summary>Whether the left point is not earlier.</summary>
    public static bool operator >=(Sequence left, Sequence right) => left.Value >= right.Value;
}

/// <summary>The number of one tenure as owner of a database; every later owner has a higher one.</summary>
public readonly record struct Epoch(ulong Value) : IComparable<Epoch>
{
    /// <inheritdoc/>
    public int CompareTo(Epoch other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Whether the left tenure is earlier.</summary>
    public static bool operator <(Epoch left, Epoch right) => left.Value < right.Value;

    /// <summary>Whether the left tenure is later.</summary>
    public static bool operator >(Epoch left, Epoch right) => left.Value > right.Value;

    /// <summary>Whether the left tenure is not later.</summary>
    public static bool operator <=(Epoch left, Epoch right) => left.Value <= right.Value;

    /// <summary>Whether the left tenure is not earlier.</summary>
    public static bool operator >=(Epoch left, Epoch right) => left.Value >= right.Value;
}

/// <summary>What an answered write has survived.</summary>
public enum Durability
{
    /// <summary>The write is on the local disk: fsynced.</summary>
    Sync = 0,

    /// <summary>The write is in the operating system's cache: it survives the process, not the machine.</summary>
    Buffered = 1,
}

/// <summary>What the naming rules share.</summary>
internal static class Names
{
    /// <summary>A name fit for a message: cut, and control characters made visible.</summary>
    public static string Show(string? text)
    {
        if (text is null)
        {
            return "";
        }

        string cut = text.Length > 160 ? text[..160] + "…" : text;
        return cut.Any(char.IsControl)
            ? string.Concat(cut.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()))
            : cut;
    }

    public static bool TryParseId(string? text, out Guid value)
    {
        value = default;
        return text is { Length: 32 }
            && text.All(char.IsAsciiHexDigit)
            && !text.Any(char.IsAsciiLetterUpper)
            && Guid.TryParseExact(text, "N", out value);
    }
}
