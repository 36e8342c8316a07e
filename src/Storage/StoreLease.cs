namespace Branching.Storage;

/// <summary>The use of one open store. While it is held the store is neither closed for room nor deleted.</summary>
/// <remarks>Dispose it once the operation or the cursor is done; further calls of Dispose do nothing.</remarks>
public sealed class StoreLease : IDisposable
{
    private StoreSlot? _slot;

    internal StoreLease(StoreSlot slot, LocalStore store, BranchRecord branch)
    {
        _slot = slot;
        Store = store;
        Branch = branch;
    }

    /// <summary>The open store. Valid until this lease is disposed.</summary>
    public LocalStore Store { get; }

    /// <summary>The branch as it was when the lease was taken.</summary>
    public BranchRecord Branch { get; }

    /// <summary>Gives the use back.</summary>
    public void Dispose() => Interlocked.Exchange(ref _slot, null)?.Release();
}
