using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Whether shared storage has room for what is about to be sent.</summary>
/// <remarks>
/// What others send meanwhile is not foreseen, so a snapshot may still meet a full file system; but one that cannot fit
/// takes nobody's last bytes. Files that an earlier attempt sent in part are counted whole.
/// </remarks>
internal static class SharedSpace
{
    /// <summary>What is free; <see langword="null"/> when the file system does not say, which is logged.</summary>
    public static async Task<long?> MeasureAsync(
        ISharedStorage shared, long most, ILogger logger, CancellationToken cancellationToken)
    {
        long? free = null;
        try
        {
            free = await shared.GetFreeBytesAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind is FailureKind.Io or FailureKind.PermissionDenied)
        {
            // Not every file system answers; then only the sending itself tells.
        }

        if (free is null)
        {
            logger.SharedSpaceUnknown(shared.Location, most);
        }

        return free;
    }

    /// <summary>Refuses what does not fit.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.DiskFull"/>, with what is needed and available.
    /// </exception>
    public static void ThrowIfTooSmall(ISharedStorage shared, long? free, long needed, int files)
    {
        if (free < needed)
        {
            throw new StorageException(
                FailureKind.DiskFull,
                $"shared storage '{shared.Location}' has {free} bytes available, {needed} are needed for {files} " +
                "files. Nothing was sent: free space there, by retiring snapshots and collecting garbage, or make it " +
                "larger; then try again.");
        }
    }
}
