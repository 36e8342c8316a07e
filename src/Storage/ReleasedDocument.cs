namespace Branching.Storage;

/// <summary>
/// <c>released.json</c>: this copy was given up in order, and these snapshots hold all that it has.
/// </summary>
/// <remarks>
/// Put after the release, when no store of the copy is open any more; true of the epoch it names and of no other. It is
/// a claim to be checked, never a reason by itself to remove anything.
/// </remarks>
/// <param name="Format">The format number.</param>
/// <param name="Database">The database's identity.</param>
/// <param name="Epoch">The epoch that was given up.</param>
/// <param name="Stores">The last snapshot of each store of the copy.</param>
internal sealed record ReleasedDocument(
    int Format, string Database, ulong Epoch, IReadOnlyList<ReleasedStore> Stores)
{
    public const string FileName = "released.json";
}

/// <summary>The last snapshot of one store of a released copy.</summary>
/// <param name="Snapshot">Its identity, which names the store.</param>
/// <param name="Sequence">The sequence up to which it holds the store: all of it.</param>
internal sealed record ReleasedStore(string Snapshot, ulong Sequence);
