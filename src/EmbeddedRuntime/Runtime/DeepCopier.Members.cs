using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Reflection;
using System.Runtime.CompilerServices;
using Orleans;

namespace Branching.EmbeddedRuntime;

/// <content>Which members travel, and how collections are copied.</content>
internal static partial class DeepCopier
{
    private const BindingFlags Own =
        BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly ConcurrentDictionary<Type, MemberSet> _members = new();

    private static MemberSet MembersOf(Type type)
        => _members.GetOrAdd(type, static t => new MemberSet(TravellingFields(t)));

    // A field travels when it, or the property that it backs, carries an [Id]; of a record also the properties
    // that its primary constructor declares.
    private static List<FieldInfo> TravellingFields(Type type)
    {
        List<FieldInfo> travelling = [];
        for (Type? t = type; t is not null && t != typeof(object) && t != typeof(ValueType); t = t.BaseType)
        {
            if (t != type && !t.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
            {
                continue;
            }

            HashSet<string> marked = [.. t.GetProperties(Own)
                .Where(p => p.IsDefined(typeof(IdAttribute), inherit: false)).Select(p => Backing(p.Name))];
            marked.UnionWith(PrimaryConstructorProperties(t).Select(Backing));
            travelling.AddRange(t.GetFields(Own)
                .Where(f => marked.Contains(f.Name) || f.IsDefined(typeof(IdAttribute), inherit: false)));
        }

        return travelling;
    }

    private static IEnumerable<string> PrimaryConstructorProperties(Type type)
    {
        bool isRecord = type.GetMethod("PrintMembers", Own) is not null
            && (type.IsValueType || type.GetMethod("<Clone>$", Own) is not null);
        MethodInfo? deconstruct = isRecord
            ? type.GetMethods(Own).FirstOrDefault(m => m.Name == "Deconstruct"
                && m.IsDefined(typeof(CompilerGeneratedAttribute)))
            : null;
        return deconstruct?.GetParameters().Select(p => p.Name!) ?? [];
    }

    private static string Backing(string property) => $"<{property}>k__BackingField";

    private static List<T> CopyItems<T>(IEnumerable<T> source, int count, CopyRun run, List<T> into)
    {
        into.EnsureCapacity(count);
        bool share = IsShared(typeof(T));
        foreach (T item in source)
        {
            into.Add(share ? item : (T)run.Copy(item)!);
        }

        return into;
    }

    private static object CopyList<T>(object value, CopyRun run)
    {
        List<T> source = (List<T>)value;
        List<T> copy = [];
        run.Remember(value, copy);
        return CopyItems(source, source.Count, run, copy);
    }

    private static object CopyDictionary<TKey, TValue>(object value, CopyRun run)
        where TKey : notnull
    {
        Dictionary<TKey, TValue> source = (Dictionary<TKey, TValue>)value;
        Dictionary<TKey, TValue> copy = new(source.Count, source.Comparer);
        run.Remember(value, copy);
        foreach ((TKey key, TValue item) in source)
        {
            copy.Add((TKey)run.Copy(key)!, (TValue)run.Copy(item)!);
        }

        return copy;
    }

    private static object CopySortedDictionary<TKey, TValue>(object value, CopyRun run)
        where TKey : notnull
    {
        SortedDictionary<TKey, TValue> source = (SortedDictionary<TKey, TValue>)value;
        SortedDictionary<TKey, TValue> copy = new(source.Comparer);
        run.Remember(value, copy);
        foreach ((TKey key, TValue item) in source)
        {
            copy.Add((TKey)run.Copy(key)!, (TValue)run.Copy(item)!);
        }

        return copy;
    }

    private static object CopySet<T>(object value, CopyRun run)
    {
        HashSet<T> source = (HashSet<T>)value;
        return new HashSet<T>(CopyItems(source, source.Count, run, []), source.Comparer);
    }

    private static object CopySortedSet<T>(object value, CopyRun run)
    {
        SortedSet<T> source = (SortedSet<T>)value;
        return new SortedSet<T>(CopyItems(source, source.Count, run, []), source.Comparer);
    }

    private static object CopyQueue<T>(object value, CopyRun run)
        => new Queue<T>(CopyItems((Queue<T>)value, ((Queue<T>)value).Count, run, []));

    private static object CopyStack<T>(object value, CopyRun run)
        => new Stack<T>(CopyItems(((Stack<T>)value).Reverse(), ((Stack<T>)value).Count, run, []));

    private static object CopyPair<TKey, TValue>(object value, CopyRun run)
    {
        (TKey key, TValue item) = (KeyValuePair<TKey, TValue>)value;
        return KeyValuePair.Create((TKey)run.Copy(key)!, (TValue)run.Copy(item)!);
    }

    private static T[] CopySpan<T>(ReadOnlySpan<T> source, CopyRun run)
    {
        T[] copy = source.ToArray();
        if (!IsShared(typeof(T)))
        {
            for (int i = 0; i < copy.Length; i++)
            {
                copy[i] = (T)run.Copy(copy[i])!;
            }
        }

        return copy;
    }

    private static object CopyMemory<T>(object value, CopyRun run)
        => new Memory<T>(CopySpan<T>(((Memory<T>)value).Span, run));

    private static object CopyReadOnlyMemory<T>(object value, CopyRun run)
        => new ReadOnlyMemory<T>(CopySpan(((ReadOnlyMemory<T>)value).Span, run));

    private static object CopySegment<T>(object value, CopyRun run)
        => new ArraySegment<T>(CopySpan<T>(((ArraySegment<T>)value).AsSpan(), run));

    private static object CopyReadOnlyCollection<T>(object value, CopyRun run)
    {
        ReadOnlyCollection<T> source = (ReadOnlyCollection<T>)value;
        return new ReadOnlyCollection<T>(CopyItems(source, source.Count, run, []));
    }

    private static object CopyImmutableArray<T>(object value, CopyRun run)
    {
        ImmutableArray<T> source = (ImmutableArray<T>)value;
        return source.IsDefault ? source : ImmutableArray.Create(CopySpan(source.AsSpan(), run));
    }

    /// <summary>The fields of a type that travel.</summary>
    private sealed class MemberSet(IReadOnlyList<FieldInfo> fields)
    {
        public IReadOnlyList<FieldInfo> Fields => fields;

        /// <summary>Returns whether all of the type's fields travel.</summary>
        public bool Covers(Type type) => DeepCopier.Fields(type).TrueForAll(f => fields.Contains(f));
    }

    /// <summary>Carries one field over.</summary>
    private sealed class FieldCopier(FieldInfo field, bool share)
    {
        public static FieldCopier For(FieldInfo field)
        {
            Type type = field.FieldType;
            bool marked = field.IsDefined(typeof(ImmutableAttribute), inherit: false)
                || PropertyOf(field)?.IsDefined(typeof(ImmutableAttribute), inherit: false) == true;
            return new FieldCopier(field, marked || IsShared(type));
        }

        public void Copy(object from, object to, CopyRun run)
        {
            object? value = field.GetValue(from);
            field.SetValue(to, share ? value : run.Copy(value));
        }

        private static PropertyInfo? PropertyOf(FieldInfo field)
        {
            int end = field.Name.IndexOf('>', StringComparison.Ordinal);
            return field.Name.StartsWith('<') && end > 0
                ? field.DeclaringType!.GetProperty(field.Name[1..end], Own)
                : null;
        }
    }
}
