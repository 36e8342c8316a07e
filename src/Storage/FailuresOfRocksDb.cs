using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class StorageException
{
    /// <summary>Wraps a failure of RocksDB; <paramref name="what"/> names the action and the object.</summary>
    public static StorageException From(RocksDbException e, string what)
    {
        ArgumentNullException.ThrowIfNull(e);
        FailureKind kind = e.Status switch
        {
            RocksDbStatus.Corruption => FailureKind.Corruption,
            RocksDbStatus.NotSupported => FailureKind.NotSupported,
            RocksDbStatus.InvalidArgument => FailureKind.InvalidArgument,
            RocksDbStatus.NoSpace => FailureKind.DiskFull,
            RocksDbStatus.LockHeld => FailureKind.Locked,
            RocksDbStatus.PermissionDenied => FailureKind.PermissionDenied,
            RocksDbStatus.TooManyOpenFiles => FailureKind.TooManyOpenFiles,
            RocksDbStatus.Busy or RocksDbStatus.TryAgain => FailureKind.Overloaded,
            RocksDbStatus.TimedOut => FailureKind.TimedOut,
            RocksDbStatus.Aborted or RocksDbStatus.ShutdownInProgress => FailureKind.Closed,
            RocksDbStatus.IOError or RocksDbStatus.PathNotFound => FailureKind.Io,
            RocksDbStatus.NotFound or RocksDbStatus.Incomplete => FailureKind.Internal,
            _ => FailureKind.Unknown,
        };
        return new StorageException(kind, $"{what}: {e.Message}", e);
    }
}
