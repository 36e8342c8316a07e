using Branching.RocksDb.Files;

namespace Branching.Storage.Snapshots;

/// <summary>
/// What tells one immutable file from every other on this machine: all names of a file share it, and a link made or
/// removed does not change it.
/// </summary>
/// <remarks>
/// A file number is no such thing: a store that was put back to an earlier state gives the same numbers to other
/// content. The time of the content's last change keeps a reused inode apart.
/// </remarks>
internal readonly record struct FileIdentity(ulong Device, ulong Inode, long Bytes, long ModifiedNs)
{
    public static FileIdentity Of(FileStatus status) =>
        new(status.Device, status.Inode, status.Bytes, status.ModifiedNs);
}
