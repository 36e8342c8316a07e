using System.Runtime.CompilerServices;

namespace Branching.RocksDb.Interop;

/// <summary>Turns RocksDB's error text into one typed failure, once: reads it, frees it, classifies it.</summary>
internal static class NativeError
{
    // Status::ToString() begins with one of these (rocksdb/status.h: Code).
    private static readonly (string Prefix, RocksDbStatus Status)[] _codes =
    [
        ("NotFound", RocksDbStatus.NotFound),
        ("Corruption", RocksDbStatus.Corruption),
        ("Not implemented", RocksDbStatus.NotSupported),
        ("Invalid argument", RocksDbStatus.InvalidArgument),
        ("Result incomplete", RocksDbStatus.Incomplete),
        ("Shutdown in progress", RocksDbStatus.ShutdownInProgress),
        ("Operation timed out: Timeout waiting to lock key", RocksDbStatus.LockTimedOut),
        ("Operation timed out", RocksDbStatus.TimedOut),
        ("Operation expired", RocksDbStatus.Expired),
        ("Operation aborted: Failed to acquire lock due to max_num_locks limit", RocksDbStatus.LockLimit), // 11
        ("Operation aborted", RocksDbStatus.Aborted),
        ("Resource busy: Deadlock", RocksDbStatus.Deadlock),
        ("Resource busy: Failed to acquire lock due to max_num_locks limit", RocksDbStatus.LockLimit), // 7
        ("Resource busy", RocksDbStatus.Busy),
        ("Operation failed. Try again", RocksDbStatus.TryAgain),
        ("Column family dropped", RocksDbStatus.InvalidArgument),
        ("IO error", RocksDbStatus.IOError),
    ];

    // Sub-codes of "IO error" and the texts of strerror that name the same cause.
    private static readonly (string Text, RocksDbStatus Status)[] _causes =
    [
        ("No space left on device", RocksDbStatus.NoSpace),
        ("Disk quota exceeded", RocksDbStatus.NoSpace),
        ("Space limit reached", RocksDbStatus.NoSpace),
        ("No such file or directory", RocksDbStatus.PathNotFound),
        ("Permission denied", RocksDbStatus.PermissionDenied),
        ("Operation not permitted", RocksDbStatus.PermissionDenied),
        ("Read-only file system", RocksDbStatus.PermissionDenied),
        ("Too many open files", RocksDbStatus.TooManyOpenFiles),
    ];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ThrowIfSet(nint error, string operation, string subject)
    {
        if (error != 0)
        {
            throw Take(error, operation, subject);
        }
    }

    /// <summary>Frees the text at <paramref name="error"/> and makes the exception that carries it.</summary>
    public static RocksDbException Take(nint error, string operation, string subject)
    {
        string text = NativeText.Take(error) ?? "";
        RocksDbStatus status = Classify(text);
        if (status == RocksDbStatus.Corruption && MergeCallbacks.TakeFailure() is { } cause)
        {
            return new RocksDbException(
                RocksDbStatus.MergeFailed,
                $"{operation} failed on {subject}: the merge operator failed: {cause.Message} ({text})",
                operation,
                cause);
        }

        return new RocksDbException(status, operation, subject, text);
    }

    public static RocksDbStatus Classify(string text)
    {
        foreach ((string prefix, RocksDbStatus status) in _codes)
        {
            if (text.StartsWith(prefix, StringComparison.Ordinal))
            {
                return status == RocksDbStatus.IOError ? ClassifyCause(text) : status;
            }
        }

        return RocksDbStatus.Unknown;
    }

    private static RocksDbStatus ClassifyCause(string text)
    {
        // "While lock file: <path>/LOCK: Resource temporarily unavailable" when another process holds it,
        // "lock hold by current process, ...: <path>/LOCK: No locks available" when this one does.
        bool aboutLock = text.Contains("/LOCK: ", StringComparison.Ordinal);
        bool refused = text.EndsWith("Resource temporarily unavailable", StringComparison.Ordinal)
            || text.EndsWith("No locks available", StringComparison.Ordinal)
            || text.Contains("lock hold by current process", StringComparison.Ordinal);
        if (aboutLock && refused)
        {
            return RocksDbStatus.LockHeld;
        }

        foreach ((string cause, RocksDbStatus status) in _causes)
        {
            // At the front as RocksDB's sub-code or at the end as the system's text; a path in the middle may say
            // anything.
            if (text.StartsWith("IO error: " + cause, StringComparison.Ordinal)
                || text.EndsWith(cause, StringComparison.Ordinal))
            {
                return status;
            }
        }

        return RocksDbStatus.IOError;
    }
}
