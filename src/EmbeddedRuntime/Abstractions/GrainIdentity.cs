using System.Text;

namespace Orleans.Runtime;

/// <summary>A short immutable text, kept as UTF-8 together with its hash.</summary>
public readonly struct IdSpan : IEquatable<IdSpan>, IComparable<IdSpan>
{
    private readonly byte[]? _value;
    private readonly int _hash;

    /// <summary>Takes over <paramref name="value"/>, which must not change afterwards.</summary>
    public IdSpan(byte[] value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _value = value;
        HashCode hash = default;
        hash.AddBytes(value);
        _hash = hash.ToHashCode();
    }

    /// <summary>Gets whether there is no text at all.</summary>
    public bool IsDefault => _value is null;

    /// <summary>Gets the UTF-8 bytes.</summary>
    public ReadOnlyMemory<byte> Value => _value;

    /// <summary>Makes one from a text.</summary>
    public static IdSpan Create(string id) => new(Encoding.UTF8.GetBytes(id));

    /// <summary>Returns the UTF-8 bytes.</summary>
    public readonly ReadOnlySpan<byte> AsSpan() => _value;

    /// <summary>Compares byte by byte.</summary>
    public readonly int CompareTo(IdSpan other) => AsSpan().SequenceCompareTo(other.AsSpan());

    /// <summary>Compares the bytes.</summary>
    public readonly bool Equals(IdSpan obj)
        => ReferenceEquals(_value, obj._value) || (_hash == obj._hash && AsSpan().SequenceEqual(obj.AsSpan()));

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is IdSpan other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => _hash;

    /// <summary>Returns the text; empty when there is none.</summary>
    public override readonly string ToString() => Encoding.UTF8.GetString(AsSpan());

    /// <summary>Compares the bytes.</summary>
    public static bool operator ==(IdSpan left, IdSpan right) => left.Equals(right);

    /// <summary>Compares the bytes.</summary>
    public static bool operator !=(IdSpan left, IdSpan right) => !left.Equals(right);
}

/// <summary>Names a grain class.</summary>
public readonly struct GrainType : IEquatable<GrainType>, IComparable<GrainType>
{
    /// <summary>Makes one from its name.</summary>
    public GrainType(IdSpan id) => Value = id;

    /// <summary>Gets the name.</summary>
    public IdSpan Value { get; }

    /// <summary>Gets whether there is no name.</summary>
    public bool IsDefault => Value.IsDefault;

    /// <summary>Makes one from its name.</summary>
    public static GrainType Create(string value) => new(IdSpan.Create(value));

    /// <summary>Compares the names.</summary>
    public readonly int CompareTo(GrainType other) => Value.CompareTo(other.Value);

    /// <summary>Compares the names.</summary>
    public readonly bool Equals(GrainType obj) => Value.Equals(obj.Value);

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is GrainType other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => Value.GetHashCode();

    /// <summary>Returns the name.</summary>
    public override readonly string? ToString() => Value.ToString();

    /// <summary>Compares the names.</summary>
    public static bool operator ==(GrainType left, GrainType right) => left.Equals(right);

    /// <summary>Compares the names.</summary>
    public static bool operator !=(GrainType left, GrainType right) => !left.Equals(right);
}

/// <summary>Names one grain in the cluster: its class and its key.</summary>
public readonly struct GrainId : IEquatable<GrainId>, IComparable<GrainId>
{
    /// <summary>Makes one from class and key.</summary>
    public GrainId(GrainType type, IdSpan key)
    {
        Type = type;
        Key = key;
    }

    /// <summary>Gets the class.</summary>
    public GrainType Type { get; }

    /// <summary>Gets the key.</summary>
    public IdSpan Key { get; }

    /// <summary>Gets whether it names nothing.</summary>
    public bool IsDefault => Type.IsDefault && Key.IsDefault;

    /// <summary>Makes one from class and key.</summary>
    public static GrainId Create(string type, string key) => Create(GrainType.Create(type), key);

    /// <summary>Makes one from class and key.</summary>
    public static GrainId Create(GrainType type, string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return new GrainId(type, IdSpan.Create(key));
    }

    /// <summary>Makes one from class and key.</summary>
    public static GrainId Create(GrainType type, IdSpan key) => new(type, key);

    /// <summary>Reads what <see cref="ToString"/> wrote: class, a slash, key.</summary>
    /// <exception cref="FormatException">There is no slash, or no class before it.</exception>
    public static GrainId Parse(string value)
        => TryParse(value, out GrainId result)
            ? result
            : throw new FormatException($"'{value}' is not a grain id. It must be <class>/<key>.");

    /// <summary>Reads what <see cref="ToString"/> wrote: class, a slash, key.</summary>
    public static bool TryParse(string? value, out GrainId result)
    {
        int slash = value?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        result = slash > 0 ? Create(value![..slash], value[(slash + 1)..]) : default;
        return slash > 0;
    }

    /// <summary>Compares the class, then the key.</summary>
    public readonly int CompareTo(GrainId other)
    {
        int byType = Type.CompareTo(other.Type);
        return byType != 0 ? byType : Key.CompareTo(other.Key);
    }

    /// <summary>Compares class and key.</summary>
    public readonly bool Equals(GrainId other) => Key.Equals(other.Key) && Type.Equals(other.Type);

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is GrainId other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(Type, Key);

    /// <summary>Returns class, a slash, key.</summary>
    public override readonly string ToString() => $"{Type}/{Key}";

    /// <summary>Compares class and key.</summary>
    public static bool operator ==(GrainId left, GrainId right) => left.Equals(right);

    /// <summary>Compares class and key.</summary>
    public static bool operator !=(GrainId left, GrainId right) => !left.Equals(right);
}

/// <summary>Names a grain interface.</summary>
public readonly struct GrainInterfaceType : IEquatable<GrainInterfaceType>
{
    /// <summary>Makes one from its name.</summary>
    public GrainInterfaceType(IdSpan value) => Value = value;

    /// <summary>Makes one from its name.</summary>
    public GrainInterfaceType(string value) => Value = IdSpan.Create(value);

    /// <summary>Gets the name.</summary>
    public IdSpan Value { get; }

    /// <summary>Gets whether there is no name.</summary>
    public bool IsDefault => Value.IsDefault;

    /// <summary>Makes one from its name.</summary>
    public static GrainInterfaceType Create(string value) => new(value);

    /// <summary>Compares the names.</summary>
    public readonly bool Equals(GrainInterfaceType other) => Value.Equals(other.Value);

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is GrainInterfaceType other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => Value.GetHashCode();

    /// <summary>Returns the name.</summary>
    public override readonly string ToString() => Value.ToString();

    /// <summary>Compares the names.</summary>
    public static bool operator ==(GrainInterfaceType left, GrainInterfaceType right) => left.Equals(right);

    /// <summary>Compares the names.</summary>
    public static bool operator !=(GrainInterfaceType left, GrainInterfaceType right) => !left.Equals(right);
}
