using Branching.RocksDb;
using Branching.RocksDb.Files;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    /// <summary>
    /// Makes a checkpoint: a directory of hard links and a copy of the write-ahead log, complete and writable. Holds
    /// every write that was acknowledged before the call. Writes go on meanwhile. Blocking.
    /// </summary>
    /// <remarks>
    /// The log is carried along, not flushed, so the time does not depend on what the store holds. The files and their
    /// directory are durable on return; the directory's own entry in its parent is the caller's to make durable.
    /// </remarks>
    /// <param name="directory">Must not exist; its parent must, on the same file system for links.</param>
    /// <exception cref="StorageException">
    /// Nothing is left behind. <see cref="FailureKind.InvalidArgument"/>: the directory exists or its parent does not.
    /// </exception>
    public LocalCheckpoint CreateCheckpoint(string directory) => Into(directory, "A checkpoint", () =>
    {
        Sequence sequence = LastAcknowledged;
        NoteBranched(); // The next branch replays the tail, so it is kept short from here on.
        MakeCheckpoint(directory);
        return Finish(directory, sequence);
    });

    /// <summary>
    /// As <see cref="CreateCheckpoint"/>, but not durable before the caller has made it so, and possibly with tables
    /// that it does not name, which its first opening removes. Blocking.
    /// </summary>
    /// <param name="directory">As of <see cref="CreateCheckpoint"/>.</param>
    /// <exception cref="StorageException">As <see cref="CreateCheckpoint"/>.</exception>
    internal LocalCheckpoint CopyFiles(string directory) => Into(directory, "A copy of the files", () =>
    {
        Sequence sequence = LastAcknowledged;
        NoteBranched();
        bool isRefused = false;
        CheckpointFiles.Create(_database, directory, TryLink, durable: false);
        return Finish(directory, sequence);

        bool TryLink(string file, string link)
        {
            bool isLinked = _seams.TryLink(file, link);
            if (!isLinked && !isRefused)
            {
                isRefused = true;
                _logger.CheckpointLinkRefused(Label, directory, $"no second name for {file}.");
            }

            return isLinked;
        }
    });

    /// <summary>
    /// Keeps the files that the store consists of now: as a checkpoint, but gone after a power failure, and possibly
    /// with tables that it does not name. What it names is found by opening it. Blocking.
    /// </summary>
    /// <param name="directory">As of <see cref="CreateCheckpoint"/>.</param>
    /// <exception cref="StorageException">As <see cref="CreateCheckpoint"/>.</exception>
    internal void PinFiles(string directory) => Into(directory, "Keeping the files", () =>
    {
        CheckpointFiles.Create(_database, directory, _seams.TryLink, durable: false);
        return true;
    });

    // The target is reserved and found absent, so whatever is there after a failure is debris of this call.
    private T Into<T>(string directory, string what, Func<T> make)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Enter();
        try
        {
            ThrowIfReadOnly();
            ThrowIfPoisoned();
            if (!_resources.TryReserve(directory))
            {
                throw new StorageException(FailureKind.InvalidArgument,
                    $"{what} of {Label} was refused: another one is being made at {directory}. Use a fresh name.");
            }

            try
            {
                CheckTarget(directory, what);
                return OrNothing(directory, make);
            }
            finally
            {
                _resources.Release(directory);
            }
        }
        finally
        {
            _gate.Exit();
        }
    }

    private T OrNothing<T>(string directory, Func<T> make)
    {
        try
        {
            return make();
        }
        catch (RocksDbException e)
        {
            RemoveDebris(directory);
            throw Failure($"Making a checkpoint at {directory}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            RemoveDebris(directory);
            throw LocalStoreFailure.From(e, $"Making a checkpoint of {Label} at {directory}");
        }
    }

    private void MakeCheckpoint(string directory)
    {
        try
        {
            _seams.Checkpoint(_database, directory);
        }
        catch (RocksDbException e) when (e.Status is RocksDbStatus.IOError or RocksDbStatus.PermissionDenied
            or RocksDbStatus.NotSupported or RocksDbStatus.Unknown)
        {
            // RocksDB copies only where links are unsupported, not where one is refused: the 65,000th link of a file on
            // ext4 (EMLINK), or protected hard links (EPERM). So the same is done here file by file.
            _logger.CheckpointLinkRefused(Label, directory, e.Message);
            RemoveDebris(directory);
            CheckpointFiles.Create(_database, directory, _seams.TryLink, durable: true);
        }
    }

    private static LocalCheckpoint Finish(string directory, Sequence sequence)
    {
        int linked = 0, copied = 0;
        long linkedBytes = 0, copiedBytes = 0;
        foreach (string file in System.IO.Directory.EnumerateFiles(directory))
        {
            FileStatus status = LocalFiles.GetStatus(file);
            if (status.LinkCount > 1)
            {
                linked++;
                linkedBytes += status.Bytes;

                // Table files were fsynced when they were written, but a linked log may end in bytes that were not;
                // losing them while the copied, newer log is durable would tear a hole into the branch.
                if (file.EndsWith(".log", StringComparison.Ordinal))
                {
                    LocalFiles.FlushFile(file);
                }
            }
            else
            {
                copied++;
                copiedBytes += status.Bytes;
            }
        }

        return new LocalCheckpoint(sequence, linked, copied, linkedBytes + copiedBytes, linkedBytes, copiedBytes);
    }

    private void CheckTarget(string directory, string what)
    {
        if (Path.Exists(directory))
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"{what} of {Label} was refused: {directory} exists. It was not touched; use a fresh name.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(directory)) is not { } parent || !System.IO.Directory.Exists(parent))
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"{what} of {Label} was refused: the parent directory of {directory} does not exist. " +
                "Create it first.");
        }
    }

    private void RemoveDebris(string directory)
    {
        foreach (string debris in (ReadOnlySpan<string>)[directory, directory + ".tmp"])
        {
            try
            {
                if (System.IO.Directory.Exists(debris))
                {
                    System.IO.Directory.Delete(debris, recursive: true);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The first failure is what the caller must hear; what stays behind is swept at the next start.
                _logger.DebrisLeft(Label, debris, e);
            }
        }
    }
}
