using System.Collections.Concurrent;
using Branching.RocksDb.Files;

namespace Branching.Storage.Shared;

/// <summary>Shared storage in a directory that all nodes have mounted.</summary>
/// <remarks>
/// <para>
/// Everything is written to a temporary file in <c>.tmp</c> and fsynced, then gets its name in one step: by
/// <c>link()</c>, which never replaces, or by <c>rename()</c>, which always does. Then the directory is fsynced, as
/// are the parents of new directories. A name that is taken is made durable before that is answered, so that an
/// answer never depends on somebody else's unfinished step.
/// </para>
/// <para>
/// The directory's identity is remembered: when another stands at its path, because the file system was unmounted,
/// every call fails instead of starting afresh there. Thread-safe.
/// </para>
/// </remarks>
public sealed partial class PosixSharedStorage : ISharedStorage
{
    /// <summary>The longest object that <see cref="TryReadAsync"/> reads.</summary>
    public const int MaxReadBytes = 64 << 20;

    private const string TemporaryName = ".tmp";
    private const int NoEntry = 2, Exists = 17, NotDirectory = 20;
    private readonly string _directory;
    private readonly string _temporary;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly StorageNature _nature;
    private FileStatus _identity;

    // Directories in it whose names this process has seen to be durable. They are never removed, and few.
    private readonly ConcurrentDictionary<string, bool> _durableDirectories = new(StringComparer.Ordinal);

    private PosixSharedStorage(string directory, TimeSpan timeout, TimeProvider time, StorageNature nature)
    {
        _directory = directory;
        _nature = nature;
        _temporary = Path.Combine(directory, TemporaryName);
        _timeout = timeout;
        _time = time;
    }

    /// <inheritdoc/>
    public string Location => _directory;

    /// <summary>Opens the directory, creates it when absent, checks that the file system can do what is needed
    /// (hard links, renames, fsync), and removes temporary files that nobody has changed for long.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="timeout">How long one small step may take; 30 s when not given. A file transfer may take
    /// longer.</param>
    /// <param name="time">The clock of that wait.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.NotSupported"/>: it cannot; or it cannot be
    /// reached.</exception>
    public static Task<PosixSharedStorage> OpenAsync(
        string directory,
        TimeSpan? timeout = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default) =>
        OpenAsync(directory, timeout, time, StorageNature.Shared, cancellationToken);

    /// <summary>Opens a directory to read what is in it: creates, writes and deletes nothing, so that a read-only mount
    /// will do. Changes are refused by the file system, or not at all: do not ask for any.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="timeout">As for <see cref="OpenAsync(string, TimeSpan?, TimeProvider?, CancellationToken)"/>.
    /// </param>
    /// <param name="time">The clock of that wait.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.SharedStorageUnavailable"/>: it is not there.
    /// </exception>
    public static Task<PosixSharedStorage> OpenToReadAsync(
        string directory,
        TimeSpan? timeout = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default) =>
        OpenAsync(
            directory, timeout, time, StorageNature.Shared with { IsReadOnly = true }, cancellationToken);

    /// <summary>As the public ones, for a directory that is used for something else.</summary>
    internal static async Task<PosixSharedStorage> OpenAsync(
        string directory, TimeSpan? timeout, TimeProvider? time, StorageNature nature,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        PosixSharedStorage storage = new(
            Path.GetFullPath(directory), timeout ?? TimeSpan.FromSeconds(30), time ?? TimeProvider.System, nature);
        await storage.WaitAsync(
            "Opening", "",
            () => Task.Run(
                () => nature.IsReadOnly ? storage.LookAt() : storage.Prepare(), CancellationToken.None),
            cancellationToken).ConfigureAwait(false);
        return storage;
    }

