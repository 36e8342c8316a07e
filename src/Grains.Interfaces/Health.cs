namespace Branching.Grains;

/// <summary>How a store is. The numbers travel and are never reused.</summary>
public enum StoreCondition
{
    /// <summary>It reads and writes.</summary>
    Healthy = 0,

    /// <summary>It reads and writes, but something is wrong that may stop it.</summary>
    Degraded = 1,

    /// <summary>It reads, and refuses writes until it is reopened.</summary>
    Poisoned = 2,

    /// <summary>It cannot be opened: its files are not what was written, or are gone.</summary>
    Damaged = 3,
}

/// <summary>What an examination of a store found.</summary>
/// <param name="Condition">How it is.</param>
/// <param name="Causes">Why it is not healthy, the gravest first; empty when it is.</param>
/// <param name="NeedsRestart">Whether only a restart of the node recovers it: reopening gains nothing.</param>
/// <param name="Directory">Where the store is on its node's disk.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.store-health")]
public sealed record StoreHealth(
    [property: Id(0)] StoreCondition Condition,
    [property: Id(1)] IReadOnlyList<string> Causes,
    [property: Id(2)] bool NeedsRestart,
    [property: Id(3)] string Directory);

/// <summary>A store that is open on a node.</summary>
/// <param name="Store">What it is, in words: "branch 'topic' of database 'shop'".</param>
/// <param name="Directory">Where it is on the node's disk.</param>
/// <param name="Condition">Whether it takes writes; what else may be wrong needs an examination.</param>
/// <param name="References">Calls and cursors that use it now, and keep it open.</param>
/// <param name="Unused">How long ago it was used last.</param>
/// <param name="Items">What is open on it by kind, for example "cursors" and "snapshots", with how many.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.open-store")]
public sealed record OpenStoreDescription(
    [property: Id(0)] string Store,
    [property: Id(1)] string Directory,
    [property: Id(2)] StoreCondition Condition,
    [property: Id(3)] int References,
    [property: Id(4)] TimeSpan Unused,
    [property: Id(5)] IReadOnlyDictionary<string, long> Items);
