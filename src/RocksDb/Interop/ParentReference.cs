using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// A counted reference of a child on the handle it needs. RocksDB's objects do not count each other, so the last of
/// parent and children to be released is what frees the parent, whatever the order of disposal.
/// </summary>
internal readonly struct ParentReference
{
    private readonly SafeHandle? _parent;

    private ParentReference(SafeHandle parent) => _parent = parent;

    /// <exception cref="ObjectDisposedException">The parent is already disposed.</exception>
    public static ParentReference Take(SafeHandle parent)
    {
        bool held = false;
        parent.DangerousAddRef(ref held);
        return new ParentReference(parent);
    }

    public void Release() => _parent?.DangerousRelease();
}
