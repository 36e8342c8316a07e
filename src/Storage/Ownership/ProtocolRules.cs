namespace Branching.Storage.Ownership;

/// <summary>The rules that keep two owners apart. Tests take one out and must see the simulation fail.</summary>
internal sealed record ProtocolRules
{
    public static ProtocolRules All { get; } = new();

    /// <summary>Only what the epoch's rule counts exists, and a publication is confirmed.</summary>
    public bool Fence { get; init; } = true;

    /// <summary>A taker waits until the former owner cannot answer any more.</summary>
    public bool AwaitLease { get; init; } = true;

    /// <summary>Whether a copy may go on is decided by who had entered when the claim was made.</summary>
    public bool LookAtEntriesAfterClaim { get; init; } = true;

    /// <summary>No object's name is ever given twice.</summary>
    public bool NameObjectsAfresh { get; init; } = true;
}
