using System.Text;
using Branching.RocksDb.Files;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>What a step does to the file system.</summary>
internal enum DiskStepKind
{
    CreateDirectory,
    WriteFile,
    AppendFile,
    FlushFile,
    FlushDirectory,
    FlushDirectoryWithFiles,
    Rename,
    Replace,
    DeleteFile,
    DeleteTree,
    Checkpoint,
    CreateStore,
    TruncateFile,
}

/// <summary>One step that changes the file system; <paramref name="Target"/> is set for renames.</summary>
internal readonly record struct DiskStep(DiskStepKind Kind, string Path, string? Target = null);

/// <summary>Every change that the data root, the catalog and the branch protocol make to the file system.</summary>
/// <remarks>
/// One place, so that tests can fail, kill or record each step: <see cref="BeforeStep"/> runs before it and may throw.
/// All members block. Failures are <see cref="StorageException"/>s that name the step and the path.
/// </remarks>
internal sealed partial class Disk
{
    /// <summary>Called before each step; what it throws is treated as the step's own failure.</summary>
    public Action<DiskStep>? BeforeStep { get; init; }

    /// <summary>
    /// Called between steps, at each point of a protocol where a crash leaves something to reconcile.
    /// </summary>
    public Action<CrashPoint>? AtCrashPoint { get; init; }

    public void Reach(CrashPoint point) => AtCrashPoint?.Invoke(point);

    /// <summary>As <see cref="AtCrashPoint"/>, for the steps of taking and restoring snapshots.</summary>
    public Action<SnapshotStep>? AtSnapshotStep { get; init; }

    public void Reach(SnapshotStep step) => AtSnapshotStep?.Invoke(step);

    /// <summary>As <see cref="AtCrashPoint"/>, for the steps between a data root and shared storage.</summary>
    public Action<SharingStep>? AtSharingStep { get; init; }

    public void Reach(SharingStep step) => AtSharingStep?.Invoke(step);

    public void CreateDirectory(string path) =>
        Run(new(DiskStepKind.CreateDirectory, path), static s => Directory.CreateDirectory(s.Path));

    /// <summary>Writes a new file and fsyncs its content; its entry becomes durable with its directory.</summary>
    public void WriteNewFile(string path, string text) => WriteNewFile(path, Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="WriteNewFile(string, string)"/>
    public void WriteNewFile(string path, byte[] bytes)
    {
        WriteUnflushed(path, bytes);
        FlushFile(path);
    }

    /// <summary>Writes a new file; neither its content nor its entry is durable.</summary>
    public void WriteUnflushed(string path, string text) => WriteUnflushed(path, Encoding.UTF8.GetBytes(text));

    private void WriteUnflushed(string path, byte[] bytes) => Run(new(DiskStepKind.WriteFile, path), s =>
    {
        using FileStream file = new(s.Path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        file.Write(bytes);
    });

    public void Append(FileStream file, ReadOnlyMemory<byte> bytes) =>
        Run(new(DiskStepKind.AppendFile, file.Name), _ =>
        {
            file.Write(bytes.Span);
            file.Flush();
        });

    public void FlushOpenFile(FileStream file) =>
        Run(new(DiskStepKind.FlushFile, file.Name), _ => RandomAccess.FlushToDisk(file.SafeFileHandle));

    public void FlushFile(string path) => Run(new(DiskStepKind.FlushFile, path), static s =>
        LocalFiles.FlushFile(s.Path));

    public void FlushDirectory(string path) =>
        Run(new(DiskStepKind.FlushDirectory, path), static s => LocalFiles.FlushDirectory(s.Path));

    /// <summary>As <see cref="FlushDirectory"/>, with the files in it that have no other name.</summary>
    public void FlushDirectoryWithFiles(string path) =>
        Run(new(DiskStepKind.FlushDirectoryWithFiles, path), static s => LocalFiles.FlushDirectoryWithFiles(s.Path));

    /// <summary>Renames in one step; never replaces.</summary>
    public void Rename(string from, string to) =>
        Run(new(DiskStepKind.Rename, from, to), static s => LocalFiles.Rename(s.Path, s.Target!));

    /// <summary>Puts a complete, fsynced file in the place of another in one step.</summary>
    public void Replace(string from, string to) =>
        Run(new(DiskStepKind.Replace, from, to), static s => File.Move(s.Path, s.Target!, overwrite: true));

    public void DeleteFile(string path) => Run(new(DiskStepKind.DeleteFile, path), static s => File.Delete(s.Path));

    /// <summary>Deletes a directory with all it holds, or one file; what is not there is deleted already.</summary>
    public void DeleteTree(string path) =>
        Run(new(DiskStepKind.DeleteTree, path), static s =>
        {
            if (Directory.Exists(s.Path) && !IsLink(s.Path))
            {
                Directory.Delete(s.Path, recursive: true);
            }
            else
            {
                File.Delete(s.Path);
            }
        });

    /// <summary>
    /// As <see cref="DeleteTree"/>, for what a start sweeps anyway: the outcome of the work it was made for is what the
    /// caller must hear, so a failure is only logged.
    /// </summary>
    public void TryDeleteTree(string path, ILogger logger)
    {
        try
        {
            DeleteTree(path);
        }
        catch (StorageException e)
        {
            logger.LeftBehind(path, e);
        }
    }

    /// <summary>A step of another component, made visible here.</summary>
    public void Step(DiskStepKind kind, string path, Action action) => Run(new(kind, path), _ => action());

    /// <summary>As the other one, of a step with an answer.</summary>
    public T Step<T>(DiskStepKind kind, string path, Func<T> action)
    {
        T result = default!;
        Run(new(kind, path), _ => result = action());
        return result;
    }

    /// <summary>Reads a small text file; <see langword="null"/> when it does not exist.</summary>
    public static string? TryReadText(string path)
    {
        try
        {
            return File.ReadAllText(path, Encoding.UTF8);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("Reading", path, e);
        }
    }

    /// <summary>Names of the entries of a directory; an unreadable directory is a failure, never empty.</summary>
    public static List<string> List(string directory)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("Listing", directory, e);
        }
    }

