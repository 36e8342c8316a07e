using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Numerics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;
using Orleans.Serialization;

namespace Branching.EmbeddedRuntime;

/// <summary>Copies what a call carries, so that caller and grain never share anything that can change.</summary>
/// <remarks>
/// The rules are those of a serializer: marked members travel, others do not, and a type that says nothing about
/// how it travels is refused. So a missing mark shows here and not first between machines.
/// </remarks>
internal static partial class DeepCopier
{
    private static readonly ConcurrentDictionary<Type, bool> _immutable = new();
    private static readonly ConcurrentDictionary<Type, TypeCopier> _copiers = new();

    private static readonly FrozenSet<Type> _immutableTypes = new[]
    {
        typeof(string), typeof(decimal), typeof(DateTime), typeof(DateTimeOffset), typeof(TimeSpan), typeof(DateOnly),
        typeof(TimeOnly), typeof(Guid), typeof(Uri), typeof(Version), typeof(BigInteger), typeof(Int128),
        typeof(UInt128), typeof(Half), typeof(IPAddress), typeof(IPEndPoint), typeof(CultureInfo), typeof(Type),
        typeof(CancellationToken), typeof(Index), typeof(Range), typeof(GrainId), typeof(GrainType),
        typeof(GrainInterfaceType), typeof(IdSpan), typeof(SiloAddress), typeof(MembershipVersion),
        typeof(ClusterMember), typeof(ClusterMembershipSnapshot), typeof(DBNull),
    }.ToFrozenSet();

    private static readonly FrozenSet<Type> _immutableOver = new[]
    {
        typeof(ImmutableArray<>), typeof(ImmutableList<>), typeof(ImmutableDictionary<,>), typeof(ImmutableHashSet<>),
        typeof(ImmutableSortedDictionary<,>), typeof(ImmutableSortedSet<>), typeof(ImmutableQueue<>),
        typeof(ImmutableStack<>), typeof(Tuple<>), typeof(Tuple<,>), typeof(Tuple<,,>), typeof(Tuple<,,,>),
    }.ToFrozenSet();

    /// <summary>Returns a copy that shares nothing changeable with the original.</summary>
    /// <exception cref="CodecNotFoundException">A type in it does not say how it travels.</exception>
    public static T Copy<T>(T value)
    {
        if (value is null || IsShared(typeof(T)))
        {
            return value;
        }

        return (T)new CopyRun().Copy(value)!;
    }

    /// <summary>Returns whether whatever a variable of this type holds may be shared.</summary>
    public static bool IsShared(Type declared) => (declared.IsValueType || declared.IsSealed) && IsImmutable(declared);

    /// <summary>Returns whether every value of exactly this type may be shared.</summary>
    public static bool IsImmutable(Type type)
    {
        if (_immutable.TryGetValue(type, out bool known))
        {
            return known;
        }

        bool result = Judge(type);
        _immutable[type] = result;
        return result;
    }

    private static bool Judge(Type type)
    {
        if (type.IsPrimitive || type.IsEnum || type.IsPointer || _immutableTypes.Contains(type)
            || type.IsDefined(typeof(ImmutableAttribute), inherit: false))
        {
            return true;
        }

        if (type.IsGenericType)
        {
            Type open = type.GetGenericTypeDefinition();
            if (open == typeof(Immutable<>))
            {
                return true;
            }

            if (open == typeof(Nullable<>) || _immutableOver.Contains(open))
            {
                return type.GetGenericArguments().All(IsShared);
            }

            if (open == typeof(Memory<>) || open == typeof(ReadOnlyMemory<>) || open == typeof(ArraySegment<>))
            {
                return false;
            }
        }

        // A struct is copied whenever it is passed; it may be shared when what its fields point to may be.
        // One of ours with an unmarked member is for the copier below, which leaves that out, or refuses the type.
        return type.IsValueType
            && (IsOfTheFramework(type)
                || (type.IsDefined(typeof(GenerateSerializerAttribute), false) && MembersOf(type).Covers(type)))
            && Fields(type).TrueForAll(f => IsShared(f.FieldType));
    }

    private static bool IsOfTheFramework(Type type)
        => type.Namespace is { } space && (space == "System" || space.StartsWith("System.", StringComparison.Ordinal));

    private static TypeCopier CopierFor(Type type) => _copiers.GetOrAdd(type, static t => Build(t));

