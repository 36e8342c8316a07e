namespace Branching.Storage.Codecs;

/// <summary>Two parts, one after the other: ordered by the first, then by the second.</summary>
/// <remarks>Longer tuples are made of nested ones. Only the last part may be one that is not
/// self-delimiting.</remarks>
/// <typeparam name="T1">The first part.</typeparam>
/// <typeparam name="T2">The second part.</typeparam>
public sealed class TupleKeyCodec<T1, T2> : IKeyCodec<(T1, T2)>
{
    private readonly IKeyCodec<T1> _first;
    private readonly IKeyCodec<T2> _second;

    internal TupleKeyCodec(IKeyCodec<T1> first, IKeyCodec<T2> second)
    {
        _first = TupleParts.NotLast(first);
        _second = TupleParts.Last(second);
    }

    /// <inheritdoc/>
    public bool IsSelfDelimiting => _second.IsSelfDelimiting;

    /// <summary>All keys whose first part is this one.</summary>
    public KeyRange RangeOf(T1 first) => KeyRange.Prefix(_first.Encode(first));

    /// <inheritdoc/>
    public int Measure((T1, T2) value) => checked(_first.Measure(value.Item1) + _second.Measure(value.Item2));

    /// <inheritdoc/>
    public int Write((T1, T2) value, Span<byte> destination)
    {
        int at = _first.Write(value.Item1, destination);
        return at + _second.Write(value.Item2, destination[at..]);
    }

    /// <inheritdoc/>
    public (T1, T2) Read(ReadOnlySpan<byte> source, out int consumed)
    {
        T1 first = _first.Read(source, out int at);
        T2 second = _second.Read(source[at..], out int length);
        consumed = at + length;
        return (first, second);
    }
}

/// <summary>Three parts, one after the other.</summary>
/// <typeparam name="T1">The first part.</typeparam>
/// <typeparam name="T2">The second part.</typeparam>
/// <typeparam name="T3">The third part.</typeparam>
public sealed class TupleKeyCodec<T1, T2, T3> : IKeyCodec<(T1, T2, T3)>
{
    private readonly TupleKeyCodec<T1, T2> _start;
    private readonly IKeyCodec<T3> _third;

    internal TupleKeyCodec(IKeyCodec<T1> first, IKeyCodec<T2> second, IKeyCodec<T3> third)
    {
        _start = new TupleKeyCodec<T1, T2>(first, TupleParts.NotLast(second));
        _third = TupleParts.Last(third);
    }

    /// <inheritdoc/>
    public bool IsSelfDelimiting => _third.IsSelfDelimiting;

    /// <summary>All keys whose first part is this one.</summary>
    public KeyRange RangeOf(T1 first) => _start.RangeOf(first);

    /// <summary>All keys that begin with these two parts.</summary>
    public KeyRange RangeOf(T1 first, T2 second) => KeyRange.Prefix(_start.Encode((first, second)));

    /// <inheritdoc/>
    public int Measure((T1, T2, T3) value) =>
        checked(_start.Measure((value.Item1, value.Item2)) + _third.Measure(value.Item3));

    /// <inheritdoc/>
    public int Write((T1, T2, T3) value, Span<byte> destination)
    {
        int at = _start.Write((value.Item1, value.Item2), destination);
        return at + _third.Write(value.Item3, destination[at..]);
    }

    /// <inheritdoc/>
    public (T1, T2, T3) Read(ReadOnlySpan<byte> source, out int consumed)
    {
        (T1 first, T2 second) = _start.Read(source, out int at);
        T3 third = _third.Read(source[at..], out int length);
        consumed = at + length;
        return (first, second, third);
    }
}

/// <summary>Four parts, one after the other.</summary>
/// <typeparam name="T1">The first part.</typeparam>
/// <typeparam name="T2">The second part.</typeparam>
/// <typeparam name="T3">The third part.</typeparam>
/// <typeparam name="T4">The fourth part.</typeparam>
public sealed class TupleKeyCodec<T1, T2, T3, T4> : IKeyCodec<(T1, T2, T3, T4)>
{
    private readonly TupleKeyCodec<T1, T2, T3> _start;
    private readonly IKeyCodec<T4> _fourth;

    internal TupleKeyCodec(IKeyCodec<T1> first, IKeyCodec<T2> second, IKeyCodec<T3> third, IKeyCodec<T4> fourth)
    {
        _start = new TupleKeyCodec<T1, T2, T3>(first, second, TupleParts.NotLast(third));
        _fourth = TupleParts.Last(fourth);
    }

    /// <inheritdoc/>
    public bool IsSelfDelimiting => _fourth.IsSelfDelimiting;

    /// <summary>All keys whose first part is this one.</summary>
    public KeyRange RangeOf(T1 first) => _start.RangeOf(first);

    /// <summary>All keys that begin with these two parts.</summary>
    public KeyRange RangeOf(T1 first, T2 second) => _start.RangeOf(first, second);

    /// <summary>All keys that begin with these three parts.</summary>
    public KeyRange RangeOf(T1 first, T2 second, T3 third) =>
        KeyRange.Prefix(_start.Encode((first, second, third)));

    /// <inheritdoc/>
    public int Measure((T1, T2, T3, T4) value) =>
        checked(_start.Measure((value.Item1, value.Item2, value.Item3)) + _fourth.Measure(value.Item4));

    /// <inheritdoc/>
    public int Write((T1, T2, T3, T4) value, Span<byte> destination)
    {
        int at = _start.Write((value.Item1, value.Item2, value.Item3), destination);
        return at + _fourth.Write(value.Item4, destination[at..]);
    }

    /// <inheritdoc/>
    public (T1, T2, T3, T4) Read(ReadOnlySpan<byte> source, out int consumed)
    {
        (T1 first, T2 second, T3 third) = _start.Read(source, out int at);
        T4 fourth = _fourth.Read(source[at..], out int length);
        consumed = at + length;
        return (first, second, third, fourth);
    }
}

/// <summary>Which codec may stand where.</summary>
internal static class TupleParts
{
    public static IKeyCodec<T> NotLast<T>(IKeyCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        return codec.IsSelfDelimiting
            ? codec
            : throw new StorageException(
                FailureKind.InvalidArgument,
                "A codec that is not self-delimiting can only be the last part of a key: nobody could tell where it " +
                "ends. Use KeyCodecs.Text or KeyCodecs.Bytes here.");
    }

    public static IKeyCodec<T> Last<T>(IKeyCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        return codec;
    }
}
