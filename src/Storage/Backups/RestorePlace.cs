using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Branching.RocksDb.Files;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Backups;

/// <summary>The place that a backup is restored to, and what stands beside it meanwhile.</summary>
/// <remarks>
/// <code>
/// &lt;target&gt;                      the store: the old one, or the new one, at any moment
/// &lt;target&gt;.restoring-&lt;n&gt;  the new one while it is put together; after the exchange, the old one
/// &lt;target&gt;.replaced-&lt;n&gt;   an old one that was to be kept; never removed by this program
/// &lt;target&gt;.trash-&lt;n&gt;      an old one that is being removed
/// </code>
/// A directory that is being put together holds <c>restored.json</c> with its own name; the one that stood at the
/// target does not, so a directory named <c>.restoring-</c> tells which of the two it is.
/// </remarks>
internal sealed class RestorePlace
{
    private const string Restoring = ".restoring-";
    private const string Replaced = ".replaced-";
    private const string Trash = ".trash-";
    private const string LockName = "RESTORING";

    private readonly Disk _disk;
    private readonly ILogger _logger;

    public RestorePlace(string target, Disk disk, ILogger logger)
    {
        Target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        Parent = Path.GetDirectoryName(Target) is { } parent && Directory.Exists(parent)
            ? parent
            : throw new StorageException(
                FailureKind.InvalidArgument,
                $"'{Target}' cannot be restored to: its parent directory does not exist. Create it first.");
        _disk = disk;
        _logger = logger;
        Staging = NewBeside(Restoring);
    }

    public string Target { get; }

    public string Parent { get; }

    public string Staging { get; private set; }

    public bool Exists => Path.Exists(Target);

    public bool IsEmpty => !Exists || (Directory.Exists(Target) && !Directory.EnumerateFileSystemEntries(Target).Any());

    /// <summary>What forbids restoring there, whatever was asked; <see langword="null"/>: nothing.</summary>
    public string? FindForbidden(string backups)
    {
        if (LeadsTo(Target, backups) || LeadsTo(backups, Target))
        {
            return $"'{Target}' and the backup directory '{backups}' lie within each other; a restore would be part " +
                "of its own source. Choose a directory elsewhere.";
        }

        if (Exists && !Directory.Exists(Target))
        {
            return $"'{Target}' is a file. Choose a directory.";
        }

        return StoreLocks.FindHolder(Target) is { } holder
            ? $"the store at '{Target}' is open in process {holder}. Close it first."
            : null;
    }

    /// <summary>Takes up what an interrupted restore of the same backup left, or begins afresh.</summary>
    /// <returns>Held until the restore has ended.</returns>
    public IDisposable Begin(RestoredDocument document, Action marked)
    {
        DirectoryLock? held = null;
        foreach (string path in Beside(Restoring))
        {
            RestoredDocument? found = ReadMark(path);
            if (found is null || found.Staging != Path.GetFileName(path))
            {
                continue;
            }

            held = TryLock(path) ?? throw Busy(path);
            if (found.Manifest == document.Manifest && found.Directory == document.Directory)
            {
                Staging = path;
                return held;
            }

            Sweep(path, held);
        }

        _disk.CreateDirectory(Staging);
        held = TryLock(Staging) ?? throw Busy(Staging);
        try
        {
            _disk.WriteNewFile(
                Path.Combine(Staging, RestoredDocument.FileName),
                JsonSerializer.Serialize(
                    document with { Staging = Path.GetFileName(Staging) },
                    BackupDocuments.Default.RestoredDocument) + "\n");
            _disk.FlushDirectory(Staging);
            marked();
            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Removes what earlier restores left; sets aside what may be somebody's store.</summary>
    public void SweepOthers()
    {
        foreach (string path in Beside(Trash))
        {
            _logger.RestoreSwept(path, "it is removed");
            _disk.DeleteTree(path);
        }

        foreach (string path in Beside(Restoring).Where(path => path != Staging))
        {
            if (ReadMark(path)?.Staging == Path.GetFileName(path))
            {
                continue; // Another backup's, or another process's: Begin knows.
            }

            if (Disk.List(path).All(IsOwn))
            {
                // Killed before it was marked, or about to be.
                using IDisposable held = TryLock(path) ?? throw Busy(path);
                _disk.DeleteTree(path);
                continue;
            }

            string kept = path.Replace(Restoring, Replaced, StringComparison.Ordinal);
            _logger.RestoreSwept(path, $"it is the store that was replaced, and is '{kept}' now");
            _disk.Rename(path, kept);
        }
    }

    /// <summary>After the exchange: the old store, which has the name of the new one's staging directory.</summary>
    public string KeepOld()
    {
        string kept = Staging.Replace(Restoring, Replaced, StringComparison.Ordinal);
        _disk.Rename(Staging, kept);
        return kept;
    }

    public string MoveOldToTrash()
    {
        string trash = Staging.Replace(Restoring, Trash, StringComparison.Ordinal);
        _disk.Rename(Staging, trash);
        return trash;
    }

    /// <summary>Removes the lock from the store that was restored.</summary>
    public void Forget() => _disk.DeleteFile(Path.Combine(Target, LockName));

    /// <summary>A fresh directory that the next restore removes, if this one does not.</summary>
    public string NewScratch() => NewBeside(Trash);

    /// <summary>The names that a restore itself puts into the directory it puts together.</summary>
    public static bool IsOwn(string name) => name is LockName or RestoredDocument.FileName;

    private static bool LeadsTo(string inner, string outer)
    {
        if (!Path.Exists(outer))
        {
            return false;
        }

        FileStatus place = StatusOf(outer);
        for (string? path = inner; path is not null; path = Path.GetDirectoryName(path))
        {
            if (Path.Exists(path) && StatusOf(path) is var one && one.Inode == place.Inode
                && one.Device == place.Device)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Of what a path leads to: a link to a directory is that directory.</summary>
    private static FileStatus StatusOf(string path)
    {
        try
        {
            return LocalFiles.GetStatus(new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName
                ?? path);
        }
        catch (IOException e)
        {
            throw Disk.Failed("Looking at", path, e);
        }
    }

    private static RestoredDocument? ReadMark(string directory)
    {
        string? text = Disk.TryReadText(Path.Combine(directory, RestoredDocument.FileName));
        try
        {
            return text is null ? null : JsonSerializer.Deserialize(text, BackupDocuments.Default.RestoredDocument);
        }
        catch (JsonException)
        {
            return null; // Torn: the directory is taken for somebody's store and set aside, never removed.
        }
    }

    private static DirectoryLock? TryLock(string directory)
    {
        try
        {
            return DirectoryLock.TryAcquire(Path.Combine(directory, LockName), out _);
        }
        catch (LocalFileException e)
        {
            throw Disk.Failed("Locking", directory, e);
        }
    }

    private void Sweep(string path, DirectoryLock held)
    {
        using (held)
        {
            _logger.RestoreSwept(path, "it was of another backup and is removed");
            _disk.DeleteTree(path);
        }
    }

    private StorageException Busy(string path) => new(
        FailureKind.Locked, $"another restore to '{Target}' is under way, in '{path}'. Wait until it has ended.");

    private string[] Beside(string kind)
    {
        string prefix = Path.GetFileName(Target) + kind;
        return [.. Disk.List(Parent).Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).Select(name => Path.Combine(Parent, name))];
    }

    private string NewBeside(string kind) =>
        $"{Target}{kind}{RandomNumberGenerator.GetInt32(int.MaxValue).ToString("x8", CultureInfo.InvariantCulture)}";
}