    /// <summary>A failure of the file system with its kind and an instruction.</summary>
    public static StorageException Failed(string what, string path, Exception e)
    {
        (FailureKind kind, string advice) = Classify(e);
        return new StorageException(kind, $"{what} '{path}' failed: {e.Message} {advice}", e);
    }

    private static (FailureKind Kind, string Advice) Classify(Exception e)
    {
        // <errno.h>; .NET's and the binding's file exceptions carry the number in HResult on Unix.
        const int Eperm = 1, Eacces = 13, Enospc = 28, Edquot = 122, Emfile = 24, Enfile = 23, Erofs = 30;
        int errno = e is UnauthorizedAccessException ? Eacces : e.HResult;
        return errno switch
        {
            Eperm or Eacces => (FailureKind.PermissionDenied, "Give this process's user access to it and try again."),
            Erofs => (FailureKind.PermissionDenied,
                "The file system is read-only: remount it for writing and try again."),
            Enospc or Edquot => (FailureKind.DiskFull,
                "Free space (or inodes, or quota) on that file system and try again."),
            Emfile or Enfile => (FailureKind.TooManyOpenFiles,
                "Raise the limit of open files, or lower MaxOpenStores."),
            _ => (FailureKind.Io, "Check the disk and the system log."),
        };
    }

    private static bool IsLink(string path) => File.GetAttributes(path).HasFlag(FileAttributes.ReparsePoint);

    private void Run(DiskStep step, Action<DiskStep> action)
    {
        try
        {
            BeforeStep?.Invoke(step);
            action(step);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(Verb(step.Kind), step.Target ?? step.Path, e);
        }
    }

    private static string Verb(DiskStepKind kind) => kind switch
    {
        DiskStepKind.CreateDirectory => "Creating the directory",
        DiskStepKind.WriteFile => "Writing the file",
        DiskStepKind.AppendFile => "Appending to the file",
        DiskStepKind.FlushFile => "Making the file durable",
        DiskStepKind.FlushDirectory or DiskStepKind.FlushDirectoryWithFiles => "Making the directory durable",
        DiskStepKind.Rename or DiskStepKind.Replace => "Renaming to",
        DiskStepKind.DeleteFile or DiskStepKind.DeleteTree => "Deleting",
        DiskStepKind.Checkpoint => "Making the checkpoint",
        DiskStepKind.CreateStore => "Creating the store",
        DiskStepKind.TruncateFile => "Cutting the file",
        _ => "Changing",
    };
}
