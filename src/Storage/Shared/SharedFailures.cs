namespace Branching.Storage.Shared;

/// <summary>Failures of shared storage with their kinds and instructions.</summary>
internal static class SharedFailures
{
    /// <summary>A failure of the file system below shared storage.</summary>
    public static StorageException Failed(
        string step, string location, string name, Exception e, StorageNature? nature = null)
    {
        nature ??= StorageNature.Shared;
        // <errno.h>; .NET's and the binding's file exceptions carry the number in HResult on Unix.
        const int Eperm = 1, Eacces = 13, Enospc = 28, Erofs = 30, Edquot = 122, Emfile = 24, Enfile = 23;
        const int Enodev = 19, Enotconn = 107, Etimedout = 110, Ehostdown = 112, Ehostunreach = 113, Estale = 116;
        int errno = e is UnauthorizedAccessException ? Eacces : e.HResult;
        (FailureKind kind, string advice) = errno switch
        {
            Eperm or Eacces => (FailureKind.PermissionDenied, "Give this process's user access to it and try again."),
            Erofs => (FailureKind.PermissionDenied, "It is read-only: remount it for writing and try again."),
            Enospc or Edquot => (FailureKind.DiskFull,
                $"Free space (or inodes, or quota) there, {nature.MakeRoom}, and try again."),
            Emfile or Enfile => (FailureKind.TooManyOpenFiles, "Raise the limit of open files."),
            Enodev or Enotconn or Etimedout or Ehostdown or Ehostunreach or Estale => (
                FailureKind.SharedStorageUnavailable, "Check the mount and the network, then try again."),
            _ => (FailureKind.Io, "Check the storage and the system log."),
        };
        string what = name.Length == 0 ? "" : $" of '{name}'";
        return new StorageException(
            kind, $"{step}{what} on {nature.Noun} '{location}' failed: {e.Message} {advice}", e);
    }

    /// <summary>An object that a manifest names is not there.</summary>
    public static StorageException ObjectMissing(
        string location, string name, Exception? inner = null, string noun = "shared storage") => new(
        FailureKind.SnapshotDamaged,
        $"The object '{name}' is not on {noun} '{location}': the snapshot that names it cannot be restored. " +
        "Restore another snapshot.", inner);
}
