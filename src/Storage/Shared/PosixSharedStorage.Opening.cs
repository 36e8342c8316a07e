using Branching.RocksDb.Files;

namespace Branching.Storage.Shared;

/// <summary>Opening, sweeping, and what every call passes through.</summary>
public sealed partial class PosixSharedStorage
{
    // A small step lasts seconds; an upload is written to all the time. Both are long dead after this.
    private static readonly TimeSpan _staleAfter = TimeSpan.FromDays(1);

    private bool LookAt()
    {
        ThrowIfFile();
        if (!TryGetStatus(_directory, out _identity))
        {
            throw new StorageException(
                FailureKind.SharedStorageUnavailable,
                $"Shared storage '{_directory}' is not there. Nothing was created: mount it, or name the directory " +
                "that holds it.");
        }

        return true;
    }

    private bool Prepare()
    {
        ThrowIfFile();
        CreateParent(_temporary);
        Directory.CreateDirectory(_temporary);
        FlushDirectory(_directory);
        _identity = LocalFiles.GetStatus(_directory);
        string probe = WriteTemporary("probe"u8);
        string second = NewTemporary();
        try
        {
            Probe(probe, second);
            Sweep(File.GetLastWriteTimeUtc(second));
        }
        finally
        {
            Forget(probe);
            Forget(second);
        }

        return true;
    }

    private void ThrowIfFile()
    {
        for (string? path = _directory; path is not null; path = Path.GetDirectoryName(path))
        {
            if (File.Exists(path))
            {
                throw new StorageException(
                    FailureKind.InvalidArgument,
                    $"Shared storage '{_directory}' cannot be used: '{path}' is a file, not a directory. Nothing was " +
                    "changed; name the directory that all nodes have mounted.");
            }
        }
    }

    private void Probe(string probe, string second)
    {
        if (!LocalFiles.TryCreateHardLink(probe, second, out int errno))
        {
            throw new StorageException(
                FailureKind.NotSupported,
                $"The file system of shared storage '{_directory}' refuses hard links (errno {errno}), which make " +
                "sure that of two nodes only one takes a name. Use one that has them, NFS or a local one.");
        }

        if (LocalFiles.TryCreateHardLink(probe, second, out errno) || errno != Exists)
        {
            throw new StorageException(
                FailureKind.NotSupported,
                $"The file system of shared storage '{_directory}' lets a hard link take a name that is taken (errno " +
                $"{errno}): two nodes could own one database. Use another file system.");
        }

        string renamed = WriteTemporary("renamed"u8);
        File.Move(renamed, second, overwrite: true);
        FlushDirectory(_temporary);
    }

    /// <summary>Deletes temporary files that are old by the storage's own clock.</summary>
    private void Sweep(DateTime nowUtc)
    {
        foreach (FileInfo file in new DirectoryInfo(_temporary).EnumerateFiles())
        {
            if (nowUtc - file.LastWriteTimeUtc > _staleAfter)
            {
                Forget(file.FullName);
            }
        }
    }

    /// <summary>The same directory, open for changes that a loss of power may take back.</summary>
    internal PosixSharedStorage WithoutSync() => new(_directory, _timeout, _time, _nature with { IsDurable = false })
    {
        _identity = _identity,
    };

    private void FlushFile(FileStream file)
    {
        if (_nature.IsDurable)
        {
            RandomAccess.FlushToDisk(file.SafeFileHandle);
        }
    }

    private void FlushDirectory(string path)
    {
        if (_nature.IsDurable)
        {
            LocalFiles.FlushDirectory(path);
        }
    }

    private void CheckMounted()
    {
        bool isThere = TryGetStatus(_directory, out FileStatus now);
        if (!isThere || now.Inode != _identity.Inode || now.Device != _identity.Device)
        {
            throw new StorageException(
                FailureKind.SharedStorageUnavailable,
                $"Shared storage '{_directory}' is {(isThere ? "another directory than" : "not there, unlike")} when " +
                "it was opened: its file system was probably unmounted. Mount it again; if it was replaced on " +
                "purpose, restart this node.");
        }
    }

    private Task<T> RunAsync<T>(string step, string name, Func<T> action, CancellationToken cancellationToken) =>
        WaitAsync(step, name, () => Task.Run(
            () =>
            {
                CheckMounted();
                return action();
            }, CancellationToken.None), cancellationToken);

    /// <summary>Waits for a small step at most as long as one may take: an unreachable server answers nothing, not
    /// even an error, and the thread that asked it cannot be stopped.</summary>
    private Task<T> WaitAsync<T>(string step, string name, Func<Task<T>> start, CancellationToken cancellationToken) =>
        Guarded(step, name, async () =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return await start().WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException e)
            {
                throw new StorageException(
                    FailureKind.SharedStorageUnavailable,
                    $"{step} of '{name}' on {_nature.Noun} '{Location}' was not answered within {_timeout}. Its " +
                    "outcome is unknown. Check the mount and the network, then try again.", e);
            }
        });

    private async Task<T> Guarded<T>(string step, string name, Func<Task<T>> action)
    {
        try
        {
            return await action().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw SharedFailures.Failed(step, Location, name, e, _nature);
        }
    }
}
