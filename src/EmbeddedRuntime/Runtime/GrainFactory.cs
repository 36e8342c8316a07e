using System.Collections.Concurrent;
using Orleans;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>Makes the references of one silo or client.</summary>
internal sealed class GrainFactory(CallOrigin origin, IServiceProvider services) : IClusterClient
{
    // References are small and cheap to make again; the bound only keeps a key-scanning caller from leaking.
    private const int MaxCached = 50_000;

    private readonly ConcurrentDictionary<(Type Interface, string Key), object> _cache = new();

    public CallOrigin Origin => origin;

    public IServiceProvider ServiceProvider => services;

    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithStringKey
        => (TGrainInterface)Get(typeof(TGrainInterface), primaryKey, grainClassNamePrefix);

    public IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey)
        => (IGrain)Get(grainInterfaceType, grainPrimaryKey, null);

    public TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
        where TGrainInterface : IAddressable
        => (TGrainInterface)GetReference(typeof(TGrainInterface), grainId);

    public object GetReference(Type interfaceType, GrainId id) => GrainProxy.Create(interfaceType, id, this);

    private object Get(Type interfaceType, string key, string? classNamePrefix)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (classNamePrefix is null && _cache.TryGetValue((interfaceType, key), out object? known))
        {
            return known;
        }

        GrainType type = GrainCatalog.Resolve(interfaceType, classNamePrefix);
        object made = GetReference(interfaceType, GrainId.Create(type, key));
        if (classNamePrefix is not null)
        {
            return made;
        }

        if (_cache.Count >= MaxCached)
        {
            _cache.Clear();
        }

        return _cache.GetOrAdd((interfaceType, key), made);
    }
}