    /// <inheritdoc/>
    public Task<bool> PutIfAbsentAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        return RunAsync("PutIfAbsent", name, () =>
        {
            string temporary = WriteTemporary(content.Span);
            try
            {
                return LinkInPlace(temporary, PathOf(name));
            }
            finally
            {
                Forget(temporary);
            }
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        return RunAsync("Replace", name, () =>
        {
            string path = PathOf(name);
            string temporary = WriteTemporary(content.Span);
            try
            {
                CreateParent(path);
                File.Move(temporary, path, overwrite: true);
            }
            catch
            {
                Forget(temporary);
                throw;
            }

            FlushDirectory(Path.GetDirectoryName(path)!);
            return true;
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        return RunAsync("Read", name, () => Read(PathOf(name)), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken)
    {
        SharedNames.CheckDirectory(directory);
        return RunAsync<IReadOnlyList<SharedEntry>>(
            "List", directory, () => List(PathOf(directory)), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<long?>> FindAsync(IReadOnlyList<string> names, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(names);
        foreach (string name in names)
        {
            SharedNames.Check(name);
        }

        return RunAsync<IReadOnlyList<long?>>("Find", names.Count > 0 ? names[0] : "", () =>
        [
            .. names.Select(name => TryGetStatus(PathOf(name), out FileStatus status) && status.IsFile
                ? status.Bytes
                : (long?)null),
        ], cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        return RunAsync("Delete", name, () =>
        {
            string path = PathOf(name);
            bool existed = TryGetStatus(path, out _);
            if (existed)
            {
                File.Delete(path);
            }

            string parent = Path.GetDirectoryName(path)!;
            if (TryGetStatus(parent, out _))
            {
                FlushDirectory(parent);
            }

            return existed;
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) =>
        RunAsync<long?>("Free space", "", () => LocalFiles.GetFreeBytes(_directory), cancellationToken);

    private static byte[]? Read(string path)
    {
        ThrowIfSpecial(path);
        try
        {
            using FileStream file = new(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (file.Length > MaxReadBytes)
            {
                throw new StorageException(
                    FailureKind.RequestTooLarge,
                    $"'{path}' has {file.Length} bytes; documents of at most {MaxReadBytes} bytes are read.");
            }

            byte[] content = new byte[file.Length];
            file.ReadExactly(content);
            return content;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>A link may lead anywhere, and a pipe or a device may never end: none was ever put here.</summary>
    private static void ThrowIfSpecial(string path)
    {
        if (TryGetStatus(path, out FileStatus status) && !status.IsFile && !status.IsDirectory)
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"'{path}' is no file but a link, a pipe or a device. It was not read: find out who put it there and " +
                "put the file itself back.");
        }
    }

    private static List<SharedEntry> List(string path)
    {
        if (!TryGetStatus(path, out _))
        {
            return [];
        }

        List<SharedEntry> entries = [];
        foreach (FileSystemInfo info in new DirectoryInfo(path).EnumerateFileSystemInfos())
        {
            if (info.Name.StartsWith('.'))
            {
                continue;
            }

            bool isDirectory = info is DirectoryInfo;
            try
            {
                long bytes = info is FileInfo file ? file.Length : 0;
                entries.Add(new(info.Name, isDirectory, bytes, new DateTimeOffset(info.LastWriteTimeUtc)));
            }
            catch (FileNotFoundException)
            {
                // Deleted since the listing began.
            }
        }

        entries.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return entries;
    }

    private string PathOf(string name) => name.Length == 0 ? _directory : Path.Combine(_directory, name);

    private string NewTemporary() => Path.Combine(_temporary, Guid.NewGuid().ToString("N"));

    private string WriteTemporary(ReadOnlySpan<byte> content)
    {
        string path = NewTemporary();
        try
        {
            using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
            file.Write(content);
            FlushFile(file);
            return path;
        }
        catch
        {
            Forget(path);
            throw;
        }
    }

    /// <summary>Gives a complete, fsynced file its name; <see langword="false"/> when the name is taken.</summary>
    private bool LinkInPlace(string temporary, string path)
    {
        string[] made = MakeParents(path);
        bool linked = LocalFiles.TryCreateHardLink(temporary, path, out int errno);
        if (!linked && errno != Exists)
        {
            throw new IOException($"link() failed with errno {errno}.", errno);
        }

        // A network file system may repeat a request whose answer was lost: then the name that is taken is our own.
        linked |= LocalFiles.GetStatus(temporary).LinkCount > 1;
        // Together, for one commit of the journal; nothing depends on the directory before this is answered.
        FlushDirectory(Path.GetDirectoryName(path)!);
        FlushNames(made);
        return linked;
    }

    private void CreateParent(string path) => FlushNames(MakeParents(path));

    /// <summary>Makes the directories above a path.</summary>
    /// <returns>Those whose own names may not be durable, the topmost first: whoever made one that is there may have
    /// died, or be somewhere else, before it made the name so.</returns>
    private string[] MakeParents(string path)
    {
        string parent = Path.GetDirectoryName(path)!;
        bool isInside = parent.Length > _directory.Length;
        if (Directory.Exists(parent) && (!isInside || _durableDirectories.ContainsKey(parent)))
        {
            return [];
        }

        string[] above = MakeParents(parent);
        Directory.CreateDirectory(parent);
        return [.. above, parent];
    }

    private void FlushNames(string[] directories)
    {
        foreach (string directory in directories)
        {
            FlushDirectory(Path.GetDirectoryName(directory)!);
            _durableDirectories[directory] = true;
        }
    }

    private static void Forget(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is in nobody's way, and swept when the storage is opened a day later.
        }
    }

    private static bool TryGetStatus(string path, out FileStatus status)
    {
        try
        {
            status = LocalFiles.GetStatus(path);
            return true;
        }
        catch (LocalFileException e) when (e.Errno is NoEntry or NotDirectory)
        {
            status = default;
            return false;
        }
    }
}
