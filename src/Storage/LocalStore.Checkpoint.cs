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
    /// directory are durable on return; the directory's own entry in its parent is the caller's to make durable. There
    /// may be tables that it does not name, of a compaction under way for example: opening it removes them.
    /// </remarks>
    /// <param name="directory">Must not exist; its parent must, on the same file system for links.</param>
    /// <exception cref="StorageException">
    /// Nothing is left behind. <see cref="FailureKind.InvalidArgument"/>: the directory exists or its parent does not.
    /// </exception>
    public LocalCheckpoint CreateCheckpoint(string directory) => Into(directory, "A checkpoint", () =>
    {
        LocalCheckpoint made = MakeCheckpoint(directory);
        LocalFiles.FlushDirectoryWithFiles(directory);
        return made;
    });

    /// <summary>
    /// As <see cref="CreateCheckpoint"/>, but not durable before the caller has made it so with
    /// <see cref="LocalFiles.FlushDirectoryWithFiles"/>. Blocking.
    /// </summary>
    /// <param name="directory">As of <see cref="CreateCheckpoint"/>.</param>
    /// <exception cref="StorageException">As <see cref="CreateCheckpoint"/>.</exception>
    internal LocalCheckpoint CreateUnflushedCheckpoint(string directory) =>
        Into(directory, "A checkpoint", () => MakeCheckpoint(directory));

    /// <summary>
    /// Keeps the files that the store consists of now: as a checkpoint, but gone after a power failure, and not to be
    /// branched from soon. What it names is found by opening it. Blocking.
    /// </summary>
    /// <param name="directory">As of <see cref="CreateCheckpoint"/>.</param>
    /// <exception cref="StorageException">As <see cref="CreateCheckpoint"/>.</exception>
    internal void PinFiles(string directory) => Into(directory, "Keeping the files", () =>
    {
        CheckpointFiles.Create(_database, directory, _seams.TryLink);
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

    private LocalCheckpoint MakeCheckpoint(string directory)
    {
        Sequence sequence = LastAcknowledged;
        NoteBranched(); // The next branch replays the tail, so it is kept short from here on.
        string? refused = null;
        CheckpointFiles.Create(_database, directory, (file, link) =>
        {
            bool isLinked = _seams.TryLink(file, link);
            refused = isLinked || !File.Exists(file) ? refused : file;
            return isLinked;
        });
        if (refused is not null)
        {
            // The 65,000th link of a file on ext4 (EMLINK), or protected hard links (EPERM).
            _logger.CheckpointLinkRefused(Label, directory, refused);
        }

        return Measure(directory, sequence);
    }

    private static LocalCheckpoint Measure(string directory, Sequence sequence)
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