    private static TypeCopier Build(Type type)
    {
        if (IsImmutable(type) || type.IsAssignableTo(typeof(Type)) || type.IsAssignableTo(typeof(Exception))
            || type.IsAssignableTo(typeof(GrainProxy)) || type.IsAssignableTo(typeof(IPAddress))
            || type.IsAssignableTo(typeof(CultureInfo)) || type.IsAssignableTo(typeof(CancellationToken)))
        {
            return static (value, _) => value;
        }

        if (type.IsArray)
        {
            return BuildArray(type);
        }

        if (type == typeof(object))
        {
            return static (_, _) => new object();
        }

        if (type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
        {
            return BuildMembers(type);
        }

        if (type.IsGenericType && BuildGeneric(type) is { } generic)
        {
            return generic;
        }

        if (type.IsAssignableTo(typeof(IComparer)) || type.IsAssignableTo(typeof(IEqualityComparer)))
        {
            return static (value, _) => value; // Without state, or not meant for a call at all.
        }

        if (type.Name.StartsWith("<>z__", StringComparison.Ordinal))
        {
            throw new CodecNotFoundException(
                $"{type.Name} cannot be part of a grain call: the compiler made it up for a collection expression. "
                + "Give the expression the type of an array or a List<T>.");
        }

        throw new CodecNotFoundException(
            $"{type.FullName} cannot be part of a grain call: it says nothing about how it travels. "
            + "Mark it with [GenerateSerializer] and its members with [Id], or with [Immutable] if it never changes.");
    }

    private static TypeCopier BuildArray(Type type)
    {
        Type element = type.GetElementType()!;
        if (IsShared(element))
        {
            return static (value, _) => ((Array)value).Clone();
        }

        if (type.GetArrayRank() != 1)
        {
            throw new CodecNotFoundException($"{type} cannot be part of a grain call: use an array of arrays.");
        }

        return static (value, run) =>
        {
            Array source = (Array)value;
            Array copy = Array.CreateInstance(source.GetType().GetElementType()!, source.Length);
            run.Remember(source, copy);
            for (int i = 0; i < source.Length; i++)
            {
                copy.SetValue(run.Copy(source.GetValue(i)), i);
            }

            return copy;
        };
    }

    private static TypeCopier? BuildGeneric(Type type)
    {
        Type open = type.GetGenericTypeDefinition();
        string? method =
            open == typeof(List<>) ? nameof(CopyList)
            : open == typeof(Dictionary<,>) ? nameof(CopyDictionary)
            : open == typeof(SortedDictionary<,>) ? nameof(CopySortedDictionary)
            : open == typeof(HashSet<>) ? nameof(CopySet)
            : open == typeof(SortedSet<>) ? nameof(CopySortedSet)
            : open == typeof(Queue<>) ? nameof(CopyQueue)
            : open == typeof(Stack<>) ? nameof(CopyStack)
            : open == typeof(KeyValuePair<,>) ? nameof(CopyPair)
            : open == typeof(Memory<>) ? nameof(CopyMemory)
            : open == typeof(ReadOnlyMemory<>) ? nameof(CopyReadOnlyMemory)
            : open == typeof(ArraySegment<>) ? nameof(CopySegment)
            : open == typeof(System.Collections.ObjectModel.ReadOnlyCollection<>) ? nameof(CopyReadOnlyCollection)
            : open == typeof(ImmutableArray<>) ? nameof(CopyImmutableArray)
            : null;
        if (method is not null)
        {
            return typeof(DeepCopier).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static)!
                .MakeGenericMethod(type.GetGenericArguments()).CreateDelegate<TypeCopier>();
        }

        bool isTuple = type.IsAssignableTo(typeof(ITuple)) && type.Namespace == "System";
        return isTuple ? BuildFields(type, Fields(type)) : null;
    }

    private static TypeCopier BuildMembers(Type type)
    {
        MemberSet members = MembersOf(type);
        return BuildFields(type, members.Fields);
    }

    private static TypeCopier BuildFields(Type type, IReadOnlyList<FieldInfo> fields)
    {
        ConstructorInfo? constructor = type.GetConstructor(
            BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, []);
        FieldCopier[] copiers = [.. fields.Select(FieldCopier.For)];
        return (value, run) =>
        {
            object copy = constructor?.Invoke(null) ?? RuntimeHelpers.GetUninitializedObject(type);
            run.Remember(value, copy);
            foreach (FieldCopier copier in copiers)
            {
                copier.Copy(value, copy, run);
            }

            return copy;
        };
    }

    private static List<FieldInfo> Fields(Type type)
    {
        List<FieldInfo> fields = [];
        for (Type? t = type; t is not null && t != typeof(object) && t != typeof(ValueType); t = t.BaseType)
        {
            fields.AddRange(t.GetFields(Own));
        }

        return fields;
    }

    private delegate object TypeCopier(object value, CopyRun run);

    /// <summary>One copy under way; remembers what it has copied, so that shared and circular parts stay so.</summary>
    private sealed class CopyRun
    {
        private Dictionary<object, object>? _copies;

        public object? Copy(object? value)
        {
            if (value is null)
            {
                return null;
            }

            Type type = value.GetType();
            if (IsImmutable(type))
            {
                return value;
            }

            if (_copies is not null && _copies.TryGetValue(value, out object? known))
            {
                return known;
            }

            object copy = CopierFor(type)(value, this);
            if (!type.IsValueType)
            {
                Remember(value, copy);
            }

            return copy;
        }

        public void Remember(object value, object copy)
        {
            _copies ??= new Dictionary<object, object>(ReferenceEqualityComparer.Instance);
            _copies[value] = copy;
        }
    }
}
