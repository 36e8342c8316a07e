using System.Collections.Concurrent;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>
/// A local directory of objects that were fetched and verified: each is fetched once, however many stores of one
/// restore need it. Thread-safe; one process at a time.
/// </summary>
/// <remarks>
/// An object has its digest as its name from the moment it is complete, verified and fsynced, so whatever an
/// interrupted restore left under such a name is used again. Everything else in the directory is debris and is removed
/// when it is opened.
/// </remarks>
public sealed class LocalObjects
{
    private const string PartExtension = ".part";
    private const int DigestDigits = 64;

    private readonly ConcurrentDictionary<string, Lazy<Task>> _fetching = new(StringComparer.Ordinal);
    private readonly Disk _disk;
    private long _fetchedFiles;
    private long _fetchedBytes;

    private LocalObjects(string directory, Disk disk)
    {
        Directory = directory;
        _disk = disk;
    }

    /// <summary>The directory.</summary>
    public string Directory { get; }

    /// <summary>Objects fetched since it was opened.</summary>
    public long FetchedFiles => Volatile.Read(ref _fetchedFiles);

    /// <summary>Bytes fetched since it was opened.</summary>
    public long FetchedBytes => Volatile.Read(ref _fetchedBytes);

    /// <summary>Opens a directory, which is created when absent, and removes what an interruption left in it.</summary>
    /// <exception cref="StorageException">The directory cannot be created, listed or cleaned.</exception>
    public static LocalObjects Open(string directory) => Open(directory, new Disk());

    internal static LocalObjects Open(string directory, Disk disk)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        LocalObjects objects = new(Path.GetFullPath(directory), disk);
        if (!System.IO.Directory.Exists(objects.Directory))
        {
            disk.CreateDirectory(objects.Directory);
        }

        foreach (string entry in Disk.List(objects.Directory))
        {
            if (!IsDigest(entry))
            {
                disk.DeleteTree(Path.Combine(objects.Directory, entry));
            }
        }

        return objects;
    }

    /// <summary>Where an object of that digest and length is, when it is here.</summary>
    public string? Find(SnapshotFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        FileInfo info = new(PathOf(file));
        return info.Exists && info.Length == file.Bytes ? info.FullName : null;
    }

    /// <summary>Makes the object be here; concurrent calls for one object fetch it once.</summary>
    /// <param name="shared">Where it is.</param>
    /// <param name="name">Its full name there.</param>
    /// <param name="file">The file; its content is checked against its digest.</param>
    /// <param name="rate">Limits the bytes per second.</param>
    /// <param name="progress">Told the bytes fetched since the last call.</param>
    /// <param name="cancellationToken">Ends the wait, and the fetch when this call began it.</param>
    /// <returns>Whether this very call fetched it.</returns>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.SnapshotDamaged"/>: it is missing, or its bytes are not those of the digest.
    /// </exception>
    public async Task<bool> GetAsync(
        ISharedStorage shared, string name, SnapshotFile file, RateLimit? rate, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(file);
        while (true)
        {
            if (Find(file) is not null)
            {
                return false;
            }

            Lazy<Task> mine = new(() => FetchAsync(shared, name, file, rate, progress, cancellationToken));
            Lazy<Task> task = _fetching.GetOrAdd(file.Sha256, mine);
            bool isMine = ReferenceEquals(task, mine);
            try
            {
                // The one who began it stays until it has ended: nothing writes here after the caller has gone on.
                await (isMine ? task.Value : task.Value.WaitAsync(cancellationToken)).ConfigureAwait(false);
                if (isMine)
                {
                    return true;
                }
            }
            catch (Exception) when (!isMine && !cancellationToken.IsCancellationRequested)
            {
                // Another caller's attempt failed or was cancelled; this one makes its own.
                _fetching.TryRemove(new(file.Sha256, task));
            }
            finally
            {
                if (isMine)
                {
                    _fetching.TryRemove(new(file.Sha256, task));
                }
            }
        }
    }

    /// <summary>Removes an object that is not needed any more.</summary>
    internal void Drop(SnapshotFile file) => _disk.DeleteFile(PathOf(file));

    /// <summary>Where an object is that was fetched before.</summary>
    internal string Require(SnapshotFile file) => Find(file) ?? throw new StorageException(
        FailureKind.Io,
        $"Object {file.Sha256} is not in '{Directory}' any more. Restore again; nothing else may remove it.");

    internal static bool IsDigest(string name) =>
        name.Length == DigestDigits && name.All(c => char.IsAsciiHexDigit(c) && !char.IsAsciiLetterUpper(c));

    /// <summary>Removes the directory with all it holds. Stores that were linked from it keep their files.</summary>
    /// <exception cref="StorageException">It could not be removed.</exception>
    public void Delete() => _disk.DeleteTree(Directory);

    private string PathOf(SnapshotFile file) => IsDigest(file.Sha256)
        ? Path.Combine(Directory, file.Sha256)
        : throw new StorageException(
            FailureKind.SnapshotDamaged, $"'{Names.Show(file.Sha256)}' of file '{file.Name}' is not a SHA-256.");

    private async Task FetchAsync(
        ISharedStorage shared, string name, SnapshotFile file, RateLimit? rate, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        if (Find(file) is not null)
        {
            return; // Another caller was done with it in this moment.
        }

        string target = PathOf(file);
        string part = target + PartExtension;
        _disk.DeleteTree(part);
        _disk.DeleteTree(target); // Of another length than the manifest says, or Find would have found it.
        _disk.Reach(SnapshotStep.RestoreObjectFetching);
        FetchedFile fetched;
        try
        {
            fetched = await shared.FetchFileAsync(name, new FileToFetch(part, rate, progress), cancellationToken)
                .ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind == FailureKind.SnapshotDamaged)
        {
            throw Damaged(shared, name, file, FindingKind.Missing, "it is not there");
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption)
        {
            throw Damaged(shared, name, file, FindingKind.Malformed, e.Message);
        }

        _disk.Reach(SnapshotStep.RestoreObjectFetched);
        if (fetched.Bytes != file.Bytes)
        {
            _disk.DeleteTree(part);
            throw Damaged(
                shared, name, file, FindingKind.WrongSize,
                $"it has {fetched.Bytes} bytes, the manifest says {file.Bytes}");
        }

        if (fetched.Sha256 != file.Sha256)
        {
            _disk.DeleteTree(part);
            throw Damaged(
                shared, name, file, FindingKind.WrongDigest,
                $"its SHA-256 is {fetched.Sha256}, the manifest says {file.Sha256}");
        }

        Interlocked.Increment(ref _fetchedFiles);
        Interlocked.Add(ref _fetchedBytes, fetched.Bytes);
        _disk.Rename(part, target);
        _disk.Reach(SnapshotStep.RestoreObjectKept);
    }

    private static StorageException Damaged(
        ISharedStorage shared, string name, SnapshotFile file, FindingKind finding, string what) => new(
        FailureKind.SnapshotDamaged,
        $"Object '{name}' on '{shared.Location}', file '{file.Name}' of the snapshot, is damaged: {what}. Nothing " +
        "was restored from it; put an undamaged copy back, or restore another snapshot.")
        {
            Data = { [nameof(FindingKind)] = finding },
        };
}
