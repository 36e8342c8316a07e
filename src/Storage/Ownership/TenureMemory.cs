using System.Collections.Concurrent;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Ownership;

/// <summary>What this process alone knows of its tenure: nobody else changes it meanwhile.</summary>
internal sealed class TenureMemory
{
    /// <summary>Objects that may be named by the next manifest, by digest: uploads of this tenure and objects of
    /// valid snapshots. A collection takes out what it deletes before it deletes it.</summary>
    public ConcurrentDictionary<string, string> Objects { get; } = new(StringComparer.Ordinal);

    /// <summary>The names of those objects, and of others with the same content.</summary>
    public ConcurrentDictionary<string, string> Names { get; } = new(StringComparer.Ordinal);

    /// <summary>The last number given to a snapshot of each store.</summary>
    public ConcurrentDictionary<StoreId, ulong> Numbers { get; } = new();

    /// <summary>Whether the objects of valid snapshots are among <see cref="Objects"/>.</summary>
    public bool Loaded { get; set; }

    /// <summary>One at a time finds out what is there.</summary>
    public AsyncGate Loading { get; } = new();

    public void Add(string sha256, string name)
    {
        Objects.TryAdd(sha256, name);
        Names[name] = sha256;
    }

    public void Remove(string name)
    {
        if (Names.TryRemove(name, out string? sha256))
        {
            Objects.TryRemove(KeyValuePair.Create(sha256, name));
        }
    }

    /// <summary>One retirement at a time.</summary>
    public AsyncGate Retiring { get; } = new();

    /// <summary>One change of the catalog at a time.</summary>
    public AsyncGate Cataloguing { get; } = new();

    /// <summary>The catalog with all changes that arrived; <see langword="null"/>: not read yet.</summary>
    public CatalogState? Catalog { get; set; }

    /// <summary>A change whose outcome is unknown: nothing goes on until it is settled.</summary>
    public bool CatalogInDoubt { get; set; }
}
