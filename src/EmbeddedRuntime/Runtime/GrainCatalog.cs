using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Concurrency;
using Orleans.Placement;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>A grain class and what its attributes say.</summary>
internal sealed class GrainClass(Type type, GrainType grainType)
{
    // On first use: a class that cannot be constructed concerns nobody but its callers.
    private ObjectFactory? _factory;

    public Type Type => type;

    public GrainType GrainType => grainType;

    public bool IsReentrant { get; } = type.IsDefined(typeof(ReentrantAttribute), inherit: true);

    public PlacementStrategy Placement { get; } =
        type.GetCustomAttribute<PlacementAttribute>(inherit: true)?.PlacementStrategy ?? new RandomPlacement();

    public object Construct(IServiceProvider services)
        => (_factory ??= ActivatorUtilities.CreateFactory(type, []))(services, null);
}

/// <summary>Every grain class that the application brings along. Types only, so the process shares it.</summary>
internal static class GrainCatalog
{
    private static readonly Lock _gate = new();
    private static readonly ConcurrentDictionary<(Type Interface, string? Prefix), GrainType> _resolved = new();
    private static Snapshot? _current;

    public static GrainType Resolve(Type interfaceType, string? classNamePrefix)
        => _resolved.TryGetValue((interfaceType, classNamePrefix), out GrainType known)
            ? known
            : _resolved.GetOrAdd((interfaceType, classNamePrefix), static key => Find(key.Interface, key.Prefix));

    public static GrainClass Get(GrainType type)
    {
        Snapshot snapshot = Current(refresh: false);
        return snapshot.ByType.TryGetValue(type, out GrainClass? known)
            || (snapshot = Current(refresh: true)).ByType.TryGetValue(type, out known)
            ? known
            : throw new ArgumentException($"There is no grain class named '{type}' in the loaded assemblies.");
    }

    private static GrainType Find(Type interfaceType, string? prefix)
    {
        List<GrainClass> candidates = Candidates(Current(refresh: false), interfaceType, prefix);
        if (candidates.Count == 0)
        {
            candidates = Candidates(Current(refresh: true), interfaceType, prefix);
        }

        if (candidates.Count > 1)
        {
            // By convention IThing is implemented by Thing, whatever else implements it too.
            string conventional = interfaceType.Name.StartsWith('I') ? interfaceType.Name[1..] : interfaceType.Name;
            candidates = candidates.FindAll(c => c.Type.Name == conventional) is { Count: 1 } one ? one : candidates;
        }

        return candidates.Count switch
        {
            1 => candidates[0].GrainType,
            0 => throw new ArgumentException(
                $"No grain class implements {interfaceType.FullName}"
                + (prefix is null ? "." : $" and has a name that starts with '{prefix}'.")
                + " Is its assembly next to the application?"),
            _ => throw new ArgumentException(
                $"Several grain classes implement {interfaceType.FullName}: "
                + string.Join(", ", candidates.Select(c => c.Type.FullName)) + ". Name one with grainClassNamePrefix."),
        };
    }

    private static List<GrainClass> Candidates(Snapshot snapshot, Type interfaceType, string? prefix)
        => [.. snapshot.ByType.Values.Where(c => interfaceType.IsAssignableFrom(c.Type)
            && (prefix is null || c.Type.FullName!.StartsWith(prefix, StringComparison.Ordinal)))];

    private static Snapshot Current(bool refresh)
    {
        lock (_gate)
        {
            if (_current is null || refresh)
            {
                List<Assembly> assemblies = FindAssemblies();
                if (_current is null || !_current.Assemblies.SetEquals(assemblies))
                {
                    _current = Scan(assemblies);
                }
            }

            return _current;
        }
    }

    private static Snapshot Scan(List<Assembly> assemblies)
    {
        Dictionary<GrainType, GrainClass> byType = [];
        foreach (Type type in assemblies.SelectMany(LoadableTypes))
        {
            if (type is { IsClass: true, IsAbstract: false, IsGenericTypeDefinition: false }
                && type.IsAssignableTo(typeof(Grain)))
            {
                GrainType name = NameOf(type);
                if (!byType.TryAdd(name, new GrainClass(type, name)))
                {
                    // Two classes of one short name are told apart by their full names.
                    name = GrainType.Create(type.FullName!.ToLowerInvariant());
                    byType.TryAdd(name, new GrainClass(type, name));
                }
            }
        }

        return new Snapshot(assemblies.ToFrozenSet(), byType.ToFrozenDictionary());
    }

    private static GrainType NameOf(Type type)
    {
        if (type.GetCustomAttribute<GrainTypeAttribute>() is { } named)
        {
            return named.GetGrainType(null!, type);
        }

        string name = type.Name.ToLowerInvariant();
        const string Suffix = "grain";
        return GrainType.Create(name.Length > Suffix.Length && name.EndsWith(Suffix, StringComparison.Ordinal)
            ? name[..^Suffix.Length]
            : name);
    }

    private static IEnumerable<Type> LoadableTypes(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException partly)
        {
            return partly.Types.OfType<Type>();
        }
    }

    // Loaded assemblies are not all: the one with the grain classes is often referenced only for its interfaces'
    // sake, or not at all. So those beside the application that name this assembly are loaded too.
    private static List<Assembly> FindAssemblies()
    {
        string self = typeof(GrainCatalog).Assembly.GetName().Name!;
        HashSet<string> loaded = [.. AppDomain.CurrentDomain.GetAssemblies().Select(a => a.GetName().Name!)];
        foreach (string path in Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll"))
        {
            string name = Path.GetFileNameWithoutExtension(path);
            if (!loaded.Contains(name) && References(path, self))
            {
                TryLoad(name);
            }
        }

        return [.. AppDomain.CurrentDomain.GetAssemblies().Where(a => !a.IsDynamic
            && (a.GetName().Name == self || a.GetReferencedAssemblies().Any(r => r.Name == self)))];
    }

    private static void TryLoad(string name)
    {
        try
        {
            Assembly.Load(new AssemblyName(name));
        }
        catch (FileNotFoundException)
        {
            // It lies beside the application without being part of it: another application in the same directory.
        }
    }

    private static bool References(string path, string assembly)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            using PEReader reader = new(file);
            if (!reader.HasMetadata)
            {
                return false;
            }

            MetadataReader metadata = reader.GetMetadataReader();
            return metadata.AssemblyReferences.Any(
                handle => metadata.StringComparer.Equals(metadata.GetAssemblyReference(handle).Name, assembly));
        }
        catch (Exception cause) when (cause is BadImageFormatException or IOException or ExternalException)
        {
            return false; // Not a managed assembly, so no grains in it.
        }
    }

    private sealed record Snapshot(FrozenSet<Assembly> Assemblies, FrozenDictionary<GrainType, GrainClass> ByType);
}
