namespace Branching.Storage;

/// <summary>How a store is.</summary>
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
/// <param name="Label">What the store is.</param>
/// <param name="Directory">Where it is.</param>
/// <param name="Condition">How it is.</param>
/// <param name="Causes">Why it is not healthy, the gravest first; empty when it is.</param>
/// <param name="NeedsRestart">Whether only a restart of the node recovers it: reopening gains nothing.</param>
public sealed record StoreHealthReport(
    string Label, string Directory, StoreCondition Condition, IReadOnlyList<string> Causes, bool NeedsRestart);

/// <summary>A store that is open, with what is open on it.</summary>
/// <param name="Label">What the store is.</param>
/// <param name="Directory">Where it is.</param>
/// <param name="Condition">Whether it takes writes; what is wrong besides needs an examination.</param>
/// <param name="References">Calls and cursors that use it now, and keep it open.</param>
/// <param name="Unused">How long ago it was used last.</param>
/// <param name="Items">What is open on it by kind, for example cursors and snapshots, with how many.</param>
public sealed record OpenStore(
    string Label,
    string Directory,
    StoreCondition Condition,
    int References,
    TimeSpan Unused,
    IReadOnlyDictionary<string, long> Items);
