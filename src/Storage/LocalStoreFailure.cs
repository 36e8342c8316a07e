using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>Gives failures of RocksDB and of the file system, met inside a store, their kind.</summary>
internal static class LocalStoreFailure
{
    /// <summary>From RocksDB; its own text stays in the message.</summary>
    public static StorageException From(RocksDbException e, string what) =>
        StorageException.From(e, $"{what} failed");

    /// <summary>From the file system.</summary>
    public static StorageException From(Exception e, string what) => new(KindOf(e), $"{what} failed: {e.Message}", e);

    private static FailureKind KindOf(Exception e)
    {
        // The low half of HResult is errno on Unix for these, with the numbers of <errno.h>.
        const int NotPermitted = 1, AccessDenied = 13, NoSpace = 28, Quota = 122, ProcessFiles = 24, SystemFiles = 23;
        return e switch
        {
            UnauthorizedAccessException => FailureKind.PermissionDenied,
            IOException { HResult: NotPermitted or AccessDenied } => FailureKind.PermissionDenied,
            IOException { HResult: NoSpace or Quota } => FailureKind.DiskFull,
            IOException { HResult: ProcessFiles or SystemFiles } => FailureKind.TooManyOpenFiles,
            _ => FailureKind.Io,
        };
    }
}
