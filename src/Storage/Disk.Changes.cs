using Branching.Storage.Changes;
using Microsoft.Win32.SafeHandles;

namespace Branching.Storage;

/// <content>Steps of the change log, which writes beside every commit and therefore allocates nothing.</content>
internal sealed partial class Disk
{
    /// <summary>As <see cref="AtCrashPoint"/>, for the steps of the change log.</summary>
    public Action<ChangeStep>? AtChangeStep { get; init; }

    public void Reach(ChangeStep step) => AtChangeStep?.Invoke(step);

    /// <summary>Opens a file for writing at offsets; nothing is changed in it.</summary>
    public static SafeFileHandle OpenForWriting(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("Opening the file", path, e);
        }
    }

    /// <summary>Writes at an offset; not durable before the file is flushed.</summary>
    public void WriteAt(SafeFileHandle file, string path, ReadOnlySpan<byte> bytes, long offset)
    {
        try
        {
            BeforeStep?.Invoke(new(DiskStepKind.AppendFile, path));
            RandomAccess.Write(file, bytes, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(Verb(DiskStepKind.AppendFile), path, e);
        }
    }

    /// <summary>Makes what was written to an open file durable.</summary>
    public void Flush(SafeFileHandle file, string path)
    {
        try
        {
            BeforeStep?.Invoke(new(DiskStepKind.FlushFile, path));
            RandomAccess.FlushToDisk(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(Verb(DiskStepKind.FlushFile), path, e);
        }
    }

    /// <summary>Cuts an open file; not durable before it is flushed.</summary>
    public void Truncate(SafeFileHandle file, string path, long bytes)
    {
        try
        {
            BeforeStep?.Invoke(new(DiskStepKind.TruncateFile, path));
            RandomAccess.SetLength(file, bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(Verb(DiskStepKind.TruncateFile), path, e);
        }
    }
}
